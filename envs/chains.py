"""The dynamics of label chains, for a batch of episodes: what is emitted, what it earns, when it ends."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from labelchain.envs.rewards import Reward, counts_where


class ChainBatch:
    """The state of ``num_envs`` episodes in numpy arrays, stepped together without a Python loop.

    Emitting a label adds it to the chain. Action ``num_labels`` is STOP. Emitting a label again changes
    nothing, pays ``-repeat_penalty`` and uses up a step. An episode ends by STOP, once every label is out,
    or once ``max_steps`` steps are used up.

    Attributes:
        actions: ``(num_envs, max_steps)`` int64, every action taken (repeats and STOP too), padded with -1.
        steps: ``(num_envs,)`` int64, actions taken.
        hits: ``(num_envs,)`` int64, right labels out so far.
    """

    def __init__(
        self, num_envs: int, num_labels: int, reward: Reward, max_steps: int, repeat_penalty: float = 0.0
    ) -> None:
        self.num_envs = num_envs
        self.num_labels = num_labels
        self.reward = reward
        self.max_steps = max_steps
        self.repeat_penalty = repeat_penalty
        # A column for each action: STOP is neither true nor ever out.
        self._true = np.zeros((num_envs, num_labels + 1), dtype=bool)
        self._emitted = np.zeros((num_envs, num_labels + 1), dtype=bool)
        self.actions = np.full((num_envs, max_steps), -1, dtype=np.int64)
        self.steps = np.zeros(num_envs, dtype=np.int64)
        self.hits = np.zeros(num_envs, dtype=np.int64)
        self._num_true = np.zeros(num_envs, dtype=np.int64)
        self._num_emitted = np.zeros(num_envs, dtype=np.int64)
        self._score = np.zeros(num_envs)
        self._first_score = np.zeros(num_envs)  # of the empty chain
        self._first_column = np.arange(num_envs) * (num_labels + 1)
        self._first_step = np.arange(num_envs) * max_steps

    @property
    def true(self) -> NDArray[np.bool_]:
        """The labels of each input, ``(num_envs, num_labels)``."""
        return self._true[:, :-1]

    @property
    def emitted(self) -> NDArray[np.bool_]:
        """The labels out so far, ``(num_envs, num_labels)``."""
        return self._emitted[:, :-1]

    def reset(
        self, which: NDArray[np.int64], counts: NDArray[np.int64], labels: NDArray[np.integer[Any]]
    ) -> None:
        """Start episodes on inputs with given labels.

        Args:
            which: ``(n,)`` episodes.
            counts: ``(n,)`` how many labels each input has.
            labels: ``(counts.sum(),)`` those of the first input, then those of the next.
        """
        self._true[which] = False
        self._true.reshape(-1)[self._first_column[which].repeat(counts) + labels] = True
        self._emitted[which] = False
        self.actions[which] = -1
        self.steps[which] = 0
        self.hits[which] = 0
        self._num_emitted[which] = 0
        self._num_true[which] = counts
        if self.reward.running is not None:
            nothing = np.zeros_like(counts)
            self._score[which] = self._first_score[which] = self.reward.running(nothing, nothing, counts)

    def step(self, actions: NDArray[np.int64]) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        """Take one action ``(num_envs,)`` in each episode, each in ``0..num_labels``.

        Returns:
            The rewards, and which episodes have ended, each ``(num_envs,)``.
        """
        # Flat positions: numpy takes and puts those in a fraction of the time of pairs of indices.
        cell = self._first_column + actions
        emitted = self._emitted.reshape(-1)
        stop = actions == self.num_labels
        repeat = emitted[cell]
        new = ~(repeat | stop)
        hit = self._true.reshape(-1)[cell] & new
        rewards = self._advance(hit, new)
        if self.repeat_penalty:
            rewards[repeat] = -self.repeat_penalty

        emitted[cell] = ~stop
        # An episode that has ended may be stepped again before it is reset: no effect that lasts.
        now = np.minimum(self.steps, self.max_steps - 1)
        self.actions.reshape(-1)[self._first_step + now] = actions
        self.steps += 1

        ended = stop | (self._num_emitted == self.num_labels) | (self.steps >= self.max_steps)
        which = ended.nonzero()[0]
        if which.size:
            rewards[which] += self._final(which)
        return rewards, ended

    def _advance(self, hit: NDArray[np.bool_], new: NDArray[np.bool_]) -> NDArray[np.float64]:
        """Count new labels ``(num_envs,)``, some of them right; what they pay."""
        counts = self.hits, self._num_emitted, self._num_true
        if self.reward.running is None:
            rewards = self.reward.increment(hit, *counts)
        self.hits += hit
        self._num_emitted += new
        if self.reward.running is not None:  # half the work, as the score before is known
            score = self.reward.running(*counts)
            rewards = score - self._score
            self._score[:] = score  # a copy: it may be one of the counts
        return rewards

    def _final(self, ended: NDArray[np.int64]) -> NDArray[np.float64]:
        """What the end of episodes ``(n,)`` pays on top, ``(n,)``."""
        if self.reward.running is not None:
            return self._first_score[ended]
        return self.reward.final(self.hits[ended], self._num_emitted[ended], self._num_true[ended])

    def action_rewards(self) -> NDArray[np.float64]:
        """The reward that every action would earn now, ``(num_envs, num_labels + 1)``.

        Training labels are known, so the feedback of an episode is *full information*.
        """
        rewards = np.empty((self.num_envs, self.num_labels + 1))
        right, wrong = self._increments()
        rewards[:, :-1] = np.where(self.true, right[:, None], wrong[:, None])
        rewards[:, :-1][self.emitted] = -self.repeat_penalty
        rewards[:, -1] = 0.0
        emitted, true = self._num_emitted[:, None], self._num_true[:, None]
        new = self.action_masks()
        new[:, -1] = False
        hit = new & self._true
        ends = (self.steps[:, None] + 1 >= self.max_steps) | (emitted + new == self.num_labels)
        ends[:, -1] = True
        final = self.reward.final(self.hits[:, None] + hit, emitted + new, true)
        total: NDArray[np.float64] = rewards + ends * final
        return total

    def action_masks(self) -> NDArray[np.bool_]:
        """Which actions do something, ``(num_envs, num_labels + 1)``: labels not out yet, and always STOP."""
        return ~self._emitted

    def _increments(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """What a new right and a new wrong label would pay now, each ``(num_envs,)``; anything if none is."""
        counts = self.hits, self._num_emitted, self._num_true
        yes = np.ones(self.num_envs, dtype=bool)
        right_left = self._num_true > self.hits
        wrong_left = self.num_labels - self._num_true > self._num_emitted - self.hits
        return (
            self.reward.increment(yes, *counts_where(right_left, yes, *counts)),
            self.reward.increment(~yes, *counts_where(wrong_left, ~yes, *counts)),
        )


def first_occurrences(chains: NDArray[np.int64], num_labels: int) -> NDArray[np.int64]:
    """Drop repeated labels and everything from STOP on; close the gaps.

    Args:
        chains: ``(n, length)`` labels and STOP (``num_labels``), padded with -1.
        num_labels: L.

    Returns:
        ``(n, length)`` distinct labels in order, padded with -1.
    """
    num_rows, length = chains.shape
    over = np.maximum.accumulate((chains < 0) | (chains >= num_labels), axis=1)
    order = np.argsort(np.where(over, num_labels, chains), axis=1, kind="stable")
    in_order = np.take_along_axis(np.where(over, num_labels, chains), order, axis=1)
    repeat_sorted = np.zeros((num_rows, length), dtype=bool)
    repeat_sorted[:, 1:] = in_order[:, 1:] == in_order[:, :-1]
    repeat = np.empty_like(repeat_sorted)
    np.put_along_axis(repeat, order, repeat_sorted, axis=1)
    keep = ~over & ~repeat
    result = np.where(keep, chains, -1)
    closing = np.argsort(~keep, axis=1, kind="stable")
    return np.take_along_axis(result, closing, axis=1)
