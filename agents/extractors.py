"""Small feature extractors for Stable-Baselines3's policies: dense rows, sparse rows, rows by number.

Each gives ``relu(norm(W input + E emitted))``, so that actor and critic share the first layer,
the one that is wide where there are many columns. Pass one by ``policy_kwargs``:

>>> from stable_baselines3 import PPO
>>> from labelchain.agents.chain_vec_env import ChainVecEnv
>>> env = ChainVecEnv("digit-scenes", num_envs=2, observation="index")
>>> extractor = {
...     "features_extractor_class": RowExtractor,
...     "features_extractor_kwargs": {"dataset": "digit-scenes", "features_dim": 64},
... }
>>> model = PPO("MultiInputPolicy", env, n_steps=8, batch_size=16, policy_kwargs=extractor, device="cpu")
>>> model.predict(env.reset())[0].shape
(2,)
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from gymnasium import spaces
from numpy.typing import NDArray
from stable_baselines3.common.torch_layers import BaseFeaturesExtractor
from torch import Tensor, nn

from labelchain.envs import MultilabelDataset, load_dataset


class _ChainExtractor(BaseFeaturesExtractor):
    """What the extractors share; each has its own ``project``."""

    project: nn.Module

    def __init__(self, observation_space: spaces.Dict, features_dim: int) -> None:
        super().__init__(observation_space, features_dim)
        self.emitted = nn.Linear(_width(observation_space, "emitted"), features_dim)
        self.norm = nn.LayerNorm(features_dim)

    def forward(self, observations: dict[str, Tensor]) -> Tensor:
        """``(n, features_dim)`` from observations of ``n`` environments."""
        summed = self._projected(observations) + self.emitted(observations["emitted"])
        return torch.relu(self.norm(summed))

    def _projected(self, observations: dict[str, Tensor]) -> Tensor:
        """The inputs, projected, ``(n, features_dim)``."""
        raise NotImplementedError


class DenseExtractor(_ChainExtractor):
    """For ``features`` and ``emitted``, where most features are not zero.

    Args:
        observation_space: With ``features`` and ``emitted``.
        features_dim: Width of what it gives.
    """

    def __init__(self, observation_space: spaces.Dict, features_dim: int = 256) -> None:
        super().__init__(observation_space, features_dim)
        self.project = nn.Linear(_width(observation_space, "features"), features_dim)

    def _projected(self, observations: dict[str, Tensor]) -> Tensor:
        projected: Tensor = self.project(observations["features"])
        return projected


class SparseExtractor(_ChainExtractor):
    """For ``features`` and ``emitted``, where most features are zero: its time grows with those that are not.

    Args:
        observation_space: With ``features`` and ``emitted``.
        features_dim: Width of what it gives.
    """

    def __init__(self, observation_space: spaces.Dict, features_dim: int = 256) -> None:
        super().__init__(observation_space, features_dim)
        self.project = _sparse_projection(_width(observation_space, "features"), features_dim)

    def _projected(self, observations: dict[str, Tensor]) -> Tensor:
        return _of_dense(self.project, observations["features"])


class RowExtractor(_ChainExtractor):
    """For ``row`` and ``emitted`` (``observation="index"``): holds the features of all rows, looks them up.

    Rollout and replay buffers then hold row numbers instead of rows. The matrix, dense or CSR as the data set
    has it, is no parameter: a saved model does not hold it, but what ``dataset`` is. Give a name or a path,
    which is loaded again with the model; a data set object goes into the saved file whole. SB3 hands row
    numbers over as float32, which is exact up to 16 million rows.

    Args:
        observation_space: With ``row`` and ``emitted``.
        dataset: The data set of the environment: a name, a path, or the data set.
        features_dim: Width of what it gives.
    """

    rows: Tensor
    indptr: Tensor
    indices: Tensor
    values: Tensor

    def __init__(
        self,
        observation_space: spaces.Dict,
        dataset: str | Path | MultilabelDataset,
        features_dim: int = 256,
    ) -> None:
        super().__init__(observation_space, features_dim)
        _width(observation_space, "row")
        data = dataset if isinstance(dataset, MultilabelDataset) else load_dataset(dataset)
        matrix: Any = data.features
        self.sparse = data.is_sparse
        if self.sparse:
            self.project = _sparse_projection(data.num_features, features_dim)
            self._hold("indptr", matrix.indptr.astype(np.int64))
            self._hold("indices", matrix.indices.astype(np.int64))
            self._hold("values", matrix.data)
        else:
            self.project = nn.Linear(data.num_features, features_dim)
            self._hold("rows", matrix)
        self._given: Tensor | None = None

    def _hold(self, name: str, array: NDArray[Any]) -> None:
        self.register_buffer(name, torch.from_numpy(array), persistent=False)

    def _projected(self, observations: dict[str, Tensor]) -> Tensor:
        rows = observations["row"].squeeze(1).long()
        if self.sparse:
            if self._given is not None:
                return _of_dense(self.project, self._given[rows])
            return self._of_stored(rows)
        projected: Tensor = self.project((self.rows if self._given is None else self._given)[rows])
        return projected

    @contextmanager
    def given(self, features: Tensor) -> Iterator[None]:
        """Within, ``row`` is a row of ``features`` ``(n, num_features)``: for inputs that are not stored."""
        self._given = features
        try:
            yield
        finally:
            self._given = None

    def _of_stored(self, rows: Tensor) -> Tensor:
        """Project stored rows ``(n,)`` without making them dense."""
        first, counts = self.indptr[rows], self.indptr[rows + 1] - self.indptr[rows]
        offsets = counts.cumsum(0) - counts
        within = torch.arange(int(counts.sum()), device=rows.device)
        entries = within + (first - offsets).repeat_interleave(counts)
        projected: Tensor = self.project(
            self.indices[entries], offsets, per_sample_weights=self.values[entries]
        )
        return projected


def _sparse_projection(num_features: int, width: int) -> nn.EmbeddingBag:
    """A linear layer without bias, for inputs that are given as lists of their entries."""
    projection = nn.EmbeddingBag(num_features, width, mode="sum")
    nn.init.normal_(projection.weight, std=0.1)  # the norm after it sets the scale
    return projection


def _of_dense(projection: nn.Module, features: Tensor) -> Tensor:
    """A sparse projection of dense rows ``(n, num_features)``, by their entries that are not zero."""
    where = features != 0
    row_counts = where.sum(dim=1)
    _, columns = where.nonzero(as_tuple=True)
    offsets = row_counts.cumsum(0) - row_counts
    projected: Tensor = projection(columns, offsets, per_sample_weights=features[where])
    return projected


def _width(observation_space: spaces.Dict, name: str) -> int:
    if name not in observation_space.spaces:
        raise ValueError(
            f"the extractor needs the observation {name!r}, the environment gives "
            f"{', '.join(observation_space.spaces)} (RowExtractor is for observation='index')"
        )
    return spaces.flatdim(observation_space[name])
