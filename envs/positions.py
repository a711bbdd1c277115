"""Where labels stand in chains, and how error-prone they are."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from labelchain.envs.metrics import lookup


def counts_in_chains(chains: NDArray[np.int64], num_labels: int) -> NDArray[np.int64]:
    """How many chains hold each label, ``(num_labels,)``; chains ``(n, length)`` distinct, padded with -1."""
    counts: NDArray[np.int64] = np.bincount(chains[chains >= 0], minlength=num_labels)
    return counts


def mean_positions(chains: NDArray[np.int64], num_labels: int, power: int = 1) -> NDArray[np.float64]:
    """Mean position in the chain, from 1, of each label where it is emitted; NaN if it never is.

    Args:
        chains: ``(n, length)`` distinct labels, padded with -1.
        num_labels: L.
        power: The mean of this power of the position.

    Returns:
        ``(num_labels,)``.
    """
    rows, places = np.nonzero(chains >= 0)
    total = np.bincount(chains[rows, places], weights=(places + 1.0) ** power, minlength=num_labels)
    counts = counts_in_chains(chains, num_labels)
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
    emitted = counts_in_chains(chains, num_labels)
    either = emitted + np.bincount(labels.indices, minlength=num_labels) - right
    return np.where(either > 0, 1.0 - right / np.maximum(either, 1), np.nan)
