"""In which order labels were decided: what comes first in a chain, and how error-prone it is."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from labelchain.envs import MultilabelDataset
from labelchain.envs.metrics import lookup

BLURRED = "blurred"
"""The annotation of data sets that say which labels of an input are hard to see."""


def mean_positions(chains: NDArray[np.int64], num_labels: int) -> NDArray[np.float64]:
    """Mean position in the chain, from 1, of each label where it is emitted; NaN if it never is.

    Args:
        chains: ``(n, length)`` distinct labels, padded with -1.
        num_labels: L.

    Returns:
        ``(num_labels,)``.
    """
    rows, places = np.nonzero(chains >= 0)
    labels = chains[rows, places]
    counts = np.bincount(labels, minlength=num_labels)
    total = np.bincount(labels, weights=places + 1.0, minlength=num_labels)
    return np.where(counts > 0, total / np.maximum(counts, 1), np.nan)


def error_rates(labels: sparse.csr_array, chains: NDArray[np.int64]) -> NDArray[np.float64]:
    """How often each label is wrong where it is true or emitted; NaN if it is neither anywhere.

    Args:
        labels: ``(n, num_labels)`` CSR, the truth.
        chains: ``(n, length)`` distinct labels, padded with -1.

    Returns:
        ``(num_labels,)``: (false + missed) / (false + missed + right).
    """
    num_labels = labels.shape[1]
    right = np.bincount(chains[lookup(labels, chains)], minlength=num_labels)
    emitted = np.bincount(chains[chains >= 0], minlength=num_labels)
    either = emitted + np.bincount(labels.indices, minlength=num_labels) - right
    return np.where(either > 0, 1.0 - right / np.maximum(either, 1), np.nan)


def clear_before_blurred(dataset: MultilabelDataset, chains: NDArray[np.int64]) -> float | None:
    """How often, in per cent, a clear true label of a test row precedes a blurred one in the chain.

    Over all pairs of a clear and a blurred true label of one row. A label that is not emitted counts as last;
    pairs of which neither is emitted are left out.

    Args:
        dataset: The data.
        chains: ``(n, length)`` distinct labels for the test rows, padded with -1.

    Returns:
        ``None`` if the data do not say what is blurred, or there is no such pair.
    """
    if BLURRED not in dataset.annotations:
        return None
    rows = dataset.rows("test")
    true = dataset.labels[rows].toarray() > 0  # only for data with such annotations, which are small
    blurred = dataset.annotations[BLURRED][rows].toarray() > 0
    length = chains.shape[1]
    position = np.full((len(rows), dataset.num_labels + 1), length)
    np.put_along_axis(
        position,
        np.where(chains < 0, dataset.num_labels, chains),
        np.arange(length)[None].repeat(len(rows), 0),
        1,
    )
    position = position[:, :-1]
    pairs = (true & ~blurred)[:, :, None] & (true & blurred)[:, None]  # (n, clear, blurred)
    pairs &= np.minimum(position[:, :, None], position[:, None]) < length
    first = position[:, :, None] < position[:, None]
    return 100.0 * float(first[pairs].mean()) if pairs.any() else None
