"""The comparison: every learner, every seed, one protocol, one set of results."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from labelchain.agents.decoders import DECIDES, Decoding
from labelchain.agents.devices import CPU
from labelchain.agents.plain_values import shown
from labelchain.agents.runs import Progress, RunError, alone_in, read_json, refuse_another, write_json
from labelchain.agents.settings import Settings
from labelchain.baselines.commands import note_command
from labelchain.baselines.decision_order import decisions, mean_decisions
from labelchain.baselines.learners import LEARNERS, learner_named, load_scores
from labelchain.baselines.predictions import load_predictions
from labelchain.baselines.results import Results, gains, summary, write_csv
from labelchain.baselines.scores import LinearScores
from labelchain.baselines.workers import Cell, Engine, Job, parts_of, run_cells
from labelchain.envs import MultilabelDataset
from labelchain.envs.datasets.diagnostics import known_answers
from labelchain.envs.files import remove_unfinished
from labelchain.envs.metrics import row_scores, summarise

UNMASKED = ("ppo", "a2c", "dqn", "qr-dqn", "recurrent-ppo")
"""Agents that learn without masks: ``maskable-ppo`` stands for all of Stable-Baselines3's."""
COMPARED = tuple(
    name for name, learner in LEARNERS.items() if name not in UNMASKED and len(learner.parts) <= 2
)
"""The learners of a comparison unless others are named: no ensembles of more than two trainings, either."""

WITHOUT_CHAINS = "binary-relevance"
"""The learner that says how easy each true label is."""
ROWS_AT_A_TIME = 1024

DECODING: Decoding = "chain"
"""The decoding of the main results: the paper's."""


def cells(seeds: Mapping[str, int]) -> Iterator[Cell]:
    """Every (learner, seed) that learners with so many seeds need, the parts of a composite before it.

    Raises:
        UnknownLearnerError: If a learner is unknown.
    """
    asked = [(name, seed) for name, count in seeds.items() for seed in range(count)]
    alone = [cell for cell in asked if not parts_of(cell)]
    composed = [cell for cell in asked if parts_of(cell)]
    parts = [part for cell in composed for part in parts_of(cell)]
    yield from dict.fromkeys([*alone, *parts, *composed])


def planned(out: Path, name: str, learners: Sequence[str], seeds: int, settings: Settings) -> dict[str, int]:
    """How many seeds of each learner a comparison has, those of an earlier one in its folder included.

    Raises:
        UnknownLearnerError: If a learner is unknown.
        RunError: If ``out`` holds a comparison on other data or with other settings, or something else.
    """
    for learner in learners:
        learner_named(learner)
    counts = {}
    path = out / "results.json"
    if path.exists():
        before = read_json(path)
        ours = {"dataset": name} | asdict(settings)
        try:
            theirs = {"dataset": before["dataset"]} | asdict(Settings.recorded(before["settings"]))
            values = {learner: entry["P@1"]["values"] for learner, entry in before["learners"].items()}
            if not all(isinstance(each, list) for each in values.values()):
                raise TypeError("values must be lists")
            counts = {learner: len(each) for learner, each in values.items()}
            if unknown := counts.keys() - LEARNERS.keys():
                raise ValueError(f"unknown learner {shown(min(unknown))}")
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise RunError(f"{path} is not the result of a comparison ({error!r}); remove it") from error
        for key in ours:
            refuse_another(out, "comparison", key, theirs[key], ours[key])
    wanted = counts | {learner: max(seeds, counts.get(learner, 0)) for learner in learners}
    return {learner: wanted[learner] for learner in LEARNERS if learner in wanted}


def unfinished(job: Job, seeds: Mapping[str, int]) -> list[Cell]:
    """The cells that are not finished yet.

    Raises:
        RunError: If the result of one is damaged, or is of other settings or data.
    """
    waiting = []
    for cell in cells(seeds):
        run = job.run(cell)
        if run.result is None:
            waiting.append(cell)
        else:
            run.create(job.dataset)
    return waiting


def compare(
    dataset: MultilabelDataset,
    name: str,
    learners: Sequence[str],
    seeds: int,
    settings: Settings,
    out: Path,
    progress: Callable[[str, int], Progress],
    jobs: int | None = 1,
    engine: Engine = run_cells,
    device: torch.device = CPU,
    command: str | None = None,
) -> Results:
    """Train and evaluate every learner with every seed; write ``results.json`` and ``results.csv``.

    Cells that are finished in ``out`` are not trained again, one that was stopped is continued. Learners and
    seeds that ``out/results.json`` has already stay in it: a later comparison adds to an earlier one. The
    result depends neither on ``jobs``, nor on the engine, nor on how often the comparison was stopped; how
    long the runs took is in ``timings.json``.

    Args:
        dataset: The data.
        name: What names the data set: a catalogue name or a path.
        learners: Names of learners.
        seeds: Seeds 0, 1, ... are run.
        settings: The same for every learner.
        out: Each run lies in ``out/<learner>/seed-<seed>``.
        progress: Gives the progress callback of a cell, from its learner and seed, when it starts.
        jobs: How many cells are trained at a time, in processes of one thread each; ``None`` means one for
            each core. The main module of a script that asks for more than one must be guarded by
            ``if __name__ == "__main__"``.
        engine: What runs them: :func:`labelchain.baselines.workers.run_cells`, on this machine, or
            :func:`labelchain.baselines.ray_cells.run_cells_on_ray`, on a Ray cluster.
        device: Where chain networks are trained and read. Runs that are finished keep the results of theirs.
        command: What was typed; noted in ``commands.json`` if it adds to what the folder has.

    Returns:
        What ``results.json`` holds.

    Raises:
        UnknownLearnerError: If a learner is unknown.
        RunError: If ``out`` holds runs of other settings, another process trains there, or training fails.
    """
    for learner in learners:
        learner_named(learner)
    job = Job(dataset, name, settings, out, device)
    with alone_in(out):
        counts = planned(out, name, learners, seeds, settings)
        if command is not None:
            note_command(out, command, adds=counts != planned(out, name, [], seeds, settings))
        remove_unfinished(out)
        engine(job, unfinished(job, counts), progress, jobs)
        results = _collect(job, counts) | {"seeds": max(counts.values()), "settings": asdict(settings)}
        known = known_answers(dataset)
        if known is not None:
            results["known_subset_accuracy"] = {kind: 100.0 * score for kind, score in asdict(known).items()}
        write_json(out / "timings.json", {"seconds": timings(job, counts)})
        write_csv(results, out / "results.csv")
        write_json(out / "results.json", results)
    return results


def timings(job: Job, seeds: Mapping[str, int]) -> dict[str, list[float]]:
    """Seconds that training and evaluation took, by learner one for each seed, those of its parts included.

    Of a run that was stopped and continued all stretches count, see
    :meth:`labelchain.agents.runs.Run.seconds`.
    """

    def seconds(cell: Cell) -> float:
        return job.run(cell).seconds() + sum(seconds(part) for part in parts_of(cell))

    return {learner: [seconds((learner, seed)) for seed in range(count)] for learner, count in seeds.items()}


def _collect(job: Job, seeds: Mapping[str, int]) -> Results:
    """Everything that follows from the predictions of finished runs."""
    labels = job.dataset.labels[job.dataset.rows("test")]
    learners: dict[str, Any] = {}
    decodings: dict[str, Any] = {}
    rows: dict[str, dict[str, NDArray[np.float64]]] = {}
    ordered: dict[str, Any] = {}
    sureness = _sureness(job, seeds)
    for learner, count in seeds.items():
        runs = [load_predictions(job.run((learner, seed)), *labels.shape) for seed in range(count)]
        by_decoding = {
            decoding: summary([summarise(labels, run[decoding]) for run in runs], DECIDES[decoding])
            for decoding in runs[0]
            if all(decoding in run for run in runs)  # runs of before a decoding do not have it
        }
        learners[learner] = by_decoding[DECODING]
        if len(by_decoding) > 1:
            decodings[learner] = by_decoding
            ordered[learner] = mean_decisions(
                [decisions(job.dataset, run[DECODING], sureness) for run in runs]
            )
        each = [row_scores(labels, run[DECODING]) for run in runs]
        rows[learner] = {metric: 100.0 * np.mean([run[metric] for run in each], axis=0) for metric in each[0]}
    return {
        "dataset": job.name,
        "name": job.dataset.name,
        "decoding": DECODING,
        "learners": learners,
        "decodings": decodings,
        "gains": gains(learners, rows),
        "decisions": ordered,
    }


def _sureness(job: Job, seeds: Mapping[str, int]) -> NDArray[np.float32] | None:
    """How probable a model without chains holds each true label of the test rows, if one is compared."""
    if not seeds.get(WITHOUT_CHAINS):
        return None
    model = load_scores(LinearScores, job.run((WITHOUT_CHAINS, 0)), job.dataset)
    test = job.dataset.rows("test")
    found = []
    for rows in np.array_split(test, max(1, len(test) // ROWS_AT_A_TIME)):
        true = job.dataset.labels[rows].tocoo()
        found.append(model.label_scores(job.dataset.dense_features(rows))[true.row, true.col])
    return np.concatenate(found)
