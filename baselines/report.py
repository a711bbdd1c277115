"""What a comparison shows: a table for the terminal, and a figure."""

from __future__ import annotations

import statistics
from pathlib import Path

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from rich.table import Table

from labelchain.baselines.comparison import Results
from labelchain.baselines.learners import COMPOSITE, FOUR_ORDERS, LEARNERS
from labelchain.envs.files import written_beside
from labelchain.envs.metrics import LOWER_IS_BETTER, RANKING_METRICS

SHOWN = (*RANKING_METRICS, "subset_accuracy", "f1_example", "f1_micro")
HEADINGS = {"subset_accuracy": "subset", "f1_example": "F1 ex.", "f1_micro": "F1 micro"}
FIGURE_METRICS = ("P@1", "nDCG@5", "f1_example", "subset_accuracy")


def results_table(results: Results) -> Table:
    """Every learner's metrics on the test split, per cent; the best of a column is bold."""
    seeds = results["seeds"]
    spread = f"mean and standard deviation over {seeds} seeds" if seeds > 1 else "one seed"
    table = Table(
        title=f"{results['dataset']}, test split, per cent ({spread})",
        caption=f"Decoding '{results['decoding']}': greedy; rankings forbid STOP until five labels are out.",
    )
    table.add_column("learner", no_wrap=True)
    for metric in SHOWN:
        table.add_column(HEADINGS.get(metric, metric), justify="right", no_wrap=True)
    table.add_column("seconds", justify="right", no_wrap=True)
    best = {metric: max(entry[metric]["mean"] for entry in results["learners"].values()) for metric in SHOWN}
    for learner, entry in results["learners"].items():
        row = []
        for metric in SHOWN:
            text = _with_spread(entry[metric]["mean"], entry[metric]["values"])
            row.append(f"[bold]{text}[/bold]" if entry[metric]["mean"] == best[metric] else text)
        table.add_row(learner, *row, f"{statistics.fmean(results['seconds'][learner]):.0f}")
    return table


def gains_table(results: Results) -> Table:
    """The composite against whichever of the four orders is best, per metric."""
    table = Table(title="composite against the best of the four orders")
    for heading in ("metric", "best order", "its value", "composite", "relative gain"):
        table.add_column(heading, justify="left" if heading in ("metric", "best order") else "right")
    for metric, gain in results["gain_over_best_order"].items():
        note = " (lower is better)" if metric in LOWER_IS_BETTER else ""
        relative = "-" if gain["relative"] is None else f"{gain['relative']:+.1f} %"
        values = f"{gain['best']:.2f}", f"{gain['composite']:.2f}"
        table.add_row(metric + note, gain["best_order"], *values, relative)
    return table


def _with_spread(mean: float, values: list[float]) -> str:
    return f"{mean:.1f}" if len(values) == 1 else f"{mean:.1f}±{statistics.stdev(values):.1f}"


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


def _colour(learner: str) -> str:
    if learner in FOUR_ORDERS:
        return "#757575"
    if learner.startswith(COMPOSITE):
        return "#c62828"
    return "#1565c0" if learner in ("target-reordering", "chain-pg") else "#ef9a00"
