"""Independent logistic regressions whose regularisation and threshold are chosen on the validation rows.

Networks, too, are selected there: what ranks by nDCG@5, what gives label sets by example F1.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import logit

from labelchain.agents.plain_values import fields_of
from labelchain.agents.runs import Progress, Run
from labelchain.baselines.scores import (
    FLOATS,
    Arrays,
    Floats,
    LinearScores,
    checked_array,
    fit_labels,
    load_arrays,
    predictions_of_scores,
    save_arrays,
    save_scores,
    scaled_rows,
)
from labelchain.envs import MultilabelDataset
from labelchain.envs.evaluation import SelectedPredictor
from labelchain.envs.metrics import Predictions, ranking_scores

STRENGTHS = (0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0)
"""scikit-learn's ``C``, the inverse of the regularisation."""
THRESHOLDS = np.linspace(0.05, 0.65, 25)
"""Probabilities above which a label is predicted; the same for all labels, as rare ones are in few rows."""
ROWS_AT_A_TIME = 1024


class TunedScores:
    """Ranks by one linear model, and gives label sets by another.

    Args:
        ranking: What ranks.
        label_set: What gives label sets, of as many features and labels.
    """

    def __init__(self, ranking: LinearScores, label_set: LinearScores) -> None:
        self.ranking = ranking
        self.label_set = label_set

    @property
    def weights(self) -> Floats:
        """Those of what ranks, ``(num_features, num_labels)``."""
        return self.ranking.weights

    def predict(self, features: NDArray[np.float32]) -> Predictions:
        """Predict for ``(n, num_features)``; label sets by descending score."""
        return SelectedPredictor(self.ranking, self.label_set).predict(features)

    def label_scores(self, features: NDArray[np.float32]) -> Floats:
        """Those of what gives label sets, ``(n, num_labels)``: above 1/2 a label is predicted."""
        return self.label_set.label_scores(features)

    def save(self, path: Path) -> None:
        """Write to an ``.npz`` file, beside and renamed."""
        save_arrays(
            path,
            ranking_weights=self.ranking.weights,
            ranking_bias=self.ranking.bias,
            weights=self.label_set.weights,
            bias=self.label_set.bias,
            threshold=np.float64(self.label_set.threshold),
        )

    @classmethod
    def load(cls, path: Path) -> TunedScores:
        """Read what :meth:`save` wrote; never runs code from the file.

        Raises:
            RunError: If the file is missing or damaged.
        """

        def build(arrays: Arrays) -> TunedScores:
            names = ("ranking_weights", "ranking_bias", "weights", "bias", "threshold")
            fields_of(arrays, names, "it")
            weights = checked_array(arrays, "weights", FLOATS, (None, None))
            bias = checked_array(arrays, "bias", FLOATS, weights.shape[1:], infinite=True)
            threshold = float(checked_array(arrays, "threshold", (np.float64,), ()))
            of_ranking = checked_array(arrays, "ranking_weights", FLOATS, weights.shape)
            bias_of_ranking = checked_array(arrays, "ranking_bias", FLOATS, weights.shape[1:], infinite=True)
            return cls(LinearScores(of_ranking, bias_of_ranking), LinearScores(weights, bias, threshold))

        return load_arrays(path, build)


def train_tuned_binary_relevance(run: Run, dataset: MultilabelDataset, progress: Progress) -> int:
    """Fit one logistic regression per label with each of :data:`STRENGTHS`, and choose on validation rows."""
    begun = time.perf_counter()
    features, unscaled = scaled_rows(dataset)
    labels = dataset.labels[dataset.rows("train")]
    chosen: dict[str, tuple[float, LinearScores]] = {}
    for place, strength in enumerate(STRENGTHS):

        def told(share: float, note: str, before: int = place) -> None:
            progress((before + share) / len(STRENGTHS), note)

        fitted = unscaled(*fit_labels(features, labels, told, strength))
        ranks, sets = _validated(LinearScores(*fitted), dataset)
        threshold = float(logit(THRESHOLDS[sets.argmax()]))
        for part, score, model in (
            ("ranking", ranks, LinearScores(*fitted)),
            ("label_set", float(sets.max()), LinearScores(*fitted, threshold)),
        ):
            if part not in chosen or score > chosen[part][0]:
                chosen[part] = score, model
    return save_scores(
        run, dataset, TunedScores(chosen["ranking"][1], chosen["label_set"][1]), begun, progress
    )


def _validated(model: LinearScores, dataset: MultilabelDataset) -> tuple[float, NDArray[np.float64]]:
    """nDCG@5, and example F1 with each of :data:`THRESHOLDS`: means over the validation rows."""
    rows = dataset.rows("validation")
    ranks, sets = 0.0, np.zeros(len(THRESHOLDS))
    for start in range(0, len(rows), ROWS_AT_A_TIME):
        batch = rows[start : start + ROWS_AT_A_TIME]
        features, truth = dataset.dense_features(batch), dataset.dense_labels(batch) > 0
        scores = model.scores(features)
        ranking = predictions_of_scores(scores, model.threshold).ranking
        ranks += ranking_scores(dataset.labels[batch], ranking)["nDCG@5"].sum()
        sets += [_f1(truth, scores > threshold).sum() for threshold in logit(THRESHOLDS)]
    return ranks / len(rows), sets / len(rows)


def _f1(truth: NDArray[Any], predicted: NDArray[Any]) -> NDArray[np.float64]:
    """Example F1 of ``(n, num_labels)`` truth values, ``(n,)``; 1 for no label where there is none."""
    sizes = truth.sum(axis=1) + predicted.sum(axis=1)
    hits = (truth & predicted).sum(axis=1)
    return np.where(sizes > 0, 2 * hits / np.maximum(sizes, 1), 1.0)
