"""What a comparison shows on the terminal: tables."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from labelchain.baselines.results import BESTS, Results, gain_cells, in_words
from labelchain.envs.metrics import RANKING_METRICS

SHOWN = (*RANKING_METRICS, "subset_accuracy", "f1_example")
HEADINGS = {"subset_accuracy": "subset", "f1_example": "F1"}
SPREAD_WIDTH = 100
"""Columns of a terminal that have room for intervals."""
STYLE: dict[str, Any] = {"box": SIMPLE_HEAD, "padding": (0, 0, 0, 1), "pad_edge": False}


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
    fewest = min(len(entry["P@1"]["values"]) for entry in results["learners"].values())
    spread = "" if seeds == 1 else "mean" if width < SPREAD_WIDTH else "mean and 95 % interval"
    count = str(seeds) if fewest == seeds else f"{fewest} to {seeds}"
    over = "one seed" if seeds == 1 else f"{spread} over {count} seeds"
    table = Table(
        title=f"{results['name']}, test split, per cent ({over})",
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
            row.append(Text(text, style="bold" if entry[metric]["mean"] == best[metric] else ""))
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


def gains_table(results: Results, learner: str, against: str) -> Table:
    """One learner against an opponent, or against whichever of several is best, per metric shown."""
    best = against in BESTS
    table = Table(
        title=f"{learner} against {in_words(results, against)}",
        caption="95 %, p: paired bootstrap over test rows; p seeds: Welch's test over seeds.",
        **STYLE,
    )
    table.add_column("metric", no_wrap=True)
    if best:
        table.add_column(against, no_wrap=True)
    for heading in ("gain", "95 %", "relative", "p", "p seeds"):
        table.add_column(heading, justify="right", no_wrap=True)
    for metric in SHOWN:
        gain = results["gains"][learner][against][metric]
        name = HEADINGS.get(metric, metric)
        names = (name, gain["opponent"]) if best else (name,)
        table.add_row(*names, *gain_cells(gain))
    return table
