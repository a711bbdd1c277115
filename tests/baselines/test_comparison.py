"""The comparison: what it computes, what it writes, what it does not do twice."""

import json

import pytest
import torch
from rich.console import Console
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from labelchain.agents.chain_network import NetworkConfig
from labelchain.agents.likelihood import Batch, LikelihoodObjective
from labelchain.agents.networks import build_network
from labelchain.agents.settings import Settings
from labelchain.baselines.comparison import cells, compare
from labelchain.baselines.composite import WeightedObjective
from labelchain.baselines.learners import LEARNERS, UnknownLearnerError, fit
from labelchain.baselines.orders import FixedOrder
from labelchain.baselines.report import known_table
from labelchain.envs.datasets.diagnostics import context_first
from labelchain.envs.metrics import LABEL_SET_METRICS, RANKING_METRICS

METRICS = (*RANKING_METRICS, *LABEL_SET_METRICS)
SMALL = Settings(width=8, epochs=2, batch_size=16, sb3_steps=2048)


def silent(share, note):
    """A progress callback that shows nothing."""


def test_a_composite_comes_after_its_parts_and_unknown_names_are_refused():
    assert list(cells({"composite": 1, "chain-pg": 2, "two-always-random": 1})) == [
        ("chain-pg", 0),
        ("chain-pg", 1),
        ("target-reordering", 0),
        ("always-random", 0),
        ("always-random", 1000),
        ("composite", 0),
        ("two-always-random", 0),
    ]
    with pytest.raises(UnknownLearnerError, match="unknown learner 'composit': expected one of popularity"):
        list(cells({"composit": 1}))


def test_every_learner_is_compared_once_and_logged_under_the_same_tags(tmp_path, dataset):
    started = []

    def progress(learner, seed):
        started.append((learner, seed))
        return silent

    names = [name for name in LEARNERS if name != "ppo" and not name.startswith("ten-")]
    results = compare(dataset, "random", names, 1, SMALL, tmp_path, progress)
    composed = [name for name in names if LEARNERS[name].train is None]
    alone = [name for name in names if name not in composed]
    assert composed == ["composite", "composite-q", "two-always-random", "three-chain-q"]
    assert [name for name, _ in started] == [*alone, "always-random", *["chain-q"] * 2, *composed]
    assert json.loads((tmp_path / "results.json").read_text()) == json.loads(json.dumps(results))
    assert set(results["gains"]["composite"]["best order"]) == set(METRICS)
    for name in names:
        events = EventAccumulator(str(tmp_path / name / "seed-0"))
        events.Reload()
        tags = set(events.Tags()["scalars"])
        assert {f"{kind}/{metric}" for kind in ("eval", "test") for metric in METRICS} <= tags
        assert events.Scalars("test/P@1")[0].value == pytest.approx(results["learners"][name]["P@1"]["mean"])

    models = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("model.pt")}
    again = compare(dataset, "random", [*names, "ppo"], 1, SMALL, tmp_path, progress)
    assert {path: path.stat().st_mtime_ns for path in models} == models
    assert {name: again["learners"][name] for name in names} == results["learners"]
    assert "ppo" in again["learners"]


def test_a_composite_alone_trains_its_parts(make_run, dataset):
    run = make_run("composite", epochs=2)
    fit(run, dataset, silent)
    assert sorted(path.name for path in (run.directory / "parts").iterdir()) == [
        "chain-pg",
        "target-reordering",
    ]
    assert run.result is not None


def test_joint_composite_weighs_two_losses():
    torch.manual_seed(0)
    net = build_network(2, 3, NetworkConfig(width=4, dropout=0.0, input_dropout=0.0), "none")
    batch = Batch(torch.randn(5, 2), torch.tensor([[0, 2]] * 5))
    forward, backward = (
        LikelihoodObjective(FixedOrder(torch.tensor(o).numpy())) for o in ([0, 1, 2], [2, 1, 0])
    )
    generator = torch.Generator()
    first, second = (objective.loss(net, batch, generator)[0].item() for objective in (forward, backward))
    for alpha in (0.0, 0.25, 1.0):
        loss, _ = WeightedObjective(forward, backward, alpha).loss(net, batch, generator)
        assert loss.item() == pytest.approx(alpha * first + (1 - alpha) * second)


@pytest.mark.parametrize(
    ("learner", "cell"),
    [
        ("freq2rare", "sum"),
        ("rare2freq", "sum"),
        ("fixed-random", "gru"),
        ("always-random", "gru"),
        ("target-reordering", "sum"),
        ("chain-pg", "sum"),
    ],
)
def test_network_learners_learn_what_is_easy(make_run, make_dataset, learner, cell):
    data = make_dataset(num_rows=600, num_labels=4)
    changes = {"width": 32, "epochs": 15, "learning_rate": 1e-2, "dropout": 0.0, "input_dropout": 0.0}
    run = make_run(learner, cell=cell, **changes)
    labels = data.labels[data.rows("test")]
    with_label = (labels.indptr[1:] > labels.indptr[:-1]).mean()
    assert fit(run, data, silent)["P@1"] > 80 * with_label


def test_diagnostic_problems_come_with_their_known_answers(tmp_path):
    data = context_first(num_rows=560)
    results = compare(data, data.name, ["popularity"], 1, SMALL, tmp_path, lambda *_: silent)
    known = json.loads((tmp_path / "results.json").read_text())["known_subset_accuracy"]
    assert known == pytest.approx({"independent": 0, "random_order": 18, "fixed_order": 23, "dynamic": 28})
    console = Console(width=80, record=True)
    console.print(known_table(results))
    assert "best possible: dynamic 28.0 100 %" in " ".join(console.export_text().split())
