"""Print the tables of docs/results/README.md: ``python docs/make_results.py``."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

P_VALUES = ("p_value", "seed_p_value")
RESULTS = Path(__file__).parent / "results"
RANKING = ("P@1", "P@3", "P@5", "nDCG@3", "nDCG@5")
LABEL_SET = ("f1_example", "subset_accuracy")
HEADINGS = {"f1_example": "F1", "subset_accuracy": "subset"}
SURE = 0.05
"""Gains of a p-value below are marked: ``*`` over test rows, ``**`` over seeds too."""


def comparisons() -> dict[str, dict[str, Any]]:
    """Every comparison here, by the name of its folder."""
    found = {
        path.parent.name: json.loads(path.read_text()) for path in sorted(RESULTS.glob("*/results.json"))
    }
    return {name: results for name, results in found.items() if "composite" in results["gains"]}


def gains(learner: str, opponent: str, results: dict[str, Any], metrics: tuple[str, ...]) -> list[str]:
    """Cells of one data set: each value, and how far it is above the opponent's, in per cent of it."""
    cells = []
    for metric in metrics:
        gain = results["gains"][learner][opponent][metric]
        cells.append(f"{gain['value']:.1f} ({gain['relative']:+.1f} %{stars(gain)})")
    return cells


def stars(gain: dict[str, Any]) -> str:
    """The marks of a gain."""
    over_rows, over_seeds = (gain[name] is not None and gain[name] < SURE for name in P_VALUES)
    return "\\*" * (over_rows + (over_rows and over_seeds))


def best_decodings(results: dict[str, Any], metrics: tuple[str, ...]) -> list[str]:
    """Cells of one data set: the best mean of any learner under any decoding that it has, and whose it is."""
    cells = []
    for metric in metrics:
        scores = [
            (entry[metric]["mean"], f"{learner}, {decoding}" if decoding else learner)
            for learner, only in results["learners"].items()
            for decoding, entry in results["decodings"].get(learner, {"": only}).items()
            if metric in entry
        ]
        value, name = max(scores)
        cells.append(f"{value:.1f} {name}")
    return cells


def tables() -> Iterator[str]:
    """The lines of all tables."""
    metrics = RANKING + LABEL_SET
    heads = ["data", "seeds", *(HEADINGS.get(metric, metric) for metric in metrics)]
    for learner, opponent, title in (
        ("composite", "best order", "`composite`, and its gain over the best of the four orders"),
        ("composite", "two-always-random", "`composite`, and its gain over two networks of `always-random`"),
        ("composite", "best linear model", "`composite`, and its gain over the best linear model"),
        ("ten-composite", "best order", "`ten-composite`, and its gain over the best of the four orders"),
        (
            "ten-composite",
            "ten-always-random",
            "`ten-composite`, and its gain over ten networks of `always-random`",
        ),
        ("composite-q", "best order", "`composite-q`, and its gain over the best of the four orders"),
        ("chain-pg", "best order", "`chain-pg` alone, and its gain over the best of the four orders"),
        ("chain-q", "best order", "`chain-q` alone, and its gain over the best of the four orders"),
    ):
        yield from ("", f"## {title}", "", row(heads), row(["---"] * len(heads)))
        for name, results in comparisons().items():
            if opponent in results["gains"].get(learner, {}):
                count = len(results["learners"][learner]["P@1"]["values"])
                yield row(
                    [f"[{name}]({name}/report.md)", str(count), *gains(learner, opponent, results, metrics)]
                )
    yield from ("", "## The best learner and decoding of each metric", "", row(heads[:1] + heads[2:]))
    yield row(["---"] * (len(heads) - 1))
    for name, results in comparisons().items():
        yield row([name, *best_decodings(results, metrics)])


def row(cells: list[str]) -> str:
    """One line of a table."""
    return "| " + " | ".join(cells) + " |"


if __name__ == "__main__":
    sys.stdout.write("\n".join(tables()).strip() + "\n")
