"""Print the tables of docs/results/README.md: ``python docs/make_results.py``."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from statistics import fmean
from typing import Any

from labelchain.agents.settings import Settings
from labelchain.baselines.significance import seed_p_value

P_VALUES = ("p_value", "seed_p_value")
RESULTS = Path(__file__).parent / "results"
RANKING = ("P@1", "P@3", "P@5", "nDCG@3", "nDCG@5")
LABEL_SET = ("f1_example", "subset_accuracy")
OF_SETS = ("chain", "beam", "expected-f1")
HEADINGS = {"f1_example": "F1", "subset_accuracy": "subset"}
SURE = 0.05
"""Gains of a p-value below are marked: ``*`` over test rows, ``**`` over seeds too."""
SHORT = {
    "binary-relevance": "b",
    "tuned-binary-relevance": "t",
    "classifier-chain": "c",
    "ensemble-of-chains": "e",
}
"""How the table of linear models names them."""
LINEAR_NOTE = "The best is " + ", ".join(f"{letter} `{learner}`" for learner, letter in SHORT.items()) + "."
FOUR_ORDERS = ("freq2rare", "rare2freq", "fixed-random", "always-random")
ORDERED = (*FOUR_ORDERS, "target-reordering", "chain-pg", "chain-q", "composite")
SETTINGS = (
    "width",
    "slope",
    "dropout",
    "input_dropout",
    "epochs",
    "batch_size",
    "warmup",
    "precision",
    "stop",
)


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


def relative(ours: list[float], theirs: list[float]) -> str:
    """A cell: the mean over seeds, and how far it is above another, in per cent of that."""
    value, base = fmean(ours), fmean(theirs)
    over_seeds = seed_p_value(ours, theirs)
    mark = "\\*\\*" if over_seeds is not None and over_seeds < SURE else ""
    return f"{value:.1f} ({100 * (value / base - 1):+.1f} %{mark})"


def best_reading(results: dict[str, Any], learners: tuple[str, ...], metric: str) -> list[float]:
    """The values over seeds of whichever learner and decoding has the best mean on the test rows."""
    readings = [
        entry[metric]
        for learner in learners
        for entry in results["decodings"].get(learner, {}).values()
        if metric in entry
    ]
    values: list[float] = max(readings, key=lambda reading: reading["mean"])["values"]
    return values


def gains_read_best(learner: str, opponents: tuple[str, ...], results: dict[str, Any]) -> list[str]:
    """Cells of one data set: each value and gain, both sides read by whichever decoding is best for them."""
    return [
        relative(*(best_reading(results, names, metric) for names in ((learner,), opponents)))
        for metric in RANKING + LABEL_SET
    ]


def linear_models(name: str, results: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The entries of the linear models of a data set; some have a file of their own."""
    found = {learner: entry for learner, entry in results["learners"].items() if learner in SHORT}
    tuned = RESULTS / "linear" / f"{name}.json"
    return found | (json.loads(tuned.read_text())["learners"] if tuned.exists() else {})


def gains_over_linear(name: str, results: dict[str, Any], read_best: bool) -> list[str]:
    """Cells of one data set: ``composite``, its gain over the best linear model, and which that is."""
    models, cells = linear_models(name, results), []
    for metric in RANKING + LABEL_SET:
        best = max(models, key=lambda model: models[model][metric]["mean"])
        theirs = models[best][metric]["values"]
        if len(theirs) == 1:  # it does not depend on its seed
            theirs = theirs * 2
        greedy = results["learners"]["composite"][metric]["values"]
        ours = best_reading(results, ("composite",), metric) if read_best else greedy
        cells.append(f"{relative(ours, theirs)} {SHORT[best]}")
    return cells


def decision_table(figure: str) -> Iterator[str]:
    """The lines of a figure of the order of decisions, by data set and learner."""
    yield from (row(["data", *(f"`{learner}`" for learner in ORDERED)]), row(["---"] * (len(ORDERED) + 1)))
    for name, results in comparisons().items():
        found = [results["decisions"].get(learner, {}).get(figure) for learner in ORDERED]
        if any(value is not None for value in found):
            yield row([name, *("" if value is None else f"{value:.1f}" for value in found)])


def set_decodings() -> Iterator[str]:
    """The lines of the F1 and subset accuracy of some learners under each decoding of label sets."""
    columns = [(learner, decoding) for learner in ("composite", "two-always-random") for decoding in OF_SETS]
    yield row(["data", *(f"`{learner}`, {decoding}" for learner, decoding in columns)])
    yield row(["---"] * (len(columns) + 1))
    for name, results in comparisons().items():
        cells = []
        for learner, decoding in columns:
            entry = results["decodings"].get(learner, {}).get(decoding)
            scores = [] if entry is None else [f"{entry[metric]['mean']:.1f}" for metric in LABEL_SET]
            cells.append(", ".join(scores))
        yield row([name, *cells])


def tables() -> Iterator[str]:
    """The lines of all tables."""
    metrics = RANKING + LABEL_SET
    heads = ["data", "seeds", *(HEADINGS.get(metric, metric) for metric in metrics)]
    for learner, opponent, title in (
        ("composite", "best order", "`composite`, and its gain over the best of the four orders"),
        ("composite", "two-always-random", "`composite`, and its gain over two networks of `always-random`"),
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
    for read_best, ending in ((False, ""), (True, ", read by its best decoding")):
        title = f"## `composite`{ending}, and its gain over the best linear model"
        yield from ("", title, "", LINEAR_NOTE, "", row(heads), row(["---"] * len(heads)))
        for name, results in comparisons().items():
            if linear_models(name, results):
                count = len(results["learners"]["composite"]["P@1"]["values"])
                yield row([name, str(count), *gains_over_linear(name, results, read_best)])
    for learner, opponents, title in (
        (
            "composite",
            FOUR_ORDERS,
            "`composite` and the best of the four orders, each read by its best decoding",
        ),
        (
            "composite",
            ("two-always-random",),
            "`composite` and two networks of `always-random`, each read by its best decoding",
        ),
        (
            "ten-composite",
            ("ten-always-random",),
            "`ten-composite` and ten networks of `always-random`, each read by its best decoding",
        ),
    ):
        yield from ("", f"## {title}", "", row(heads), row(["---"] * len(heads)))
        for name, results in comparisons().items():
            if learner in results["decodings"] and opponents[-1] in results["decodings"]:
                count = len(results["learners"][learner]["P@1"]["values"])
                yield row([name, str(count), *gains_read_best(learner, opponents, results)])
    yield from ("", "## The best learner and decoding of each metric", "", row(heads[:1] + heads[2:]))
    yield row(["---"] * (len(heads) - 1))
    for name, results in comparisons().items():
        yield row([name, *best_decodings(results, metrics)])
    yield from ("", "## Label sets by decoding: F1, and whole sets right", "", *set_decodings())
    for figure, title in (
        (
            "easy_first",
            "Easy first: true labels that binary relevance is surer of come first, in per cent of pairs",
        ),
        ("one_order", "One order: inputs in which two labels stand in their more common order, in per cent"),
    ):
        yield from ("", f"## {title}", "", *decision_table(figure))
    yield from ("", "## Settings", "", row(["data", *SETTINGS]), row(["---"] * (len(SETTINGS) + 1)))
    for name, results in comparisons().items():
        settings = asdict(Settings.recorded(results["settings"]))
        yield row([name, *(str(settings[setting]) for setting in SETTINGS)])


def row(cells: list[str]) -> str:
    """One line of a table."""
    return "| " + " | ".join(cells) + " |"


if __name__ == "__main__":
    sys.stdout.write("\n".join(tables()).strip() + "\n")
