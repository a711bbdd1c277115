"""Measure two ways of doing the same work in turn: alternating runs on one thread, medians, ratios, JSON.

Time is the processor time of this process, so that other work on the machine counts little; all is measured
with one thread, so on an idle machine it is the time that passes.
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.table import Column, Table
from threadpoolctl import threadpool_limits

from labelchain.envs.files import written_beside

PACKAGES = ("gymnasium", "numpy", "scipy", "scikit-learn", "stable-baselines3", "sb3-contrib", "torch")
RESULTS = Path("runs/benchmarks")

Work = Callable[[], int]
"""Does some of the work, and returns how many units that was."""


@dataclass
class Comparison:
    """The speed of two ways of doing the same.

    Attributes:
        question: What was measured.
        unit: Of the rates.
        ours: Name of our way.
        peer: Name of the other.
        target: The ratio that is aimed at, if any.
        ours_rates: Units per second in each run.
        peer_rates: Those of the run that followed or preceded it.
        notes: Further figures by name.
    """

    question: str
    unit: str
    ours: str
    peer: str
    target: float | None
    ours_rates: list[float] = field(default_factory=list)
    peer_rates: list[float] = field(default_factory=list)
    notes: dict[str, float] = field(default_factory=dict)

    @property
    def ratios(self) -> list[float]:
        """Ours over the peer's, run by run."""
        return [ours / peer for ours, peer in zip(self.ours_rates, self.peer_rates, strict=True)]

    @property
    def ratio(self) -> float:
        """The median of the ratios."""
        return statistics.median(self.ratios)

    @property
    def met(self) -> bool:
        """Whether the target is reached, if there is one."""
        return self.target is None or self.ratio >= self.target


@dataclass(frozen=True)
class Options:
    """What every benchmark can be told."""

    tiny: bool
    repeats: int
    seconds: float
    out: Path
    whole: bool = False


def one_thread() -> None:
    """Keep this process to one thread: torch, BLAS and OpenMP, ours and the peers'."""
    torch.set_num_threads(1)
    threadpool_limits(1)


def options(
    description: str | None, arguments: Sequence[str] | None, seconds: bool = True, whole: str = ""
) -> Options:
    """Read the command line, and keep to one thread.

    Args:
        description: The benchmark's docstring.
        arguments: Of the command line; by default those of this process.
        seconds: Whether it can be told how long to measure.
        whole: What the switch ``--whole`` does, if it has one.
    """
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--repeats", type=int, default=7, help="runs of each, alternating (default: 7)")
    if seconds:
        parser.add_argument(
            "--seconds", type=float, default=1.0, help="of a run, at the shortest (default: 1)"
        )
    if whole:
        parser.add_argument("--whole", action="store_true", help=whole)
    parser.add_argument(
        "--tiny", action="store_true", help="one run of tiny sizes and built-in data, to try it out"
    )
    parser.add_argument("--out", type=Path, default=RESULTS, help=f"folder for the JSON (default: {RESULTS})")
    args = parser.parse_args(arguments)
    if args.repeats < 1:
        parser.error(f"--repeats must be at least 1, got {args.repeats}")
    one_thread()
    shortest = args.seconds if seconds and not args.tiny else 0.0
    return Options(
        args.tiny, 1 if args.tiny else args.repeats, shortest, args.out, bool(whole) and args.whole
    )


def compare(
    question: str,
    unit: str,
    ours: tuple[str, Work],
    peer: tuple[str, Work],
    target: float | None,
    chosen: Options,
) -> Comparison:
    """Run both in turn, after one run each that does not count; which one begins alternates.

    Args:
        question: What is measured.
        unit: What the works count.
        ours: A name, and our way of doing it.
        peer: A name, and the other way.
        target: The ratio that is aimed at, if any.
        chosen: How often and how long.
    """
    result = Comparison(question, unit, ours[0], peer[0], target)
    contenders = [(ours[1], result.ours_rates), (peer[1], result.peer_rates)]
    for work, _ in contenders:
        work()
    for number in range(chosen.repeats):
        for work, rates in contenders[:: 1 if number % 2 == 0 else -1]:
            rates.append(rate(work, chosen.seconds))
    return result


def rate(work: Work, seconds: float) -> float:
    """Units per second of processor time, over at least so many seconds."""
    begun, units = time.process_time(), 0
    while True:
        units += work()
        passed = time.process_time() - begun
        if passed >= max(seconds, 1e-9):
            return units / passed


def machine() -> dict[str, str]:
    """What it ran on."""
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    models = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    name = f"{models[0]}, {len(models)} cores" if models else platform.processor()
    return {"machine": name, "python": platform.python_version()} | {name: version(name) for name in PACKAGES}


def report(
    name: str, comparisons: Sequence[Comparison], chosen: Options, more: Mapping[str, Any] | None = None
) -> None:
    """Print a table, and write ``NAME.json`` with these figures and more."""
    columns = (Column(head, overflow="fold") for head in ("", "ours", "peer", "ratio", "target"))
    table = Table(*columns, title=name, caption=f"medians of {len(comparisons[0].ratios)} runs")
    for one in comparisons:
        verdict = "met" if one.met else "missed"
        table.add_row(
            one.question,
            f"{one.ours}\n{short(statistics.median(one.ours_rates))} {one.unit}/s",
            f"{one.peer}\n{short(statistics.median(one.peer_rates))} {one.unit}/s",
            f"[bold]{one.ratio:.2f}[/]\n({min(one.ratios):.3g}-{max(one.ratios):.3g})",
            "" if one.target is None or chosen.tiny else f"{one.target:.3g}\n{verdict}",
        )
    Console().print(table)
    for one in comparisons:
        for what, value in one.notes.items():
            Console().print(f"{what}: {value:.1f}")
    figures = {"comparisons": [asdict(one) | {"ratio": one.ratio} for one in comparisons]}
    write(name, figures | dict(more or {}), chosen)


def write(name: str, content: dict[str, Any], chosen: Options) -> None:
    """Write ``NAME.json``: the figures, the machine, and the versions."""
    text = json.dumps({"benchmark": name, "machine": machine(), **content}, indent=2)
    with written_beside(chosen.out / f"{name}.json") as temporary:
        temporary.write_text(text + "\n", encoding="utf-8")


def short(value: float) -> str:
    """A rate in three figures: ``1.23 M``, ``45.6 k``, ``789``."""
    for size, letter in ((1e6, " M"), (1e3, " k")):
        if value >= size:
            return f"{value / size:.3g}{letter}"
    return f"{value:.3g}"
