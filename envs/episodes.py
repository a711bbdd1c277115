"""A batch of episodes on the inputs of one split: what the single and the vector environment share."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray

from labelchain.envs.chains import ChainBatch, ChainStep, first_occurrences
from labelchain.envs.datasets import MultilabelDataset, load_dataset
from labelchain.envs.metrics import Predictions, row_scores
from labelchain.envs.rewards import make_reward

Observation = dict[str, NDArray[Any]]


def default_max_labels(dataset: MultilabelDataset) -> int:
    """The default chain limit: half again the largest training label set, and one."""
    return int(1.5 * dataset.largest_label_set("train")) + 1


class EpisodeBatch:
    """``num_envs`` episodes: which inputs they are on, the chains so far, their returns.

    Args:
        num_envs: How many.
        dataset: A name, a path, or a data set.
        split: ``"train"``, ``"validation"`` or ``"test"``.
        reward: The name of a reward.
        max_labels: Chain limit, or ``None`` for :func:`default_max_labels`.
        repeat_penalty: What emitting a label again costs.

    Attributes:
        dataset: The data.
        rows: ``(num_rows,)`` row numbers of the split.
        chains: The chains so far.
        index: ``(num_envs,)`` which row of the split each episode is on.
        features: ``(num_envs, num_features)`` float32, copied when an episode begins.
        returns: ``(num_envs,)`` the undiscounted returns so far.

    Raises:
        ValueError: If an argument is out of range or a name is unknown.
    """

    def __init__(
        self,
        num_envs: int,
        dataset: str | Path | MultilabelDataset,
        split: str,
        reward: str,
        max_labels: int | None,
        repeat_penalty: float,
    ) -> None:
        self.dataset = dataset if isinstance(dataset, MultilabelDataset) else load_dataset(dataset)
        self.rows = self.dataset.rows(split)
        limit = default_max_labels(self.dataset) if max_labels is None else max_labels
        if limit < 1:
            raise ValueError(f"max_labels must be at least 1, got {max_labels}")
        if not 0.0 <= repeat_penalty < np.inf:
            raise ValueError(f"repeat_penalty must be finite and at least 0, got {repeat_penalty}")
        num_labels = self.dataset.num_labels
        self.chains = ChainBatch(num_envs, num_labels, make_reward(reward, num_labels), limit, repeat_penalty)
        self.index = np.full(num_envs, -1, dtype=np.int64)
        self.features = np.zeros((num_envs, self.dataset.num_features), dtype=np.float32)
        self.returns = np.zeros(num_envs)

    def observation_space(self) -> gym.spaces.Dict:
        """The observation space of one environment."""
        low, high = self.dataset.feature_range()
        return gym.spaces.Dict(
            {
                "features": gym.spaces.Box(low, high, (self.dataset.num_features,), np.float32),
                "emitted": gym.spaces.MultiBinary(self.dataset.num_labels),
            }
        )

    def begin(self, which: NDArray[np.int64], index: NDArray[np.int64]) -> None:
        """Begin episodes ``which`` ``(n,)`` on rows ``index`` ``(n,)`` of the split."""
        rows = self.rows[index]
        self.index[which] = index
        self.features[which] = self.dataset.dense_features(rows)
        self.chains.reset(which, self.dataset.dense_labels(rows))
        self.returns[which] = 0.0

    def step(self, actions: NDArray[np.int64]) -> ChainStep:
        """Take one action ``(num_envs,)`` in each episode."""
        step = self.chains.step(actions)
        self.returns += step.rewards
        return step

    def observation(self) -> Observation:
        """What the agents see, stacked; copies, so that one kept from an earlier step does not change."""
        return {"features": self.features.copy(), "emitted": self.chains.emitted.astype(np.int8)}

    def outcome(self, which: NDArray[np.int64]) -> dict[str, Any]:
        """What is known at the end of episodes ``which`` ``(n,)``: lists and arrays with one entry each.

        Returns:
            ``chain`` and ``true_labels`` (lists of labels), ``is_success`` (bool), and ``metrics``, by name.
        """
        num_labels = self.dataset.num_labels
        labels = self.dataset.labels[self.rows[self.index[which]]]
        actions = self.chains.actions[which]
        chains = first_occurrences(actions, num_labels)
        metrics = row_scores(labels, Predictions(chains, chains))
        is_label = (actions >= 0) & (actions < num_labels)
        metrics["repeats"] = (is_label.sum(axis=1) - (chains >= 0).sum(axis=1)).astype(np.float64)
        bounds = labels.indptr
        return {
            "chain": [chain[chain >= 0].tolist() for chain in chains],
            "true_labels": [labels.indices[bounds[i] : bounds[i + 1]].tolist() for i in range(len(which))],
            "is_success": metrics["subset_accuracy"].astype(bool),
            "metrics": metrics,
        }
