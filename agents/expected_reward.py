"""The expected reward of every action along sampled chains (``estimator="all-actions"``).

The labels of a training input are known, and with them the reward of every action: instead of the one sampled
action, the loss weighs all of them by their probability. The field's names for this are mean actor-critic (A.
Allen et al. 2017) and expected policy gradients (K. Ciosek, S. Whiteson 2018).

The gradient of an expected reward is small where it is needed most: where the policy gives right labels
little probability. For rewards of ranks the probability p of the right labels is therefore replaced by
p^q / q, which is the expected reward for q = 1, and has the gradient of its logarithm for q towards 0 (Z.
Zhang, M. Sabuncu 2018, "Generalized Cross Entropy Loss", here of all right labels together).
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from labelchain.agents.decoding import sample_chains
from labelchain.agents.likelihood import Batch, Logs, Objective, chain_steps
from labelchain.agents.networks import ChainNetwork
from labelchain.agents.policy_gradient import Rollout, emitted_before
from labelchain.envs.rewards import Reward

ANCHOR_WEIGHT = 0.1
SMALLEST = 1e-6
"""Probabilities below have no gradient, which would be without bound."""


class ExpectedRewardObjective:
    """The expected immediate reward at every step of chains that the network samples.

    The loss is ``- sum_t sum_a pi_t(a) r_t(a)``, mean over inputs, with ``pi_t`` over the labels not out yet
    and STOP, plus a tenth of a supervised loss per step, which anchors the network to what it knew.
    For a score of the first k ranks, which does not care when a chain stops, chains of k labels are drawn and
    weighed with STOP forbidden, as they are when the score is measured.

    Args:
        reward: Pays each label.
        max_labels: Chain limit.
        anchor: The supervised objective.
        power: q above, in (0, 1].
    """

    def __init__(self, reward: Reward, max_labels: int, anchor: Objective, power: float = 1.0) -> None:
        self.reward = reward
        self.max_labels = max_labels if reward.ranks is None else reward.ranks
        self.min_labels = reward.ranks or 0
        self._anchor = anchor
        self.power = power

    def loss(self, network: ChainNetwork, batch: Batch, generator: torch.Generator) -> tuple[Tensor, Logs]:
        """Sample a chain per input, and weigh every action at each of its steps."""
        return self.loss_on(network, batch, self.draw(network, batch, generator), generator)

    def draw(self, network: ChainNetwork, batch: Batch, generator: torch.Generator) -> Rollout:
        """Sample a chain per input."""
        network.eval()  # chains are drawn from the policy that will be used, without dropout
        actions = sample_chains(network, batch.features, self.max_labels, generator, self.min_labels)
        return Rollout(actions, int((actions >= 0).sum()) + chain_steps(batch.labels))

    def loss_on(
        self, network: ChainNetwork, batch: Batch, rollout: Rollout, generator: torch.Generator
    ) -> tuple[Tensor, Logs]:
        """The loss of chains drawn before."""
        network.train()
        expected, objective = self.expected_rewards(network, batch, rollout.actions)
        anchor, logs = self._anchor.loss(network, batch, generator)
        num_rows = len(rollout.actions)
        logs |= {"expected_reward": expected.sum().item() / num_rows, "env_steps": rollout.env_steps}
        # Per step, so that long label sets do not drown the reward.
        weight = ANCHOR_WEIGHT * num_rows / chain_steps(batch.labels)
        return weight * anchor - objective.sum() / num_rows, logs

    def expected_rewards(self, network: ChainNetwork, batch: Batch, actions: Tensor) -> tuple[Tensor, Tensor]:
        """The policy's mean reward at every step, and what is maximised for it; 0 after the end of a chain.

        Args:
            network: Gives the policy.
            batch: The inputs.
            actions: ``(n, length)`` int64, from :func:`labelchain.agents.decoding.sample_chains`.

        Returns:
            Both ``(n, length)``, with gradient; the same unless the reward is of ranks and ``power`` below 1.
        """
        stop, length = network.num_labels, actions.shape[1]
        chains = torch.where(actions < stop, actions, -1)
        logits, _ = network(batch.features, chains[:, :-1])
        forbidden = emitted_before(chains[:, :-1], stop)
        forbidden[:, : self.min_labels, stop] = True
        policy = logits.masked_fill(forbidden, -torch.inf).softmax(dim=-1)  # (n, length, L + 1)

        # Right labels are few: gather their probabilities instead of spreading a reward over all L.
        true = batch.labels[:, None].expand(-1, length, -1)  # (n, length, most)
        right = (policy.gather(2, true.clamp(min=0)) * (true >= 0)).sum(dim=2)
        wrong = 1.0 - right - policy[..., stop]

        is_label = (chains >= 0).cpu().numpy()
        is_hit = ((chains[..., None] == true) & (true >= 0)).any(dim=2).cpu().numpy()
        hits = is_hit.cumsum(axis=1) - is_hit  # before each step
        emitted = is_label.cumsum(axis=1) - is_label
        counts = hits, emitted, (batch.labels >= 0).sum(dim=1, keepdim=True).cpu().numpy()
        # The last step that the limit allows, or the last label, ends the episode and is paid as its end.
        ends = (np.arange(length) == self.max_labels - 1) | (emitted + 1 == stop)
        pays = [
            self.reward.increment(np.full(is_hit.shape, hit), *counts)
            + ends * self.reward.final(hits + hit, emitted + 1, counts[2])
            for hit in (True, False)
        ]
        pays.append(self.reward.final(*counts))
        if_right, if_wrong, if_stop = (torch.from_numpy(pay).float().to(actions.device) for pay in pays)
        others = wrong * if_wrong + policy[..., stop] * if_stop
        expected = torch.where(actions >= 0, right * if_right + others, 0.0)
        if self.reward.ranks is None or self.power == 1.0:
            return expected, expected
        powered = right.clamp(min=SMALLEST) ** self.power / self.power
        return expected, torch.where(actions >= 0, powered * if_right + others, 0.0)
