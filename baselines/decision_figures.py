"""The figures of a comparison that show orders of decisions."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from labelchain.baselines.decision_order import PairOrders
from labelchain.baselines.figure_style import (
    colour_of,
    legend_of_learners,
    marker_of,
    new_figure,
    plain_log_ticks,
    save,
)
from labelchain.baselines.results import Results

Positions = Mapping[str, tuple[NDArray[np.float64], NDArray[np.float64]]]
"""By learner mean position and error rate of each label, ``(num_labels,)`` each, NaN where unknown."""
REFERENCE = "always-random"
"""What the errors of the other learners are compared with."""
DOT = 50.0
"""The size of dots times the root of their number: of thousands, they are too small to hide each other."""


def write_positions(positions: Positions, frequencies: NDArray[np.float64], path: Path) -> None:
    """Draw which labels go first: the mean position of each label against its frequency and its error rate.

    Args:
        positions: See :data:`Positions`.
        frequencies: ``(num_labels,)`` how many training rows have each label.
        path: The file.
    """
    figure = new_figure(2.1 * len(positions) + 1, 5.2)
    # Shared axes: where labels stand closer together, the order tells less.
    grid = figure.subplots(2, len(positions), sharex="row", sharey=True, squeeze=False)
    size = float(np.clip(DOT / np.sqrt(len(frequencies)), 1.5, 6.0))
    for column, (learner, (position, error)) in enumerate(positions.items()):
        panels = (frequencies, "training rows"), (100.0 * error, "wrong, per cent")
        for row, (values, name) in enumerate(panels):
            axes = grid[row, column]
            known = np.isfinite(position) & np.isfinite(values) & ((values > 0) | (row == 1))
            style = {"color": colour_of(learner), "ms": size, "mew": 0, "alpha": 0.5}
            axes.plot(values[known], position[known], "o", **style)
            axes.set_xlabel(name)
        grid[0, column].set_title(learner, fontsize=10)
    used = frequencies[frequencies > 0]
    if len(used) and used.max() > 10 * used.min():
        plain_log_ticks(grid[0, 0], 5)
    grid[0, 0].invert_yaxis()
    for row in range(2):
        grid[row, 0].set_ylabel("mean position in the chain")
    save(figure, path)


def write_orders(results: Results, pairs: Mapping[str, PairOrders], path: Path) -> None:
    """Draw how often the label at each rank is wrong, and how much the order depends on the input.

    The former, alike for all learners, is the difference to :data:`REFERENCE` if that is compared.

    Args:
        results: With ``decisions``.
        pairs: By learner, see :class:`labelchain.baselines.decision_order.PairOrders`.
        path: The file.
    """
    figure = new_figure(11, 3.6)
    left, right = figure.subplots(1, 2)
    wrong = {learner: np.array(results["decisions"][learner]["error_at_rank"]) for learner in pairs}
    base = wrong.get(REFERENCE, np.zeros(1))
    for learner, orders in pairs.items():
        style = {"color": colour_of(learner), "marker": marker_of(learner), "alpha": 0.8, "label": learner}
        ranks = np.arange(1, len(wrong[learner]) + 1)
        left.plot(ranks, wrong[learner] - base, ms=6, **style)
        if len(orders.seen):
            place = np.argsort(orders.share)
            weight = 100.0 * orders.seen[place].cumsum() / orders.seen.sum()
            right.plot(100.0 * orders.share[place], weight, markevery=max(1, len(place) // 12), **style)
    left.set_xlabel("rank")
    left.set_ylabel(f"wrong, points over {REFERENCE}" if REFERENCE in wrong else "wrong, per cent")
    left.set_xticks(range(1, 1 + max(map(len, wrong.values()))))
    right.set_xlabel("inputs with the pair in its more common order, per cent")
    right.set_ylabel("share of label pairs\n(cumulative, per cent)")
    right.set_xlim(49, 101)
    for axes in (left, right):
        axes.grid(alpha=0.25)
        axes.spines[["top", "right"]].set_visible(False)
    legend_of_learners(figure, left)
    save(figure, path)
