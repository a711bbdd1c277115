"""Work that is killed anywhere leaves nothing unreadable, and goes on to a bit-equal result.

Most kills come just before an operation on files, drawn among all that the work does; the others within a
write, or at a random moment.
"""

import hashlib
import json
import shutil
import signal
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch

from labelchain.agents.checkpoints import load_tensors
from labelchain.agents.runs import Run

pytestmark = pytest.mark.faults

SIGNALS = {"SIGKILL": signal.SIGKILL, "SIGTERM": signal.SIGTERM, "SIGINT": signal.SIGINT}
ENDED = {"SIGKILL": -signal.SIGKILL, "SIGTERM": -signal.SIGTERM, "SIGINT": 130}
OUTCOMES = ("predictions.npz", "scores.npz", "results.json", "results.csv", "report.md", "tuned.json")


def plan(places):
    """The kind of each stop and its number, which draws the place."""
    kinds = ["SIGKILL"] * 3 + ["write"] + ["SIGTERM", "moment"] + ["SIGINT", "write"]
    return [(number, kinds[number % len(kinds)]) for number in range(places)]


def stop_at(kind, number, folder, told):
    """A place to stop, drawn by the number."""
    rng = np.random.default_rng(number)
    if kind == "write":
        sizes = sorted(path.stat().st_size for path in folder.rglob("*") if path.is_file())
        return {"write": int(np.exp(rng.uniform(0, np.log(0.9 * sizes[-1])))), "kill": True}
    if kind == "moment":
        return {"moment": float(rng.uniform(0, 0.6)) * told["seconds"], "signal": signal.SIGKILL}
    return {"operation": int(rng.integers(1, told["operations"] + 1)), "signal": SIGNALS[kind]}


def killed(kind, told):
    if kind == "SIGINT" and told["exit"] == 0:  # it came when all was done but the process
        return True
    expected = {"write": -signal.SIGXFSZ, "moment": -signal.SIGKILL} | ENDED
    return told["exit"] == expected[kind]


def assert_readable(folder):
    """Every file that is not hidden is whole."""
    for path in folder.rglob("*"):
        if path.name.startswith(".") or not path.is_file():
            continue
        match path.suffix:
            case ".json":
                json.loads(path.read_text())
            case ".pt":
                load_tensors(path)
            case ".npz":
                with np.load(path, allow_pickle=False) as arrays:
                    assert all(arrays[name].size for name in arrays)
            case ".zip":
                assert zipfile.ZipFile(path).testzip() is None
    for path in folder.rglob("config.json"):
        result = Run.open(path.parent).result
        assert result is None or len(result) > 5


def bits(content):
    """Tensors and plain values as text, which is equal only if all bits are."""
    if isinstance(content, torch.Tensor):
        return f"{content.dtype}{tuple(content.shape)}{hashlib.sha256(content.numpy().tobytes()).hexdigest()}"
    if isinstance(content, dict):
        return str({name: bits(value) for name, value in content.items()})
    return str([bits(each) for each in content]) if isinstance(content, list) else repr(content)


def outcome(folder):
    """What must be equal: models, predictions, results and the final metrics."""
    found = {}
    for path in sorted(folder.rglob("*")):
        name = str(path.relative_to(folder))
        if path.suffix == ".pt":
            found[name] = bits(load_tensors(path))
        elif path.name in OUTCOMES:
            found[name] = hashlib.sha256(path.read_bytes()).hexdigest()
        elif path.name == "result.json":
            found[name] = json.loads(path.read_text())["metrics"]
    return found


def check(host, undisturbed, folder, kind, number, task, **arguments):
    """Stop a task once, let it go on, and compare it with one that was not stopped."""
    expected, told = undisturbed(task, **arguments)
    stop = stop_at(kind, number, expected, told)
    stopped = host(task, stop, folder=str(folder), **arguments)
    while (
        kind == "moment" and stopped["exit"] == 0
    ):  # all was done before: work takes now less, now more time
        shutil.rmtree(folder)
        folder.mkdir()
        stop["moment"] /= 2
        stopped = host(task, stop, folder=str(folder), **arguments)
    assert killed(kind, stopped), stopped
    assert_readable(folder)
    resumed = host(task, folder=str(folder), **arguments)
    assert resumed["exit"] == 0, resumed
    assert outcome(folder) == outcome(expected)
    assert len(outcome(expected)) > 0
    assert not list(folder.rglob(".unfinished*"))


@pytest.mark.parametrize(("number", "kind"), plan(16))
def test_a_network_in_training(host, undisturbed, tmp_path, number, kind):
    check(host, undisturbed, tmp_path, kind, number, "train", learner="chain-pg")


@pytest.mark.parametrize(("number", "kind"), plan(6))
def test_a_composite_and_its_parts(host, undisturbed, tmp_path, number, kind):
    check(host, undisturbed, tmp_path, kind, 100 + number, "train", learner="composite")


@pytest.mark.parametrize(("number", "kind"), plan(4))
@pytest.mark.parametrize("learner", ["binary-relevance", "maskable-ppo"])
def test_a_classical_model_and_an_agent(host, undisturbed, tmp_path, number, kind, learner):
    check(host, undisturbed, tmp_path, kind, 200 + number, "train", learner=learner)


@pytest.mark.parametrize(("number", "kind"), plan(16))
def test_a_comparison(host, undisturbed, tmp_path, number, kind):
    check(host, undisturbed, tmp_path, kind, 300 + number, "comparison")


@pytest.mark.parametrize("number", range(2))
def test_the_report_of_a_comparison(host, undisturbed, tmp_path, number):
    """The last operations: figures and text."""
    expected, told = undisturbed("comparison", report=True)
    place = {"operation": told["operations"] - 5 - 12 * number, "signal": signal.SIGKILL}
    assert host("comparison", place, folder=str(tmp_path), report=True)["exit"] == -signal.SIGKILL
    assert_readable(tmp_path)
    assert host("comparison", folder=str(tmp_path), report=True)["exit"] == 0
    assert outcome(tmp_path) == outcome(expected)
    assert not list(tmp_path.rglob(".unfinished*"))


@pytest.mark.parametrize(("number", "kind"), plan(4))
def test_a_search_for_settings(host, undisturbed, tmp_path, number, kind):
    check(host, undisturbed, tmp_path, kind, 400 + number, "search")


def test_a_run_that_is_killed_again_and_again(host, undisturbed, tmp_path):
    """Each time a little further on, until it gets through."""
    expected = undisturbed("train", learner="chain-pg")[0]
    kills = 0
    for number in range(1, 100):
        stop = {"operation": 3 + 7 * number, "signal": signal.SIGKILL}
        if host("train", stop, folder=str(tmp_path), learner="chain-pg")["exit"] == 0:
            break
        kills += 1
        assert_readable(tmp_path)
    assert kills >= 3
    assert outcome(tmp_path) == outcome(expected)
    assert Path(tmp_path / "result.json").exists()
