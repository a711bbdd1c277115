"""Training inputs per second of one network in two processes of torchrun, against one with the same batches.

Time is what passes, not that of processors as elsewhere: run it on a machine with nothing else to do. What
both processes take together of processors' time, start and validation included, is told too: the more it is
over that of one, the less is gained by a second.

How far the losses of both are apart is told relative to the loss, which of chain-pg comes close to zero; and
where chains are sampled, rounding grows, as it does from one kind of processor to another.
"""

from __future__ import annotations

import resource
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from benchmarks.measuring import Comparison, Options, options, report

LEARNERS = ("always-random", "chain-pg", "chain-q")
PROCESSES = 2


@dataclass(frozen=True)
class Size:
    """What is trained on, and how long."""

    dataset: str
    width: int
    batch_size: int
    epochs: int


SIZE = Size("delicious", width=512, batch_size=256, epochs=3)
TINY = Size("digit-scenes", width=16, batch_size=512, epochs=2)


def trained(learner: str, size: Size, processes: int, out: Path) -> tuple[list[float], float, float]:
    """Train with the command that anybody would take.

    Returns:
        The losses of the epochs, the inputs per second of the fastest (the first one warms up), and the
        seconds of processors' time of all processes together.
    """
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    command += ["--nproc-per-node", str(processes), "-m", "labelchain.agents.train", learner, size.dataset]
    for name in ("width", "batch_size", "epochs"):
        command += ["--set", f"{name}={getattr(size, name)}"]
    before = processor_seconds()
    done = subprocess.run([*command, "--out", str(out)], capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} failed:\n{done.stderr}")
    events = EventAccumulator(str(out)).Reload()
    losses, speeds = (
        [event.value for event in events.Scalars(tag)] for tag in ("train/loss", "time/inputs_per_second")
    )
    return losses, max(speeds), processor_seconds() - before


def processor_seconds() -> float:
    """Of all processes that this one has started and that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def compared(learner: str, size: Size, chosen: Options, folder: Path) -> Comparison:
    """Both in turn; which one begins alternates."""
    result = Comparison(
        f"{learner}, {size.dataset}", "inputs", f"{PROCESSES} processes", "1 process", target=None
    )
    rates = {PROCESSES: result.ours_rates, 1: result.peer_rates}
    apart, seconds = 0.0, {1: 0.0, PROCESSES: 0.0}
    for number in range(chosen.repeats):
        curves = {}
        for processes in (1, PROCESSES) if number % 2 == 0 else (PROCESSES, 1):
            out = folder / f"{learner}-{number}-{processes}"
            curves[processes], speed, used = trained(learner, size, processes, out)
            rates[processes].append(speed)
            seconds[processes] += used
        one, two = (np.array(curves[processes]) for processes in (1, PROCESSES))
        apart = max(apart, float(np.abs(two / one - 1.0).max()))
    more = seconds[PROCESSES] / seconds[1] - 1.0
    result.notes[f"{learner}: more processors' time than one process takes, per cent"] = 100.0 * more
    result.notes[f"{learner}: largest relative difference of an epoch's loss, in millionths"] = 1e6 * apart
    return result


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print, write."""
    chosen = options(__doc__, arguments, seconds=False)
    size = TINY if chosen.tiny else SIZE
    with tempfile.TemporaryDirectory() as folder:
        learners = LEARNERS[:1] if chosen.tiny else LEARNERS
        comparisons = [compared(learner, size, chosen, Path(folder)) for learner in learners]
    report("data_parallel", comparisons, chosen)


if __name__ == "__main__":
    main()
