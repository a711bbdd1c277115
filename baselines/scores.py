"""Classical models without chains: one score per label (independent classifiers, popularity)."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from labelchain.agents.rollouts import SAMPLE, evenly_spaced, training_figures
from labelchain.agents.runs import Progress, Run, RunError, RunLogger
from labelchain.envs import MultilabelDataset, evaluate
from labelchain.envs.files import written_beside
from labelchain.envs.metrics import RANKED, Predictions


class LinearScores:
    """Scores ``x W + b``; the best five are the ranking, those above a threshold the label set.

    Args:
        weights: ``(num_features, num_labels)`` float32.
        bias: ``(num_labels,)`` float32.
        threshold: A label is predicted if its score is above.
    """

    def __init__(
        self, weights: NDArray[np.float32], bias: NDArray[np.float32], threshold: float = 0.0
    ) -> None:
        self.weights = weights
        self.bias = bias
        self.threshold = threshold

    def predict(self, features: NDArray[np.float32]) -> Predictions:
        """Predict for ``(n, num_features)``; label sets by descending score."""
        scores = self._scores(features)
        order = np.argsort(-scores, axis=1, kind="stable")
        size = (scores > self.threshold).sum(axis=1)
        longest = max(1, int(size.max()))
        chains = np.where(np.arange(longest) < size[:, None], order[:, :longest], -1)
        return Predictions(order[:, :RANKED], chains)

    def label_scores(self, features: NDArray[np.float32]) -> NDArray[np.float32]:
        """The logistic function of the scores above the threshold, ``(n, num_labels)``."""
        sure: NDArray[np.float32] = expit(self._scores(features) - np.float32(self.threshold))
        return sure

    def _scores(self, features: NDArray[np.float32]) -> NDArray[np.float32]:
        scores: NDArray[np.float32] = features @ self.weights + self.bias
        return scores

    def save(self, path: Path) -> None:
        """Write to an ``.npz`` file, beside and renamed."""
        with written_beside(path) as temporary, temporary.open("wb") as file:
            np.savez(file, weights=self.weights, bias=self.bias, threshold=np.float64(self.threshold))

    @classmethod
    def load(cls, path: Path) -> LinearScores:
        """Read what :meth:`save` wrote; never runs code from the file.

        Raises:
            RunError: If the file is missing or damaged.
        """
        try:
            with path.open("rb") as file, np.load(file, allow_pickle=False) as content:
                return cls(content["weights"], content["bias"], float(content["threshold"]))
        except FileNotFoundError as error:
            raise RunError(
                f"{path} does not exist: the run was not trained, or its folder was moved"
            ) from error
        except Exception as error:  # a damaged archive raises anything
            raise RunError(
                f"{path} is not a labelchain model, or is damaged ({error}); "
                "remove its folder and train again"
            ) from error


def train_popularity(run: Run, dataset: MultilabelDataset, progress: Progress) -> int:
    """The same answer for every input: labels by training frequency, as many as inputs have on average."""
    begun = time.perf_counter()
    order = np.argsort(-dataset.label_frequencies("train"), kind="stable")
    size = max(1, round(dataset.cardinality("train")))
    scores = np.empty(dataset.num_labels, dtype=np.float32)
    scores[order] = -np.arange(dataset.num_labels)  # ranks: labels of one frequency must not tie
    weights = np.zeros((dataset.num_features, dataset.num_labels), dtype=np.float32)
    return _finish(run, dataset, LinearScores(weights, scores, threshold=0.5 - size), begun, progress)


def train_binary_relevance(run: Run, dataset: MultilabelDataset, progress: Progress) -> int:
    """One logistic regression per label (scikit-learn), a label predicted if its probability is above 1/2."""
    begun = time.perf_counter()
    rows = dataset.rows("train")
    features = dataset.features[rows]
    scaler = StandardScaler()  # of dense features only
    if not dataset.is_sparse:
        features = scaler.fit_transform(features)
    labels = dataset.labels[rows].tocsc()
    weights = np.zeros((dataset.num_features, dataset.num_labels))
    bias = np.zeros(dataset.num_labels)
    for label in range(dataset.num_labels):
        target = labels[:, [label]].toarray().ravel()
        if target.min() == target.max():  # nothing to learn: always, or never
            bias[label] = np.inf if target[0] else -np.inf
        else:
            model = LogisticRegression(max_iter=1000).fit(features, target)
            weights[:, label], bias[label] = model.coef_[0], model.intercept_[0]
        progress((label + 1) / dataset.num_labels, "labels")
    if not dataset.is_sparse:
        weights /= scaler.scale_[:, None]
        bias -= scaler.mean_ @ weights
    model = LinearScores(weights.astype(np.float32), bias.astype(np.float32))
    return _finish(run, dataset, model, begun, progress)


def _finish(
    run: Run, dataset: MultilabelDataset, model: LinearScores, begun: float, progress: Progress
) -> int:
    model.save(run.directory / "scores.npz")
    seen = len(dataset.rows("train"))
    seconds = time.perf_counter() - begun
    rollout, answers = training_figures(model, dataset, run.settings, run.seed)
    run.forget_events()
    with RunLogger(run, seconds=seconds) as logger:
        logger.scalars("train", {"loss": _logistic_loss(model, dataset)} | answers, seen)
        logger.scalars("rollout", rollout, seen)
        logger.scalars("time", {"inputs_per_second": seen / seconds}, seen)
        logger.scalars("eval", evaluate(model, dataset, "validation").metrics, seen)
    progress(1.0, "done")
    return seen


def _logistic_loss(model: LinearScores, dataset: MultilabelDataset) -> float:
    """The negative log-likelihood of training inputs, labels independent; the mean over a sample of them."""
    rows = evenly_spaced(dataset.rows("train"), SAMPLE)
    sure = model.label_scores(dataset.dense_features(rows)).astype(np.float64)
    of_truth = np.where(dataset.dense_labels(rows), sure, 1.0 - sure)
    return float(-np.log(np.maximum(of_truth, np.finfo(np.float32).tiny)).sum(axis=1).mean())
