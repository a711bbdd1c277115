"""The exact evaluation: one pass over a split, every row exactly once, in batches."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from labelchain.envs.datasets import MultilabelDataset
from labelchain.envs.metrics import Predictions, checked_lists, summarise


class Predictor(Protocol):
    """Anything that predicts rankings and label sets: a network, an agent, a baseline."""

    def predict(self, features: NDArray[np.float32]) -> Predictions:
        """Predict for ``features`` of shape ``(n, num_features)``."""


@dataclass(frozen=True)
class SelectedPredictor:
    """Ranks with one predictor and gives label sets with another, each selected for what it does."""

    ranking: Predictor
    label_set: Predictor

    def predict(self, features: NDArray[np.float32]) -> Predictions:
        """Predict for ``(n, num_features)``."""
        return Predictions(self.ranking.predict(features).ranking, self.label_set.predict(features).chains)


@dataclass(frozen=True)
class Evaluation:
    """Predictions for a split, the label sets they are compared with, and the metrics.

    Attributes:
        labels: ``(n, num_labels)`` CSR, the truth.
        predictions: What was predicted, row for row.
        metrics: As :func:`labelchain.envs.metrics.summarise` gives them, proportions in per cent.
    """

    labels: sparse.csr_array
    predictions: Predictions
    metrics: dict[str, float]


def evaluate(
    predictor: Predictor,
    dataset: MultilabelDataset,
    split: str = "test",
    *,
    batch_size: int = 1024,
    on_batch: Callable[[int], None] | None = None,
) -> Evaluation:
    """Predict every row of a split once and score it.

    Args:
        predictor: What is evaluated.
        dataset: The data.
        split: ``"train"``, ``"validation"`` or ``"test"``.
        batch_size: Rows that are dense in memory at a time; the result is the same but for rounding.
        on_batch: Called with the number of rows done after each batch, for a progress bar.

    Raises:
        DatasetError: If the split is unknown.
        ValueError: If the predictor gives something that is no :class:`labelchain.envs.metrics.Predictions`
            of these rows and labels.
    """
    rows = dataset.rows(split)
    parts = []
    for start in range(0, len(rows), batch_size):
        batch = rows[start : start + batch_size]
        parts.append(
            _checked(predictor.predict(dataset.dense_features(batch)), len(batch), dataset.num_labels)
        )
        if on_batch is not None:
            on_batch(len(batch))
    predictions = Predictions.concatenate(parts)
    labels = dataset.labels[rows]
    return Evaluation(labels, predictions, summarise(labels, predictions))


def _checked(predictions: Predictions, num_rows: int, num_labels: int) -> Predictions:
    lists = {
        name: checked_lists(getattr(predictions, name), num_labels, name) for name in ("ranking", "chains")
    }
    for name, each in lists.items():
        if len(each) != num_rows:
            raise ValueError(f"expected {name} of {num_rows} rows, got {len(each)}")
    return Predictions(**lists)
