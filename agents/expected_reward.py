"""The expected reward of every action along sampled chains (``estimator="all-actions"``).

The labels of a training input are known, and with them the reward of every action: instead of the one sampled
action, the loss weighs all of them by their probability, and their immediate reward stands in the place of
their value. The field's names for such sums are mean actor-critic (A. Allen et al. 2017) and expected policy
gradients (K. Ciosek, S. Whiteson 2018).

The gradient of an expected reward is small where it is needed most: where the policy gives right labels
little probability. For rewards of ranks the probability p of the right labels is therefore replaced by
p^q / q, which is the expected reward for q = 1, and has the gradient of its logarithm for q towards 0 (Z.
Zhang, M. Sabuncu 2018, "Generalized Cross Entropy Loss", here of all right labels together).

Such rewards do not say when to stop, and the network would forget it. Along the same chains the logarithm of
the probability of a right action, STOP allowed, is therefore maximised too: of any label that is missing, or
of STOP once none is (S. Sabour et al. 2019, "Optimal Completion Distillation").
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import pad

from labelchain.agents.action_sums import ActionSums, action_sums, log_likelihood, one_right
from labelchain.agents.chain_network import ChainNetwork
from labelchain.agents.decoding import sample_chains
from labelchain.agents.likelihood import (
    Batch,
    LikelihoodObjective,
    Logs,
    RandomOrder,
    count_steps,
)
from labelchain.agents.policy_gradient import Rollout
from labelchain.agents.steps import at_each_step, drawn_steps, labels_before
from labelchain.agents.whole_batch import rows_of_all, total
from labelchain.envs.rewards import Floats, Ints, Reward, counts_where

ANCHOR_WEIGHT = 0.1
ANCHOR_STEPS = 4
"""The anchor looks at so many steps of a chain: all of long ones would cost more than the chains drawn."""
COMPLETION_WEIGHT = 0.5
SMALLEST = 1e-6
"""Lower probabilities count as this one, and have no gradient: at 0 a power below 1 has none."""


class Along(NamedTuple):
    """What the policy does at every step of given chains, ``(n, length)`` each, with gradient.

    Attributes:
        expected: Its mean reward; 0 after the end of a chain.
        maximised: What is maximised for it: the same unless the reward is of ranks and ``power`` below 1.
        completion: The log-probability, STOP allowed, of a label that is missing or of STOP if none is.
        completing: Bool, the steps up to the first one at which no label is missing.
    """

    expected: Tensor
    maximised: Tensor
    completion: Tensor
    completing: Tensor


class ExpectedRewardObjective:
    """The expected immediate reward at every step of chains that the network samples.

    The loss is ``- sum_t sum_a pi_t(a) r_t(a)``, mean over inputs, with ``pi_t`` over the labels not out yet
    and STOP; minus half the log-probability of a right action, mean over steps; plus a tenth of the negative
    log-likelihood of true labels in random order, mean over steps, which anchors the network to what it knew.
    For a score of the first k ranks, which does not care when a chain stops, chains of k labels are drawn and
    weighed with STOP forbidden, as they are when the score is measured.

    Args:
        reward: Pays each label.
        max_labels: Chain limit.
        power: q above, in (0, 1].
    """

    def __init__(self, reward: Reward, max_labels: int, power: float = 1.0) -> None:
        self.reward = reward
        self.max_labels = max_labels if reward.ranks is None else reward.ranks
        self.min_labels = reward.ranks or 0
        self.power = power
        self._anchor = LikelihoodObjective(RandomOrder(), most_steps=ANCHOR_STEPS)

    def loss(self, network: ChainNetwork, batch: Batch, generator: torch.Generator) -> tuple[Tensor, Logs]:
        """Sample a chain per input, and weigh every action at each of its steps."""
        return self.loss_on(network, batch, self.draw(network, batch, generator), generator)

    def draw(self, network: ChainNetwork, batch: Batch, generator: torch.Generator) -> Rollout:
        """Sample a chain per input."""
        network.eval()  # chains are drawn from the policy that will be used, without dropout
        actions = sample_chains(network, batch.features, self.max_labels, generator, self.min_labels)
        return Rollout(actions, int((actions >= 0).sum()) + count_steps(batch.labels, ANCHOR_STEPS))

    def loss_on(
        self, network: ChainNetwork, batch: Batch, rollout: Rollout, generator: torch.Generator
    ) -> tuple[Tensor, Logs]:
        """The loss of chains drawn before."""
        network.train()
        stop, actions = network.num_labels, rollout.actions
        given, targets = self._anchor.steps(network, batch, generator)
        drawn = drawn_steps(actions, stop)
        # At the steps that are given, nothing is taken out, and one action is right.
        out = pad(labels_before(drawn, stop), (0, 0, 0, len(targets)), value=stop)
        aims = pad(one_right(targets, stop), (0, batch.labels.shape[1] - 1), value=-1)
        right = torch.cat([at_each_step(batch.labels, drawn), aims])
        logits = network.at_steps_of(batch.features, (drawn, given))
        sums = action_sums(logits, out, right)
        num_drawn = len(logits) - len(targets)
        of_drawn = ActionSums(*(part[:num_drawn] for part in sums))
        of_given = ActionSums(*(part[num_drawn:] for part in sums))
        along = self.along(of_drawn, batch.labels, actions, stop)
        num_rows = rows_of_all(len(actions))
        anchor = -log_likelihood(of_given, targets, stop).sum() / num_rows
        # Per step, so that long label sets do not drown the reward.
        anchor_weight = ANCHOR_WEIGHT * num_rows / total(len(targets))
        completion = along.completion[along.completing].sum() / total(int(along.completing.sum()))
        logs: Logs = {
            "anchor_loss": anchor.item(),
            "completion": completion.item(),
            "expected_reward": along.expected.sum().item() / num_rows,
            "env_steps": rollout.env_steps,
        }
        loss = anchor_weight * anchor - COMPLETION_WEIGHT * completion - along.maximised.sum() / num_rows
        return loss, logs

    def along(self, sums: ActionSums, labels: Tensor, actions: Tensor, stop: int) -> Along:
        """What the policy does at every step of chains.

        Args:
            sums: Of its logits at every step up to the ends of the chains, ``(m, ...)``, row by row.
            labels: ``(n, most)`` int64, the true labels, padded with -1.
            actions: ``(n, length)`` int64, from :func:`labelchain.agents.decoding.sample_chains`.
            stop: The action that is no label.
        """
        length, true = actions.shape[1], labels[:, None]
        runs = actions >= 0
        of_labels, of_stop, of_right = (  # 0 after the end
            torch.zeros_like(actions, dtype=part.dtype).masked_scatter(runs, part)
            for part in (sums.of_labels, sums.of_stop, sums.of_right.logsumexp(dim=1))
        )
        of_all = torch.logaddexp(of_labels, of_stop)
        if self.min_labels:  # all steps, see above
            right, stops = (of_right - of_labels).exp(), torch.zeros_like(of_stop)
        else:
            right, stops = (of_right - of_all).exp(), (of_stop - of_all).exp()

        is_label = (runs & (actions < stop)).cpu().numpy()
        is_hit = ((actions[..., None] == true) & (true >= 0)).any(dim=2).cpu().numpy()
        hits = is_hit.cumsum(axis=1) - is_hit  # before each step
        emitted = is_label.cumsum(axis=1) - is_label
        counts = hits, emitted, (labels >= 0).sum(dim=1, keepdim=True).cpu().numpy()
        # The last step that the limit allows, or the last label, ends the episode and is paid as its end.
        ends = (np.arange(length) == self.max_labels - 1) | (emitted + 1 == stop)
        right_left = counts[2] > hits
        wrong_left = stop - counts[2] > emitted - hits
        pays = [
            self._paid(right_left, np.ones_like(right_left), ends, *counts),
            self._paid(wrong_left, np.zeros_like(wrong_left), ends, *counts),
            self.reward.final(*counts),
        ]
        if_right, if_wrong, if_stop = (torch.from_numpy(pay).float().to(actions.device) for pay in pays)
        others = (1.0 - right - stops) * if_wrong + stops * if_stop
        expected = maximised = torch.where(runs, right * if_right + others, 0.0)
        if self.reward.ranks is not None and self.power < 1.0:
            powered = right.clamp(min=SMALLEST) ** self.power / self.power
            maximised = torch.where(runs, powered * if_right + others, 0.0)

        missing = torch.from_numpy(counts[2] - hits).to(actions.device)
        before = pad(missing[:, :-1], (1, 0), value=1)
        completion = torch.where(missing > 0, of_right, of_stop) - of_all
        return Along(expected, maximised, completion, runs & (before > 0))

    def _paid(
        self,
        possible: NDArray[np.bool_],
        hit: NDArray[np.bool_],
        ends: NDArray[np.bool_],
        hits: Ints,
        emitted: Ints,
        true: Ints,
    ) -> Floats:
        """What a right label (``hit``), or a wrong one, pays at each step, ``(n, length)``; 0 without any."""
        hits, emitted, true = counts_where(possible, hit, hits, emitted, true)
        paid = self.reward.increment(hit, hits, emitted, true)
        return np.where(possible, paid + ends * self.reward.final(hits + hit, emitted + 1, true), 0.0)
