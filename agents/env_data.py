"""What an environment of labelchain is about, read from it: for algorithms that train on the data itself."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium.wrappers import OrderEnforcing, PassiveEnvChecker, RecordEpisodeStatistics, RecordVideo
from numpy.typing import NDArray
from stable_baselines3.common.monitor import Monitor
from stable_baselines3.common.vec_env import VecEnv, VecNormalize, unwrap_vec_wrapper

from labelchain.envs import MultilabelDataset

NEUTRAL = (Monitor, OrderEnforcing, PassiveEnvChecker, RecordEpisodeStatistics, RecordVideo)
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

        Warns:
            UserWarning: If a wrapper changes what is observed or rewarded: it has no effect.

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
        _warn_of_wrappers(env)
        return cls(dataset, dataset.rows(splits[0]), limits[0], rewards[0])


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


def _warn_of_wrappers(env: VecEnv) -> None:
    """Say so if single environments have wrappers that may change what an agent sees or earns."""
    found = set()
    for single in _singles(env):
        while isinstance(single, gym.Wrapper):
            if not isinstance(single, NEUTRAL):
                found.add(type(single).__name__)
            single = single.env
    if found:
        warnings.warn(
            f"{', '.join(sorted(found))} has no effect on an algorithm that trains on the data itself: "
            "write a reward (docs/extending.md) or change the data set instead",
            stacklevel=2,
        )
