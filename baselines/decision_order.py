"""Whether what is easy is decided first, and whether the order depends on the input."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from labelchain.envs import MultilabelDataset
from labelchain.envs.metrics import Predictions, label_counts, lookup

BLURRED = "blurred"
"""The annotation of data sets that say which labels of an input are hard to see."""
SEEN_TOGETHER = 10
"""Pairs of labels are compared over inputs if so many, at least, have both in their chains."""


class PairOrders(NamedTuple):
    """In which order chains have two labels, for all pairs that enough of them have, ``(k,)`` each.

    Attributes:
        seen: How many chains have both.
        share: Of those, the share that has them in the order which is more common, from 0.5 to 1.
    """

    seen: NDArray[np.int64]
    share: NDArray[np.float64]


def decisions(
    dataset: MultilabelDataset, predictions: Predictions, sureness: NDArray[np.floating] | None
) -> dict[str, Any]:
    """What the order of the chains of the test rows says, proportions in per cent.

    Args:
        dataset: The data.
        predictions: Greedy chains for the test rows.
        sureness: How probable another model, without chains, holds each true label of the test rows, row by
            row, ``(entries,)``.

    Returns:
        ``error_at_rank``: how often the label at each rank is wrong, a list; ``right_before_wrong``: how
        often, of a right and a wrong label of one ranking, the right one has the better rank;
        ``one_order``: how often two labels of a ranking are in the order that most inputs have them in;
        ``easy_first``: how often, of two true labels of a row, the one comes first in the chain that the
        other model holds more probable; ``clear_first``: the same of a clear and a blurred one. Labels never
        emitted count as last, a pair of them as one half. Each of the last four is left out where nothing
        can be counted.
    """
    labels = dataset.labels[dataset.rows("test")]
    pairs = pair_orders(predictions.ranking, dataset.num_labels)
    found: dict[str, float | None] = {
        "right_before_wrong": right_before_wrong(labels, predictions.ranking),
        "one_order": float(np.average(pairs.share, weights=pairs.seen)) if len(pairs.seen) else None,
        "easy_first": None if sureness is None else easy_first(labels, predictions.chains, sureness),
        "clear_first": clear_first(dataset, predictions.chains),
    }
    at_rank = (100.0 * (1.0 - lookup(labels, predictions.ranking).mean(axis=0))).tolist()
    return {"error_at_rank": at_rank} | {
        name: 100.0 * share for name, share in found.items() if share is not None
    }


def mean_decisions(runs: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The mean over seeds of what :func:`decisions` gives."""
    return {
        name: np.mean([run[name] for run in runs], axis=0).tolist()
        for name in runs[0]
        if all(name in run for run in runs)
    }


def right_before_wrong(labels: sparse.csr_array, ranking: NDArray[np.int64]) -> float | None:
    """The share of pairs of a right and a wrong label of one ranking ``(n, k)`` with the right one first."""
    right = lookup(labels, ranking)
    pairs = right[:, :, None] & ~right[:, None]  # (n, right, wrong)
    rank = np.arange(ranking.shape[1])
    first = pairs & (rank[:, None] < rank)
    return float(first.sum() / pairs.sum()) if pairs.any() else None


def pair_orders(ranking: NDArray[np.int64], num_labels: int) -> PairOrders:
    """How alike the orders of inputs are: all pairs of labels of rankings ``(n, k)`` without padding."""
    former, latter = np.triu_indices(ranking.shape[1], k=1)
    one, other = ranking[:, former].ravel(), ranking[:, latter].ravel()
    pair = np.minimum(one, other) * num_labels + np.maximum(one, other)
    which, count = np.unique(pair, return_inverse=True, return_counts=True)[1:]
    ascending = np.bincount(which, weights=one < other, minlength=len(count)) / np.maximum(count, 1)
    often = count >= SEEN_TOGETHER
    return PairOrders(count[often], np.maximum(ascending, 1.0 - ascending)[often])


def easy_first(
    labels: sparse.csr_array, chains: NDArray[np.int64], sureness: NDArray[np.floating]
) -> float | None:
    """The share of pairs of true labels of a row of which the surer one comes first in the chain.

    A label that is not emitted counts as last; a pair of which neither is, as one half.

    Args:
        labels: ``(n, num_labels)`` CSR, the truth.
        chains: ``(n, length)`` distinct labels, padded with -1.
        sureness: ``(entries,)``, of each entry of ``labels``.
    """
    sure = _padded(labels, sureness, np.nan)
    return _share_in_front(labels, chains, sure[:, :, None] > sure[:, None])


def clear_first(dataset: MultilabelDataset, chains: NDArray[np.int64]) -> float | None:
    """The share of pairs of a clear and a blurred true label of a test row with the clear one first.

    Counted as by :func:`easy_first`; ``None`` if the data do not say what is blurred.
    """
    if BLURRED not in dataset.annotations:
        return None
    rows = dataset.rows("test")
    labels = dataset.labels[rows]
    true = _padded(labels, labels.indices, -1)
    blurred = lookup(dataset.annotations[BLURRED][rows], true)
    clear = ~blurred & (true >= 0)
    return _share_in_front(labels, chains, clear[:, :, None] & blurred[:, None])


def _share_in_front(
    labels: sparse.csr_array, chains: NDArray[np.int64], pairs: NDArray[np.bool_]
) -> float | None:
    """Of ``pairs`` ``(n, m, m)`` of the ``m`` true labels of a row, the share with the former one first.

    A tie is one half, so that chains which do not care have 0.5 (the A of A. Vargha, H. Delaney 2000, "A
    Critique and Improvement of the CL Common Language Effect Size Statistics of McGraw and Wong").
    """
    true = _padded(labels, labels.indices, -1)
    at = (chains[:, None] == true[:, :, None]) & (true >= 0)[:, :, None]  # (n, m, length)
    place = np.where(at.any(axis=2), at.argmax(axis=2), chains.shape[1])
    ahead = np.sign(place[:, None] - place[:, :, None])[pairs]  # 1, -1, or 0 if neither is emitted
    return float(0.5 + 0.5 * ahead.mean()) if pairs.any() else None


def _padded(labels: sparse.csr_array, values: NDArray[Any], padding: float) -> NDArray[Any]:
    """The value of each entry of a CSR matrix, row by row in front: ``(n, most entries of a row)``."""
    counts = label_counts(labels)
    padded = np.full((len(counts), max(1, int(counts.max(initial=0)))), padding, dtype=np.result_type(values))
    padded[np.arange(padded.shape[1]) < counts[:, None]] = values
    return padded
