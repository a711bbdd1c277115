"""One network in two processes of torchrun: the losses and weights of one process, but for rounding."""

import subprocess
import sys

import numpy as np
import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from labelchain.agents import train as script
from labelchain.agents.checkpoints import load_tensors
from labelchain.agents.data_parallel import NETWORKS, train_network
from labelchain.agents.runs import Run, RunError, alone_in
from labelchain.agents.settings import Settings
from labelchain.envs.datasets import write_npz

TINY = Settings(width=8, embedding=6, hidden=5, epochs=4, batch_size=15)
CASES = {
    "always-random": ("always-random", {}),
    "order-free": ("order-free", {}),
    "chain-q": ("chain-q", {"cell": "gru"}),
    "chain-pg": ("chain-pg", {}),
    "f1": ("chain-pg", {"cell": "gru", "reward": "f1"}),
    "sampled": ("chain-pg", {"estimator": "sampled", "cell": "gru", "reward": "f1"}),
    "self-critical": ("chain-pg", {"estimator": "sampled", "baseline": "self-critical", "clip": 0.5}),
    "stopped": ("order-free", {}),
}
"""Learners and changes of the settings, by the folder of the run."""

TOGETHER = f"""
import os
import sys
import weakref
from pathlib import Path
import torch
from labelchain.agents.data_parallel import joined, train_network
from labelchain.agents.settings import Settings
from labelchain.envs import load_dataset

torch.set_num_threads(1)
data, out = load_dataset(sys.argv[1]), Path(sys.argv[2])
with joined():
    for name, (learner, changes) in {CASES!r}.items():
        train_network(learner, data, "random", {TINY!r}.with_changes(changes), 0, out / name)
    group = weakref.ref(torch.distributed.group.WORLD)
(out.parent / f"group-{{os.environ['RANK']}}").write_text("kept" if group() else "gone")
"""


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """Folders with the runs of one process, and of two together."""
    from conftest import random_dataset

    folder = tmp_path_factory.mktemp("runs")
    # Batches of 15 rows, which two processes cannot share evenly.
    data = random_dataset(num_rows=75)
    write_npz(data, folder / "data.npz")
    one, two = folder / "one", folder / "two"
    for name, (learner, changes) in CASES.items():
        train_network(learner, data, "random", TINY.with_changes(changes), 0, one / name)
    with pytest.raises(KeyboardInterrupt):
        run = Run(two / "stopped", "order-free", "random", 0, TINY)
        NETWORKS["order-free"](run, data, stop_halfway)
    (folder / "together.py").write_text(TOGETHER)
    torchrun(folder / "together.py", folder / "data.npz", two)
    return one, two


def stop_halfway(share, note):
    if share == 0.5:
        raise KeyboardInterrupt


def torchrun(*arguments):
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    return subprocess.run(
        [*map(str, [*command, *arguments])], check=True, capture_output=True, text=True, timeout=120
    )


def curves(folder):
    """Every figure that was logged, by tag."""
    events = EventAccumulator(str(folder)).Reload()
    return {tag: [one.value for one in events.Scalars(tag)] for tag in events.Tags()["scalars"]}


@pytest.mark.parametrize("name", [name for name in CASES if name != "stopped"])
def test_two_processes_have_the_curves_of_one(trained, name):
    one, two = (curves(folder / name) for folder in trained)
    assert one.keys() == two.keys()
    assert len(one["train/loss"]) == TINY.epochs
    for tag in one:
        if tag not in ("time/seconds", "time/inputs_per_second"):
            np.testing.assert_allclose(two[tag], one[tag], rtol=1e-4, atol=1e-5, err_msg=tag)


@pytest.mark.parametrize("name", list(CASES))
def test_two_processes_have_the_weights_of_one(trained, name):
    one, two = (load_tensors(folder / name / "model.pt") for folder in trained)
    for family in ("ranking", "label_set"):
        ours, theirs = one[family][0]["state"], two[family][0]["state"]
        assert ours.keys() == theirs.keys()
        for key in ours:
            torch.testing.assert_close(theirs[key], ours[key], rtol=1e-4, atol=1e-5)


def test_the_first_process_alone_writes(trained):
    for name in CASES:
        ours, theirs = (sorted(each.name for each in (folder / name).iterdir()) for folder in trained)
        assert len(ours) == len(theirs) - (name == "stopped")  # which has event files of before and after
        assert [each for each in ours if "events" not in each] == ["config.json", "model.pt", "trained.json"]


def test_the_group_ends_before_its_processes(trained):
    folder = trained[0].parent
    assert [(folder / f"group-{rank}").read_text() for rank in (0, 1)] == ["gone", "gone"]


def test_the_script_trains_networks_in_one_process_too(tmp_path, dataset, capsys):
    write_npz(dataset, tmp_path / "data.npz")
    settings = ["--set", "epochs=2", "--set", "width=8", "--set", "batch_size=16"]
    arguments = ["order-free", str(tmp_path / "data.npz"), "--out", str(tmp_path / "run")]
    metrics = script.main([*arguments, *settings])
    assert metrics["P@1"] > 0
    printed = capsys.readouterr().out
    assert "100%  order-free" in printed
    assert "(1 process)" in printed
    with pytest.raises(ValueError, match="with width="):
        script.main([*arguments, "--set", "width=9"])
    with pytest.raises(ValueError, match="NAME=VALUE"):
        script.main([*arguments, "--set", "width"])
    for wrong in ([*arguments, "--steps", "9"], ["ppo", "digit-scenes", "--set", "width=8"]):
        with pytest.raises(SystemExit):
            script.main(wrong)


def test_it_does_not_train_where_another_process_does(tmp_path, dataset):
    with alone_in(tmp_path), pytest.raises(RunError, match="another process trains in"):
        train_network("always-random", dataset, "random", TINY, 0, tmp_path)
    assert not [*tmp_path.iterdir()]
