"""Which labels go first: the mean position of each label in the chains, and a picture of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import NDArray
from scipy import sparse
from scipy.stats import spearmanr

from labelchain.envs.positions import counts_in_chains, error_rates, mean_positions

NAMED = 30
"""So many labels, at most, are written by name; more are points."""
DRAWN = 2_000
"""So many labels, at most, are drawn: those that chains hold most often."""
COLOUR = "#1565c0"


@dataclass(frozen=True)
class LabelOrder:
    """Where the labels stand in predicted chains, for the labels that any chain holds, ``k`` of them.

    Attributes:
        labels: ``(k,)`` int64, the label numbers.
        position: ``(k,)`` mean position in the chains that hold the label; 1 is first.
        count: ``(k,)`` int64, how many chains hold the label.
        error_rate: ``(k,)`` in [0, 1]: of the inputs that have the label or are given it, the share where
            only one is the case.
    """

    labels: NDArray[np.int64]
    position: NDArray[np.float64]
    count: NDArray[np.int64]
    error_rate: NDArray[np.float64]


def label_order(labels: sparse.csr_array, chains: NDArray[np.int64]) -> LabelOrder:
    """Where each label stands in predicted chains.

    Args:
        labels: ``(n, num_labels)`` CSR, the truth.
        chains: ``(n, length)`` predicted labels, distinct, padded with -1.
    """
    num_labels = labels.shape[1]
    count = counts_in_chains(chains, num_labels)
    held = np.flatnonzero(count)
    position = mean_positions(chains, num_labels)[held]
    return LabelOrder(held, position, count[held], error_rates(labels, chains)[held])


def order_image(order: LabelOrder, frequencies: NDArray[np.int64], names: Sequence[str]) -> NDArray[np.uint8]:
    """Draw the mean position of every label against its training frequency and its error rate.

    The larger a point, the more chains hold its label.

    Args:
        order: Where the labels stand.
        frequencies: ``(num_labels,)`` training rows with each label.
        names: ``num_labels`` names.

    Returns:
        ``(height, width, 3)`` pixels.
    """
    most_held = np.sort(np.argsort(-order.count, kind="stable")[:DRAWN])
    labels, position = order.labels[most_held], order.position[most_held]
    # TensorBoard shows images small: two panels above each other, in large letters, stay legible.
    figure = Figure(figsize=(6, 8), dpi=100, layout="constrained")
    canvas = FigureCanvasAgg(figure)
    upper, lower = figure.subplots(2, 1)
    against = {
        "training frequency (rows)": frequencies[labels].astype(np.float64),
        "error rate on the test split": 100.0 * order.error_rate[most_held],
    }
    for axes, (title, values) in zip((upper, lower), against.items(), strict=True):
        _scatter(axes, values, position, order.count[most_held], [names[label] for label in labels])
        axes.set_xlabel(f"{title}{_correlation(values, position)}", fontsize=14)
    if len(labels) and frequencies[labels].max() > 50 * max(1, frequencies[labels].min()):
        upper.set_xscale("symlog", linthresh=1)
    lower.xaxis.set_major_formatter("{x:g} %")
    figure.supylabel("mean position in the chain (first on top)", fontsize=14)
    figure.suptitle("Which labels go first", fontsize=16)
    canvas.draw()  # type: ignore[no-untyped-call]
    return np.asarray(canvas.buffer_rgba())[..., :3].copy()  # type: ignore[no-untyped-call]


def _scatter(
    axes: Axes, x: NDArray[np.float64], y: NDArray[np.float64], count: NDArray[np.int64], names: list[str]
) -> None:
    """One point a label, first position on top, its area by how many chains hold it; few are named."""
    few = len(names) <= NAMED
    area = 20 + 180 * count / count.max(initial=1)
    axes.scatter(x, y, s=area, color=COLOUR, alpha=0.5 if few else 0.3, lw=0)
    for index in range(len(names) if few else 0):
        axes.annotate(
            names[index][:24],
            (x[index], y[index]),
            xytext=(8, 3),
            textcoords="offset points",
            fontsize=13,
            parse_math=False,
        )
    axes.margins(0.1)
    axes.invert_yaxis()
    axes.tick_params(labelsize=12)
    axes.grid(alpha=0.25)
    axes.spines[["top", "right"]].set_visible(False)


def _correlation(x: NDArray[np.float64], y: NDArray[np.float64]) -> str:
    """Spearman's rank correlation as text, empty where it is not defined."""
    if len(x) < 3 or np.ptp(x) == 0 or np.ptp(y) == 0:
        return ""
    return f"\n(rank correlation with position: {spearmanr(x, y).statistic:+.2f})"
