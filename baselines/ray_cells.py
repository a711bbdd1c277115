"""Cells of a comparison as tasks of a Ray cluster: on one machine or many (the extra ``ray``).

The data set is put into Ray's object store once. A cell whose process or machine is lost is given to another
one, where it goes on from its last epoch: all cells write to the folder of the comparison, which every
machine must see under the same path. What they write does not depend on where they ran.
"""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from joblib import cpu_count

from labelchain.agents.runs import Progress, RunError
from labelchain.baselines.workers import Cell, Job, Outcome, named, next_ready, raise_unless_done
from labelchain.envs.files import staging_folder

RETRIES = 3
"""So often a cell is begun again whose process or machine was lost."""
ANSWERS_WITHIN = 30.0
"""Seconds that a cluster has to answer."""
LOOK_EVERY = 0.5
"""Seconds between two looks at how far the cells are."""


def run_cells_on_ray(
    job: Job,
    cells: Sequence[Cell],
    progress: Callable[[str, int], Progress],
    workers: int | None,
    address: str | None = None,
) -> None:
    """Train cells on a Ray cluster, in their order where there is a choice; a composite waits for its parts.

    A program that has called ``ray.init`` already keeps its connection.

    Args:
        job: What the cells share.
        cells: What to train, parts before what they are parts of.
        progress: Gives the progress callback of a cell when it is handed to Ray.
        workers: How many cells are handed to Ray at a time; by default one for each core of the cluster.
        address: Of the cluster, as ``ray.init`` takes it; by default that in the environment variable
            ``RAY_ADDRESS``, or else a cluster of its own is started on this machine.

    Raises:
        RunError: If Ray is not installed, no cluster answers, a machine does not see the folder of the
            comparison, or a cell fails; the message says which. The others are stopped.
    """
    if not cells:
        return
    with _connected(address or os.environ.get("RAY_ADDRESS"), workers) as ray:
        # Tasks of a cluster have folders of their own.
        job = replace(job, out=job.out.resolve())
        with staging_folder(job.out) as mark:
            _dispatch(ray, job, cells, progress, workers, mark)


@contextmanager
def _connected(address: str | None, workers: int | None) -> Iterator[Any]:
    """Give the module ``ray``, connected to a cluster."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # a comparison tells nobody that it ran
    try:
        import ray
    except ImportError as error:
        raise RunError("the engine ray needs Ray: pip install 'labelchain[ray]'") from error
    if ray.is_initialized():
        yield ray
        return
    silent: dict[str, Any] = {"log_to_driver": False, "logging_level": "ERROR"}
    if address is None or address == "local":
        silent |= {"num_cpus": workers or cpu_count(), "include_dashboard": False}
        address = "local"
    else:
        _check_that_it_answers(address)
    try:
        ray.init(address, **silent)
    except (OSError, RuntimeError, ValueError) as error:
        raise RunError(f"Ray at {address!r} does not start or answer: {error}") from error
    try:
        yield ray
    finally:
        ray.shutdown()


def _check_that_it_answers(address: str) -> None:
    """Connect in a process of its own first: Ray itself tries without end, and may end its process."""
    connect = "import sys, ray; ray.init(sys.argv[1], log_to_driver=False)"
    try:
        tried = subprocess.run(
            [sys.executable, "-c", connect, address],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=ANSWERS_WITHIN,
        )
        why = _last_line(tried.stderr) if tried.returncode else ""
        if why and "InvalidAuthToken" in tried.stderr:
            why = "it wants a token: set RAY_AUTH_MODE=token, and see Ray's documentation on tokens"
    except subprocess.TimeoutExpired:
        why = f"nothing came within {ANSWERS_WITHIN:.0f} seconds"
    if why:
        raise RunError(
            f"no Ray cluster answers at {address!r} ({why}): start one with 'ray start --head', or leave the "
            "address out to use this machine alone"
        )


def _dispatch(
    ray: Any,
    job: Job,
    cells: Sequence[Cell],
    progress: Callable[[str, int], Progress],
    workers: int | None,
    mark: Path,
) -> None:
    """Keep the cluster busy until all cells are done."""
    from ray.util.queue import Queue
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    # On this machine: without it there is nobody to report to.
    here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=True)
    told = Queue(actor_options={"num_cpus": 0, "scheduling_strategy": here})
    train = ray.remote(_train).options(num_cpus=1, max_retries=RETRIES, scheduling_strategy="SPREAD")
    shared = ray.put(job)
    waiting, unfinished = list(cells), set(cells)
    running: dict[Any, Cell] = {}
    reports: dict[Cell, Progress] = {}
    try:
        while unfinished:
            most = workers or max(1, int(ray.cluster_resources().get("CPU", 1)))
            while len(running) < most and (cell := next_ready(waiting, unfinished)) is not None:
                waiting.remove(cell)
                reports[cell] = progress(*cell)
                running[train.remote(shared, cell, mark, told)] = cell
            ended, _ = ray.wait(list(running), timeout=LOOK_EVERY)
            with suppress(ray.exceptions.RayError):  # progress is not worth failing for
                for cell, share, note in told.get_nowait_batch(told.qsize()):
                    reports[cell](share, note)
            for task in ended:
                cell = running.pop(task)
                raise_unless_done(cell, _result(ray, task, cell))
                unfinished.discard(cell)
    finally:
        for task in running:
            ray.cancel(task, force=True)
        if running:
            ray.wait(list(running), num_returns=len(running), timeout=ANSWERS_WITHIN)
        told.shutdown(force=True)


def _result(ray: Any, task: Any, cell: Cell) -> Outcome:
    """How a task ended.

    Raises:
        RunError: If it could not be done, the retries included.
    """
    try:
        outcome: Outcome = ray.get(task)
    except ray.exceptions.RayError as error:
        raise RunError(
            f"{named(cell)}: its task was lost ({type(error).__name__}: {_last_line(str(error))}); every "
            "machine of the cluster needs this version of labelchain, and memory for as many cells as it has "
            "cores, or else run fewer at a time (--jobs); the same command goes on from here"
        ) from error
    return outcome


def _last_line(text: str) -> str:
    return text.strip().rpartition("\n")[2]


def _train(job: Job, cell: Cell, mark: Path, told: Any) -> Outcome:
    """Train a cell in a process of the cluster.

    Args:
        job: What the cells share.
        cell: What to train.
        mark: What only those see who see the folder of the comparison.
        told: The queue of what is reported.
    """
    if not mark.exists():
        return "refused", (
            f"{named(cell)}: the machine {platform.node()} does not see {job.out}: choose a folder (--out) "
            "that all machines of the cluster share under the same path"
        )

    def report(share: float, note: str) -> None:
        told.actor.put_nowait.remote((cell, share, note))  # without waiting for an answer

    return job.outcome(cell, report)
