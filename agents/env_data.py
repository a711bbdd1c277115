"""What an environment of labelchain is about, read from it: for algorithms that train on the data itself."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium.wrappers import (
    Autoreset,
    OrderEnforcing,
    PassiveEnvChecker,
    RecordEpisodeStatistics,
    RecordVideo,
)
from numpy.typing import NDArray
from stable_baselines3.common.monitor import Monitor
from stable_baselines3.common.vec_env import (
    VecCheckNan,
    VecEnv,
    VecEnvWrapper,
    VecMonitor,
    VecNormalize,
    VecVideoRecorder,
    unwrap_vec_wrapper,
)

from labelchain.envs import MultilabelDataset

NEUTRAL = (
    *(Autoreset, Monitor, OrderEnforcing, PassiveEnvChecker, RecordEpisodeStatistics, RecordVideo),
    *(VecCheckNan, VecMonitor, VecVideoRecorder),
)
"""Wrappers that change neither what is observed nor what is rewarded."""


@dataclass(frozen=True)
class EnvData:
    """The data of an environment and its terms.

    Attributes:
        dataset: The data.
        rows: ``(num_rows,)`` row numbers of its split.
        max_labels: Chain limit.
        reward: The name of the reward.
    """

    dataset: MultilabelDataset
    rows: NDArray[np.int64]
    max_labels: int
    reward: str

    @classmethod
    def of(cls, env: VecEnv) -> EnvData:
        """Read them from a ``VecEnv`` of labelchain environments that are all alike.

        Raises:
            ValueError: If it is another environment, its environments differ, rewards are normalised, or a
                wrapper hides the name of the reward in another process.
        """
        names = ("dataset", "split", "max_labels", "reward")
        if not all(env.has_attr(name) for name in names):
            raise ValueError(
                "expected an environment of labelchain, whose data it trains on: an id such as "
                f"'labelchain/DigitScenes-v0', a LabelChainEnv, a ChainVecEnv or a VecEnv of them; got {env}"
            )
        if unwrap_vec_wrapper(env, VecNormalize) is not None:
            raise ValueError("VecNormalize has no effect on an algorithm that trains on the data; remove it")
        datasets, splits, limits, rewards = (_values(env, name) for name in names)
        if not all(isinstance(reward, str) for reward in rewards):
            raise ValueError(
                f"expected the names of rewards, got {rewards[0]}, of a wrapper in another process: it has "
                "no effect on an algorithm that trains on the data, so remove it, or use a DummyVecEnv"
            )
        dataset = datasets[0]
        terms = {(data.name, *rest) for data, *rest in zip(datasets, splits, limits, rewards, strict=True)}
        if len(terms) > 1:
            raise ValueError(f"expected environments that are all alike, got {len(terms)} kinds: {terms}")
        if any(data is not dataset and data.fingerprint != dataset.fingerprint for data in datasets):
            raise ValueError(f"expected environments of the same data, got several named {dataset.name!r}")
        return cls(dataset, dataset.rows(splits[0]), limits[0], rewards[0])


def warn_of_wrappers(env: VecEnv) -> None:
    """Say so if wrappers may change what an agent sees or earns: those of the ``VecEnv``, and within it.

    Warns:
        UserWarning: Such a wrapper has no effect.
    """
    found: list[object] = []
    while isinstance(env, VecEnvWrapper):
        found.append(env)
        env = env.venv
    for single in _singles(env):
        while isinstance(single, gym.Wrapper):
            found.append(single)
            single = single.env
    names = {type(wrapper).__name__ for wrapper in found if not isinstance(wrapper, NEUTRAL)}
    if names:
        warnings.warn(
            f"{', '.join(sorted(names))} has no effect on an algorithm that trains on the data itself: "
            "write a reward (docs/extending.md) or change the data set instead",
            stacklevel=2,
        )


def _values(env: VecEnv, name: str) -> list[Any]:
    """An attribute of each environment.

    A wrapper may have another one of that name, as each ``gymnasium.RewardWrapper`` has a method ``reward``,
    which ``get_attr`` would give: those that are at hand are asked themselves.
    """
    return [getattr(single.unwrapped, name) for single in _singles(env)] or env.get_attr(name)


def _singles(env: VecEnv) -> Sequence[gym.Env[Any, Any]]:
    """The environments of a ``DummyVecEnv``, in their wrappers; others do not show theirs."""
    singles: Sequence[gym.Env[Any, Any]] = getattr(env.unwrapped, "envs", ())
    return singles
