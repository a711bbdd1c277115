"""Policy gradients: rewards as the environment pays them, gradients as enumeration gives them."""

import itertools
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from plain_chains import emitted_before, policy_along

from labelchain.agents.chain_network import NetworkConfig
from labelchain.agents.chain_pg import rl_objective
from labelchain.agents.decoding import sample_chains
from labelchain.agents.expected_reward import ExpectedRewardObjective
from labelchain.agents.likelihood import (
    Batch,
    chain_targets,
    label_lists,
    sort_by_keys,
)
from labelchain.agents.networks import build_network
from labelchain.agents.policy_gradient import (
    PolicyGradientObjective,
    chain_rewards,
    discounted_returns,
)
from labelchain.agents.settings import Settings, settings_for
from labelchain.envs.chains import ChainBatch
from labelchain.envs.rewards import make_reward

NAMES = ["accuracy", "f1", "ndcg@5", "ndcg@2", "precision@3", "subset", "hamming"]


@given(st.integers(1, 7), st.integers(1, 6), st.sampled_from(NAMES), st.integers(0, 2**31))
def test_rewards_of_chains_are_those_of_the_environment(num_labels, limit, name, seed):
    rng = np.random.default_rng(seed)
    limit = min(limit, num_labels)
    true = rng.random((4, num_labels)) < 0.5
    actions = np.full((4, limit), -1)
    for row in actions:
        length = rng.integers(0, limit + 1)
        row[:length] = rng.permutation(num_labels)[:length]
        if length < limit:
            row[length] = num_labels
    batch = ChainBatch(4, num_labels, make_reward(name, num_labels), limit)
    batch.reset(np.arange(4), true.sum(axis=1), np.nonzero(true)[1])
    paid = np.zeros(actions.shape)
    for step in range(limit):
        running = actions[:, step] >= 0
        rewards, _ = batch.step(np.where(running, actions[:, step], num_labels))
        paid[running, step] = rewards[running]
    most = max(1, true.sum(axis=1).max())
    labels = torch.full((4, most), -1)
    for row in range(4):
        labels[row, : true[row].sum()] = torch.from_numpy(np.flatnonzero(true[row]))
    ours = chain_rewards(make_reward(name, num_labels), torch.from_numpy(actions), labels, num_labels)
    np.testing.assert_allclose(ours.numpy(), paid, atol=1e-6)


@pytest.mark.parametrize("discount", [0.0, 0.3, 1.0])
def test_discounted_returns(discount):
    rewards = torch.randn(3, 5)
    expected = torch.zeros_like(rewards)
    for step in range(4, -1, -1):
        expected[:, step] = rewards[:, step] + (discount * expected[:, step + 1] if step < 4 else 0)
    torch.testing.assert_close(discounted_returns(rewards, discount), expected)


@pytest.mark.parametrize("reward", ["accuracy", "ndcg@5", "subset"])
def test_mean_of_sampled_gradients_is_the_gradient_of_the_expected_return(reward):
    num_labels = 2
    torch.manual_seed(0)
    net = build_network(3, num_labels, NetworkConfig(width=4, dropout=0.0, input_dropout=0.0), "none")
    features, labels = torch.tensor([[0.5, -1.0, 2.0]]), torch.tensor([[1]])
    paid = make_reward(reward, num_labels)
    parameters = [p for n, p in net.named_parameters() if not n.startswith("value_head")]

    # Every chain: some labels in some order, then STOP unless all are out.
    expected_return = torch.zeros(())
    for length in range(num_labels + 1):
        for chain in itertools.permutations(range(num_labels), length):
            actions = [*chain, num_labels][:num_labels]
            logits, _ = net(features, torch.tensor([chain], dtype=torch.int64).reshape(1, -1))
            out = emitted_before(torch.tensor([chain], dtype=torch.int64).reshape(1, -1), num_labels)
            log_policy = logits.masked_fill(out, -torch.inf).log_softmax(dim=-1)[0]
            log_chain = sum(log_policy[step, action] for step, action in enumerate(actions))
            value = chain_rewards(paid, torch.tensor([actions]), labels, num_labels).sum()
            expected_return = expected_return + log_chain.exp() * value
    exact = torch.autograd.grad(expected_return, parameters, allow_unused=True)

    objective = PolicyGradientObjective(paid, max_labels=2, discount=1.0, entropy=0.0)
    many = 40_000
    batch = Batch(features.expand(many, -1), labels.expand(many, -1))
    loss, _ = objective.loss(net, batch, torch.Generator().manual_seed(0))
    sampled = torch.autograd.grad(loss, parameters, allow_unused=True)
    scale = max(g.abs().max() for g in exact if g is not None)
    for truth, estimate in zip(exact, sampled, strict=True):
        if truth is not None:
            torch.testing.assert_close(-estimate, truth, atol=float(0.03 * scale), rtol=0)


def greedy_chain(net, features, limit):
    """The most probable actions, one by one."""
    chain = []
    while len(chain) < limit:
        prefix = torch.tensor([chain], dtype=torch.int64).reshape(1, -1)
        logits, _ = net(features, prefix)
        out = emitted_before(prefix, net.num_labels)[0, -1]
        action = int(logits[0, -1].masked_fill(out, -torch.inf).argmax())
        chain.append(action)
        if action == net.num_labels:
            break
    return chain


@pytest.mark.parametrize("discount", [0.0, 0.7, 1.0])
def test_the_self_critical_baseline_is_the_return_of_the_greedy_chain_from_the_same_step_on(discount):
    torch.manual_seed(3)
    net = build_network(3, 4, NetworkConfig(width=4, dropout=0.0, input_dropout=0.0), "none")
    batch = Batch(torch.randn(40, 3), torch.tensor([[0, 1], [2, -1]] * 20))
    paid, limit = make_reward("f1", 4), 3
    objective = PolicyGradientObjective(paid, limit, discount, entropy=0.0, baseline="self-critical")
    rollout = objective.draw(net, batch, torch.Generator().manual_seed(0))
    expected = torch.zeros(())
    steps = 0
    net.eval()
    for row in range(40):
        features, labels = batch.features[row : row + 1], batch.labels[row : row + 1]
        greedy = greedy_chain(net, features, limit)
        actions = [action for action in rollout.actions[row].tolist() if action >= 0]
        steps += len(greedy) + len(actions)
        returns = discounted_returns(chain_rewards(paid, torch.tensor([actions]), labels, 4), discount)[0]
        baseline = torch.zeros(limit)
        baseline[: len(greedy)] = discounted_returns(
            chain_rewards(paid, torch.tensor([greedy]), labels, 4), discount
        )
        prefix = torch.tensor([[action for action in actions if action < 4]], dtype=torch.int64).reshape(
            1, -1
        )
        logits, _ = net(features, prefix)
        log_policy = logits.masked_fill(emitted_before(prefix, 4), -torch.inf).log_softmax(dim=-1)[0]
        for step, action in enumerate(actions):
            expected = expected - log_policy[step, action] * (returns[step] - baseline[step]) / 40
    loss, logs = objective.loss_on(net, batch, rollout, torch.Generator())
    torch.testing.assert_close(loss, expected, atol=1e-5, rtol=1e-4)
    assert logs["env_steps"] == steps
    assert set(logs) == {"policy_loss", "greedy_return", "entropy", "return", "env_steps"}


@pytest.mark.parametrize("discount", [0.0, 1.0])
def test_the_self_critical_baseline_keeps_the_mean_of_the_gradient(discount):
    torch.manual_seed(0)
    net = build_network(3, 3, NetworkConfig(width=4, dropout=0.0, input_dropout=0.0), "none")
    with torch.no_grad():
        net.output.bias[3] -= 5.0  # the greedy chain does not stop at once
    many = 2000
    batch = Batch(torch.tensor([[0.5, -1.0, 2.0]]).expand(many, -1), torch.tensor([[0]]).expand(many, -1))
    objective = PolicyGradientObjective(make_reward("f1", 3), 3, discount, 0.0, "self-critical")
    differences = []
    for seed in range(30):
        generator = torch.Generator().manual_seed(seed)
        rollout = objective.draw(net, batch, generator)
        nothing = replace(rollout, greedy=torch.full((many, 1), 3))  # STOP at once earns nothing
        losses = [objective.loss_on(net, batch, each, generator)[0] for each in (rollout, nothing)]
        differences.append(torch.autograd.grad(losses[0] - losses[1], net.output.weight)[0])
    drawn = torch.stack(differences)
    assert drawn.abs().max() > 0  # the baseline does something
    assert (drawn.mean(dim=0).abs() <= 4 * drawn.std(dim=0) / 30**0.5).all()


def test_gradients_are_finite_with_masked_labels_and_entropy():
    torch.manual_seed(0)
    net = build_network(3, 4, NetworkConfig(width=4, dropout=0.5), "none")
    objective = PolicyGradientObjective(make_reward("f1", 4), max_labels=4, discount=0.5, entropy=0.1)
    batch = Batch(torch.randn(16, 3), torch.tensor([[0, 1]] * 15 + [[-1, -1]]))
    loss, logs = objective.loss(net, batch, torch.Generator().manual_seed(0))
    loss.backward()
    assert all(p.grad is None or p.grad.isfinite().all() for p in net.parameters())
    assert set(logs) == {"policy_loss", "value_loss", "entropy", "return", "env_steps"}
    assert net.training


@given(st.integers(0, 2**31))
@settings(max_examples=20)
def test_cross_entropy_of_chains(seed):
    rng = np.random.default_rng(seed)
    lengths = rng.integers(0, 4, 3)
    rows = np.stack([rng.permutation(5)[:3] for _ in range(3)])
    rows[np.arange(3) >= lengths[:, None]] = -1
    logits = torch.from_numpy(rng.normal(size=(3, 4, 6)))
    expected = 0.0
    for row in range(3):
        for step, target in enumerate([*rows[row, : lengths[row]].tolist(), 5]):
            expected -= float(logits[row, step].log_softmax(dim=0)[target])
    targets = chain_targets(torch.from_numpy(rows), 5)
    loss = torch.nn.functional.cross_entropy(logits[targets >= 0], targets[targets >= 0], reduction="sum")
    assert loss.item() == pytest.approx(expected)


def test_label_lists_and_their_order(dataset):
    rows = torch.from_numpy(dataset.rows("train")[:10])
    lists = label_lists(dataset, rows)
    for row, labels in zip(rows.tolist(), lists.tolist(), strict=True):
        assert [x for x in labels if x >= 0] == dataset.labels[[row]].indices.tolist()
    keys = torch.tensor([[3.0, 1.0, 2.0]])
    assert sort_by_keys(torch.tensor([[4, 7, -1]]), keys).tolist() == [[7, 4, -1]]


@pytest.mark.parametrize("reward", ["f1", "accuracy", "ndcg@5", "ndcg@3", "subset", "hamming"])
def test_expected_rewards_weigh_what_the_environment_would_pay(reward):
    num_labels, limit = 6, 4
    torch.manual_seed(1)
    net = build_network(3, num_labels, NetworkConfig(width=4, dropout=0.0, input_dropout=0.0), "none")
    batch = Batch(torch.randn(9, 3), torch.tensor([[0, 1, -1], [2, -1, -1], [0, 3, 5]] * 3))
    paid = make_reward(reward, num_labels)
    objective = ExpectedRewardObjective(paid, limit)
    actions = sample_chains(
        net.eval(), batch.features, objective.max_labels, torch.Generator(), objective.min_labels
    )
    expected = policy_along(objective, net, batch, actions).expected.detach().numpy()

    true = np.zeros((9, num_labels), dtype=bool)
    for row, labels in enumerate(batch.labels.tolist()):
        true[row, [label for label in labels if label >= 0]] = True
    episodes = ChainBatch(9, num_labels, paid, max_steps=objective.max_labels)
    episodes.reset(np.arange(9), true.sum(axis=1), np.nonzero(true)[1])
    state = net.start(batch.features)
    for step in range(actions.shape[1]):
        running = (actions[:, step] >= 0).numpy()
        log_probs = net.log_probs(state, torch.from_numpy(episodes.emitted.copy())).detach()
        if step < objective.min_labels:
            log_probs[:, num_labels] = -torch.inf
        rewards = episodes.action_rewards()
        policy = log_probs.softmax(dim=1).numpy()
        mean = np.nansum(np.where(policy > 0, policy * rewards, 0.0), axis=1)
        np.testing.assert_allclose(expected[running, step], mean[running], atol=1e-5)
        taken = np.where(running, actions[:, step].numpy(), num_labels)
        episodes.step(taken)
        state = net.advance(state, torch.from_numpy(np.minimum(taken, num_labels - 1)))
    assert (expected[(actions < 0).numpy()] == 0).all()


def test_a_power_of_the_probability_of_right_labels_takes_the_place_of_rewards_of_ranks():
    torch.manual_seed(1)
    net = build_network(3, 6, NetworkConfig(width=4, dropout=0.0, input_dropout=0.0), "none").eval()
    batch = Batch(torch.randn(9, 3), torch.tensor([[0, 1, 4], [2, 3, -1], [0, 3, 5]] * 3))
    labels_out = torch.zeros(9, 6, dtype=torch.bool)

    def first_step(reward, power):
        objective = ExpectedRewardObjective(make_reward(reward, 6), 4, power)
        actions = objective.draw(net, batch, torch.Generator().manual_seed(0)).actions
        along = policy_along(objective, net, batch, actions)
        return along.expected[:, 0].detach(), along.maximised[:, 0].detach()

    policy = net.log_probs(net.start(batch.features), labels_out).detach()[:, :6].softmax(dim=1)
    right = (policy.gather(1, batch.labels.clamp(min=0)) * (batch.labels >= 0)).sum(dim=1)
    expected, maximised = first_step("precision@2", 0.5)
    torch.testing.assert_close(expected, right / 2)
    torch.testing.assert_close(maximised, right.sqrt())  # (p^(1/2) / (1/2)) / 2
    torch.testing.assert_close(*first_step("precision@2", 1.0))
    torch.testing.assert_close(*first_step("f1", 0.5))  # which also pays wrong labels: as it is


@given(st.integers(0, 2**31))
@settings(max_examples=20, deadline=None)
def test_completion_is_the_log_probability_of_a_missing_label_or_of_a_due_stop(seed):
    rng = np.random.default_rng(seed)
    torch.manual_seed(seed % 1000)
    net = build_network(3, 6, NetworkConfig(width=4, dropout=0.0, input_dropout=0.0), "none").eval()
    truth = rng.random((5, 6)) < 0.4
    most = max(1, truth.sum(axis=1).max())
    lists = [[*np.flatnonzero(row), *[-1] * (most - row.sum())] for row in truth]
    batch = Batch(torch.randn(5, 3), torch.tensor(lists))
    objective = ExpectedRewardObjective(make_reward("ndcg@5", 6), 4)
    actions = objective.draw(net, batch, torch.Generator().manual_seed(seed)).actions
    with torch.no_grad():
        along = policy_along(objective, net, batch, actions)
    for row, chain in enumerate(actions.tolist()):
        missing, was_complete = set(np.flatnonzero(truth[row])), False
        state, emitted = net.start(batch.features[row][None]), torch.zeros(1, 6, dtype=torch.bool)
        for step, label in enumerate(chain):
            assert along.completing[row, step] == (not was_complete)
            with torch.no_grad():
                policy = net.log_probs(state, emitted)[0].softmax(dim=0)
            right = policy[list(missing)].sum() if missing else policy[6]
            assert along.completion[row, step].exp() == pytest.approx(float(right), abs=1e-5)
            was_complete = was_complete or not missing
            missing.discard(label)
            emitted[0, label] = True
            state = net.advance(state, torch.tensor([label]))


def test_inputs_of_hopeless_chains_have_finite_gradients():
    torch.manual_seed(1)
    net = build_network(3, 6, NetworkConfig(width=4, dropout=0.0, input_dropout=0.0), "none")
    batch = Batch(torch.randn(3, 3), torch.tensor([[-1], [0], [1]]))  # the first has no labels
    objective = ExpectedRewardObjective(make_reward("ndcg@5", 6), 4, 0.1)
    loss, _ = objective.loss(net, batch, torch.Generator().manual_seed(0))
    loss.backward()
    assert loss.isfinite()
    assert all(p.grad is None or p.grad.isfinite().all() for p in net.parameters())


def test_the_settings_name_the_estimator(dataset):
    assert isinstance(rl_objective(Settings(), dataset), ExpectedRewardObjective)
    assert isinstance(rl_objective(Settings(estimator="sampled"), dataset), PolicyGradientObjective)
    with pytest.raises(ValueError, match="estimator must be 'all-actions' or 'sampled', got 'both'"):
        Settings(estimator="both")
    chosen = rl_objective(Settings(estimator="sampled", baseline="self-critical"), dataset)
    assert chosen.baseline == "self-critical"
    with pytest.raises(ValueError, match="baseline must be 'value' or 'self-critical', got 'greedy'"):
        Settings(baseline="greedy")


def test_the_preset_of_the_paper_holds_for_any_data(dataset):
    settings = settings_for(dataset, "nam2019")
    assert (settings.cell, settings.width, settings.epochs, settings.estimator) == (
        "gru",
        2048,
        200,
        "sampled",
    )
    with pytest.raises(ValueError, match="unknown preset 'nam': expected one of fast, nam2019"):
        settings_for(dataset, "nam")


def test_a_reward_paid_at_the_end_needs_the_sampled_estimator():
    with pytest.raises(ValueError, match=r"'subset' is paid at the end of a chain.*set estimator=sampled"):
        Settings(reward="subset")
    assert Settings(reward="subset", estimator="sampled", discount=1.0).reward == "subset"
