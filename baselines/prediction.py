"""What a trained model says of inputs: label sets in the order decided, with probabilities, and scores."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import sparse

from labelchain.agents.chain_steps import ChainSteps, chain_steps
from labelchain.agents.decoding import ChainPredictor
from labelchain.agents.label_scores import label_scores
from labelchain.agents.rollouts import label_set_part
from labelchain.envs.evaluation import Predictor

BATCH = 1024
"""Rows that are dense in memory at a time."""


def dense_batches(features: Any, size: int = BATCH) -> Iterator[NDArray[np.float32]]:
    """Rows ``(n, num_features)``, an array or CSR, as fresh dense float32 arrays of a few rows each."""
    for start in range(0, features.shape[0], size):
        part = features[start : start + size]
        yield np.array(part.toarray() if sparse.issparse(part) else part, dtype=np.float32, order="C")


def steps_of(predictor: Predictor, features: NDArray[np.float32], most: int) -> ChainSteps | None:
    """The steps of the chains of a few inputs ``(n, num_features)``, or ``None`` of what has no chains."""
    chooser = label_set_part(predictor)
    if not isinstance(chooser, ChainPredictor):
        return None
    inputs = torch.from_numpy(features).to(chooser.device)
    return chain_steps(chooser.model, inputs, chooser.max_labels, most)


def decided(
    predictor: Predictor,
    features: NDArray[np.float32],
    num_labels: int,
    reader: Predictor | None = None,
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """The label sets of a few inputs in the order decided, and how sure each decision was.

    Args:
        predictor: What is asked.
        features: ``(n, num_features)``.
        num_labels: L.
        reader: The predictor under another decoding, if label sets are to be read by that.

    Returns:
        Labels ``(n, length)``, padded with -1; and the probability of each given the input and those before
        it, ``(n, length)`` float32, 0 where there is none. Of another decoding, or of what has no chains, the
        score of the label.
    """
    steps = steps_of(predictor, features, most=1) if reader is None else None
    if steps is None:
        chains = (reader or predictor).predict(features).chains
        scores = label_scores(predictor, features, num_labels)
        return chains, np.where(chains >= 0, np.take_along_axis(scores, chains, axis=1), 0).astype(np.float32)
    is_label = (steps.actions >= 0) & (steps.actions < num_labels)
    chains = np.where(is_label, steps.actions, -1)
    return chains, np.where(is_label, steps.probabilities, np.float32(0))
