"""The composites: the joint loss at its ends, the output form against its parts."""

import numpy as np
import pytest
import torch

from labelchain.agents.averaging import AveragedModel
from labelchain.agents.chain_network import NetworkConfig
from labelchain.agents.checkpoints import load_chain_model, load_tensors, save_chain_model
from labelchain.agents.decoding import ChainPredictor, decode_greedily
from labelchain.agents.likelihood import Batch, LikelihoodObjective
from labelchain.agents.network_records import network_of
from labelchain.agents.networks import build_network
from labelchain.agents.policy_gradient import PolicyGradientObjective
from labelchain.agents.runs import Run, RunError
from labelchain.baselines.composite import WEIGHTS, WeightedObjective, clearly_best
from labelchain.baselines.learners import fit
from labelchain.baselines.reordering import SampledOrder
from labelchain.envs import evaluate
from labelchain.envs.metrics import row_scores
from labelchain.envs.rewards import make_reward


def silent(share, note):
    """A progress callback that shows nothing."""


def losses_and_gradients(make_objective):
    """The loss of one batch and the gradient of every weight, from the same network and randomness."""
    torch.manual_seed(0)
    net = build_network(3, 4, NetworkConfig(width=6, dropout=0.3), "none")
    batch = Batch(torch.randn(12, 3), torch.tensor([[0, 2, -1]] * 6 + [[1, 2, 3]] * 6))
    rl = PolicyGradientObjective(make_reward("f1", 4), 4, 0.9, entropy=0.01)
    reordering = LikelihoodObjective(SampledOrder(4))
    torch.manual_seed(1)
    loss = make_objective(net, batch, torch.Generator().manual_seed(1), rl, reordering)
    loss.backward()
    return loss.item(), {n: p.grad for n, p in net.named_parameters()}


def assert_same(one, other):
    assert one[0] == pytest.approx(other[0], rel=1e-6)
    for name, gradient in one[1].items():
        expected = torch.zeros_like(gradient) if other[1][name] is None else other[1][name]
        torch.testing.assert_close(gradient, expected, atol=1e-6, rtol=1e-5)


def test_a_joint_loss_of_weight_one_is_reinforcement_learning_alone():
    assert_same(
        losses_and_gradients(lambda net, b, g, rl, re: WeightedObjective(rl, re, 1.0).loss(net, b, g)[0]),
        losses_and_gradients(lambda net, b, g, rl, _: rl.loss(net, b, g)[0]),
    )


def test_a_joint_loss_of_weight_zero_is_reordering_alone():
    def reordering_second(net, batch, generator, rl, reordering):
        rl.loss(net, batch, generator)  # draws what the joint form draws before it comes to the second loss
        return reordering.loss(net, batch, generator)[0]

    assert_same(
        losses_and_gradients(lambda net, b, g, rl, re: WeightedObjective(rl, re, 0.0).loss(net, b, g)[0]),
        losses_and_gradients(reordering_second),
    )


def test_a_joint_loss_logs_the_figures_of_both():
    figures = {}

    def logged(net, batch, generator, rl, reordering):
        loss, logs = WeightedObjective(rl, reordering, 0.25).loss(net, batch, generator)
        figures.update(logs)
        return loss

    loss, _ = losses_and_gradients(logged)
    assert {"policy_loss", "value_loss", "entropy", "return", "likelihood_loss", "env_steps"} == set(figures)
    rl = figures["policy_loss"] + 0.5 * figures["value_loss"] - 0.01 * figures["entropy"]
    assert loss == pytest.approx(0.25 * rl + 0.75 * figures["likelihood_loss"], rel=1e-5)


@pytest.fixture
def composed(make_run, dataset):
    run = make_run("composite", epochs=2)
    fit(run, dataset, silent)
    return run


@pytest.mark.parametrize(
    ("name", "reinforced", "mixing"),
    [
        ("composite", "chain-pg", "equal"),
        ("composite", "chain-pg", "validated"),
        ("composite-q", "chain-q", "validated"),
    ],
)
def test_the_output_form_is_the_average_of_its_parts(make_run, dataset, name, reinforced, mixing):
    composed = make_run(name, epochs=2, mixing=mixing)
    fit(composed, dataset, silent)
    limit = composed.settings.chain_limit(dataset)
    selection = composed.settings.selection()
    parts = [
        load_tensors(composed.directory / "parts" / name / "seed-0" / "model.pt")
        for name in ("target-reordering", reinforced)
    ]
    features = dataset.dense_features(dataset.rows("test"))
    content = load_tensors(composed.directory / "model.pt")
    found = load_chain_model(composed.directory / "model.pt").predict(features)
    for family, predicted in (("ranking", found.ranking), ("label_set", found.chains)):
        networks = [network_of(part[family][0]) for part in parts]

        def average(weight, networks=networks):
            return AveragedModel(networks, [1.0 - weight, weight])

        def rows(weight, family=family, average=average):
            answers = evaluate(ChainPredictor(average(weight), limit), dataset, "validation")
            return row_scores(answers.labels, answers.predictions)[selection[family]]

        validated = clearly_best({weight: rows(weight) for weight in WEIGHTS})
        weight = validated if mixing == "validated" else 0.5
        assert [record["weight"] for record in content[family]] == pytest.approx([1.0 - weight, weight])
        average = average(weight)
        expected = decode_greedily(average, torch.from_numpy(features), limit)
        np.testing.assert_array_equal(predicted, expected.ranking if family == "ranking" else expected.chains)


@pytest.mark.parametrize(
    ("gains", "chosen"),
    [
        ([[0.0, 0.0, 0.0, 0.0]], 0.7),
        ([[1.0, 1.0, 1.0, -1.0]], 0.7),  # 0.5 with a standard error of 0.43
        ([[1.0, 1.0, 1.0, 0.0]], 0.5),  # 0.75 with one of 0.22
        ([[1.0, 1.0, 1.0, 1.0], [2.0, 2.0, 2.0, 0.0]], 0.5),  # 1.5 with one of 0.43 is less sure than 1
        ([[-1.0, -1.0, -1.0, -1.0]], 0.7),
        ([[0.01]], 0.5),  # of a metric that pools all rows
        ([[-0.01], [0.02]], 0.9),
    ],
)
def test_other_weights_are_taken_for_a_clear_gain_alone(gains, chosen):
    scores = {WEIGHTS[0]: np.ones(len(gains[0]))}
    scores |= {weight: 1.0 + np.array(gain) for weight, gain in zip((0.5, 0.9), gains, strict=False)}
    assert WEIGHTS[0] == 0.7
    assert clearly_best(scores) == chosen


def test_networks_of_values_are_averaged_by_the_mean_of_their_log_odds(make_run, dataset):
    ensemble = make_run("three-chain-q", epochs=1)
    fit(ensemble, dataset, silent)
    content = load_tensors(ensemble.directory / "model.pt")
    assert [(record["mean"], record["weight"]) for record in content["ranking"]] == [("geometric", 1 / 3)] * 3
    networks = [network_of(record) for record in content["ranking"]]
    features = dataset.dense_features(dataset.rows("test"))
    with torch.no_grad():
        odds = [network.logits(network.start(torch.from_numpy(features))) for network in networks]
    best = torch.stack(odds)[..., :-1].mean(dim=0).argmax(dim=1)
    found = load_chain_model(ensemble.directory / "model.pt").predict(features)
    np.testing.assert_array_equal(found.ranking[:, 0], best)


def test_a_composite_of_ten_weighs_seven_with_reinforcement_as_the_composite_of_two_weighs_one(
    make_run, dataset
):
    large = make_run("ten-composite", epochs=1)
    fit(large, dataset, silent)
    parts = large.directory / "parts"
    numbers = {name: len([*parts.glob(f"{name}/*/model.pt")]) for name in ("target-reordering", "chain-pg")}
    assert numbers == {"target-reordering": 3, "chain-pg": 7}
    content = load_tensors(large.directory / "model.pt")
    for family in ("ranking", "label_set"):
        assert [record["weight"] for record in content[family]] == [1 / 10] * 10
    assert WEIGHTS[0] == numbers["chain-pg"] / 10


def test_a_composite_uses_the_finished_runs_of_its_parts(make_run, composed, dataset):
    before = {path: path.stat().st_mtime_ns for path in composed.directory.rglob("*") if path.is_file()}
    again = make_run("composite", epochs=2)
    assert fit(again, dataset, silent, composed.directory / "parts") == composed.result
    assert before == {path: path.stat().st_mtime_ns for path in before}
    assert not (again.directory / "parts").exists()


def test_parts_with_other_settings_are_refused(make_run, composed, dataset):
    other = make_run("composite", epochs=3)
    with pytest.raises(RunError, match="with epochs=2, not 3"):
        fit(other, dataset, silent, composed.directory / "parts")
    assert other.result is None


def test_a_part_with_a_damaged_model_stops_the_composite(make_run, composed, dataset):
    (composed.directory / "parts" / "chain-pg" / "seed-0" / "model.pt").write_bytes(b"")
    other = make_run("composite", epochs=2)
    with pytest.raises(RunError, match=r"chain-pg/seed-0/model\.pt is not a labelchain checkpoint"):
        fit(other, dataset, silent, composed.directory / "parts")


def test_progress_of_the_parts_is_progress_of_the_whole(make_run, dataset):
    told = []

    def progress(share, note):
        told.append((share, note))

    fit(make_run("composite", epochs=2), dataset, progress)
    shares = [share for share, _ in told]
    assert shares == pytest.approx([0.25, 0.5, 0.75, 1.0])
    assert all(note.startswith("target-reordering: ") for _, note in told[:2])
    assert all(note.startswith("chain-pg: ") for _, note in told[2:])


def test_a_joint_run_that_is_stopped_after_every_epoch_has_the_metrics_of_one_that_is_not(make_run, dataset):
    for learner in ("composite-joint", "target-reordering", "fixed-random"):
        undisturbed, stopped = make_run(learner), make_run(learner)
        expected = fit(undisturbed, dataset, silent)

        def interrupt(share, note):
            raise KeyboardInterrupt

        for _ in range(4):
            with pytest.raises(KeyboardInterrupt):
                fit(stopped, dataset, interrupt)
            assert stopped.result is None
        assert fit(stopped, dataset, interrupt) == expected
        one, other = (load_tensors(run.directory / "model.pt") for run in (undisturbed, stopped))
        for family in ("ranking", "label_set"):
            first, second = one[family][0]["state"], other[family][0]["state"]
            assert all(torch.equal(first[name], second[name]) for name in first)


def test_averaging_a_network_with_itself_through_a_file_changes_nothing(composed, dataset, tmp_path):
    records = load_tensors(composed.directory / "parts" / "chain-pg" / "seed-0" / "model.pt")["ranking"]
    features = dataset.dense_features(dataset.rows("test"))
    for copies in (1, 2, 3):
        save_chain_model(tmp_path / f"{copies}.pt", records * copies, records * copies, 4)
    one, *others = (load_chain_model(tmp_path / f"{copies}.pt").predict(features) for copies in (1, 2, 3))
    for other in others:
        np.testing.assert_array_equal(one.ranking, other.ranking)
        np.testing.assert_array_equal(one.chains, other.chains)


def test_the_seed_of_a_composite_is_that_of_its_parts(make_run, dataset):
    run = make_run("composite", seed=5, epochs=1)
    fit(run, dataset, silent)
    for part in (run.directory / "parts").iterdir():
        assert Run.open(part / "seed-5").seed == 5
