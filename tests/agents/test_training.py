"""Training: bit-equal for a seed, resumable at any epoch, selected on validation, safe to load."""

import json
import pickle

import pytest
import torch
from same_models import assert_bit_equal, states
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from labelchain.agents.chain_pg import train_chain_pg
from labelchain.agents.checkpoints import FORMAT, load_chain_model, load_tensors, save_tensors
from labelchain.agents.likelihood import LikelihoodObjective, RandomOrder
from labelchain.agents.run_logger import RunLogger
from labelchain.agents.runs import Run, RunError
from labelchain.agents.training import Phase, train
from labelchain.envs import evaluate
from labelchain.envs.files import written_beside


def silent(share, note):
    """A progress callback that shows nothing."""


def likelihood(run, dataset, progress=silent):
    objective = LikelihoodObjective(RandomOrder())
    return train(run, dataset, [Phase("random", objective, run.settings.epochs, 1e-2)], progress)


def test_the_same_seed_gives_bit_equal_models_and_another_does_not(make_run, dataset):
    runs = [make_run("chain-pg", seed=seed) for seed in (0, 0, 1)]
    for run in runs:
        torch.rand(3)  # what else the process draws does not matter
        train_chain_pg(run, dataset, silent)
    assert_bit_equal(runs[0], runs[1])
    with pytest.raises(AssertionError):
        assert_bit_equal(runs[0], runs[2])


@pytest.mark.parametrize("after", [1, 2, 3])
def test_a_stopped_run_goes_on_bit_equal(make_run, dataset, after):
    undisturbed, stopped = make_run("chain-pg"), make_run("chain-pg")
    train_chain_pg(undisturbed, dataset, silent)
    calls = []

    def interrupt(share, note):
        calls.append(share)
        if len(calls) == after:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train_chain_pg(stopped, dataset, interrupt)
    assert (stopped.directory / "last.pt").exists()
    assert not (stopped.directory / "model.pt").exists()
    train_chain_pg(stopped, dataset, silent)
    assert_bit_equal(undisturbed, stopped)
    assert not (stopped.directory / "last.pt").exists()


def test_models_are_selected_on_validation(make_run, dataset):
    run = make_run("always-random", epochs=6)
    likelihood(run, dataset)
    events = EventAccumulator(str(run.directory))
    events.Reload()
    metrics = evaluate(load_chain_model(run.directory / "model.pt"), dataset, "validation").metrics
    for metric in ("nDCG@5", "f1_example"):
        best = max(event.value for event in events.Scalars(f"eval/{metric}"))
        assert metrics[metric] == pytest.approx(best, rel=1e-5)


def test_a_finished_model_is_not_trained_again(make_run, dataset):
    run = make_run("always-random")
    seen = likelihood(run, dataset)
    before = (run.directory / "model.pt").read_bytes()

    def fail(share, note):
        raise AssertionError("trained again")

    assert likelihood(run, dataset, fail) == seen == 4 * len(dataset.rows("train"))
    assert (run.directory / "model.pt").read_bytes() == before


def test_a_loss_that_is_not_finite_stops_the_run_and_names_the_batch(make_run, dataset):
    class Broken:
        def loss(self, *_):
            return torch.tensor(float("nan"), requires_grad=True), {"env_steps": 1}

    with pytest.raises(RunError, match=r"loss of always-random became nan in epoch 1, batch 1 \(rows \["):
        train(make_run("always-random"), dataset, [Phase("broken", Broken(), 1, 1e-3)], silent)


@pytest.mark.parametrize("learning_rate", [1e10, 1e30, 1e39])
def test_weights_too_large_for_a_model_are_not_saved(make_run, dataset, learning_rate):
    class Immense:
        def loss(self, network, *_):
            return network.output.bias.sum(), {"env_steps": 1}

    run = make_run("always-random", batch_size=1000)
    with pytest.raises(
        RunError, match=r"weights of always-random rose above 1e\+09 in epoch 1, .* lower learn"
    ):
        train(run, dataset, [Phase("immense", Immense(), 1, learning_rate)], silent)
    assert not (run.directory / "last.pt").exists()
    assert not (run.directory / "model.pt").exists()


def test_a_gradient_that_is_not_finite_is_not_followed(make_run, dataset):
    class Steep:
        def loss(self, network, *_):
            return network.output.bias.square().sum().sqrt(), {"env_steps": 1}

    class Flat(Steep):
        def loss(self, network, *_):
            with torch.no_grad():
                network.output.bias.zero_()
            return super().loss(network)

    with pytest.raises(RunError, match=r"the gradient of always-random is not finite in epoch 1, batch 1 \("):
        train(make_run("always-random"), dataset, [Phase("steep", Flat(), 1, 1e-3)], silent)


class Payload:
    """Makes a file when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (open, (str(self.path), "w"))


@pytest.mark.parametrize("damage", ["empty", "truncated", "text", "payload", "format"])
def test_damaged_checkpoints_are_refused_and_never_run(make_run, dataset, tmp_path, damage):
    run = make_run("always-random", epochs=1)
    likelihood(run, dataset)
    path, trap = run.directory / "model.pt", tmp_path / "trap"
    content = path.read_bytes()
    if damage == "payload":
        torch.save({"format": FORMAT, "ranking": Payload(trap)}, path)
    elif damage == "format":
        torch.save({"format": 99}, path)
    else:
        path.write_bytes({"empty": b"", "truncated": content[: len(content) // 2], "text": b"hello"}[damage])
    with pytest.raises(RunError, match=r"model\.pt is not a labelchain checkpoint.*train again"):
        load_chain_model(path)
    assert not trap.exists()
    path.write_bytes(pickle.dumps(Payload(trap)))
    with pytest.raises(RunError):
        load_chain_model(path)
    assert not trap.exists()


def test_a_missing_checkpoint_says_so(tmp_path):
    with pytest.raises(RunError, match=r"model\.pt does not exist"):
        load_chain_model(tmp_path / "model.pt")


def test_another_training_state_is_refused(make_run, dataset):
    run, other = make_run("always-random"), make_run("always-random", width=9)

    def interrupt(share, note):
        raise KeyboardInterrupt

    for each in (run, other):
        with pytest.raises(KeyboardInterrupt):
            likelihood(each, dataset, interrupt)
    (run.directory / "last.pt").write_bytes((other.directory / "last.pt").read_bytes())
    with pytest.raises(RunError, match=r"last\.pt does not belong to this run"):
        likelihood(run, dataset)


def changed(*place):
    """What puts the last of ``place`` where the others lead."""

    def change(content):
        *way, last, value = place
        for step in way:
            content = content[step]
        content[last] = value

    return change


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (changed("epoch", 0), "epoch must be a whole number from 1 to 4, got 0"),
        (changed("epoch", 5), "epoch must be a whole number from 1 to 4, got 5"),
        (changed("env_steps", -1), "env_steps must be a whole number"),
        (changed("seconds", float("nan")), "seconds must be a number"),
        (changed("best", {}), "best lacks 'label_set'"),
        (changed("best", "ranking", "score", float("nan")), "score must be a number"),
        (changed("best", "ranking", "record", {}), "a network lacks 'config'"),
        (changed("network", "state", "value_head.bias", torch.tensor([torch.inf])), "that are not finite"),
        (changed("optimiser", "param_groups", []), "must have 1 groups of parameters"),
        (changed("optimiser", "param_groups", 0, "eps", 0.0), "eps must be 1e-08, got 0.0"),
        (changed("optimiser", "param_groups", 0, "lr", -1.0), "lr must be a number"),
        (changed("optimiser", "state", 999, {}), "must have states of its parameters"),
        (changed("optimiser", "state", 2, {}), "a parameter's state lacks"),
        (changed("optimiser", "state", 2, "exp_avg", torch.ones(7)), "exp_avg must be of float32 and shape"),
        (changed("optimiser", "state", 2, "step", torch.tensor(-1.0)), "must not be negative"),
        (changed("note", "x"), "it has an unknown 'note'"),
    ],
)
def test_wrong_values_in_a_training_state_are_refused(make_run, dataset, change, message):
    """Each would be found late, or never."""
    run = make_run("always-random")

    def interrupt(share, note):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        likelihood(run, dataset, interrupt)
    content = load_tensors(run.directory / "last.pt")
    change(content)
    save_tensors(run.directory / "last.pt", content)
    with pytest.raises(RunError, match=f"last.pt does not belong to this run .*{message}.*remove it"):
        likelihood(run, dataset)


def test_configuration_is_complete_and_guards_its_folder(make_run):
    run = make_run("always-random", name="run", dropout=0.25)
    run.create()
    assert Run.open(run.directory).settings == run.settings
    config = json.loads((run.directory / "config.json").read_text())
    assert {"torch", "gymnasium", "labelchain", "python"} <= set(config["versions"])
    assert config["seed"] == 0
    run.create()  # the same again is fine
    with pytest.raises(RunError, match=r"holds a run with dropout=0\.25, not 0\.3"):
        make_run("always-random", name="run").create()
    with pytest.raises(RunError, match="holds a run with learner='always-random', not 'freq2rare'"):
        make_run("freq2rare", name="run", dropout=0.25).create()


def test_hyperparameters_and_final_metrics_are_in_the_event_file(make_run):
    run = make_run("always-random")
    with RunLogger(run) as logger:
        logger.final({"P@1": 50.0}, 7)
    events = EventAccumulator(str(run.directory))
    events.Reload()
    assert events.Scalars("test/P@1")[0].step == 7
    assert "config/text_summary" in events.Tags()["tensors"]
    assert {"_hparams_/experiment", "_hparams_/session_start_info"} <= set(events.summary_metadata)


def test_a_file_is_whole_or_not_there(tmp_path):
    path = tmp_path / "file.json"
    path.write_text("old")

    def fail():
        with written_beside(path) as temporary:
            temporary.write_text("ne")
            raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        fail()
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_bfloat16_trains_float32_parameters_to_about_the_same_loss(make_run, dataset):
    losses = {}
    for precision in ("float32", "bfloat16"):
        run = make_run("always-random", epochs=2, precision=precision)
        likelihood(run, dataset)
        assert {tensor.dtype for tensor in states(run).values()} == {torch.float32}
        events = EventAccumulator(str(run.directory))
        events.Reload()
        losses[precision] = events.Scalars("train/loss")[-1].value
    assert losses["bfloat16"] != losses["float32"]
    assert losses["bfloat16"] == pytest.approx(losses["float32"], rel=0.02)
