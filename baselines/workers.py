"""Cells of a comparison in processes of their own, several at a time."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Iterator, Sequence, Set
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing import connection, resource_tracker
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from joblib import cpu_count
from threadpoolctl import threadpool_limits

from labelchain.agents.devices import CPU
from labelchain.agents.runs import Progress, Run, RunError
from labelchain.baselines.learners import fit, learner_named, run_directory
from labelchain.envs import MultilabelDataset

if TYPE_CHECKING:
    from multiprocessing.context import SpawnProcess

Cell = tuple[str, int]
"""A learner and a seed."""
Engine = Callable[["Job", Sequence[Cell], Callable[[str, int], Progress], int | None], None]
"""Trains cells, as :func:`run_cells` does."""
Outcome = tuple[str, str]
"""How the training of a cell ended: ``done``; ``refused``, and the message of a ``RunError``; or ``failed``,
and a traceback."""


@dataclass(frozen=True)
class Job:
    """What all cells of a comparison share.

    Attributes:
        dataset: The data.
        name: What names them in a run.
        settings: The same for every learner.
        out: Where the runs lie.
        device: Where chain networks are trained and read.
    """

    dataset: MultilabelDataset
    name: str
    settings: Any
    out: Path
    device: torch.device = CPU

    def run(self, cell: Cell) -> Run:
        """The run of a cell."""
        learner, seed = cell
        directory = run_directory(self.out, learner, seed)
        return Run(directory, learner, self.name, seed, self.settings, self.device)

    def fit(self, cell: Cell, progress: Progress) -> None:
        """Train a cell to its end.

        Raises:
            RunError: If training fails; the message names the cell.
        """
        try:
            fit(self.run(cell), self.dataset, progress, self.out)
        except RunError as error:
            raise RunError(f"{named(cell)}: {error}") from error

    def outcome(self, cell: Cell, progress: Progress) -> Outcome:
        """Train a cell to its end in a process of one thread; how that ended, as text for another process."""
        torch.set_num_threads(1)
        try:
            with threadpool_limits(1):
                self.fit(cell, progress)
        except RunError as error:
            return "refused", str(error)
        except OSError as error:  # such as a full disk
            return "refused", f"{named(cell)}: {error}"
        except Exception:
            return "failed", traceback.format_exc()
        return "done", ""


def named(cell: Cell) -> str:
    """A cell as messages name it."""
    return f"{cell[0]}, seed {cell[1]}"


def raise_unless_done(cell: Cell, outcome: Outcome) -> None:
    """Raise what ended a cell in another process.

    Raises:
        RunError: If it was refused.
        RuntimeError: If it failed; the message holds the traceback.
    """
    kind, message = outcome
    if kind == "refused":
        raise RunError(message)
    if kind == "failed":
        raise RuntimeError(f"{named(cell)} failed:\n{message}")


def next_ready(waiting: Sequence[Cell], unfinished: Set[Cell]) -> Cell | None:
    """The first cell that waits for no unfinished part, if any."""
    return next((cell for cell in waiting if unfinished.isdisjoint(parts_of(cell))), None)


def parts_of(cell: Cell) -> list[Cell]:
    """The cells that must be finished before a cell."""
    learner, seed = cell
    return [(part.learner, seed + part.seed_shift) for part in learner_named(learner).parts]


def run_cells(
    job: Job, cells: Sequence[Cell], progress: Callable[[str, int], Progress], workers: int | None
) -> None:
    """Train cells, in their order where there is a choice; a composite waits for its parts.

    With one worker they are trained here, one after the other. Several are processes with one thread each,
    which end with this one, whatever ends it: what they have not finished goes on when it is run again.

    Args:
        job: What the cells share.
        cells: What to train, parts before what they are parts of.
        progress: Gives the progress callback of a cell when it starts.
        workers: How many cells are trained at a time; by default one for each core.

    Raises:
        RunError: If a cell fails; the message names it. The others are stopped.
    """
    workers = min(workers or cpu_count(), len(cells))
    if workers <= 1:
        for cell in cells:
            job.fit(cell, progress(*cell))
        return
    pool = [_Worker(job) for _ in range(workers)]
    try:
        _dispatch(pool, cells, progress)
    finally:
        for worker in pool:
            worker.stop()


class _Worker:
    """A process that trains one cell after the other, and the pipe to it."""

    def __init__(self, job: Job) -> None:
        self.job = job
        self.cell: Cell | None = None
        self.report: Progress
        self._begin()

    def _begin(self) -> None:
        context = multiprocessing.get_context("spawn")
        self.pipe, theirs = context.Pipe()
        self.process: SpawnProcess = context.Process(target=_work, args=(self.job, theirs), daemon=True)
        with _interrupts_held():
            self.process.start()
        theirs.close()

    def start(self, cell: Cell, report: Progress) -> None:
        """Hand a cell over; to a new process if the one that waited was ended, which held nothing to lose.

        Raises:
            RunError: If the new one is ended, too.
        """
        self.cell, self.report = cell, report
        try:
            self.pipe.send(cell)
        except ConnectionError:
            self.stop()
            self._begin()
            try:
                self.pipe.send(cell)
            except ConnectionError as error:
                raise self.lost() from error

    def lost(self) -> RunError:
        """The error of a process that was ended while it had a cell."""
        assert self.cell is not None
        self.process.join()
        return RunError(
            f"{named(self.cell)}: its process was ended from outside (exit code {self.process.exitcode}); "
            "if memory ran out, run fewer at a time (--jobs); the same command goes on from here"
        )

    def stop(self) -> None:
        self.process.terminate()
        self.process.join(5)
        if self.process.is_alive():
            self.process.kill()
            self.process.join()
        self.pipe.close()


def _dispatch(pool: list[_Worker], cells: Sequence[Cell], progress: Callable[[str, int], Progress]) -> None:
    """Keep every worker busy until all cells are done."""
    waiting, unfinished = list(cells), set(cells)
    while unfinished:
        for worker in pool:
            if worker.cell is None and (cell := next_ready(waiting, unfinished)) is not None:
                waiting.remove(cell)
                worker.start(cell, progress(*cell))
        busy = {worker.pipe: worker for worker in pool if worker.cell is not None}
        for pipe in connection.wait(list(busy)):
            worker = busy[pipe]  # type: ignore[index]
            assert worker.cell is not None
            try:
                kind, content = worker.pipe.recv()
            except (EOFError, ConnectionError) as error:
                raise worker.lost() from error
            if kind == "progress":
                worker.report(*content)
            else:
                raise_unless_done(worker.cell, (kind, content))
                unfinished.discard(worker.cell)
                worker.cell = None


@contextmanager
def _interrupts_held() -> Iterator[None]:
    """Have Ctrl-C wait; a process that is started meanwhile never gets it, not even while it imports."""
    if sys.platform == "win32":
        yield
        return
    resource_tracker.ensure_running()  # starting it would let interrupts through again
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _work(job: Job, pipe: connection.Connection[Any, Any]) -> None:
    """Train the cells that come through a pipe, until it closes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the parent ends us
    threading.Thread(target=_end_with_parent, daemon=True).start()
    with suppress(EOFError, ConnectionError):  # the parent ended
        while True:
            cell = pipe.recv()
            pipe.send(job.outcome(cell, lambda *report: pipe.send(("progress", report))))


def _end_with_parent() -> None:
    """End this process at once when its parent is gone, so that nobody else writes to the folder."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
