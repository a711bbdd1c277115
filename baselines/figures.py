"""The figures of a comparison: scores, gains, times."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from labelchain.baselines.figure_style import (
    colour_of,
    legend_of_groups,
    legend_of_learners,
    marker_of,
    new_figure,
    plain_log_ticks,
    save,
)
from labelchain.baselines.learners import FOUR_ORDERS, LEARNERS
from labelchain.baselines.report import HEADINGS
from labelchain.baselines.results import BEST_ORDER, Results, best_orders
from labelchain.envs.metrics import RANKING_METRICS

FIGURE_METRICS = ("P@1", "nDCG@5", "f1_example", "subset_accuracy")
GAIN_PANELS = (RANKING_METRICS, ("f1_example", "subset_accuracy"))
"""Sets of labels gain or lose many times what rankings do: each kind has an axis of its own."""
LEAST_SPAN = 1.0
"""Points that an axis of scores spans at least, so that hundredths do not look like differences."""


def write_figure(results: Results, path: Path) -> None:
    """Draw four metrics of every learner, a dot per seed, bars for mean and 95 % interval."""
    learners = [name for name in LEARNERS if name in results["learners"]]
    figure = new_figure(11, 0.34 * len(learners) + 1.5)
    panels = figure.subplots(1, len(FIGURE_METRICS), sharey=True, squeeze=False)[0]
    for axes, metric in zip(panels, FIGURE_METRICS, strict=True):
        for height, learner in enumerate(learners):
            entry = results["learners"][learner][metric]
            colour = colour_of(learner)
            values = entry["values"]
            alpha = 0.45 if len(values) > 1 else 0.9
            axes.plot(values, [height] * len(values), "o", color=colour, alpha=alpha, ms=5)
            if entry["interval"] is not None:
                axes.plot(entry["mean"], height, "|", color=colour, ms=16, mew=2.5)
                axes.plot(entry["interval"], [height] * 2, "-", color=colour, lw=1.2)
        orders = [
            results["learners"][name][metric]["mean"] for name in FOUR_ORDERS if name in results["learners"]
        ]
        if orders:
            axes.axvline(max(orders), color="#757575", lw=0.8, ls="--", zorder=0)
        limit(axes, {name: results["learners"][name][metric] for name in learners})
        axes.set_title(HEADINGS.get(metric, metric), fontsize=10)
        axes.grid(axis="x", alpha=0.25)
        axes.spines[["top", "right"]].set_visible(False)
    panels[0].set_yticks(range(len(learners)), learners)
    panels[0].set_ylim(len(learners) - 0.4, -0.6)
    dots = "one dot per seed, mean and 95 % interval" if has_intervals(results) else "one seed"
    title = f"{results['name']}, test split, per cent: {dots}"
    if not results["learners"].keys().isdisjoint(FOUR_ORDERS):
        title += f"; dashed: {best_orders(results)}"
    figure.suptitle(title, fontsize=10, parse_math=False)  # a name may hold dollars
    legend_of_groups(figure, learners)
    save(figure, path)


def has_intervals(results: Results) -> bool:
    """Whether any learner has more than one seed."""
    return any(entry["P@1"]["interval"] is not None for entry in results["learners"].values())


def limit(axes: Axes, entries: Mapping[str, Any]) -> None:
    """Let the axis span what the learners reach, and nothing that no score can be.

    Popularity, far below, is written at the edge. Intervals over two seeds are so wide that they are cut.
    """
    others = [entry for name, entry in entries.items() if name != "popularity"] or list(entries.values())
    dots = [value for entry in others for value in entry["values"]]
    span = max(max(dots) - min(dots), LEAST_SPAN)
    reached = [*dots, *(end for entry in others for end in entry["interval"] or [])]
    low, high = max(min(reached), min(dots) - 0.5 * span), min(max(reached), max(dots) + 0.5 * span)
    short = max(0.0, LEAST_SPAN - (high - low)) / 2
    low, high = max(low - short - 0.12 * span, 0.0), min(high + short + 0.06 * span, 100.0)
    high = min(max(high, low + LEAST_SPAN), 100.0)
    low = max(min(low, high - LEAST_SPAN), 0.0)
    room = 0.03 * (high - low)  # for half a dot where scores end, too little for a tick
    axes.set_xlim(low - room * (low == 0.0), high + room * (high == 100.0))
    for row, (name, entry) in enumerate(entries.items()):
        if name == "popularity" and min(entry["values"]) < axes.get_xlim()[0]:
            text = f"◂ {entry['mean']:.1f}"
            axes.text(0.02, row, text, transform=axes.get_yaxis_transform(), va="center", fontsize=9)


def write_gains(results: Results, path: Path) -> None:
    """Draw what the RL learners gain over the best order, with 95 % intervals over test rows."""
    figure = new_figure(11, 3.6)
    challengers = [name for name, opponents in results["gains"].items() if BEST_ORDER in opponents]
    panels = figure.subplots(1, len(GAIN_PANELS), width_ratios=[len(metrics) for metrics in GAIN_PANELS])
    for axes, metrics in zip(panels, GAIN_PANELS, strict=True):
        for number, learner in enumerate(challengers):
            entries = [results["gains"][learner][BEST_ORDER][metric] for metric in metrics]
            places = np.arange(len(metrics)) + 0.7 * ((number + 0.5) / len(challengers) - 0.5)
            values = np.array([entry["absolute"] for entry in entries])
            ends = np.array([entry["interval"] or [entry["absolute"]] * 2 for entry in entries])
            style = {"color": colour_of(learner), "marker": marker_of(learner), "label": learner}
            axes.errorbar(places, values, np.abs(ends.T - values), ls="", ms=5, capsize=2, **style)
        axes.axhline(0, color="#757575", lw=0.8, ls="--")
        for place in range(0, len(metrics), 2):
            axes.axvspan(place - 0.5, place + 0.5, color="#f2f2f2", lw=0, zorder=0)
        axes.set_xlim(-0.5, len(metrics) - 0.5)
        axes.set_xticks(range(len(metrics)), [HEADINGS.get(metric, metric) for metric in metrics])
        axes.spines[["top", "right"]].set_visible(False)
    panels[0].set_ylabel("points over the best order")
    legend_of_learners(figure, panels[0])
    save(figure, path)


def write_times(results: Results, seconds: Mapping[str, Sequence[float]], path: Path) -> None:
    """Draw nDCG@5 and example F1 against the time that training took, without popularity, far below."""
    learners = [name for name in results["learners"] if name != "popularity"] or list(results["learners"])
    figure = new_figure(11, 3.6)
    panels = figure.subplots(1, 2, squeeze=False)[0]
    for axes, metric in zip(panels, ("nDCG@5", "f1_example"), strict=True):
        for learner in learners:
            place = statistics.fmean(seconds[learner]), results["learners"][learner][metric]["mean"]
            style = {"color": colour_of(learner), "marker": marker_of(learner), "label": learner}
            axes.plot(*place, ls="", ms=7, alpha=0.8, **style)
        plain_log_ticks(axes, 10)
        axes.set_xlabel("seconds, parts included")
        axes.set_ylabel(HEADINGS.get(metric, metric))
        axes.grid(alpha=0.25)
        axes.spines[["top", "right"]].set_visible(False)
    legend_of_learners(figure, panels[0])
    save(figure, path)
