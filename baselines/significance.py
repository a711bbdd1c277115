"""How sure a mean or a difference is: intervals and tests over seeds, paired bootstrap over test rows."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import stats

CONFIDENCE = 0.95
RESAMPLES = 10_000
CHUNK = 1 << 22
"""Drawn row numbers that are in memory at a time."""


def seed_interval(values: Sequence[float]) -> tuple[float, float] | None:
    """Student's 95 % interval of the mean over seeds, or ``None`` for one seed."""
    if len(values) < 2:
        return None
    mean, spread = float(np.mean(values)), float(np.std(values, ddof=1))
    reach = float(stats.t.ppf((1 + CONFIDENCE) / 2, len(values) - 1)) * spread / len(values) ** 0.5
    return mean - reach, mean + reach


def seed_p_value(ours: Sequence[float], theirs: Sequence[float]) -> float | None:
    """Welch's two-sided p-value of a difference of means over seeds, or ``None`` for one seed.

    Without any spread it is 0, or 1 for equal values.
    """
    if min(len(ours), len(theirs)) < 2:
        return None
    if np.ptp(ours) == np.ptp(theirs) == 0.0:
        return float(ours[0] == theirs[0])
    moments = [value for each in (ours, theirs) for value in (np.mean(each), np.std(each, ddof=1), len(each))]
    return float(stats.ttest_ind_from_stats(*moments, equal_var=False).pvalue)  # does not warn of no spread


def paired_bootstrap(
    differences: NDArray[np.float64], resamples: int = RESAMPLES
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Whether the mean of paired differences is away from 0, by resampling the rows.

    Args:
        differences: ``(n, m)``: of each row, for each of ``m`` questions; all share the same resamples.
        resamples: How many times the rows are drawn, with a fixed seed.

    Returns:
        The 95 % percentile intervals of the means ``(m, 2)``, and two-sided p-values ``(m,)``, which cannot
        be below ``2 / (resamples + 1)``.
    """
    num_rows = len(differences)
    rng = np.random.default_rng(0)
    means = np.empty((resamples, differences.shape[1]))
    at_a_time = max(1, CHUNK // num_rows)
    for begin in range(0, resamples, at_a_time):
        count = min(at_a_time, resamples - begin)
        drawn = rng.integers(num_rows, size=(count, num_rows), dtype=np.int64)
        drawn += np.arange(count)[:, None] * num_rows
        times = np.bincount(drawn.ravel(), minlength=count * num_rows).reshape(count, num_rows)
        means[begin : begin + count] = times @ differences / num_rows
    tail = 100 * (1 - CONFIDENCE) / 2
    intervals = np.percentile(means, [tail, 100 - tail], axis=0).T
    either_side = np.minimum((means <= 0).sum(axis=0), (means >= 0).sum(axis=0))
    return intervals, np.minimum(1.0, 2 * (1 + either_side) / (resamples + 1))
