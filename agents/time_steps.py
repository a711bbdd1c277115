"""Chains drawn in one call, told as time steps of episodes, as callbacks of Stable-Baselines3 expect them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from labelchain.agents.likelihood import Batch
from labelchain.agents.policy_gradient import Rollout, chain_rewards
from labelchain.envs.rewards import Reward, make_reward


@dataclass(frozen=True)
class TimeSteps:
    """The time steps of a rollout in a row, one chain after the other.

    Steps of chains that the loss looks at beside the drawn ones come last; they are no episodes.

    Attributes:
        dones: ``(env_steps,)`` bool, the last step of each episode.
        rewards: ``(env_steps,)`` float32.
        infos: One for each step, empty but where an episode ends: ``episode`` (``r`` return, ``l`` length,
            ``t`` seconds since the start) and ``is_success`` (exact match).
    """

    dones: NDArray[np.bool_]
    rewards: NDArray[np.float32]
    infos: list[dict[str, Any]]

    @classmethod
    def given(cls, rollout: Rollout) -> TimeSteps:
        """Chains of true labels, for which the policy deserves no reward."""
        steps = rollout.env_steps
        dones = np.zeros(steps, dtype=bool)
        dones[_ends(rollout)] = True
        return cls(dones, np.zeros(steps, dtype=np.float32), [{} for _ in range(steps)])

    @classmethod
    def drawn(
        cls, rollout: Rollout, batch: Batch, reward: Reward, num_labels: int, seconds: float
    ) -> TimeSteps:
        """Chains that the policy drew.

        Args:
            rollout: The chains.
            batch: The inputs.
            reward: What is paid.
            num_labels: L.
            seconds: Since the start.
        """
        steps, ends = cls.given(rollout), _ends(rollout)
        paid = chain_rewards(reward, rollout.actions, batch.labels, num_labels).cpu().numpy()
        steps.rewards[: ends[-1] + 1] = paid[(rollout.actions >= 0).cpu().numpy()]
        subset = make_reward("subset", num_labels)
        exact = chain_rewards(subset, rollout.actions, batch.labels, num_labels).sum(dim=1) > 0
        lengths = np.diff(ends, prepend=-1)
        told = zip(ends.tolist(), paid.sum(axis=1).tolist(), lengths.tolist(), exact.tolist(), strict=True)
        for end, total, length, success in told:
            steps.infos[end] = {"episode": {"r": total, "l": length, "t": seconds}, "is_success": success}
        return steps

    @property
    def ended(self) -> tuple[list[dict[str, Any]], NDArray[np.bool_]]:
        """The infos of the episodes, and that each has ended: ``(episodes,)``."""
        which = np.flatnonzero(self.dones)
        return [self.infos[step] for step in which.tolist()], np.ones(len(which), dtype=bool)


def _ends(rollout: Rollout) -> NDArray[np.int64]:
    """The last step of each chain, ``(n,)``."""
    ends: NDArray[np.int64] = (rollout.actions >= 0).sum(dim=1).cpu().numpy().cumsum() - 1
    return ends
