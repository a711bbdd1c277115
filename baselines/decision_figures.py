"""The figures of a comparison that show orders of decisions."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from matplotlib.ticker import NullFormatter
from numpy.typing import NDArray

from labelchain.baselines.decision_order import PairOrders
from labelchain.baselines.figures import MARKERS, colour_of, new_figure, save
from labelchain.baselines.results import Results

Positions = Mapping[str, tuple[NDArray[np.float64], NDArray[np.float64]]]
"""By learner mean position and error rate of each label, ``(num_labels,)`` each, NaN where unknown."""


def write_positions(positions: Positions, frequencies: NDArray[np.float64], path: Path) -> None:
    """Draw which labels go first: the mean position of each label against its frequency and its error rate.

    Args:
        positions: See :data:`Positions`.
        frequencies: ``(num_labels,)`` how many training rows have each label.
        path: The file.
    """
    figure = new_figure(2.6 * len(positions) + 1, 5.2)
    grid = figure.subplots(2, len(positions), sharey="col", squeeze=False)
    for column, (learner, (position, error)) in enumerate(positions.items()):
        for row, (values, name) in enumerate(((frequencies, "training rows"), (error, "error rate"))):
            axes = grid[row, column]
            known = np.isfinite(position) & np.isfinite(values) & ((values > 0) | (row == 1))
            axes.plot(values[known], position[known], "o", ms=3, alpha=0.5, color=colour_of(learner))
            axes.set_xlabel(name)
            if row == 0:
                axes.set_title(learner, fontsize=10)
                if known.any() and values[known].max() > 10 * values[known].min():
                    axes.set_xscale("log")
                    axes.xaxis.set_minor_formatter(NullFormatter())  # there is no room for 3 x 10^1
        grid[0, column].invert_yaxis()
    for row in range(2):
        grid[row, 0].set_ylabel("mean position in the chain")
    save(figure, path)


def write_orders(results: Results, pairs: Mapping[str, PairOrders], path: Path) -> None:
    """Draw how often the label at each rank is wrong, and how much the order depends on the input.

    Args:
        results: With ``decisions``.
        pairs: By learner, see :class:`labelchain.baselines.decision_order.PairOrders`.
        path: The file.
    """
    figure = new_figure(11, 3.6)
    left, right = figure.subplots(1, 2)
    for (learner, orders), marker in zip(pairs.items(), MARKERS, strict=False):
        wrong = results["decisions"][learner]["error_at_rank"]
        colour = colour_of(learner)
        left.plot(range(1, len(wrong) + 1), wrong, f"-{marker}", color=colour, ms=6, alpha=0.8, label=learner)
        if len(orders.seen):
            place = np.argsort(orders.share)
            weight = 100.0 * orders.seen[place].cumsum() / orders.seen.sum()
            every = max(1, len(place) // 12)
            right.plot(
                100.0 * orders.share[place],
                weight,
                "-",
                color=colour,
                marker=marker,
                markevery=every,
                alpha=0.8,
            )
    left.set_xlabel("rank")
    left.set_ylabel("wrong, per cent")
    left.set_xticks(range(1, 1 + max(len(each["error_at_rank"]) for each in results["decisions"].values())))
    right.set_xlabel("inputs that have a pair of labels in the more common order, per cent")
    right.set_ylabel("pairs up to there, per cent")
    right.set_xlim(49, 101)
    for axes in (left, right):
        axes.grid(alpha=0.25)
        axes.spines[["top", "right"]].set_visible(False)
    figure.legend(*left.get_legend_handles_labels(), loc="outside right center", frameon=False, fontsize=8)
    save(figure, path)
