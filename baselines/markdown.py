"""The report of a comparison: ``report.md`` and its figures."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from labelchain.baselines.decision_figures import REFERENCE, write_orders, write_positions
from labelchain.baselines.decision_order import pair_orders
from labelchain.baselines.figures import has_intervals, write_figure, write_gains, write_times
from labelchain.baselines.predictions import load_predictions
from labelchain.baselines.report import HEADINGS, SHOWN
from labelchain.baselines.results import BEST_ORDER, BESTS, METRICS, Results, best_orders, gain_cells
from labelchain.baselines.workers import Job
from labelchain.envs.files import written_beside
from labelchain.envs.positions import error_rates, mean_positions

ORDERED = ("freq2rare", "rare2freq", "always-random", "target-reordering", "chain-pg", "composite")
"""Learners whose order of decisions is drawn."""
COMPARISON_CAPTION = (
    "Scores: one dot per seed, mean, 95 % interval over seeds; colours tell kinds of learners."
)
SINGLE_CAPTION = "Scores of one seed; colours tell kinds of learners."
GAINS_CAPTION = (
    "Gains over the {orders}, 95 % intervals over test rows: of rankings (left) and of sets of labels "
    "(right), each on an axis of its own."
)
TIME_CAPTION = (
    "Scores against the seconds that training took, those of parts included. The seconds are of shared "
    "processors, where other trainings may have run at the same time."
)
POSITIONS_CAPTION = (
    "Which labels go first: one dot is one label, at its mean position in the greedy chain (seed 0), top is "
    "first."
)
ERRORS_CAPTION = "Left: how often the label at each rank is wrong"
PAIRS_CAPTION = (
    "Right: in how many inputs two labels of a ranking stand in their more common order, over pairs of "
    "labels; 100 % if the order never depends on the input. Networks that learn a fixed order are free to "
    "leave it."
)
GAIN_NOTE = """Gains of means over seeds, in points, positive if better.
The interval and *p rows* are of a paired bootstrap over test rows, *p seeds* of Welch's test over seeds."""
ORDER_NOTES = """In per cent, of the greedy chains; mean over seeds.
*Wrong at k*: the k-th label of the ranking is wrong.
*Right first*: of a right and a wrong label of one ranking, the right one has the better rank.
*One order*: two labels of a ranking stand in the order that most inputs have them in; 100 if the order never
depends on the input, 50 if it is any."""
PAIR_NOTES = {
    "easy_first": """*Easy first*: of two true labels of an input, the one that binary relevance holds more
probable comes first.""",
    "clear_first": "*Clear first*: of a clear and a blurred digit of one scene, the clear one comes first.",
}
LAST_NOTE = """Labels never emitted count as last, and a pair of two such labels as one half."""
DECIDED = {
    "right_before_wrong": "right first",
    "easy_first": "easy first",
    "clear_first": "clear first",
    "one_order": "one order",
}
"""Headings of what :func:`labelchain.baselines.decision_order.decisions` finds."""


def write_report(
    job: Job, results: Results, seconds: Mapping[str, Sequence[float]], commands: Sequence[str] = ()
) -> None:
    """Write ``report.md`` and its figures into the folder of a finished comparison.

    Args:
        job: The comparison.
        results: What it found.
        seconds: By learner, how long each of its runs took.
        commands: The commands that made it, in turn.
    """
    write_figure(results, job.out / "comparison.png")
    figures = [("comparison.png", COMPARISON_CAPTION if has_intervals(results) else SINGLE_CAPTION)]
    if any(BEST_ORDER in opponents for opponents in results["gains"].values()):
        write_gains(results, job.out / "gains.png")
        figures.append(("gains.png", GAINS_CAPTION.format(orders=best_orders(results))))
    write_times(results, seconds, job.out / "time.png")
    figures.append(("time.png", TIME_CAPTION))
    if _draw_orders(job, results):
        beside = f", in points over `{REFERENCE}`" if REFERENCE in results["learners"] else ""
        figures += [
            ("positions.png", POSITIONS_CAPTION),
            ("orders.png", f"{ERRORS_CAPTION}{beside}. {PAIRS_CAPTION}"),
        ]
    parts = [
        f"# Comparison on {results['name']}",
        _preamble(job, results, commands),
        _scores(results, seconds),
    ]
    parts += [f"![{text}]({name})\n\n*{text}*" for name, text in figures]
    parts += _gains(results)
    if results["decodings"]:
        parts.append(_decodings(results))
    if results["decisions"]:
        parts.append(_decisions(results))
    with written_beside(job.out / "report.md") as temporary:
        temporary.write_text("\n\n".join(parts) + "\n", encoding="utf-8")


def _draw_orders(job: Job, results: Results) -> bool:
    labels = job.dataset.labels[job.dataset.rows("test")]
    positions, pairs = {}, {}
    for learner in ORDERED:
        if learner in results["learners"]:
            answers = load_predictions(job.run((learner, 0)), *labels.shape)["chain"]
            chains = answers.chains
            positions[learner] = mean_positions(chains, labels.shape[1]), error_rates(labels, chains)
            pairs[learner] = pair_orders(answers.ranking, labels.shape[1])
    if positions:
        frequencies = job.dataset.label_frequencies("train").astype(np.float64)
        write_positions(positions, frequencies, job.out / "positions.png")
        write_orders(results, pairs, job.out / "orders.png")
    return bool(positions)


def _preamble(job: Job, results: Results, commands: Sequence[str]) -> str:
    data = job.dataset
    sizes = ", ".join(f"{len(data.rows(split)):,} {split}" for split in ("train", "validation", "test"))
    lines = [
        f"{sizes} rows; {data.num_features:,} features, {data.num_labels:,} labels.",
        "Models are selected on the validation rows, scored on the test rows, in per cent.",
        f"Decoding `{results['decoding']}` unless named: greedy; rankings forbid STOP for five labels.",
    ]
    if commands:
        lines += ["", "```sh", *commands, "```"]
    return "\n".join(lines)


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _score(score: Mapping[str, Any]) -> str:
    text = f"{score['mean']:.2f}"
    return text if score["interval"] is None else f"{text} ± {score['interval'][1] - score['mean']:.2f}"


def _scores(results: Results, seconds: Mapping[str, Sequence[float]]) -> str:
    heads = ["learner", *(HEADINGS.get(metric, metric) for metric in SHOWN), "seeds", "seconds"]
    rows = [
        [
            f"`{learner}`",
            *(_score(entry[metric]) for metric in SHOWN),
            str(len(entry["P@1"]["values"])),
            f"{statistics.fmean(seconds[learner]):.0f}",
        ]
        for learner, entry in results["learners"].items()
    ]
    return "## Scores\n\nMean over seeds ± 95 % interval (Student's t).\n\n" + _table(heads, rows)


def _gains(results: Results) -> list[str]:
    heads = ("metric", "against", "its value", "value", "gain", "95 %", "relative", "p rows", "p seeds")
    parts = []
    for learner, opponents in results["gains"].items():
        for against, entries in opponents.items():
            rows = []
            for metric in METRICS:
                gain = entries[metric]
                values = f"{gain['opponent_value']:.2f}", f"{gain['value']:.2f}"
                rows.append([metric, f"`{gain['opponent']}`", *values, *gain_cells(gain)])
            name = f"the {against}" if against in BESTS else f"`{against}`"
            parts.append(f"## `{learner}` against {name}\n\n{GAIN_NOTE}\n\n{_table(heads, rows)}")
    return parts


def _decodings(results: Results) -> str:
    heads = ["learner", "decoding", *(HEADINGS.get(metric, metric) for metric in SHOWN)]
    rows = [
        [f"`{learner}`", f"`{name}`", *(_score(scores[m]) if m in scores else "" for m in SHOWN)]
        for learner, by_decoding in results["decodings"].items()
        for name, scores in by_decoding.items()
    ]
    return "## Decodings of the same networks\n\n" + _table(heads, rows)


def _decisions(results: Results) -> str:
    shown = [name for name in DECIDED if any(name in each for each in results["decisions"].values())]
    ranks = len(next(iter(results["decisions"].values()))["error_at_rank"])
    heads = [
        "learner",
        *(f"wrong at {rank}" for rank in range(1, ranks + 1)),
        *(DECIDED[name] for name in shown),
    ]
    rows = [
        [
            f"`{learner}`",
            *(f"{value:.1f}" for value in each["error_at_rank"]),
            *(f"{each[name]:.1f}" if name in each else "" for name in shown),
        ]
        for learner, each in results["decisions"].items()
    ]
    extra = [note for name, note in PAIR_NOTES.items() if name in shown]
    notes = [ORDER_NOTES, *extra, *([LAST_NOTE] if extra else [])]
    return "## Order of decisions\n\n" + "\n".join(notes) + "\n\n" + _table(heads, rows)
