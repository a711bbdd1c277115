"""The comparison: every learner, every seed, one protocol, one set of results."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from labelchain.agents.runs import Progress, Run, write_json
from labelchain.agents.settings import Settings
from labelchain.baselines.learners import COMPOSITE, FOUR_ORDERS, LEARNERS, fit, learner_named
from labelchain.envs import MultilabelDataset
from labelchain.envs.datasets.diagnostics import known_answers
from labelchain.envs.metrics import LABEL_SET_METRICS, LOWER_IS_BETTER, RANKING_METRICS

UNMASKED = ("ppo", "a2c", "dqn", "qr-dqn", "recurrent-ppo")
"""Agents that learn without masks: ``maskable-ppo`` stands for all of Stable-Baselines3's."""
COMPARED = tuple(name for name in LEARNERS if name not in UNMASKED)
"""The learners of a comparison unless others are named."""

Results = dict[str, Any]


def cells(learners: Sequence[str], seeds: int) -> Iterator[tuple[str, int]]:
    """Every (learner, seed) in the order of training: the parts of a composite before it.

    Raises:
        UnknownLearnerError: If a learner is unknown.
    """
    wanted = [name for name in learners if not learner_named(name).parts]
    composed = [name for name in learners if learner_named(name).parts]
    for name in dict.fromkeys([*wanted, *composed]):
        for seed in range(seeds):
            yield name, seed


def compare(
    dataset: MultilabelDataset,
    name: str,
    learners: Sequence[str],
    seeds: int,
    settings: Settings,
    out: Path,
    progress: Callable[[str, int], Progress],
) -> Results:
    """Train and evaluate every learner with every seed; write ``results.json``.

    Cells that are finished in ``out`` are not trained again, one that was stopped is continued.

    Args:
        dataset: The data.
        name: What names the data set: a catalogue name or a path.
        learners: Names of learners.
        seeds: Seeds 0, 1, ... are run.
        settings: The same for every learner.
        out: Each run lies in ``out/<learner>/seed-<seed>``.
        progress: Gives the progress callback of a cell, from its learner and seed.

    Returns:
        What ``results.json`` holds.

    Raises:
        UnknownLearnerError: If a learner is unknown.
        RunError: If ``out`` holds runs of other settings, or training fails.
    """
    metrics: dict[str, list[dict[str, float]]] = {learner: [] for learner in learners}
    seconds: dict[str, list[float]] = {learner: [] for learner in learners}
    for learner, seed in list(cells(learners, seeds)):

        def directory(part: str, seed: int = seed) -> Path:
            return out / part / f"seed-{seed}"

        run = Run(directory(learner), learner, name, seed, settings)
        metrics[learner].append(fit(run, dataset, progress(learner, seed), directory))
        seconds[learner].append(run.seconds())
    results = summarise(name, metrics) | {
        "seeds": seeds,
        "seconds": seconds,
        "settings": asdict(settings),
    }
    known = known_answers(dataset)
    if known is not None:
        results["known_subset_accuracy"] = {kind: 100.0 * score for kind, score in asdict(known).items()}
    write_json(out / "results.json", results)
    return results


def summarise(dataset: str, metrics: dict[str, list[dict[str, float]]]) -> Results:
    """Means and values per learner, and the composite's gain over whichever of the four orders is best.

    Args:
        dataset: Its name.
        metrics: By learner, one ``{metric: value}`` per seed; proportions in per cent.
    """
    names = (*RANKING_METRICS, *LABEL_SET_METRICS)
    learners: dict[str, dict[str, dict[str, Any]]] = {
        learner: {
            metric: {"mean": statistics.fmean(values), "values": values}
            for metric in names
            for values in [[run[metric] for run in runs]]
        }
        for learner, runs in metrics.items()
    }
    gains = {}
    orders = [order for order in FOUR_ORDERS if order in learners]
    if COMPOSITE in learners and orders:
        for metric in names:
            sign = -1.0 if metric in LOWER_IS_BETTER else 1.0
            means = {order: learners[order][metric]["mean"] for order in orders}
            best_order = max(orders, key=lambda order: sign * means[order])
            best, composite = means[best_order], learners[COMPOSITE][metric]["mean"]
            relative = 100.0 * sign * (composite - best) / best if best else None
            gains[metric] = {
                "best_order": best_order,
                "composite": composite,
                "best": best,
                "relative": relative,
            }
    return {"dataset": dataset, "decoding": "chain", "learners": learners, "gain_over_best_order": gains}
