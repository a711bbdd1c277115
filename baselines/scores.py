"""Classical models without chains: one score per label (independent classifiers, popularity)."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.special import expit
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from labelchain.agents.plain_values import fields_of
from labelchain.agents.rollouts import SAMPLE, evenly_spaced, training_figures
from labelchain.agents.run_logger import RunLogger
from labelchain.agents.runs import Progress, Run, RunError
from labelchain.envs import MultilabelDataset, evaluate
from labelchain.envs.datasets import npz_archive
from labelchain.envs.files import written_beside
from labelchain.envs.metrics import RANKED, Predictions

Model = TypeVar("Model")
Arrays = Mapping[str, NDArray[Any]]
Floats: TypeAlias = NDArray[np.float32] | NDArray[np.float64]
FLOATS = (np.float32, np.float64)


class ScoreModel(Protocol):
    """A classical model: a score per label."""

    def predict(self, features: NDArray[np.float32]) -> Predictions:
        """Predict for ``(n, num_features)``."""

    def label_scores(self, features: NDArray[np.float32]) -> NDArray[Any]:
        """How sure it is of each label, in [0, 1], ``(n, num_labels)``."""

    def save(self, path: Path) -> None:
        """Write to an ``.npz`` file."""


class LinearScores:
    """Scores ``x W + b``; the best five are the ranking, those above a threshold the label set.

    Args:
        weights: ``(num_features, num_labels)`` float32 or float64, as scores are to be.
        bias: ``(num_labels,)``, of the same type.
        threshold: A label is predicted if its score is above.
    """

    def __init__(self, weights: Floats, bias: Floats, threshold: float = 0.0) -> None:
        self.weights = weights
        self.bias = bias
        self.threshold = threshold

    def predict(self, features: NDArray[np.float32]) -> Predictions:
        """Predict for ``(n, num_features)``; label sets by descending score."""
        return predictions_of_scores(self.scores(features), self.threshold)

    def label_scores(self, features: NDArray[np.float32]) -> Floats:
        """The logistic function of the scores above the threshold, ``(n, num_labels)``."""
        sure: Floats = expit(self.scores(features) - np.float32(self.threshold))
        return sure

    def scores(self, features: NDArray[np.float32]) -> Floats:
        """Of each label, ``(n, num_labels)``."""
        scores: Floats = features @ self.weights + self.bias
        return scores

    def save(self, path: Path) -> None:
        """Write to an ``.npz`` file, beside and renamed."""
        save_arrays(path, weights=self.weights, bias=self.bias, threshold=np.float64(self.threshold))

    @classmethod
    def load(cls, path: Path) -> LinearScores:
        """Read what :meth:`save` wrote; never runs code from the file.

        Raises:
            RunError: If the file is missing or damaged.
        """

        def build(arrays: Arrays) -> LinearScores:
            fields_of(arrays, ("weights", "bias", "threshold"), "it")
            weights = checked_array(arrays, "weights", FLOATS, (None, None))
            bias = checked_array(arrays, "bias", FLOATS, (weights.shape[1],), infinite=True)
            return cls(weights, bias, float(checked_array(arrays, "threshold", (np.float64,), ())))

        return load_arrays(path, build)


def predictions_of_scores(scores: NDArray[Any], threshold: float) -> Predictions:
    """The best five of ``(n, num_labels)`` scores, and the labels above a threshold, best first."""
    order = np.argsort(-scores, axis=1, kind="stable")
    size = (scores > threshold).sum(axis=1)
    longest = max(1, int(size.max()))
    chains = np.where(np.arange(longest) < size[:, None], order[:, :longest], -1)
    return Predictions(order[:, :RANKED], chains)


def save_arrays(path: Path, **arrays: Any) -> None:
    """Write arrays to an ``.npz`` file, beside and renamed."""
    with written_beside(path) as temporary, temporary.open("wb") as file:
        np.savez(file, **arrays)


def checked_array(
    arrays: Arrays,
    name: str,
    kinds: tuple[type, ...],
    shape: tuple[int | None, ...],
    infinite: bool = False,
) -> NDArray[Any]:
    """An array of a file, of one of some types and a shape (``None``: any size but 0), without NaN.

    Raises:
        ValueError: If it is something else; infinite numbers are refused unless they are allowed.
    """
    array = arrays[name]
    fits = array.ndim == len(shape) and all(
        size == wanted or (wanted is None and size > 0)
        for size, wanted in zip(array.shape, shape, strict=True)
    )
    if array.dtype not in kinds or not fits:
        sizes = ", ".join("any" if size is None else str(size) for size in shape)
        types = " or ".join(kind.__name__ for kind in kinds)
        raise ValueError(
            f"{name} must be of {types} and shape ({sizes}), got {array.dtype} and {array.shape}"
        )
    if np.isnan(array).any() or not (infinite or np.isfinite(array).all()):
        raise ValueError(f"{name} has values that are not finite")
    return array


def load_arrays(path: Path, build: Callable[[Arrays], Model]) -> Model:
    """What ``build`` makes of the arrays of an ``.npz`` file; never runs code from the file.

    Raises:
        RunError: If the file is missing or damaged.
    """
    if not path.exists():
        raise RunError(f"{path} does not exist: the run was not trained, or its folder was moved")
    try:
        return build(npz_archive.load_arrays(path))
    except (KeyError, TypeError, ValueError) as error:
        raise RunError(
            f"{path} is not a labelchain model, or is damaged ({error}); remove its folder and train again"
        ) from error


def train_popularity(run: Run, dataset: MultilabelDataset, progress: Progress) -> int:
    """The same answer for every input: labels by training frequency, as many as inputs have on average."""
    begun = time.perf_counter()
    order = np.argsort(-dataset.label_frequencies("train"), kind="stable")
    size = max(1, round(dataset.cardinality("train")))
    scores = np.empty(dataset.num_labels, dtype=np.float32)
    scores[order] = -np.arange(dataset.num_labels)  # ranks: labels of one frequency must not tie
    weights = np.zeros((dataset.num_features, dataset.num_labels), dtype=np.float32)
    return save_scores(run, dataset, LinearScores(weights, scores, threshold=0.5 - size), begun, progress)


def train_binary_relevance(run: Run, dataset: MultilabelDataset, progress: Progress) -> int:
    """One logistic regression per label (scikit-learn), a label predicted if its probability is above 1/2."""
    begun = time.perf_counter()
    features, unscaled = scaled_rows(dataset)
    weights, bias = fit_labels(features, dataset.labels[dataset.rows("train")], progress)
    return save_scores(run, dataset, LinearScores(*unscaled(weights, bias)), begun, progress)


Unscaled = Callable[[NDArray[np.float64], NDArray[np.float64]], tuple[Floats, Floats]]


def scaled_rows(dataset: MultilabelDataset) -> tuple[Any, Unscaled]:
    """The features of the training rows, standardised if dense; and what undoes it in weights and bias.

    What undoes it keeps float64: of a feature far from zero, such as a time in seconds, the mean's share of
    the bias takes away what float32 has of the digits that tell rows apart.
    """
    features = dataset.features[dataset.rows("train")]
    if dataset.is_sparse:
        return features, lambda weights, bias: (weights.astype(np.float32), bias.astype(np.float32))
    scaler = StandardScaler()
    features = scaler.fit_transform(features)

    def unscaled(weights: NDArray[np.float64], bias: NDArray[np.float64]) -> tuple[Floats, Floats]:
        weights = weights / scaler.scale_[:, None]
        return weights, bias - scaler.mean_ @ weights

    return features, unscaled


def fit_labels(
    features: Any, labels: sparse.csr_array, progress: Progress, strength: float = 1.0
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """A logistic regression per label: weights ``(num_features, num_labels)``, and bias ``(num_labels,)``."""
    columns, num_labels = labels.tocsc(), labels.shape[1]
    weights, bias = np.zeros((features.shape[1], num_labels)), np.zeros(num_labels)
    for label in range(num_labels):
        target = columns[:, [label]].toarray().ravel()
        weights[:, label], bias[label] = fit_label(features, target, strength)
        progress((label + 1) / num_labels, "labels")
    return weights, bias


def fit_label(features: Any, target: NDArray[Any], strength: float = 1.0) -> tuple[NDArray[Any], float]:
    """Weights and bias of a logistic regression; infinite bias for a label that is always or never there.

    Args:
        features: ``(n, num_features)``, dense or sparse.
        target: ``(n,)``, 0 or 1.
        strength: scikit-learn's ``C``.
    """
    if target.min() == target.max():
        return np.zeros(features.shape[1]), np.inf if target[0] else -np.inf
    model = LogisticRegression(C=strength, max_iter=1000).fit(features, target)
    return model.coef_[0], float(model.intercept_[0])


def save_scores(
    run: Run, dataset: MultilabelDataset, model: ScoreModel, begun: float, progress: Progress
) -> int:
    """Write a trained model, and its figures to the log; return the number of inputs seen.

    Args:
        run: Where to.
        dataset: The data.
        model: The model.
        begun: When its training began, by ``time.perf_counter``.
        progress: Told that it is done.
    """
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


def _logistic_loss(model: ScoreModel, dataset: MultilabelDataset) -> float:
    """The negative log-likelihood of training inputs, labels independent; the mean over a sample of them."""
    rows = evenly_spaced(dataset.rows("train"), SAMPLE)
    sure = model.label_scores(dataset.dense_features(rows)).astype(np.float64)
    of_truth = np.where(dataset.dense_labels(rows), sure, 1.0 - sure)
    return float(-np.log(np.maximum(of_truth, np.finfo(np.float32).tiny)).sum(axis=1).mean())
