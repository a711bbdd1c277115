"""What long commands found, on the terminal."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.table import Table

from labelchain.agents.settings import named_values
from labelchain.baselines.report import gains_table, known_table, results_table
from labelchain.baselines.results import Results
from labelchain.cli.errors import console

SHOWN_TRIALS = 5
"""How many of the best trials of a search are shown."""


def print_comparison(results: Results, seconds: Mapping[str, Sequence[float]], folder: Path) -> None:
    """Print the tables of a comparison, and where it lies.

    Args:
        results: What ``results.json`` holds.
        seconds: By learner, how long each of its runs took.
        folder: Where the rest is.
    """
    console.print(results_table(results, seconds, console.width))
    if "known_subset_accuracy" in results:
        console.print(known_table(results))
    for challenger, opponents in list(results["gains"].items())[:1]:
        for against in opponents:
            console.print(gains_table(results, challenger, against))
    console.print(
        f"report:  {folder / 'report.md'} (all decodings; results.json and results.csv beside it)",
        highlight=False,
        soft_wrap=True,
    )
    console.print(f"curves:  labelchain board {folder}", highlight=False, soft_wrap=True)


def print_search(
    found: Mapping[str, Any], dataset: str, options: Mapping[str, object], changes: Sequence[str]
) -> None:
    """Print the best trials of a search for settings, and the command that trains the best.

    Args:
        found: What ``tuned.json`` holds.
        dataset: The data, as the command line names them.
        options: What else the search was told that training must be told too, by the name of the option.
        changes: What it was told by ``--set``.
    """
    table = Table(
        title=f"{found['learner']} on {dataset}, the best of {len(found['trials'])} trials",
        caption="On the validation rows.",
    )
    table.add_column(found["metric"], justify="right", no_wrap=True)
    table.add_column("settings")
    for trial in sorted(found["trials"], key=lambda trial: -float(trial["score"]))[:SHOWN_TRIALS]:
        settings = ", ".join(f"{name}={value:.4g}" for name, value in trial["settings"].items())
        table.add_row(f"{trial['score']:.2f}", settings)
    console.print(table)
    words = ["labelchain", "train", found["learner"], dataset]
    for option, value in options.items():
        words += [option, str(value)]
    for name, value in (named_values(changes) | found["best"]["settings"]).items():
        words += ["--set", f"{name}={value}"]
    console.out(f"use: {shlex.join(words)}", highlight=False)  # as it is: to be copied
