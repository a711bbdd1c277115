"""Multi-label metrics of rankings, label sets and chains, per row where they have a value per row.

No function here allocates rows x labels: label sets stay CSR, predictions are padded index arrays. CSR arrays
have sorted, distinct columns and no stored zeros here; :func:`row_scores` and :func:`summarise` take any.
Functions return fractions in [0, 1]; :func:`summarise` returns per cent, as tables print them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse

from labelchain.envs.rewards import discounts

RANKED = 5
"""How many ranks the ranking metrics look at."""
RANKING_METRICS = ("P@1", "P@3", "P@5", "nDCG@3", "nDCG@5")
LABEL_SET_METRICS = (
    "subset_accuracy",
    "accuracy",
    "f1_example",
    "f1_micro",
    "f1_macro",
    "f1_macro_present",
    "hamming_loss",
)
CHAIN_METRICS = ("length", "repeats", "first_error")
LOWER_IS_BETTER = frozenset({"hamming_loss"})


@dataclass(frozen=True)
class Predictions:
    """What a model says about ``n`` inputs.

    Attributes:
        ranking: ``(n, >= 5)`` int64, the best labels first, distinct, padded with -1 if there are fewer.
        chains: ``(n, length)`` int64, the predicted label sets, each in the order it was decided,
            padded with -1.
    """

    ranking: NDArray[np.int64]
    chains: NDArray[np.int64]

    @classmethod
    def concatenate(cls, parts: list[Predictions]) -> Predictions:
        """Stack batches, padding all to the longest."""
        return cls(stacked([p.ranking for p in parts]), stacked([p.chains for p in parts]))


def stacked(arrays: list[NDArray[np.int64]]) -> NDArray[np.int64]:
    """Batches of label lists ``(n, length)``, padded with -1, as one array, padded to the longest."""
    width = max(a.shape[1] for a in arrays)
    return np.concatenate([np.pad(a, ((0, 0), (0, width - a.shape[1])), constant_values=-1) for a in arrays])


def checked_lists(lists: ArrayLike, num_labels: int, name: str, distinct: bool = True) -> NDArray[np.int64]:
    """Label lists as an array ``(n, length)``, if they are what they should be.

    Args:
        lists: ``(n, length)`` labels, padded with -1 at their ends.
        num_labels: L.
        name: What they are, for messages.
        distinct: Whether no list may have a label twice.

    Raises:
        ValueError: If they have another shape or type, something that is no label, or a gap.
    """
    array = np.asarray(lists)
    if array.ndim != 2 or array.dtype.kind not in "iu":
        raise ValueError(f"{name} must be integers (n, length), got shape {array.shape} of {array.dtype}")
    if array.size and not -1 <= array.min() <= array.max() < num_labels:
        found = f"{array.min()}..{array.max()}"
        raise ValueError(f"{name} must hold labels 0..{num_labels - 1} and -1, got {found}")
    if ((array[:, :-1] < 0) & (array[:, 1:] >= 0)).any():
        raise ValueError(f"{name} must be padded with -1 at their ends, got -1 before a label")
    if distinct and (again := num_repeats(array) > 0).any():
        row = int(again.argmax())
        raise ValueError(f"{name} must hold no label twice, got {array[row].tolist()} in row {row}")
    return array.astype(np.int64, copy=False)


def num_repeats(lists: NDArray[Any]) -> NDArray[np.int64]:
    """How often each of some label lists ``(n, length)`` has a label that it has already, ``(n,)``."""
    in_order = np.sort(lists, axis=1)
    again = (in_order[:, 1:] == in_order[:, :-1]) & (in_order[:, 1:] >= 0)
    repeats: NDArray[np.int64] = again.sum(axis=1)
    return repeats


def lookup(labels: sparse.csr_array, columns: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Whether each named label is true: ``(n, num_labels)`` CSR, ``(n, k)`` give ``(n, k)``; -1 is false."""
    num_rows, num_labels = labels.shape
    row_of_entry = np.repeat(np.arange(num_rows, dtype=np.int64), np.diff(labels.indptr))
    entries = row_of_entry * num_labels + labels.indices
    wanted = np.arange(num_rows, dtype=np.int64)[:, None] * num_labels + columns
    position = np.searchsorted(entries, wanted)
    found = position < entries.size
    found[found] = entries[position[found]] == wanted[found]
    result: NDArray[np.bool_] = found & (columns >= 0)
    return result


def label_counts(labels: sparse.csr_array) -> NDArray[np.int64]:
    """|Y| of each row, ``(n,)``."""
    counts: NDArray[np.int64] = np.diff(labels.indptr).astype(np.int64)
    return counts


def ranking_scores(labels: sparse.csr_array, ranking: NDArray[np.int64]) -> dict[str, NDArray[np.float64]]:
    r"""P@1, P@3, P@5, nDCG@3, nDCG@5 of each row, as the Extreme Classification Repository defines them.

    The divisor of P@k is k; the ideal of nDCG@k is that of min(\|Y\|, k) labels. A row without labels
    scores 0.

    Args:
        labels: ``(n, num_labels)`` CSR.
        ranking: ``(n, >= 5)`` (or ``>= num_labels``), best first, distinct, padded with -1.

    Returns:
        By metric, ``(n,)`` in [0, 1].
    """
    hits = np.zeros((labels.shape[0], RANKED))
    top = ranking[:, :RANKED]
    hits[:, : top.shape[1]] = lookup(labels, top)
    gains = np.cumsum(hits * discounts(RANKED), axis=1)
    ideal = np.append(1.0, np.cumsum(discounts(RANKED)))
    true = label_counts(labels)
    scores = {f"P@{k}": hits[:, :k].sum(axis=1) / k for k in (1, 3, 5)}
    scores |= {f"nDCG@{k}": gains[:, k - 1] / ideal[np.minimum(true, k)] for k in (3, 5)}
    return scores


def label_set_scores(labels: sparse.csr_array, chains: NDArray[np.int64]) -> dict[str, NDArray[np.float64]]:
    """Subset accuracy, accuracy (Jaccard), example F1 and Hamming loss of each row.

    Nothing predicted where there is nothing to predict scores 1 (scikit-learn: ``zero_division=1.0``).

    Args:
        labels: ``(n, num_labels)`` CSR.
        chains: ``(n, length)`` predicted labels, distinct, padded with -1.

    Returns:
        By metric, ``(n,)`` in [0, 1].
    """
    hits = lookup(labels, chains).sum(axis=1)
    predicted = (chains >= 0).sum(axis=1)
    true = label_counts(labels)
    union = predicted + true - hits
    empty = union == 0
    return {
        "subset_accuracy": (union == hits).astype(np.float64),
        "accuracy": np.where(empty, 1.0, hits / np.maximum(union, 1)),
        "f1_example": np.where(empty, 1.0, 2 * hits / np.maximum(predicted + true, 1)),
        "hamming_loss": (union - hits) / labels.shape[1],
    }


def pooled_f1(labels: sparse.csr_array, chains: NDArray[np.int64]) -> dict[str, float]:
    """Micro and macro F1 over a whole split.

    ``f1_macro`` averages over all labels, an undefined one counting 0 (scikit-learn: ``zero_division=0``);
    ``f1_macro_present`` averages over the labels that occur or are predicted.

    Args:
        labels: ``(n, num_labels)`` CSR.
        chains: ``(n, length)`` predicted labels, distinct, padded with -1.

    Returns:
        By metric, in [0, 1].
    """
    num_labels = labels.shape[1]
    right = lookup(labels, chains)
    true_positives = np.bincount(chains[right], minlength=num_labels)
    predicted = np.bincount(chains[chains >= 0], minlength=num_labels)
    true = np.bincount(labels.indices, minlength=num_labels)
    present = predicted + true > 0
    f1 = 2 * true_positives / np.maximum(predicted + true, 1)
    total = predicted.sum() + true.sum()
    return {
        "f1_micro": float(2 * true_positives.sum() / total) if total else 0.0,
        "f1_macro": float(f1.mean()),
        "f1_macro_present": float(f1[present].mean()) if present.any() else 0.0,
    }


def chain_scores(labels: sparse.csr_array, chains: NDArray[np.int64]) -> dict[str, NDArray[np.float64]]:
    """Length, repeats, and the position (from 1) of the first wrong label of each chain, each ``(n,)``.

    A chain without a wrong label has its first error one past its end. Chains may hold repeats here.
    """
    length = (chains >= 0).sum(axis=1)
    wrong = np.pad((chains >= 0) & ~lookup(labels, chains), ((0, 0), (0, 1)))  # chains may be of width 0
    first_error = np.where(wrong.any(axis=1), wrong.argmax(axis=1) + 1, length + 1)
    return {
        "length": length.astype(np.float64),
        "repeats": num_repeats(chains).astype(np.float64),
        "first_error": first_error.astype(np.float64),
    }


def canonical(labels: sparse.csr_array) -> sparse.csr_array:
    """The label sets ``(n, L)`` with sorted, distinct columns and no stored zeros: as given, or a copy."""
    if labels.has_canonical_format and labels.data.all():
        return labels
    labels = labels.copy()
    labels.eliminate_zeros()
    labels.sum_duplicates()
    return labels


def row_scores(labels: sparse.csr_array, predictions: Predictions) -> dict[str, NDArray[np.float64]]:
    """Every metric that has a value per row, ``(n,)`` each."""
    labels = canonical(labels)
    return {
        **ranking_scores(labels, predictions.ranking),
        **label_set_scores(labels, predictions.chains),
        **chain_scores(labels, predictions.chains),
    }


def summarise(labels: sparse.csr_array, predictions: Predictions) -> dict[str, float]:
    """Every metric over all rows: proportions in per cent, chain metrics in labels."""
    labels = canonical(labels)
    means: Mapping[str, float] = {
        name: float(values.mean()) for name, values in row_scores(labels, predictions).items()
    } | pooled_f1(labels, predictions.chains)
    percent = {name: 100.0 * means[name] for name in (*RANKING_METRICS, *LABEL_SET_METRICS)}
    return percent | {name: means[name] for name in CHAIN_METRICS}
