"""The gradient of the all-actions estimator: against finite differences, and against sampled estimates."""

import pytest
import torch
from plain_chains import policy_along

from labelchain.agents.chain_network import NetworkConfig
from labelchain.agents.expected_reward import ExpectedRewardObjective
from labelchain.agents.likelihood import Batch
from labelchain.agents.networks import build_network
from labelchain.agents.policy_gradient import PolicyGradientObjective
from labelchain.envs.rewards import make_reward


def small_network(cell, num_labels):
    torch.manual_seed(1)
    config = NetworkConfig(cell=cell, width=4, embedding=3, hidden=4, dropout=0.0, input_dropout=0.0)
    return build_network(2, num_labels, config, "none")


def body(net):
    """The parameters of the policy: the value head is the sampled estimator's alone."""
    return [parameter for name, parameter in net.named_parameters() if not name.startswith("value_head")]


def flat_gradient(value, net):
    each = torch.autograd.grad(value, body(net), allow_unused=True)
    parts = [torch.zeros_like(p) if g is None else g for p, g in zip(body(net), each, strict=True)]
    return torch.cat([part.flatten() for part in parts])


@pytest.mark.parametrize("cell", ["sum", "gru"])
@pytest.mark.parametrize(
    ("reward", "power"),
    [("ndcg@5", 1.0), ("ndcg@5", 0.5), ("precision@3", 0.2), ("f1", 1.0), ("hamming", 1.0)],
)
def test_it_is_that_of_finite_differences(cell, reward, power):
    net = small_network(cell, 6).double()
    labels = torch.tensor([[0, 1, 4], [2, -1, -1], [-1, -1, -1], [3, 5, 0], [3, 5, -1]])
    batch = Batch(torch.randn(5, 2, dtype=torch.float64), labels)
    objective = ExpectedRewardObjective(make_reward(reward, 6), 4, power)
    actions = objective.draw(net, batch, torch.Generator().manual_seed(0)).actions

    def value():
        return policy_along(objective, net, batch, actions).maximised.sum()

    found, step = flat_gradient(value(), net), 1e-6
    for _ in range(8):
        directions = [torch.randn_like(parameter) for parameter in body(net)]
        around = []
        for sign in (1, -2, 1):  # forwards, backwards, and back again
            with torch.no_grad():
                for parameter, direction in zip(body(net), directions, strict=True):
                    parameter += sign * step * direction
            around.append(value().item())
        slope = (around[0] - around[1]) / (2 * step)
        along = found @ torch.cat([direction.flatten() for direction in directions])
        assert along.item() == pytest.approx(slope, rel=1e-5, abs=1e-7)
    assert found.norm() > 1e-3


@pytest.mark.parametrize(
    ("cell", "reward", "limit"), [("sum", "f1", 3), ("gru", "accuracy", 2), ("sum", "hamming", 3)]
)
def test_it_is_the_mean_of_sampled_estimates_of_which_it_needs_far_fewer(cell, reward, limit):
    """Without discounted later rewards, both estimate the same: a sampled action stands for all of them."""
    net = small_network(cell, 3)
    features, labels = torch.tensor([[1.0, -1.0]]), torch.tensor([[0, 2]])
    paid = make_reward(reward, 3)
    sampled = PolicyGradientObjective(paid, limit, 0.0, entropy=0.0)
    every = ExpectedRewardObjective(paid, limit)

    def estimates(copies, seed):
        """Of as many chains: from all actions, and from sampled ones."""
        batch = Batch(features.expand(copies, -1), labels.expand(copies, -1))
        actions = every.draw(net, batch, torch.Generator().manual_seed(seed)).actions
        of_all = flat_gradient(policy_along(every, net, batch, actions).maximised.sum() / copies, net)
        loss, _ = sampled.loss(net, batch, torch.Generator().manual_seed(seed))
        return of_all, -flat_gradient(loss, net)

    of_all, of_sampled = estimates(30_000, 0)
    assert torch.nn.functional.cosine_similarity(of_all, of_sampled, dim=0) > 0.995
    assert (of_all - of_sampled).norm() < 0.1 * of_all.norm()
    errors = torch.tensor(
        [[(each - of_all).norm() for each in estimates(20, seed)] for seed in range(1, 21)]
    ).square()
    all_actions, one_action = errors.mean(dim=0)
    assert all_actions < 0.7 * one_action


def test_second_derivatives_are_refused_rather_than_wrong():
    net = small_network("sum", 4)
    batch = Batch(torch.randn(2, 2), torch.tensor([[0, 1], [2, -1]]))
    objective = ExpectedRewardObjective(make_reward("f1", 4), 3)
    actions = objective.draw(net, batch, torch.Generator().manual_seed(0)).actions
    expected = policy_along(objective, net, batch, actions).expected.sum()
    (gradient,) = torch.autograd.grad(expected, net.output.weight, create_graph=True)
    with pytest.raises(RuntimeError, match="once_differentiable"):
        gradient.square().sum().backward()
