"""Classifier chains (J. Read et al. 2009): logistic regressions, each of which sees the labels before it.

One chain in a random order, or the mean of ten. The models are those of scikit-learn's ``ClassifierChain``.
"""

from __future__ import annotations

import time
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.special import expit

from labelchain.agents.plain_values import fields_of
from labelchain.agents.runs import Progress, Run
from labelchain.baselines.scores import (
    FLOATS,
    Arrays,
    Floats,
    checked_array,
    fit_label,
    load_arrays,
    predictions_of_scores,
    save_arrays,
    save_scores,
    scaled_rows,
)
from labelchain.envs import MultilabelDataset
from labelchain.envs.metrics import Predictions

ENSEMBLE = 10
"""Chains of the ensemble."""


class ClassifierChains:
    """One or more chains; their probabilities are averaged, a label is predicted above 1/2.

    Args:
        weights: ``(chains, num_features, num_labels)`` float32 or float64, as scores are to be; labels in the
            order of the chain.
        links: ``(chains, num_labels, num_labels)`` float32: what label ``i`` of a chain adds to the score of
            its label ``j``; 0 unless ``i < j``.
        bias: ``(chains, num_labels)``, of the type of the weights.
        order: ``(chains, num_labels)`` int64, a permutation of the labels each.
    """

    def __init__(
        self,
        weights: Floats,
        links: NDArray[np.float32],
        bias: Floats,
        order: NDArray[np.int64],
    ) -> None:
        self.weights = weights
        self.links = links
        self.bias = bias
        self.order = order

    def label_scores(self, features: NDArray[np.float32]) -> NDArray[np.float64]:
        """Of each label, ``(n, num_labels)``; decisions are passed on along a chain, not probabilities."""
        total = np.zeros((len(features), self.order.shape[1]))
        for weights, links, bias, order in zip(self.weights, self.links, self.bias, self.order, strict=True):
            scores = (features @ weights + bias).astype(np.float64)
            for place in range(len(order)):  # a label waits for those before it
                scores[:, place + 1 :] += (scores[:, [place]] > 0) * links[place, place + 1 :]
            total[:, order] += expit(scores)
        return total / len(self.order)

    def predict(self, features: NDArray[np.float32]) -> Predictions:
        """Predict for ``(n, num_features)``; label sets by descending probability."""
        return predictions_of_scores(self.label_scores(features), threshold=0.5)

    def save(self, path: Path) -> None:
        """Write to an ``.npz`` file, beside and renamed."""
        save_arrays(path, weights=self.weights, links=self.links, bias=self.bias, order=self.order)

    @classmethod
    def load(cls, path: Path) -> ClassifierChains:
        """Read what :meth:`save` wrote; never runs code from the file.

        Raises:
            RunError: If the file is missing or damaged.
        """

        def build(arrays: Arrays) -> ClassifierChains:
            fields_of(arrays, ("weights", "links", "bias", "order"), "it")
            weights = checked_array(arrays, "weights", FLOATS, (None, None, None))
            chains, _, labels = weights.shape
            links = checked_array(arrays, "links", (np.float32,), (chains, labels, labels))
            bias = checked_array(arrays, "bias", FLOATS, (chains, labels), infinite=True)
            order = checked_array(arrays, "order", (np.int64,), (chains, labels))
            if not (np.sort(order, axis=1) == np.arange(labels)).all():
                raise ValueError("order must be a permutation of the labels in each row")
            return cls(weights, links, bias, order)

        return load_arrays(path, build)


def train_classifier_chains(num_chains: int, run: Run, dataset: MultilabelDataset, progress: Progress) -> int:
    """Train chains in random orders; return the number of inputs seen."""
    begun = time.perf_counter()
    features, unscaled = scaled_rows(dataset)
    labels = dataset.labels[dataset.rows("train")].toarray().astype(np.float32)
    num_features, num_labels = features.shape[1], labels.shape[1]
    rng = np.random.default_rng(run.seed)
    order = np.stack([rng.permutation(num_labels) for _ in range(num_chains)])
    weights: list[NDArray[Any]] = []
    bias: list[NDArray[Any]] = []
    links = np.zeros((num_chains, num_labels, num_labels), dtype=np.float32)
    for chain in range(num_chains):
        ordered = labels[:, order[chain]]
        both = _beside(features, ordered)
        coefficients = np.zeros((num_features + num_labels, num_labels))
        intercepts = np.zeros(num_labels)
        for place in range(num_labels):
            width = num_features + place
            coefficients[:width, place], intercepts[place] = fit_label(both[:, :width], ordered[:, place])
            progress((chain + (place + 1) / num_labels) / num_chains, "labels")
        of_features, of_nothing = unscaled(coefficients[:num_features], intercepts)
        weights.append(of_features)
        bias.append(of_nothing)
        links[chain] = coefficients[num_features:]
    model = ClassifierChains(np.stack(weights), links, np.stack(bias), order)
    return save_scores(run, dataset, model, begun, progress)


train_classifier_chain = partial(train_classifier_chains, 1)
train_ensemble_of_chains = partial(train_classifier_chains, ENSEMBLE)


def _beside(features: NDArray[np.float32] | sparse.csr_array, labels: NDArray[np.float32]) -> Any:
    """Features and labels as columns of one matrix whose first columns can be taken."""
    if sparse.issparse(features):
        return sparse.hstack([features, sparse.csr_array(labels)], format="csc")
    return np.asfortranarray(np.hstack([features, labels]))
