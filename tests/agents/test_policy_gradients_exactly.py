"""Policy gradients against enumeration of every chain, and rewards against the environment itself."""

import itertools

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from plain_chains import emitted_before

from labelchain.agents.action_sums import given_sums, log_likelihood, one_right
from labelchain.agents.chain_network import NetworkConfig
from labelchain.agents.decoding import sample_chains
from labelchain.agents.likelihood import (
    Batch,
    LikelihoodObjective,
    RandomOrder,
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
from labelchain.envs import LabelChainEnv, MultilabelDataset
from labelchain.envs.rewards import make_reward

REWARDS = ["accuracy", "f1", "ndcg@1", "ndcg@5", "precision@3", "subset", "hamming"]


@given(st.sampled_from(REWARDS), st.integers(1, 7), st.integers(0, 2**31))
@settings(max_examples=40)
def test_sampled_chains_are_paid_as_the_environment_pays_them(reward, limit, seed):
    rng = np.random.default_rng(seed)
    labels = rng.random((15, 4)) < rng.random()
    data = MultilabelDataset.from_arrays(
        "random", rng.normal(size=(15, 3)), labels.astype(int), train_rows=range(10), test_rows=range(10, 15)
    )
    torch.manual_seed(seed)
    net = build_network(data.num_features, 4, NetworkConfig(width=4), "none").eval()
    rows = torch.from_numpy(data.rows("train"))
    features = torch.from_numpy(data.dense_features(data.rows("train")))
    actions = sample_chains(net, features, limit, torch.Generator().manual_seed(seed))
    ours = chain_rewards(make_reward(reward, 4), actions, label_lists(data, rows), 4)
    env = LabelChainEnv(data, reward=reward, max_labels=limit)
    for index, row in enumerate(actions.tolist()):
        env.reset(options={"index": index})
        ended = False
        for step, action in enumerate(row):
            assert ended == (action < 0)
            if ended:
                assert ours[index, step] == 0
                continue
            _, paid, terminated, truncated, _ = env.step(action)
            assert ours[index, step].item() == pytest.approx(paid, abs=1e-6)
            ended = terminated or truncated
        assert ended


def enumerated_surrogate(net, features, labels, reward, limit, discount):
    """Sum over all chains of p(chain) * sum_t G_t log pi(a_t), with p held fixed; and the expected return."""
    num_labels, steps = net.num_labels, min(limit, net.num_labels)
    surrogate, expected = torch.zeros(()), torch.zeros(())
    for length in range(steps + 1):
        for chain in itertools.permutations(range(num_labels), length):
            actions = [*chain, num_labels][:steps]
            prefix = torch.tensor([chain], dtype=torch.int64).reshape(1, -1)
            logits, _ = net(features, prefix)
            masked = logits.masked_fill(emitted_before(prefix, num_labels), -torch.inf)
            log_policy = masked.log_softmax(dim=-1)[0]
            chosen = torch.stack([log_policy[step, action] for step, action in enumerate(actions)])
            paid = chain_rewards(reward, torch.tensor([actions]), labels, num_labels)
            returns = discounted_returns(paid, discount)[0]
            weight = chosen.sum().exp()
            surrogate = surrogate + weight.detach() * (returns * chosen).sum()
            expected = expected + weight * paid.sum()
    return surrogate, expected


def gradients(value, net):
    body = [p for name, p in net.named_parameters() if not name.startswith("value_head")]
    each = torch.autograd.grad(value, body, allow_unused=True)
    return torch.cat([g.flatten() for g in each if g is not None])


@pytest.mark.parametrize(
    ("cell", "reward", "limit", "discount"),
    [("sum", "f1", 3, 1.0), ("gru", "accuracy", 2, 1.0), ("sum", "ndcg@5", 3, 0.0), ("gru", "f1", 3, 0.6)],
)
def test_sampled_gradients_agree_with_enumeration(cell, reward, limit, discount):
    torch.manual_seed(1)
    config = NetworkConfig(cell=cell, width=4, embedding=3, hidden=4, dropout=0.0, input_dropout=0.0)
    net = build_network(2, 3, config, "none")
    features, labels = torch.tensor([[1.0, -1.0]]), torch.tensor([[0, 2]])
    paid = make_reward(reward, 3)
    surrogate, expected = enumerated_surrogate(net, features, labels, paid, limit, discount)
    exact = gradients(surrogate, net)
    if discount == 1.0:  # the policy gradient theorem, on paper and here
        _, expected = enumerated_surrogate(net, features, labels, paid, limit, discount)
        torch.testing.assert_close(exact, gradients(expected, net), atol=1e-5, rtol=1e-3)
    objective = PolicyGradientObjective(paid, limit, discount, entropy=0.0)
    batch = Batch(features.expand(30_000, -1), labels.expand(30_000, -1))
    loss, logs = objective.loss(net, batch, torch.Generator().manual_seed(0))
    sampled = -gradients(loss, net)
    assert torch.nn.functional.cosine_similarity(sampled, exact, dim=0) > 0.995
    assert (sampled - exact).norm() < 0.1 * exact.norm()
    assert logs["return"] == pytest.approx(expected.item(), abs=0.02)


def test_the_loss_is_a_mean_over_inputs():
    torch.manual_seed(0)
    net = build_network(2, 3, NetworkConfig(width=4, dropout=0.0, input_dropout=0.0), "none")
    with torch.no_grad():
        net.output.bias[3] = 50.0  # always STOP: every sample is the same
    objective = PolicyGradientObjective(make_reward("subset", 3), 3, 1.0, entropy=0.1)
    losses = []
    for copies in (1, 5):
        batch = Batch(torch.ones(copies, 2), torch.full((copies, 1), -1))
        losses.append(objective.loss(net, batch, torch.Generator().manual_seed(0)))
    assert losses[0][0].item() == pytest.approx(losses[1][0].item(), rel=1e-5)
    assert losses[0][1]["return"] == 1.0  # nothing where nothing is


@pytest.mark.parametrize("cell", ["sum", "gru"])
@pytest.mark.parametrize("limit", [1, 4])
def test_gradients_stay_finite_when_every_label_is_out(cell, limit):
    torch.manual_seed(0)
    net = build_network(2, 4, NetworkConfig(cell=cell, width=4, embedding=3, hidden=3, dropout=0.0), "none")
    with torch.no_grad():
        net.output.bias[4] = -50.0  # never STOP
    objective = PolicyGradientObjective(make_reward("f1", 4), limit, 0.9, entropy=1.0)
    batch = Batch(torch.randn(6, 2), torch.tensor([[0, 1, 2, 3]] * 5 + [[-1] * 4]))
    loss, logs = objective.loss(net, batch, torch.Generator().manual_seed(0))
    loss.backward()
    assert loss.isfinite()
    assert all(np.isfinite(value) for value in logs.values())
    assert all(p.grad.isfinite().all() for p in net.parameters() if p.grad is not None)


def test_the_entropy_of_a_chain_is_summed_over_its_own_steps():
    torch.manual_seed(0)
    net = build_network(1, 2, NetworkConfig(width=3, dropout=0.0, input_dropout=0.0), "none")
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.zero_()  # uniform over what is allowed
    objective = PolicyGradientObjective(make_reward("f1", 2), 2, 1.0, entropy=1.0)
    batch = Batch(torch.zeros(20_000, 1), torch.zeros(20_000, 1, dtype=torch.int64))
    _, logs = objective.loss(net, batch, torch.Generator().manual_seed(0))
    # log 3 at the first step; two of three chains go on, with log 2 at the second.
    assert logs["entropy"] == pytest.approx(np.log(3) + 2 / 3 * np.log(2), abs=0.01)


@given(st.integers(1, 4), st.integers(1, 6), st.floats(0, 1), st.integers(0, 2**31))
@settings(max_examples=40)
def test_returns_are_what_a_loop_adds_up(num_rows, length, discount, seed):
    rewards = np.random.default_rng(seed).normal(size=(num_rows, length))
    expected = np.zeros_like(rewards)
    for start in range(length):
        for step in range(start, length):
            expected[:, start] += discount ** (step - start) * rewards[:, step]
    found = discounted_returns(torch.from_numpy(rewards).float(), discount)
    np.testing.assert_allclose(found, expected, atol=1e-5)


@given(st.integers(1, 4), st.integers(1, 5), st.integers(0, 2**31))
@settings(max_examples=30)
def test_the_likelihood_is_that_of_the_chain_and_its_stop(num_rows, num_labels, seed):
    rng = np.random.default_rng(seed)
    lengths = rng.integers(0, num_labels + 1, num_rows)
    chains = np.stack([rng.permutation(num_labels) for _ in range(num_rows)]).astype(np.int64)
    chains[np.arange(num_labels) >= lengths[:, None]] = -1
    logits = torch.from_numpy(rng.normal(size=(num_rows, num_labels + 1, num_labels + 1)))
    logits.requires_grad_()
    targets = chain_targets(torch.from_numpy(chains), num_labels)
    kept = targets >= 0
    sums = given_sums(logits[kept].clone(), one_right(targets[kept], num_labels))
    loss = -log_likelihood(sums, targets[kept], num_labels).sum() / num_rows
    expected = torch.zeros((), dtype=torch.float64)
    for row in range(num_rows):
        log_probs = logits[row].log_softmax(dim=-1)
        for step in range(lengths[row]):
            expected = expected - log_probs[step, int(chains[row, step])]
        expected = expected - log_probs[lengths[row], num_labels]
    torch.testing.assert_close(loss, expected / num_rows)
    (gradient,) = torch.autograd.grad(loss, logits)
    for row in range(num_rows):  # nothing is learned from padding
        assert gradient[row, lengths[row] + 1 :].eq(0).all()


def test_label_lists_of_rows_in_any_order_with_repeats_and_empty_rows(make_dataset):
    data = make_dataset(num_labels=3)
    empty = int(np.flatnonzero(np.diff(data.labels.indptr) == 0)[0])
    rows = torch.tensor([7, 3, 3, empty, 0])
    lists = label_lists(data, rows)
    truth = data.labels.toarray()
    for row, labels in zip(rows.tolist(), lists.tolist(), strict=True):
        kept = [label for label in labels if label >= 0]
        assert kept == np.flatnonzero(truth[row]).tolist()
        assert labels == kept + [-1] * (len(labels) - len(kept))
    assert label_lists(data, torch.tensor([empty])).tolist() == [[-1]]


@given(st.integers(1, 6), st.integers(0, 2**31))
@settings(max_examples=30)
def test_sorting_by_keys_permutes_labels_and_leaves_padding_last(length, seed):
    rng = np.random.default_rng(seed)
    labels = np.stack([rng.permutation(9)[:length] for _ in range(3)]).astype(np.int64)
    labels[np.arange(length) >= rng.integers(0, length + 1, 3)[:, None]] = -1
    keys = rng.permuted(np.tile(np.arange(length), (3, 1)), axis=1).astype(np.float32)
    found = sort_by_keys(torch.from_numpy(labels), torch.from_numpy(keys)).tolist()
    for row in range(3):
        pairs = sorted((key, label) for key, label in zip(keys[row], labels[row], strict=True) if label >= 0)
        expected = [label for _, label in pairs]
        assert found[row] == expected + [-1] * (length - len(expected))


def test_inputs_without_labels_learn_to_stop():
    torch.manual_seed(0)
    net = build_network(2, 3, NetworkConfig(width=4, dropout=0.0), "none")
    batch = Batch(torch.randn(4, 2), torch.full((4, 1), -1))
    loss, logs = LikelihoodObjective(RandomOrder()).loss(net.eval(), batch, torch.Generator())
    stop = net.log_probs(net.start(batch.features), torch.zeros(4, 3, dtype=torch.bool))[:, 3]
    assert loss.item() == pytest.approx(-stop.mean().item(), rel=1e-5)
    assert logs["likelihood_loss"] == loss.item()


@pytest.mark.parametrize("entropy", [0.0, 0.5])
def test_the_value_head_learns_the_returns_and_nothing_else(entropy):
    """Its gradient is that of half the squared error alone: the advantage sends none into it."""
    torch.manual_seed(0)
    net = build_network(2, 3, NetworkConfig(width=4, dropout=0.0, input_dropout=0.0), "none")
    paid = make_reward("f1", 3)
    batch = Batch(torch.randn(50, 2), torch.tensor([[0, 2]] * 50))
    objective = PolicyGradientObjective(paid, 3, 0.9, entropy)
    loss, logs = objective.loss(net, batch, torch.Generator().manual_seed(0))
    found = torch.autograd.grad(loss, list(net.value_head.parameters()))

    actions = sample_chains(net.eval(), batch.features, 3, torch.Generator().manual_seed(0))
    returns = discounted_returns(chain_rewards(paid, actions, batch.labels, 3), 0.9)
    chains = torch.where(actions < 3, actions, -1)[:, :-1]
    values = net.values(net(batch.features, chains)[1])
    error = ((returns - values) ** 2)[actions >= 0].sum() / 50
    expected = torch.autograd.grad(0.5 * error, list(net.value_head.parameters()))
    torch.testing.assert_close(found, expected)
    assert logs["value_loss"] == pytest.approx(error.item(), rel=1e-5)
