"""Scores of the composite on the validation rows by the weight of ``chain-pg`` in it.

``python docs/measure_weights.py FOLDER...``, each the folder of a comparison with its parts.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from labelchain.agents.checkpoints import chain_predictor, load_chain_records
from labelchain.agents.devices import CPU
from labelchain.agents.runs import Run
from labelchain.baselines.composite import WEIGHTS
from labelchain.baselines.learners import LEARNERS
from labelchain.envs import MultilabelDataset, evaluate, load_dataset

ASCENDING = sorted(WEIGHTS)
HEADS = ("data", "metric", "seeds", *map(str, ASCENDING))


def scores(first: Path, second: Path, dataset: MultilabelDataset) -> dict[str, list[float]]:
    """Of each family's validation metric, a score for each weight of the second run's network."""
    contents = [load_chain_records(run / "model.pt", dataset) for run in (first, second)]
    found = {}
    for family, metric in Run.open(second).settings.selection().items():
        one, other = (content[family][0] | {"mean": "arithmetic"} for content in contents)
        mixed = [[one | {"weight": 1.0 - weight}, other | {"weight": weight}] for weight in ASCENDING]
        predictors = [chain_predictor(records, contents[1]["max_labels"], CPU) for records in mixed]
        found[metric] = [evaluate(each, dataset, "validation").metrics[metric] for each in predictors]
    return found


def table(folders: list[Path]) -> Iterator[str]:
    """Lines of Markdown: the mean over the seeds of each comparison."""
    yield "| " + " | ".join(HEADS) + " |"
    yield "| " + " | ".join("---" for _ in HEADS) + " |"
    for folder in folders:
        parts = [folder / part.learner for part in LEARNERS["composite"].parts]
        first, second = (sorted(part.glob("seed-?")) for part in parts)
        dataset = load_dataset(Run.open(second[0]).dataset)
        each = [scores(*runs, dataset) for runs in zip(first, second, strict=True)]
        for metric in each[0]:
            means = np.mean([found[metric] for found in each], axis=0)
            values = " | ".join(f"{mean:.1f}" for mean in means)
            yield f"| {folder.name} | {metric} | {len(each)} | {values} |"


if __name__ == "__main__":
    sys.stdout.write("\n".join(table([Path(name) for name in sys.argv[1:]])) + "\n")
