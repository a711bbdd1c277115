"""What an environment of labelchain is about, read from it: for algorithms that train on the data itself."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from stable_baselines3.common.vec_env import VecEnv, VecNormalize, unwrap_vec_wrapper

from labelchain.envs import MultilabelDataset


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
            ValueError: If it is another environment, its environments differ, or rewards are normalised.
        """
        names = ("dataset", "split", "max_labels", "reward")
        if not all(env.has_attr(name) for name in names):
            raise ValueError(
                "expected an environment of labelchain, whose data it trains on: an id such as "
                f"'labelchain/DigitScenes-v0', a LabelChainEnv, a ChainVecEnv or a VecEnv of them; got {env}"
            )
        if unwrap_vec_wrapper(env, VecNormalize) is not None:
            raise ValueError("VecNormalize has no effect on an algorithm that trains on the data; remove it")
        datasets, splits, limits, rewards = (env.get_attr(name) for name in names)
        dataset = datasets[0]
        terms = {(data.name, *rest) for data, *rest in zip(datasets, splits, limits, rewards, strict=True)}
        if len(terms) > 1:
            raise ValueError(f"expected environments that are all alike, got {len(terms)} kinds: {terms}")
        return cls(dataset, dataset.rows(splits[0]), limits[0], rewards[0])
