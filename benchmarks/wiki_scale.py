"""Tens of thousands of labels: time and memory against their number: ``python -m benchmarks.wiki_scale``.

Data of the size of Wiki10-31K, synthetic: 14,000 training rows, 100,000 sparse features of which 670 are
set in a row, 19 labels a row; words and labels follow Zipf's law. Each learner and number of labels has a
process of its own, which trains some batches (median of the runs; an epoch is extrapolated from it), then a
short epoch, or a whole one (``--whole``), by ``labelchain.agents.training.train`` with all that belongs to
one: validation, checkpoints, figures.
"""

from __future__ import annotations

import math
import multiprocessing
import resource
import statistics
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import matplotlib.pyplot as plt
import numpy as np
import torch
from matplotlib.axes import Axes
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table
from scipy import sparse

from benchmarks.measuring import one_thread, options, rate, write
from benchmarks.training_steps import training
from labelchain.agents.chain_pg import rl_objective
from labelchain.agents.likelihood import LikelihoodObjective, Objective, RandomOrder
from labelchain.agents.runs import Run
from labelchain.agents.settings import Settings, settings_for
from labelchain.agents.training import Phase, train
from labelchain.envs import MultilabelDataset

LEARNERS = ("always-random", "chain-pg")
MOST_GIB = 6.0


@dataclass(frozen=True)
class Size:
    """Of the data, and of what is measured on them."""

    num_labels: int
    num_rows: int = 14_000
    num_features: int = 100_000
    features_per_row: int = 670
    labels_per_row: int = 19
    batches: int = 2
    """Gradient steps of the epoch that is trained."""


@dataclass(frozen=True)
class Measured:
    """What one process measured."""

    learner: str
    num_labels: int
    num_parameters: int
    batch_seconds: list[float]
    seconds_per_epoch: float
    peak_gib: float
    batches_trained: int
    seconds_trained: float


def zipf_rows(rng: np.random.Generator, num_rows: int, width: int, mean: int) -> NDArray[np.int64]:
    """Columns ``(num_rows, mean)`` by Zipf's law, some of them twice; frequent ones anywhere."""
    ranks = np.exp(rng.random((num_rows, mean)) * np.log(width)).astype(np.int64)
    columns: NDArray[np.int64] = rng.permutation(width)[np.minimum(ranks, width) - 1]
    return columns


def synthetic(size: Size) -> MultilabelDataset:
    """Data of that size, with 500 validation and 500 test rows besides."""
    rng = np.random.default_rng(0)
    total = size.num_rows + 1_000
    parts = []
    for width, mean in ((size.num_features, size.features_per_row), (size.num_labels, size.labels_per_row)):
        # A few more, since those that come twice count once.
        columns = zipf_rows(rng, total, width, round(mean * 1.1))
        rows = np.repeat(np.arange(total), columns.shape[1])
        ones = np.ones(columns.size, dtype=np.float32)
        matrix = sparse.csr_array((ones, (rows, columns.ravel())), shape=(total, width))
        matrix.data[:] = 1.0
        parts.append(matrix)
    every = np.arange(total)
    return MultilabelDataset.from_arrays(
        "wiki-sized",
        *parts,
        train_rows=every[: size.num_rows],
        validation_rows=every[size.num_rows : -500],
        test_rows=every[-500:],
    )


def batch_seconds(
    dataset: MultilabelDataset, settings: Settings, objective: Objective, repeats: int
) -> list[float]:
    """Of some runs of a batch each, after one that does not count."""
    steps = training(dataset, settings, objective, batches=1)

    def work() -> int:
        steps()
        return 1

    work()
    return [1.0 / rate(work, 0.0) for _ in range(repeats)]


def measure(learner: str, size: Size, repeats: int) -> Measured:
    """Train a little; meant for a process of its own."""
    one_thread()
    dataset = synthetic(size)
    settings = settings_for(dataset)
    objective: Objective = LikelihoodObjective(RandomOrder())
    if learner == "chain-pg":
        objective = rl_objective(settings, dataset)
    seconds = batch_seconds(dataset, settings, objective, repeats)
    epoch = statistics.median(seconds) * size.num_rows / settings.batch_size

    rows = dataset.rows("train")[: size.batches * settings.batch_size]
    few = replace(dataset, splits={**dataset.splits, "train": rows})
    with TemporaryDirectory() as folder:
        run = Run(Path(folder), learner, dataset.name, 0, settings.with_changes({"epochs": 1}))
        begun = time.process_time()
        train(run, few, [Phase(learner, objective, 1, settings.learning_rate)], lambda _share, _what: None)
        trained = time.process_time() - begun
        model = torch.load(Path(folder) / "model.pt", weights_only=True)
    parameters = sum(tensor.numel() for tensor in model["ranking"][0]["state"].values())
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20  # Linux counts in KiB
    batches = math.ceil(len(rows) / settings.batch_size)
    return Measured(learner, size.num_labels, parameters, seconds, epoch, peak, batches, trained)


def measure_apart(learner: str, size: Size, repeats: int) -> Measured:
    """:func:`measure` in a process of its own."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as process:
        return process.submit(measure, learner, size, repeats).result()


def finish(axis: Axes, what: str) -> None:
    """Name what varies, and show the curves from 0 on."""
    axis.set_xlabel(what)
    axis.set_ylim(0, 1.1 * axis.dataLim.y1)
    axis.grid(alpha=0.3)
    axis.spines[["top", "right"]].set_visible(False)


def draw(results: Sequence[Measured], path: Path) -> None:
    """Time and memory against the number of labels."""
    figure, axes = plt.subplots(1, 2, figsize=(9, 3.6), layout="constrained")
    for learner in LEARNERS:
        own = [result for result in results if result.learner == learner]
        labels = [result.num_labels for result in own]
        axes[0].plot(labels, [result.seconds_per_epoch for result in own], marker=".", label=learner)
        axes[1].plot(labels, [result.peak_gib for result in own], marker=".", label=learner)
    axes[0].set_ylabel("seconds per epoch, one thread")
    axes[1].set_ylabel("peak memory, GiB")
    axes[1].axhline(MOST_GIB, color="grey", linestyle=":", label="target")
    for axis in axes:
        finish(axis, "labels")
        axis.legend(frameon=False)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=90)
    plt.close(figure)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure all sizes."""
    whole = "train a whole epoch with the most labels, which takes a quarter of an hour"
    chosen = options(__doc__, arguments, seconds=False, whole=whole)
    sizes = [Size(number) for number in (1_000, 3_000, 10_000, 30_000)]
    if chosen.whole:
        sizes[-1] = replace(sizes[-1], batches=sizes[-1].num_rows)  # no more than there are
    if chosen.tiny:
        sizes = [Size(number, 100, 200, 10, 3, 1) for number in (20,)]
    results = []
    heads = ("learner", "labels", "parameters", "s/epoch", "peak GiB", "batches", "in s")
    table = Table(*heads, title="wiki_scale")
    for learner in LEARNERS:
        for size in sizes:
            result = measure_apart(learner, size, chosen.repeats)
            results.append(result)
            table.add_row(
                learner,
                f"{size.num_labels:,}",
                f"{result.num_parameters / 1e6:.1f} M",
                f"{result.seconds_per_epoch:.1f}",
                f"{result.peak_gib:.2f}",
                str(result.batches_trained),
                f"{result.seconds_trained:.0f}",
            )
    Console().print(table)
    write("wiki_scale", {"size": asdict(sizes[-1]), "results": [asdict(one) for one in results]}, chosen)
    draw(results, chosen.out / "wiki_scale.png")


if __name__ == "__main__":
    main()
