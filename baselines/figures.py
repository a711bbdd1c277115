"""The figures of a comparison."""

from __future__ import annotations

import itertools
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter

from labelchain.baselines.learners import COMPOSITE, FOUR_ORDERS, LEARNERS
from labelchain.baselines.report import HEADINGS, SHOWN
from labelchain.baselines.results import BEST_ORDER, Results, best_orders
from labelchain.envs.files import written_beside

MARKERS = "osD^v<>Pp*Xhd12H8+x"
FIGURE_METRICS = ("P@1", "nDCG@5", "f1_example", "subset_accuracy")


def write_figure(results: Results, path: Path) -> None:
    """Draw four metrics of every learner, a dot per seed, bars for mean and 95 % interval."""
    learners = [name for name in LEARNERS if name in results["learners"]]
    figure = new_figure(11, 0.34 * len(learners) + 1.3)
    panels = figure.subplots(1, len(FIGURE_METRICS), sharey=True, squeeze=False)[0]
    for axes, metric in zip(panels, FIGURE_METRICS, strict=True):
        for height, learner in enumerate(learners):
            entry = results["learners"][learner][metric]
            colour = colour_of(learner)
            axes.plot(entry["values"], [height] * len(entry["values"]), "o", color=colour, alpha=0.45, ms=5)
            axes.plot(entry["mean"], height, "|", color=colour, ms=16, mew=2.5)
            if entry["interval"] is not None:
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
    title = f"{results['dataset']}, test split, per cent: one dot per seed, mean and 95 % interval"
    if not results["learners"].keys().isdisjoint(FOUR_ORDERS):
        title += f"; dashed: {best_orders(results)}"
    figure.suptitle(title, fontsize=10, parse_math=False)  # a path may hold dollars
    save(figure, path)


def limit(axes: Axes, entries: Mapping[str, Any]) -> None:
    """Let the axis span what the learners reach.

    Popularity, far below, is written at the edge. Intervals over two seeds are so wide that they are cut.
    """
    others = [entry for name, entry in entries.items() if name != "popularity"] or list(entries.values())
    dots = [value for entry in others for value in entry["values"]]
    span = max(max(dots) - min(dots), 1.0)
    reached = [*dots, *(end for entry in others for end in entry["interval"] or [])]
    low, high = max(min(reached), min(dots) - 0.5 * span), min(max(reached), max(dots) + 0.5 * span)
    axes.set_xlim(low - 0.12 * span, high + 0.06 * span)
    for row, (name, entry) in enumerate(entries.items()):
        if name == "popularity" and min(entry["values"]) < axes.get_xlim()[0]:
            text = f"◂ {entry['mean']:.1f}"
            axes.text(0.02, row, text, transform=axes.get_yaxis_transform(), va="center", fontsize=9)


def colour_of(learner: str) -> str:
    """Orders are grey, composites red, their parts blue."""
    if learner in FOUR_ORDERS:
        return "#757575"
    if COMPOSITE in learner:
        return "#c62828"
    return "#1565c0" if learner in ("target-reordering", "chain-pg", "chain-q") else "#ef9a00"


def write_gains(results: Results, path: Path) -> None:
    """Draw what the RL learners gain over the best order, with 95 % intervals over test rows."""
    figure = new_figure(9, 3.2)
    axes = figure.subplots()
    challengers = [name for name, opponents in results["gains"].items() if BEST_ORDER in opponents]
    for number, learner in enumerate(challengers):
        entries = [results["gains"][learner][BEST_ORDER][metric] for metric in SHOWN]
        places = np.arange(len(SHOWN)) + 0.6 * ((number + 0.5) / len(challengers) - 0.5)
        values = np.array([entry["absolute"] for entry in entries])
        ends = np.array([entry["interval"] or [entry["absolute"]] * 2 for entry in entries])
        reach = np.abs(ends.T - values)
        axes.errorbar(places, values, reach, fmt="o", ms=4, capsize=3, label=learner)
    axes.axhline(0, color="#757575", lw=0.8, ls="--")
    for place in range(0, len(SHOWN), 2):
        axes.axvspan(place - 0.5, place + 0.5, color="#f2f2f2", lw=0, zorder=0)
    axes.set_xlim(-0.5, len(SHOWN) - 0.5)
    axes.set_xticks(range(len(SHOWN)), [HEADINGS.get(metric, metric) for metric in SHOWN])
    axes.set_ylabel("points over the best order")
    axes.legend(frameon=False)
    axes.spines[["top", "right"]].set_visible(False)
    save(figure, path)


def write_times(results: Results, seconds: Mapping[str, Sequence[float]], path: Path) -> None:
    """Draw nDCG@5 and example F1 against the time that training took, without popularity, far below."""
    learners = [name for name in results["learners"] if name != "popularity"] or list(results["learners"])
    figure = new_figure(11, 3.6)
    panels = figure.subplots(1, 2, squeeze=False)[0]
    for axes, metric in zip(panels, ("nDCG@5", "f1_example"), strict=True):
        for learner, marker in zip(learners, itertools.cycle(MARKERS)):
            place = statistics.fmean(seconds[learner]), results["learners"][learner][metric]["mean"]
            axes.plot(*place, marker, color=colour_of(learner), ms=7, alpha=0.8, label=learner)
        axes.set_xscale("log")
        axes.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
        axes.xaxis.set_major_formatter("{x:g}")
        axes.xaxis.set_minor_formatter(NullFormatter())
        axes.set_xlabel("seconds, parts included")
        axes.set_ylabel(HEADINGS.get(metric, metric))
        axes.grid(alpha=0.25)
        axes.spines[["top", "right"]].set_visible(False)
    figure.legend(
        *panels[0].get_legend_handles_labels(), loc="outside right center", frameon=False, fontsize=8
    )
    save(figure, path)


def new_figure(width: float, height: float) -> Figure:
    """A figure of that size in inches."""
    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def save(figure: Figure, path: Path) -> None:
    """Write a figure, beside and renamed."""
    with written_beside(path) as temporary:
        figure.savefig(temporary, dpi=120)
