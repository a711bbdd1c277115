"""The expected reward of every action along sampled chains (``estimator="all-actions"``).

The labels of a training input are known, and with them the reward of every action: instead of the one sampled
action, the loss weighs all of them by their probability. The field's names for this are mean actor-critic (A.
Allen et al. 2017) and expected policy gradients (K. Ciosek, S. Whiteson 2018).
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


class ExpectedRewardObjective:
    """The expected immediate reward at every step of chains that the network samples.

    The loss is ``- sum_t sum_a pi_t(a) r_t(a)``, mean over inputs, with ``pi_t`` over the labels not out yet
    and STOP, plus a tenth of a supervised loss, which anchors the network to what it knew.
    For a score of the first k ranks, which does not care when a chain stops, chains of k labels are drawn and
    weighed with STOP forbidden, as they are when the score is measured.

    Args:
        reward: Pays each label.
        max_labels: Chain limit.
        anchor: The supervised objective.
    """

    def __init__(self, reward: Reward, max_labels: int, anchor: Objective) -> None:
        self.reward = reward
        self.max_labels = max_labels if reward.ranks is None else reward.ranks
        self.min_labels = reward.ranks or 0
        self._anchor = anchor

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
        expected = self.expected_rewards(network, batch, rollout.actions)
        anchor, logs = self._anchor.loss(network, batch, generator)
        value = expected.sum() / len(rollout.actions)
        logs |= {"expected_reward": value.item(), "env_steps": rollout.env_steps}
        return ANCHOR_WEIGHT * anchor - value, logs

    def expected_rewards(self, network: ChainNetwork, batch: Batch, actions: Tensor) -> Tensor:
        """The policy's mean reward at every step, with gradient: ``(n, length)``, 0 after the end of a chain.

        Args:
            network: Gives the policy.
            batch: The inputs.
            actions: ``(n, length)`` int64, from :func:`labelchain.agents.decoding.sample_chains`.
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
        expected: Tensor = right * if_right + wrong * if_wrong + policy[..., stop] * if_stop
        return torch.where(actions >= 0, expected, 0.0)
