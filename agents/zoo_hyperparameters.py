"""Hyperparameters of Stable-Baselines3 agents, in the form of rl-zoo: one YAML file for each algorithm.

The files lie in ``agents/hyperparameters``; ``python -m rl_zoo3.train -conf FILE`` reads them too. Each has
an entry for every environment that was looked at, by id, and ``default`` for all others.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from stable_baselines3.common.utils import LinearSchedule

from labelchain.envs import ENV_IDS

FOLDER = Path(__file__).parent / "hyperparameters"
SCHEDULED = ("learning_rate", "clip_range")


@dataclass(frozen=True)
class ZooEntry:
    """What one entry says.

    Attributes:
        n_timesteps: Environment steps to train for.
        n_envs: How many environments.
        env_kwargs: Arguments of the environment.
        policy: The policy, by SB3's name.
        arguments: All other arguments of the algorithm.
    """

    n_timesteps: int
    n_envs: int
    env_kwargs: dict[str, Any]
    policy: str
    arguments: dict[str, Any]


def zoo_entry(algorithm: str, dataset_name: str) -> ZooEntry:
    """The entry of an algorithm for a data set, or its ``default``.

    Args:
        algorithm: A learner's name, such as ``maskable-ppo``.
        dataset_name: The name of a data set of the catalogue, or any other.
    """
    content = yaml.safe_load((FOLDER / f"{algorithm}.yml").read_text(encoding="utf-8"))
    ids = {name: env_id for env_id, name in ENV_IDS.items()}
    entry = dict(content.get(ids.get(dataset_name), content["default"]))
    return ZooEntry(
        n_timesteps=int(entry.pop("n_timesteps")),
        n_envs=int(entry.pop("n_envs")),
        env_kwargs=entry.pop("env_kwargs"),
        policy=entry.pop("policy"),
        arguments={name: _scheduled(name, value) for name, value in entry.items()},
    )


def _scheduled(name: str, value: Any) -> Any:
    """``lin_0.001`` falls from 0.001 to zero, as in rl-zoo."""
    if name in SCHEDULED and isinstance(value, str):
        start = float(value.removeprefix("lin_"))
        return LinearSchedule(start, 0.0, 1.0)
    return value
