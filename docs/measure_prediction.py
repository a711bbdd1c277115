"""Time and memory of ``labelchain predict`` on few rows and on many, as ``docs/prediction.md`` has them."""

from __future__ import annotations

import multiprocessing
import resource
import subprocess
import sys
import tempfile
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np

from labelchain.envs import MultilabelDataset, load_dataset

COPIES = (4, 80)


def write_copies(data: MultilabelDataset, copies: int, path: Path) -> int:
    """Write the test rows so many times, as text of the Extreme Classification Repository."""
    rows = data.rows("test")
    lines = []
    for features, labels in zip(data.dense_features(rows), data.dense_labels(rows), strict=True):
        values = " ".join(f"{column}:{features[column]:g}" for column in np.flatnonzero(features))
        lines.append(f"{','.join(map(str, np.flatnonzero(labels)))} {values}\n")
    with path.open("w", encoding="utf-8") as file:
        file.write(f"{copies * len(rows)} {data.num_features} {data.num_labels}\n")
        for _ in range(copies):
            file.writelines(lines)
    return copies * len(rows)


def run(*arguments: str) -> tuple[float, float]:
    """Run the command; GiB of memory at most, and seconds of processors' time."""
    subprocess.run(
        [sys.executable, "-m", "labelchain.cli", *arguments], check=True, stdout=subprocess.DEVNULL
    )
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_maxrss / 2**20, used.ru_utime + used.ru_stime


def main() -> None:
    """Train, predict, print."""
    data = load_dataset("bibtex")
    context = multiprocessing.get_context("spawn")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        trained = str(folder / "run")
        seconds, counts = [], []
        run("train", "always-random", "bibtex", "--epochs", "1", "--out", trained)
        for copies in COPIES:
            path = folder / f"{copies}.txt"
            counts.append(write_copies(data, copies, path))
            # The memory that is told is the most of any child: each measurement has a parent of its own.
            with ProcessPoolExecutor(1, context) as pool:
                gib, used = pool.submit(run, "predict", trained, str(path), "--out", f"{path}.csv").result()
            seconds.append(used)
            megabytes = path.stat().st_size / 1e6
            sys.stdout.write(
                f"{counts[-1]} rows ({megabytes:.0f} MB): {gib:.2f} GiB, {used:.0f} s of processors\n"
            )
        speed = (counts[1] - counts[0]) / (seconds[1] - seconds[0])
        sys.stdout.write(f"{speed:.0f} rows a second of a processor, without the start\n")


if __name__ == "__main__":
    main()
