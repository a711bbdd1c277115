"""Training that is stopped anywhere: it ends bit-equal, logs no step twice, leaves nothing half written."""

import time

import pytest
import torch
from same_models import assert_bit_equal, states
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from labelchain.agents import checkpoints, training
from labelchain.agents.chain_pg import train_chain_pg
from labelchain.agents.checkpoints import FORMAT, load_chain_model, load_tensors
from labelchain.agents.likelihood import LikelihoodObjective, RandomOrder
from labelchain.agents.runs import RunError
from labelchain.agents.training import Phase, train
from labelchain.envs import evaluate


def silent(share, note):
    """A progress callback that shows nothing."""


def interrupt(*_args, **_kwargs):
    raise KeyboardInterrupt


class Counted:
    """An objective that is interrupted at its call number ``stop``, counted from 1."""

    def __init__(self, stop=None):
        self.inner = LikelihoodObjective(RandomOrder())
        self.stop = stop
        self.calls = 0

    def loss(self, *arguments):
        self.calls += 1
        if self.calls == self.stop:
            raise KeyboardInterrupt
        return self.inner.loss(*arguments)


def train_counted(run, data, objective, progress=silent):
    return train(run, data, [Phase("counted", objective, run.settings.epochs, 1e-2)], progress)


def next_second():
    """Event files are read in the order of the second in which they were made."""
    now = int(time.time())
    while int(time.time()) == now:
        time.sleep(0.02)


def scalars(run, tag):
    events = EventAccumulator(str(run.directory))
    events.Reload()
    return [(event.step, event.value) for event in events.Scalars(tag)]


def temporary_files(run):
    return [path.name for path in run.directory.iterdir() if path.name.startswith(".")]


@pytest.mark.parametrize("cell", ["sum", "gru"])
def test_a_run_that_is_stopped_after_every_epoch_ends_as_one_that_is_not(make_run, dataset, cell):
    """Four epochs, two of warm-up: the boundary between phases is among the places."""
    undisturbed, stopped = make_run("chain-pg", cell=cell), make_run("chain-pg", cell=cell)
    train_chain_pg(undisturbed, dataset, silent)
    for _ in range(4):
        with pytest.raises(KeyboardInterrupt):
            train_chain_pg(stopped, dataset, interrupt)
        assert not (stopped.directory / "model.pt").exists()
    train_chain_pg(stopped, dataset, interrupt)  # no epoch is left: nothing to report
    assert_bit_equal(undisturbed, stopped)
    assert temporary_files(stopped) == []


@pytest.mark.parametrize("stop", [1, 2, 4, 5, 12])
def test_a_run_that_is_stopped_within_an_epoch_repeats_it(make_run, dataset, stop):
    undisturbed, stopped = make_run("always-random"), make_run("always-random")
    whole = Counted()
    train_counted(undisturbed, dataset, whole)
    assert whole.calls == 12
    with pytest.raises(KeyboardInterrupt):
        train_counted(stopped, dataset, Counted(stop))
    train_counted(stopped, dataset, Counted())
    assert_bit_equal(undisturbed, stopped)


@pytest.mark.parametrize("where", ["evaluate", "save_tensors", "save_chain_model"])
def test_whatever_is_stopped_no_step_is_logged_twice(make_run, dataset, monkeypatch, where):
    undisturbed, stopped = make_run("always-random"), make_run("always-random")
    train_counted(undisturbed, dataset, Counted())
    with monkeypatch.context() as patch:
        patch.setattr(training, where, interrupt)
        with pytest.raises(KeyboardInterrupt):
            train_counted(stopped, dataset, Counted())
    next_second()
    train_counted(stopped, dataset, Counted())
    assert_bit_equal(undisturbed, stopped)
    for tag in ("eval/nDCG@5", "train/likelihood_loss"):
        assert scalars(stopped, tag) == scalars(undisturbed, tag)


def test_a_failing_save_leaves_the_last_good_epoch(make_run, dataset, monkeypatch):
    undisturbed, stopped = make_run("always-random"), make_run("always-random")
    train_counted(undisturbed, dataset, Counted())
    epochs = []

    def stop_at_two(share, note):
        epochs.append(share)
        if len(epochs) == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train_counted(stopped, dataset, Counted(), stop_at_two)
    before = (stopped.directory / "last.pt").read_bytes()

    def full(content, file):
        file.write(b"half")
        raise OSError("no space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(checkpoints.torch, "save", full)
        with pytest.raises(OSError, match="no space left"):
            train_counted(stopped, dataset, Counted())
    assert (stopped.directory / "last.pt").read_bytes() == before
    assert temporary_files(stopped) == []
    train_counted(stopped, dataset, Counted())
    assert_bit_equal(undisturbed, stopped)


def test_training_leaves_the_random_state_of_its_caller_alone(make_run, dataset):
    torch.manual_seed(5)
    before = torch.get_rng_state()
    train_chain_pg(make_run("chain-pg", epochs=2), dataset, silent)
    assert torch.equal(before, torch.get_rng_state())


def test_training_does_not_depend_on_the_folder_or_on_what_ran_before(make_run, dataset):
    one, other = make_run("always-random", name="here"), make_run("always-random", name="there/below")
    train_counted(one, dataset, Counted())
    torch.manual_seed(99)
    train_chain_pg(make_run("chain-pg", epochs=1), dataset, silent)
    train_counted(other, dataset, Counted())
    assert_bit_equal(one, other)


class Spoiling:
    """Learns nothing, and moves every weight far away."""

    def loss(self, network, batch, generator):
        del generator
        logits, _ = network(batch.features, batch.labels)
        return -(logits**2).mean(), {"env_steps": 1}


def test_the_model_is_the_best_epoch_of_all_phases(make_run, dataset):
    run = make_run("chain-pg", epochs=12)
    phases = [Phase("good", LikelihoodObjective(RandomOrder()), 10, 3e-2), Phase("bad", Spoiling(), 2, 1.0)]
    train(run, dataset, phases, silent)
    curves = {
        metric: [value for _, value in scalars(run, f"eval/{metric}")] for metric in ("nDCG@5", "f1_example")
    }
    assert max(curves["nDCG@5"][10:]) < max(curves["nDCG@5"][:10])
    found = evaluate(load_chain_model(run.directory / "model.pt"), dataset, "validation").metrics
    for metric, values in curves.items():
        assert len(values) == 12
        assert found[metric] == pytest.approx(max(values), rel=1e-5)


def test_rankings_and_label_sets_may_come_from_different_epochs(make_run, dataset, monkeypatch):
    """nDCG@5 is best in the second of three epochs, example F1 in the first."""
    figures = iter([(1.0, 9.0), (3.0, 5.0), (3.0, 7.0)])
    weights = []

    def told(model, data, split):
        assert split == "validation"
        weights.append(model.model.output.weight.detach().clone())
        ranking, label_set = next(figures)
        result = evaluate(model, data, split)
        result.metrics.update({"nDCG@5": ranking, "f1_example": label_set})
        return result

    monkeypatch.setattr(training, "evaluate", told)
    run = make_run("always-random", epochs=3)
    train_counted(run, dataset, Counted())
    found = states(run)
    assert torch.equal(found["ranking", 0, "output.weight"], weights[1])  # the first of two equal ones
    assert torch.equal(found["label_set", 0, "output.weight"], weights[0])


class Diverging:
    """Not finite from some call on."""

    def __init__(self, call, value):
        self.left = call
        self.value = value

    def loss(self, network, batch, generator):
        del generator
        self.left -= 1
        logits, _ = network(batch.features, batch.labels)
        return logits.mean() * (self.value if self.left == 0 else 1.0), {"env_steps": 1}


@pytest.mark.parametrize(("call", "epoch", "batch"), [(1, 1, 1), (5, 2, 2), (12, 4, 3)])
@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_loss_that_is_not_finite_names_the_learner_the_epoch_the_batch_and_its_rows(
    make_run, dataset, call, epoch, batch, value
):
    run = make_run("rare2freq")
    with pytest.raises(
        RunError, match=rf"rare2freq became -?{value} in epoch {epoch}, batch {batch} "
    ) as caught:
        train_counted(run, dataset, Diverging(call, value))
    named = str(caught.value).partition("(rows [")[2].partition("]")[0]
    assert {int(row) for row in named.split(",")} <= set(dataset.rows("train").tolist())
    assert not (run.directory / "model.pt").exists()
    good = f"; epoch {epoch - 1} is in {run.directory / 'last.pt'}"
    assert (good in str(caught.value)) == (epoch > 1)


@pytest.mark.parametrize(
    "content", [{"epoch": float("inf")}, {"best": []}, {"optimiser": {"param_groups": [3]}}]
)
def test_a_last_checkpoint_of_other_content_is_refused(make_run, dataset, content):
    run = make_run("always-random")
    with pytest.raises(KeyboardInterrupt):
        train_counted(run, dataset, Counted(), interrupt)
    last = run.directory / "last.pt"
    torch.save(load_tensors(last) | content, last)
    with pytest.raises(RunError, match=r"last\.pt does not belong to this run"):
        train_counted(run, dataset, Counted())


@pytest.mark.parametrize("damage", ["empty", "truncated", "text", "format", "list", "missing"])
def test_a_damaged_last_checkpoint_is_refused_with_a_way_out(make_run, dataset, damage):
    run = make_run("always-random")
    with pytest.raises(KeyboardInterrupt):
        train_counted(run, dataset, Counted(), interrupt)
    last = run.directory / "last.pt"
    content = last.read_bytes()
    if damage in ("format", "list", "missing"):
        damaged = {"format": {"format": 0}, "list": [1], "missing": {"format": FORMAT, "epoch": 1}}
        torch.save(damaged[damage], last)
    else:
        last.write_bytes({"empty": b"", "truncated": content[:-100], "text": b"no checkpoint"}[damage])
    with pytest.raises(RunError, match=r"last\.pt.*remove"):
        train_counted(run, dataset, Counted())
    last.write_bytes(content)
    train_counted(run, dataset, Counted())
    assert (run.directory / "model.pt").exists()


def test_every_epoch_sees_each_training_row_once_in_a_new_order_with_new_randomness(make_run, dataset):
    seen, draws = [], []

    class Watching(Counted):
        def loss(self, network, batch, generator):
            seen.append(batch.features)
            draws.append(torch.rand(1, generator=torch.Generator().set_state(generator.get_state())).item())
            return super().loss(network, batch, generator)

    train_counted(make_run("always-random"), dataset, Watching())
    rows = torch.from_numpy(dataset.dense_features(dataset.rows("train")))
    epochs = [torch.cat(seen[start : start + 3]) for start in range(0, 12, 3)]
    for epoch in epochs:
        assert torch.equal(epoch[epoch[:, 0].argsort()], rows[rows[:, 0].argsort()])
    assert not any(torch.equal(epochs[0], epoch) for epoch in epochs[1:])
    assert len(set(draws)) == len(draws)
    assert {len(batch) for batch in seen} == {12}  # nearly equal batches, none of a few rows
