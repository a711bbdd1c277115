"""What a comparison shows: a table for the terminal, and a figure."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from rich.box import SIMPLE_HEAD
from rich.table import Table

from labelchain.baselines.learners import COMPOSITE, FOUR_ORDERS, LEARNERS
from labelchain.baselines.results import BEST_ORDER, Results
from labelchain.envs.files import written_beside
from labelchain.envs.metrics import RANKING_METRICS

SHOWN = (*RANKING_METRICS, "subset_accuracy", "f1_example")
HEADINGS = {"subset_accuracy": "subset", "f1_example": "F1"}
SPREAD_WIDTH = 100
"""Columns of a terminal that have room for intervals."""
STYLE: dict[str, Any] = {"box": SIMPLE_HEAD, "padding": (0, 0, 0, 1), "pad_edge": False}
FIGURE_METRICS = ("P@1", "nDCG@5", "f1_example", "subset_accuracy")


def results_table(
    results: Results, seconds: Mapping[str, Sequence[float]], width: int = SPREAD_WIDTH
) -> Table:
    """Every learner's metrics on the test split, per cent; the best of a column is bold.

    Args:
        results: What a comparison gave.
        seconds: By learner, how long each of its runs took.
        width: Columns of the terminal; 95 % intervals over seeds are left out below 100.
    """
    seeds = results["seeds"]
    spread = "" if seeds == 1 else "mean" if width < SPREAD_WIDTH else "mean and 95 % interval"
    over = "one seed" if seeds == 1 else f"{spread} over {seeds} seeds"
    table = Table(
        title=f"{results['dataset']}, test split, per cent ({over})",
        caption=f"Decoding '{results['decoding']}': greedy; rankings forbid STOP until five labels are out.",
        **STYLE,
    )
    table.add_column("learner", no_wrap=True)
    for metric in SHOWN:
        table.add_column(HEADINGS.get(metric, metric), justify="right", no_wrap=True)
    table.add_column("sec.", justify="right", no_wrap=True)
    best = {metric: max(entry[metric]["mean"] for entry in results["learners"].values()) for metric in SHOWN}
    for learner, entry in results["learners"].items():
        row = []
        for metric in SHOWN:
            text = f"{entry[metric]['mean']:.1f}"
            if spread.endswith("interval") and entry[metric]["interval"] is not None:
                text += f"±{entry[metric]['interval'][1] - entry[metric]['mean']:.1f}"
            row.append(f"[bold]{text}[/bold]" if entry[metric]["mean"] == best[metric] else text)
        table.add_row(learner, *row, f"{statistics.fmean(seconds[learner]):.0f}")
    return table


def known_table(results: Results) -> Table:
    """The best expected subset accuracy of kinds of model on a diagnostic problem, and the learners."""
    known = results["known_subset_accuracy"]
    table = Table(
        title="subset accuracy against the known answers, per cent",
        caption="way: from the best fixed order (0 %) to the dynamic optimum (100 %).",
        **STYLE,
    )
    table.add_column("model", no_wrap=True)
    for heading in ("subset", "way"):
        table.add_column(heading, justify="right")
    span = known["dynamic"] - known["fixed_order"]
    rows = {f"best possible: {kind.replace('_', ' ')}": score for kind, score in known.items()}
    rows |= {name: entry["subset_accuracy"]["mean"] for name, entry in results["learners"].items()}
    for name, score in rows.items():
        table.add_row(name, f"{score:.1f}", f"{100 * (score - known['fixed_order']) / span:.0f} %")
    return table


def decodings_table(results: Results) -> Table:
    """Every network learner under each decoding; the best decoding of a learner is bold."""
    table = Table(
        title=f"{results['dataset']}, test split, per cent, by decoding",
        caption="'beam' decides label sets, 'first-step' and 'sampled-chains' rankings.",
        **STYLE,
    )
    table.add_column("learner", no_wrap=True)
    table.add_column("decoding", no_wrap=True)
    for metric in SHOWN:
        table.add_column(HEADINGS.get(metric, metric), justify="right", no_wrap=True)
    for learner, by_decoding in results["decodings"].items():
        best = {
            metric: max(scores[metric]["mean"] for scores in by_decoding.values() if metric in scores)
            for metric in SHOWN
        }
        for decoding, scores in by_decoding.items():
            row = []
            for metric in SHOWN:
                mean = scores[metric]["mean"] if metric in scores else None
                text = "" if mean is None else f"{mean:.1f}"
                row.append(f"[bold]{text}[/bold]" if mean == best[metric] else text)
            table.add_row(learner if decoding == results["decoding"] else "", decoding, *row)
    return table


def gains_table(results: Results, learner: str, against: str) -> Table:
    """One learner against an opponent, or against whichever of the four orders is best, per metric."""
    best = against == BEST_ORDER
    table = Table(
        title=f"{learner} against {'the best of the four orders' if best else against}",
        caption="Hamming loss: lower is better; a positive gain is an improvement. "
        "p: paired bootstrap over test rows.",
        **STYLE,
    )
    table.add_column("metric")
    if best:
        table.add_column("best order", no_wrap=True)
    for heading in ("its value", learner, "gain", "95 %", "relative", "p"):
        table.add_column(heading, justify="right", no_wrap=True)
    for metric, gain in results["gains"][learner][against].items():
        relative = "-" if gain["relative"] is None else f"{gain['relative']:+.1f} %"
        interval, p_value = "-", "-"
        if gain["interval"] is not None:
            interval = "{:+.2f} to {:+.2f}".format(*gain["interval"])
            p_value = f"{gain['p_value']:.4f}"
        values = f"{gain['opponent_value']:.2f}", f"{gain['value']:.2f}", f"{gain['absolute']:+.2f}"
        names = (metric, gain["opponent"]) if best else (metric,)
        table.add_row(*names, *values, interval, relative, p_value)
    return table


def write_figure(results: Results, path: Path) -> None:
    """Draw four metrics of every learner, a dot per seed and a line at the best of the four orders."""
    learners = [name for name in LEARNERS if name in results["learners"]]
    figure = Figure(figsize=(11, 0.34 * len(learners) + 1.3), layout="constrained")
    FigureCanvasAgg(figure)
    panels = figure.subplots(1, len(FIGURE_METRICS), sharey=True, squeeze=False)[0]
    for axes, metric in zip(panels, FIGURE_METRICS, strict=True):
        for height, learner in enumerate(learners):
            entry = results["learners"][learner][metric]
            colour = _colour(learner)
            axes.plot(entry["values"], [height] * len(entry["values"]), "o", color=colour, alpha=0.45, ms=5)
            axes.plot(entry["mean"], height, "|", color=colour, ms=16, mew=2.5)
        orders = [
            results["learners"][name][metric]["mean"] for name in FOUR_ORDERS if name in results["learners"]
        ]
        if orders:
            axes.axvline(max(orders), color="#757575", lw=0.8, ls="--", zorder=0)
        _limit(axes, [results["learners"][name][metric]["values"] for name in learners], learners)
        axes.set_title(HEADINGS.get(metric, metric), fontsize=10)
        axes.grid(axis="x", alpha=0.25)
        axes.spines[["top", "right"]].set_visible(False)
    panels[0].set_yticks(range(len(learners)), learners)
    panels[0].invert_yaxis()
    figure.suptitle(
        f"{results['dataset']}, test split, per cent: one dot per seed, bar at the mean; "
        "dashed: best of the four orders",
        fontsize=10,
    )
    with written_beside(path) as temporary:
        figure.savefig(temporary, dpi=120)


def _limit(axes: Axes, values: list[list[float]], learners: list[str]) -> None:
    """Let the axis span what the learners reach; popularity, far below, is written at the edge."""
    others = [v for name, each in zip(learners, values, strict=True) if name != "popularity" for v in each]
    if not others or "popularity" not in learners:
        return
    margin = 0.06 * max(max(others) - min(others), 1.0)
    axes.set_xlim(min(others) - 2 * margin, max(others) + margin)
    row = learners.index("popularity")
    if min(values[row]) < axes.get_xlim()[0]:
        text = f"◂ {statistics.fmean(values[row]):.1f}"
        axes.text(0.02, row, text, transform=axes.get_yaxis_transform(), va="center", fontsize=9)


def _colour(learner: str) -> str:
    if learner in FOUR_ORDERS:
        return "#757575"
    if learner.startswith(COMPOSITE):
        return "#c62828"
    return "#1565c0" if learner in ("target-reordering", "chain-pg") else "#ef9a00"
