"""Whether what is easy to see is decided first."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from labelchain.envs import MultilabelDataset

BLURRED = "blurred"
"""The annotation of data sets that say which labels of an input are hard to see."""


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
