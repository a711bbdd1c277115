"""The report of a comparison: ``report.md`` and its figures."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from labelchain.baselines.figures import write_figure, write_gains, write_positions, write_times
from labelchain.baselines.predictions import load_predictions
from labelchain.baselines.report import HEADINGS, SHOWN
from labelchain.baselines.results import METRICS, Results
from labelchain.baselines.workers import Job
from labelchain.envs.files import written_beside
from labelchain.envs.positions import error_rates, mean_positions

ORDERED = ("freq2rare", "always-random", "target-reordering", "chain-pg", "composite")
"""Learners whose order of decisions is drawn."""


def write_report(
    job: Job, results: Results, seconds: Mapping[str, Sequence[float]], command: str | None = None
) -> None:
    """Write ``report.md`` and its figures into the folder of a finished comparison.

    Args:
        job: The comparison.
        results: What it found.
        seconds: By learner, how long each of its runs took.
        command: The command that made it, if there was one.
    """
    figures = [("comparison.png", "Scores: one dot per seed, mean, 95 % interval over seeds.")]
    write_figure(results, job.out / "comparison.png")
    if any("best order" in opponents for opponents in results["gains"].values()):
        write_gains(results, job.out / "gains.png")
        figures.append(
            ("gains.png", "Gains over the best of the four orders, 95 % intervals over test rows.")
        )
    write_times(results, seconds, job.out / "time.png")
    figures.append(("time.png", "Scores against the seconds that training took, those of parts included."))
    if _draw_positions(job, results):
        figures.append(
            (
                "positions.png",
                "Which labels go first: mean position in the greedy chain (seed 0), top is first.",
            )
        )
    parts = [
        f"# Comparison on {results['dataset']}",
        _preamble(job, results, command),
        _scores(results, seconds),
    ]
    parts += [f"![{text}]({name})\n\n*{text}*" for name, text in figures]
    parts += _gains(results)
    if results["decodings"]:
        parts.append(_decodings(results))
    if "clear_before_blurred" in results:
        parts.append(_clear_first(results))
    with written_beside(job.out / "report.md") as temporary:
        temporary.write_text("\n\n".join(parts) + "\n", encoding="utf-8")


def _draw_positions(job: Job, results: Results) -> bool:
    labels = job.dataset.labels[job.dataset.rows("test")]
    positions = {}
    for learner in ORDERED:
        if learner in results["learners"]:
            chains = load_predictions(job.run((learner, 0)), *labels.shape)["chain"].chains
            positions[learner] = mean_positions(chains, labels.shape[1]), error_rates(labels, chains)
    if positions:
        frequencies = job.dataset.label_frequencies("train").astype(np.float64)
        write_positions(positions, frequencies, job.out / "positions.png")
    return bool(positions)


def _preamble(job: Job, results: Results, command: str | None) -> str:
    data = job.dataset
    sizes = ", ".join(f"{len(data.rows(split)):,} {split}" for split in ("train", "validation", "test"))
    lines = [
        f"{sizes} rows; {data.num_features:,} features, {data.num_labels:,} labels.",
        "Models are selected on the validation rows, scored on the test rows, in per cent.",
        f"Decoding `{results['decoding']}` unless named: greedy; rankings forbid STOP for five labels.",
    ]
    text = "\n".join(lines)
    return text if command is None else f"{text}\n\n```sh\n{command}\n```"


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
    heads = ("metric", "against", "its value", "value", "gain", "95 %", "relative", "p")
    parts = []
    for learner, opponents in results["gains"].items():
        for against, entries in opponents.items():
            rows = []
            for metric in METRICS:
                gain = entries[metric]
                interval, p_value = "", ""
                if gain["interval"] is not None:
                    interval = "{:+.2f} to {:+.2f}".format(*gain["interval"])
                    p_value = f"{gain['p_value']:.4f}"
                relative = "" if gain["relative"] is None else f"{gain['relative']:+.1f} %"
                values = f"{gain['opponent_value']:.2f}", f"{gain['value']:.2f}", f"{gain['absolute']:+.2f}"
                rows.append([metric, f"`{gain['opponent']}`", *values, interval, relative, p_value])
            title = f"## `{learner}` against " + (
                "the best order" if against == "best order" else f"`{against}`"
            )
            note = "Gains in points, positive if better; paired bootstrap over test rows."
            parts.append(f"{title}\n\n{note}\n\n{_table(heads, rows)}")
    return parts


def _decodings(results: Results) -> str:
    heads = ["learner", "decoding", *(HEADINGS.get(metric, metric) for metric in SHOWN)]
    rows = [
        [f"`{learner}`", f"`{name}`", *(_score(scores[m]) if m in scores else "" for m in SHOWN)]
        for learner, by_decoding in results["decodings"].items()
        for name, scores in by_decoding.items()
    ]
    return "## Decodings of the same networks\n\n" + _table(heads, rows)


def _clear_first(results: Results) -> str:
    rows = [[f"`{name}`", f"{share:.1f}"] for name, share in results["clear_before_blurred"].items()]
    note = "How often a clear digit precedes a blurred one of the same scene in the greedy chain, per cent."
    return f"## Clear before blurred\n\n{note}\n\n" + _table(("learner", "share"), rows)
