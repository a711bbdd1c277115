"""The loss of the all-actions estimator, put together from what is tested apart."""

import numpy as np
import pytest
import torch

from labelchain.agents.chain_network import NetworkConfig
from labelchain.agents.expected_reward import (
    ANCHOR_STEPS,
    ANCHOR_WEIGHT,
    COMPLETION_WEIGHT,
    ExpectedRewardObjective,
)
from labelchain.agents.likelihood import Batch, LikelihoodObjective, RandomOrder
from labelchain.agents.networks import build_network
from labelchain.agents.policy_gradient import chain_rewards
from labelchain.envs.rewards import Reward, make_reward


@pytest.mark.parametrize("cell", ["sum", "gru"])
@pytest.mark.parametrize("reward", ["ndcg@5", "f1"])
def test_it_is_the_anchor_completion_and_the_expected_reward(cell, reward):
    torch.manual_seed(0)
    config = NetworkConfig(cell=cell, width=8, embedding=8, hidden=8, dropout=0.0, input_dropout=0.0)
    net = build_network(3, 7, config, "none")
    labels = torch.tensor([[0, 1, 2, 4, 5], [3, -1, -1, -1, -1], [-1] * 5, [0, 6, -1, -1, -1]])
    batch = Batch(torch.randn(4, 3), labels)
    objective = ExpectedRewardObjective(make_reward(reward, 7), 4)
    rollout = objective.draw(net, batch, torch.Generator().manual_seed(1))
    loss, logs = objective.loss_on(net, batch, rollout, torch.Generator().manual_seed(2))

    given = LikelihoodObjective(RandomOrder(), ANCHOR_STEPS)
    anchor, anchor_logs = given.loss(net, batch, torch.Generator().manual_seed(2))
    assert logs["anchor_loss"] == pytest.approx(anchor.item(), rel=1e-5)
    assert anchor_logs["env_steps"] == 4 + 2 + 1 + 3
    per_step = anchor * len(labels) / anchor_logs["env_steps"]
    expected = ANCHOR_WEIGHT * per_step - COMPLETION_WEIGHT * logs["completion"] - logs["expected_reward"]
    assert loss.item() == pytest.approx(expected.item(), rel=1e-5)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("at_end", [False, True])
def test_a_score_need_not_be_defined_for_counts_that_no_chain_has(at_end):
    """Chains of up to all labels: right ones are used up, or wrong ones, or both."""

    def score(hits, emitted, true):
        return -np.sqrt(true - hits) - np.sqrt((4 - true) - (emitted - hits))

    torch.manual_seed(0)
    net = build_network(3, 4, NetworkConfig(width=8, dropout=0.0, input_dropout=0.0), "none")
    labels = torch.tensor([[0, 1, 2, 3], [3, -1, -1, -1], [-1] * 4, [0, 2, 3, -1]] * 5)
    batch = Batch(torch.randn(20, 3), labels)
    reward = Reward("own", score=score, at_end=at_end)
    objective = ExpectedRewardObjective(reward, 5)
    rollout = objective.draw(net, batch, torch.Generator().manual_seed(1))
    assert (rollout.actions[:, :4] < 4).all(dim=1).any()  # all labels are out
    loss, _ = objective.loss_on(net, batch, rollout, torch.Generator().manual_seed(2))
    loss.backward()
    assert all(weights.grad is None or weights.grad.isfinite().all() for weights in net.parameters())
    assert chain_rewards(reward, rollout.actions, labels, 4).isfinite().all()
