"""Policy gradients on sampled chains (``estimator="sampled"``), as in Nam et al. (ICML 2019), section 4.

Sample a chain from the network, reward each step with the increment of a score, and follow the gradient
of the expected return: REINFORCE with a baseline and an entropy bonus.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

import torch
from torch import Tensor

from labelchain.agents.chain_network import ChainNetwork
from labelchain.agents.decoding import sample_chains
from labelchain.agents.likelihood import Batch, Logs, Objective
from labelchain.agents.steps import drawn_steps, labels_before, without
from labelchain.agents.whole_batch import rows_of_all
from labelchain.envs.rewards import Reward, counts_where

VALUE_WEIGHT = 0.5

Baseline = Literal["value", "self-critical"]


@dataclass(frozen=True)
class Rollout:
    """Chains that a network drew for the inputs of a batch.

    Attributes:
        actions: ``(n, length)`` int64, from :func:`labelchain.agents.decoding.sample_chains`.
        env_steps: The steps of all chains that the loss looks at, drawn here or given.
        greedy: As ``actions``, the chains of the most probable actions (self-critical baseline).
    """

    actions: Tensor
    env_steps: int
    greedy: Tensor | None = None


class RLObjective(Objective, Protocol):
    """An objective on chains that the network draws itself."""

    def draw(self, network: ChainNetwork, batch: Batch, generator: torch.Generator) -> Rollout:
        """Draw a chain per input."""

    def loss_on(
        self, network: ChainNetwork, batch: Batch, rollout: Rollout, generator: torch.Generator
    ) -> tuple[Tensor, Logs]:
        """The loss of chains drawn before; :meth:`loss` is both in one."""


class PolicyGradientObjective:
    """Actor-critic on whole chains that the network samples itself.

    The loss is - sum_t (G_t - b_t) log pi(a_t) - entropy * H(pi_t), summed over the steps of a chain (STOP is
    one), mean over inputs, with G_t the discounted return from step t on. The baseline b_t is a learned value
    V_t (``value``, which adds 0.5 (G_t - V_t)^2 to the loss), or the return from step t on of the chain that
    the network decodes greedily for the same input (``self-critical``; S. Rennie et al. 2017): nothing has to
    be learned, and only chains that beat what the network would answer now are reinforced.
    """

    def __init__(
        self, reward: Reward, max_labels: int, discount: float, entropy: float, baseline: Baseline = "value"
    ) -> None:
        self.reward = reward
        self.max_labels = max_labels
        self.discount = discount
        self.entropy = entropy
        self.baseline = baseline

    def loss(self, network: ChainNetwork, batch: Batch, generator: torch.Generator) -> tuple[Tensor, Logs]:
        """Sample a chain per input, and score it."""
        return self.loss_on(network, batch, self.draw(network, batch, generator), generator)

    def draw(self, network: ChainNetwork, batch: Batch, generator: torch.Generator) -> Rollout:
        """Sample a chain per input, and decode one greedily if it is the baseline."""
        network.eval()  # chains are drawn from the policy that will be used, without dropout
        actions = sample_chains(network, batch.features, self.max_labels, generator)
        steps = int((actions >= 0).sum())
        if self.baseline == "value":
            return Rollout(actions, steps)
        greedy = sample_chains(network, batch.features, self.max_labels, None)
        return Rollout(actions, steps + int((greedy >= 0).sum()), greedy)

    def loss_on(
        self, network: ChainNetwork, batch: Batch, rollout: Rollout, generator: torch.Generator
    ) -> tuple[Tensor, Logs]:
        """The loss of chains drawn before."""
        del generator
        network.train()
        actions = rollout.actions
        rewards = chain_rewards(self.reward, actions, batch.labels, network.num_labels)
        returns = discounted_returns(rewards, self.discount)
        taken = actions >= 0  # (n, length)

        stop = network.num_labels
        drawn = drawn_steps(actions, stop)
        logits, hidden = network.at_steps(batch.features, *drawn)
        logits = without(logits, labels_before(drawn, stop), -torch.inf)
        log_policy = logits.log_softmax(dim=-1)  # (m, L + 1)
        chosen = log_policy.gather(1, actions[taken][:, None]).squeeze(1)
        surprise = torch.where(log_policy.isinf(), 0.0, log_policy)
        entropy = -(log_policy.exp() * surprise).sum(dim=-1)
        num_rows = rows_of_all(len(actions))
        entropy_bonus = entropy.sum() / num_rows
        loss = -self.entropy * entropy_bonus
        logs: Logs = {
            "entropy": entropy_bonus.item(),
            "return": rewards.sum().item() / num_rows,
            "env_steps": rollout.env_steps,
        }
        if rollout.greedy is None:
            values = network.values(hidden)
            baseline = values.detach()
            value_loss = ((returns[taken] - values) ** 2).sum() / num_rows
            loss = loss + VALUE_WEIGHT * value_loss
            logs["value_loss"] = value_loss.item()
        else:
            greedy = chain_rewards(self.reward, rollout.greedy, batch.labels, network.num_labels)
            baseline = _resized(discounted_returns(greedy, self.discount), actions.shape[1])[taken]
            logs["greedy_return"] = greedy.sum().item() / num_rows
        policy_loss = -(chosen * (returns[taken] - baseline)).sum() / num_rows
        return loss + policy_loss, logs | {"policy_loss": policy_loss.item()}


def chain_rewards(reward: Reward, actions: Tensor, labels: Tensor, num_labels: int) -> Tensor:
    """The reward of every step of chains without repeats, as the environment pays them.

    Args:
        reward: What is paid.
        actions: ``(n, length)`` int64, labels then STOP (``num_labels``) or the limit, then -1.
        labels: ``(n, most)`` int64, true labels, padded with -1.
        num_labels: L.

    Returns:
        ``(n, length)`` float32, 0 on padding.
    """
    device = actions.device
    truth = torch.zeros(len(actions), num_labels + 2, dtype=torch.bool, device=device)
    truth.scatter_(1, torch.where(labels < 0, num_labels + 1, labels), True)
    truth[:, num_labels + 1] = False
    hit = truth.gather(1, torch.where(actions < 0, num_labels + 1, actions)).cpu().numpy()
    is_label = ((actions >= 0) & (actions < num_labels)).cpu().numpy()
    true = (labels >= 0).sum(dim=1).cpu().numpy()
    hits, emitted = hit.cumsum(axis=1), is_label.cumsum(axis=1)
    counts = counts_where(is_label, hit, hits - hit, emitted - is_label, true[:, None])
    paid = is_label * reward.increment(hit, *counts)
    last = (actions >= 0).sum(dim=1).cpu().numpy() - 1
    final = reward.final(hits[:, -1], emitted[:, -1], true)
    rewards = torch.from_numpy(paid).float()
    rewards[torch.arange(len(actions)), torch.from_numpy(last)] += torch.from_numpy(final).float()
    return rewards.to(device)


def discounted_returns(rewards: Tensor, discount: float) -> Tensor:
    """G_t = sum over k >= t of discount^(k - t) r_k, ``(n, length)``."""
    steps = torch.arange(rewards.shape[1], device=rewards.device)
    ahead = steps[:, None] - steps  # (k, t)
    weights = torch.where(ahead >= 0, float(discount) ** ahead.clamp(min=0), 0.0)
    return rewards @ weights


def _resized(returns: Tensor, length: int) -> Tensor:
    """Returns ``(n, steps)`` for chains of another length: 0 after the end, ``(n, length)``."""
    missing = max(0, length - returns.shape[1])
    return torch.nn.functional.pad(returns, (0, missing))[:, :length]
