"""A batch of episodes on the inputs of one split: what the single and the vector environment share."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray

from labelchain.envs.chains import ChainBatch, first_occurrences
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
        observation: ``"features"``, or ``"index"``: the row number instead of its features.

    Attributes:
        dataset: The data.
        rows: ``(num_rows,)`` row numbers of the split.
        chains: The chains so far.
        index: ``(num_envs,)`` which row of the split each episode is on.
        features: ``(num_envs, num_features)`` float32, copied when an episode begins (not if only row
            numbers are observed).
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
        observation: str = "features",
    ) -> None:
        self.dataset = dataset if isinstance(dataset, MultilabelDataset) else load_dataset(dataset)
        self.rows = self.dataset.rows(split)
        limit = default_max_labels(self.dataset) if max_labels is None else max_labels
        if not isinstance(limit, int | np.integer) or limit < 1:
            raise ValueError(f"max_labels must be a whole number of at least 1, got {max_labels!r}")
        if not 0.0 <= repeat_penalty < np.inf:
            raise ValueError(f"repeat_penalty must be finite and at least 0, got {repeat_penalty}")
        if observation not in ("features", "index"):
            raise ValueError(f"observation must be 'features' or 'index', got {observation!r}")
        num_labels = self.dataset.num_labels
        self.observes_features = observation == "features"
        self.chains = ChainBatch(num_envs, num_labels, make_reward(reward, num_labels), limit, repeat_penalty)
        self.index = np.full(num_envs, -1, dtype=np.int64)
        width = self.dataset.num_features if self.observes_features else 0
        self.features = np.zeros((num_envs, width), dtype=np.float32)
        self.returns = np.zeros(num_envs)

    def observation_space(self) -> gym.spaces.Dict:
        """The observation space of one environment."""
        seen: dict[str, gym.Space[Any]] = {}
        if self.observes_features:
            low, high = self.dataset.feature_range()
            seen["features"] = gym.spaces.Box(low, high, (self.dataset.num_features,), np.float32)
        else:
            seen["row"] = gym.spaces.Box(0, self.dataset.labels.shape[0] - 1, (1,), np.int64)
        seen["emitted"] = gym.spaces.MultiBinary(self.dataset.num_labels)
        return gym.spaces.Dict(seen)

    def checked_index(self, values: Any, shape: tuple[int, ...]) -> NDArray[np.int64]:
        """Rows of the split that a caller of ``reset`` names, as an array of a given shape.

        Raises:
            ValueError: If they have another shape, are not integers, or are no rows of the split.
        """
        index = np.asarray(values)
        wrong = index.shape != shape or not np.issubdtype(index.dtype, np.integer)
        if wrong or ((index < 0) | (index >= len(self.rows))).any():
            what = "an integer" if shape == () else f"integers of shape {shape}"
            raise ValueError(f"options['index'] must be {what} in 0..{len(self.rows) - 1}, got {values!r}")
        return index.astype(np.int64)

    def checked_actions(self, actions: Any, ignored: NDArray[np.int64] | None = None) -> NDArray[np.int64]:
        """One action of a caller of ``step`` per environment, as an array.

        Args:
            actions: ``(num_envs,)`` integers in ``0..L``.
            ignored: ``(n,)`` environments whose actions do not matter.

        Raises:
            ValueError: If they have another shape, are not integers, or are out of range.
        """
        array = np.asarray(actions)
        shape, num_labels = self.index.shape, self.dataset.num_labels
        if array.shape != shape or array.dtype.kind not in "iu":
            raise ValueError(
                f"actions must be integers of shape {shape}, got shape {array.shape} of {array.dtype}"
            )
        array = array.astype(np.int64)
        if ignored is not None:
            array[ignored] = 0
        if array.view(np.uint64).max() > num_labels:  # negative ones are the largest
            raise ValueError(f"actions must be in 0..{num_labels}, got {actions!r}")
        return array

    def begin(self, which: NDArray[np.int64], index: NDArray[np.int64]) -> None:
        """Begin episodes ``which`` ``(n,)`` on rows ``index`` ``(n,)`` of the split."""
        rows = self.rows[index]
        self.index[which] = index
        if self.observes_features:
            self.features[which] = self.dataset.dense_features(rows)
        self.chains.reset(which, *self.dataset.label_entries(rows))
        self.returns[which] = 0.0

    def step(self, actions: NDArray[np.int64]) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        """Take one action ``(num_envs,)`` in each episode; rewards, and which have ended, ``(num_envs,)``."""
        rewards, ended = self.chains.step(actions)
        self.returns += rewards
        return rewards, ended

    def observation(self, copy: bool = True) -> Observation:
        """What the agents see, stacked.

        Args:
            copy: Copies, so that an observation kept from an earlier step does not change. Otherwise it
                cannot be written to, and what it holds may be views of the state, which steps change.
        """
        if self.observes_features:
            seen: Observation = {"features": self.features.view()}
        else:
            seen = {"row": self.rows[self.index][:, None]}
        seen["emitted"] = self.chains.emitted.view(np.int8)
        if copy:
            return {name: values.copy() for name, values in seen.items()}
        for values in seen.values():
            values.flags.writeable = False
        return seen

    def observations_of(self, which: NDArray[np.int64]) -> list[Observation]:
        """Copies of what the agents of episodes ``which`` ``(n,)`` see, one by one."""
        seen = {name: values[which] for name, values in self.observation(copy=False).items()}
        return [{name: values[place] for name, values in seen.items()} for place in range(len(which))]

    def outcome(self, which: NDArray[np.int64]) -> dict[str, Any]:
        """What is known at the end of episodes ``which`` ``(n,)``, see :func:`outcome_of`."""
        return outcome_of(self.dataset, self.rows[self.index[which]], self.chains.actions[which])


def outcome_of(
    dataset: MultilabelDataset, rows: NDArray[np.int64], actions: NDArray[np.int64]
) -> dict[str, Any]:
    """What is known at the end of some episodes: lists and arrays with one entry each.

    Args:
        dataset: The data.
        rows: ``(n,)`` the row of each.
        actions: ``(n, length)`` every action taken, padded with -1.

    Returns:
        ``chain`` and ``true_labels`` (lists of labels), ``is_success`` (bool), and ``metrics``, by name.
    """
    labels = dataset.labels[rows]
    chains = first_occurrences(actions, dataset.num_labels)
    metrics = row_scores(labels, Predictions(chains, chains))
    is_label = (actions >= 0) & (actions < dataset.num_labels)
    lengths = (chains >= 0).sum(axis=1)
    metrics["repeats"] = (is_label.sum(axis=1) - lengths).astype(np.float64)
    true, bounds = labels.indices.tolist(), labels.indptr.tolist()
    return {
        "chain": [chain[:n] for chain, n in zip(chains.tolist(), lengths.tolist(), strict=True)],
        "true_labels": [true[start:end] for start, end in itertools.pairwise(bounds)],
        "is_success": metrics["subset_accuracy"].astype(bool),
        "metrics": metrics,
    }


class InputStreams:
    """Which inputs each environment draws: a random stream per environment, drawn ahead in blocks.

    The stream of an environment is what ``integers(num_rows)`` of its generator gives, call by call.

    Args:
        num_envs: How many streams.
        num_rows: Rows to draw from.
    """

    BLOCK = 256

    def __init__(self, num_envs: int, num_rows: int) -> None:
        self._num_rows = num_rows
        self._generators: list[np.random.Generator | None] = [None] * num_envs
        self._drawn = np.zeros((num_envs, self.BLOCK), dtype=np.int64)
        self._next = np.full(num_envs, self.BLOCK)

    def seed(self, seed: int | Sequence[int | None] | None, which: NDArray[np.int64]) -> None:
        """Seed the streams ``which`` with ``seed + i`` or ``seed[i]``; ``None`` goes on with them.

        Raises:
            ValueError: If a list of seeds has another length than there are environments.
        """
        num_envs = len(self._generators)
        if seed is None or isinstance(seed, (int, np.integer)):
            seeds: list[int | None] = [None if seed is None else int(seed) + i for i in range(num_envs)]
        else:
            seeds = list(seed)
        if len(seeds) != num_envs:
            raise ValueError(f"expected one seed for each of {num_envs} environments, got {len(seeds)}")
        for env in which.tolist():
            if seeds[env] is not None or self._generators[env] is None:
                self._generators[env] = gym.utils.seeding.np_random(seeds[env])[0]
                self._next[env] = self.BLOCK

    def draw(self, which: NDArray[np.int64]) -> NDArray[np.int64]:
        """The next row ``(n,)`` of each stream ``which`` ``(n,)``."""
        for env in which[self._next[which] == self.BLOCK].tolist():
            generator = self._generators[env]
            assert generator is not None  # reset() seeds before it draws
            self._drawn[env] = generator.integers(self._num_rows, size=self.BLOCK)
            self._next[env] = 0
        position = self._next[which]
        self._next[which] = position + 1
        rows: NDArray[np.int64] = self._drawn.reshape(-1)[which * self.BLOCK + position]
        return rows
