"""Scores of a learner on training rows that it did not see: of each fold, after training on the others.

``python docs/cross_validate.py LEARNER DATASET [--folds 10] [--set NAME=VALUE]...``. Test rows play no part.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch

from labelchain.agents.runs import Run
from labelchain.agents.settings import named_values, settings_for
from labelchain.baselines.learners import fit
from labelchain.envs import load_dataset
from labelchain.envs.metrics import RANKING_METRICS

METRICS = (*RANKING_METRICS, "subset_accuracy", "f1_example")


def cross_validated(learner: str, name: str, changes: list[str], folds: int) -> dict[str, float]:
    """Of each metric, the mean over all training rows, in per cent."""
    dataset = load_dataset(name)
    rows = np.concatenate([dataset.rows("train"), dataset.rows("validation")])
    parts = np.array_split(np.random.default_rng(7).permutation(rows), folds)
    totals = dict.fromkeys(METRICS, 0.0)
    for number, held_out in enumerate(parts):
        others = np.concatenate(parts[:number] + parts[number + 1 :])
        validation, train = np.split(others, [max(1, len(others) // 10)])
        splits = {"train": np.sort(train), "validation": np.sort(validation), "test": np.sort(held_out)}
        of_fold = replace(dataset, splits=splits)
        settings = settings_for(of_fold).with_changes(named_values(changes))
        with TemporaryDirectory() as folder:
            run = Run(Path(folder), learner, name, number, settings)
            found = fit(run, of_fold, lambda _share, _what: None)
        for metric in METRICS:
            totals[metric] += found[metric] * len(held_out) / len(rows)
    return totals


def main() -> None:
    """Print the scores of one learner."""
    parser = argparse.ArgumentParser(description="Cross-validate a learner on the training rows.")
    parser.add_argument("learner")
    parser.add_argument("dataset")
    parser.add_argument("--folds", type=int, default=10)
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", dest="changes")
    asked = parser.parse_args()
    if asked.folds < 2:
        parser.error(f"--folds must be at least 2, got {asked.folds}")
    torch.set_num_threads(1)
    try:
        scores = cross_validated(asked.learner, asked.dataset, asked.changes, asked.folds)
    except ValueError as error:  # a name, a setting or a file that is wrong
        parser.error(str(error))
    sys.stdout.write("  ".join(f"{metric} {score:.1f}" for metric, score in scores.items()) + "\n")


if __name__ == "__main__":
    main()
