"""Time and memory against features, rows, and labels a row: ``python -m benchmarks.growth``.

The data of :mod:`benchmarks.wiki_scale` with 3,000 labels; one of the three varies, the others stay. Each is
measured in a process of its own, as there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path

import matplotlib.pyplot as plt
from rich.console import Console
from rich.table import Table

from benchmarks.measuring import options, write
from benchmarks.wiki_scale import LEARNERS, Measured, Size, finish, measure_apart

SWEEPS = {
    "features": ("num_features", (10_000, 30_000, 100_000)),
    "rows": ("num_rows", (3_500, 14_000, 56_000)),
    "labels a row": ("labels_per_row", (5, 19, 60)),
}
USUAL = Size(3_000)
TINY_SWEEPS = {"rows": ("num_rows", (100,))}
TINY = Size(20, 100, 200, 10, 3, 1)

Results = Mapping[str, list[tuple[Size, Measured]]]
"""By what varies: all sizes, and what was measured."""


def seconds_per_1000(size: Size, result: Measured) -> float:
    """Of processor time, for 1,000 rows."""
    return 1_000 * result.seconds_per_epoch / size.num_rows


def draw(results: Results, path: Path) -> None:
    """Time and memory against each."""
    figure, axes = plt.subplots(
        2, len(results), figsize=(4 * len(results), 6), layout="constrained", squeeze=False
    )
    for column, (what, measured) in enumerate(results.items()):
        field = SWEEPS[what][0]
        for learner in LEARNERS:
            own = [(size, result) for size, result in measured if result.learner == learner]
            values = [getattr(size, field) for size, _ in own]
            axes[0, column].plot(values, [seconds_per_1000(*one) for one in own], marker=".", label=learner)
            axes[1, column].plot(values, [result.peak_gib for _, result in own], marker=".", label=learner)
        for axis in axes[:, column]:
            finish(axis, what)
    axes[0, 0].set_ylabel("seconds per 1,000 rows")
    axes[1, 0].set_ylabel("peak memory, GiB")
    axes[0, 0].legend(frameon=False)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=90)
    plt.close(figure)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure all sizes."""
    chosen = options(__doc__, arguments, seconds=False)
    sweeps, usual = (TINY_SWEEPS, TINY) if chosen.tiny else (SWEEPS, USUAL)
    results: dict[str, list[tuple[Size, Measured]]] = {what: [] for what in sweeps}
    table = Table("learner", "what varies", "its value", "s per 1,000 rows", "peak GiB", title="growth")
    for what, (field, values) in sweeps.items():
        for learner in LEARNERS:
            for value in values:
                size = replace(usual, **{field: value})
                result = measure_apart(learner, size, chosen.repeats)
                results[what].append((size, result))
                speed = f"{seconds_per_1000(size, result):.2f}"
                table.add_row(learner, what, f"{value:,}", speed, f"{result.peak_gib:.2f}")
    Console().print(table)
    rows = [
        {"what": what, "value": getattr(size, sweeps[what][0]), **asdict(result)}
        for what, measured in results.items()
        for size, result in measured
    ]
    write("growth", {"size": asdict(usual), "results": rows}, chosen)
    draw(results, chosen.out / "growth.png")


if __name__ == "__main__":
    main()
