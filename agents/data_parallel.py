"""One chain network, trained by the processes that ``torchrun`` started: each has its rows of every batch.

The network and the data lie in every process; gradients are added up after each batch (``gloo``, on
processors). The result is that of ``labelchain train`` with the same settings in one process, but for
rounding; ``batch_size`` is that of all processes together.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from datetime import timedelta
from functools import partial
from pathlib import Path

import torch
import torch.distributed.nn  # before there is a group, which its functions would keep
from torch import distributed

from labelchain.agents.action_values import train_chain_q
from labelchain.agents.chain_pg import train_chain_pg
from labelchain.agents.checkpoints import load_chain_model
from labelchain.agents.devices import CPU
from labelchain.agents.likelihood import LikelihoodObjective, RandomOrder
from labelchain.agents.order_free import OrderFreeObjective
from labelchain.agents.runs import Progress, Run, alone_in
from labelchain.agents.settings import Settings
from labelchain.agents.training import train_for
from labelchain.agents.whole_batch import from_first, is_first, num_processes
from labelchain.envs import MultilabelDataset, evaluate

NETWORKS: dict[str, Callable[[Run, MultilabelDataset, Progress], int]] = {
    "always-random": partial(train_for, LikelihoodObjective(RandomOrder())),
    "order-free": partial(train_for, OrderFreeObjective()),
    "chain-pg": train_chain_pg,
    "chain-q": train_chain_q,
}
"""What can be trained so, by the names of ``labelchain train``."""
LONGEST_WAIT = timedelta(days=1)
"""While the first process validates, the others wait; torch would give up after half an hour."""


def is_launched() -> bool:
    """Whether ``torchrun`` started this process."""
    return distributed.is_available() and distributed.is_torchelastic_launched()


@contextmanager
def joined() -> Iterator[None]:
    """Be one of the processes that ``torchrun`` started, if it did.

    All threads of the group end with it. Those that outlive it may want a lock of the interpreter when that
    is gone, which ends the process by an abort, and then ``torchrun`` stops the others.
    """
    if not is_launched():
        yield
        return
    distributed.init_process_group("gloo", timeout=LONGEST_WAIT)
    try:
        yield
    finally:
        distributed.destroy_process_group()


def train_network(
    learner: str,
    dataset: MultilabelDataset,
    name: str,
    settings: Settings,
    seed: int,
    out: Path,
    device: torch.device = CPU,
) -> dict[str, float]:
    """Train a network in all processes, and evaluate it on the test split in the first.

    A training that was stopped goes on, with as many processes as there are now. The folder is that of a
    run: ``labelchain train`` with the same settings and ``--out`` finds it trained, and completes it.

    Args:
        learner: One of :data:`NETWORKS`.
        dataset: The data, the same in all processes.
        name: What names them in the run.
        settings: All hyperparameters.
        seed: Seeds everything random.
        out: The folder of the run; only the first process writes to it.
        device: Where the network lies; several processes train on processors.

    Returns:
        The test metrics; nothing in the other processes.

    Raises:
        ValueError: If the learner is unknown, or a batch has fewer inputs than there are processes.
        RunError: If ``out`` holds another run, or training fails.
    """
    if learner not in NETWORKS:
        raise ValueError(
            f"{learner!r} cannot be trained by several processes: expected one of {', '.join(NETWORKS)}"
        )
    run = Run(out, learner, name, seed, settings, device)
    with alone_in(out) if is_first() else nullcontext():
        if is_first():
            run.create(dataset)
        from_first(None)  # the others wait
        NETWORKS[learner](run, dataset, _print if is_first() else _ignore)
    if not is_first():
        return {}
    return evaluate(load_chain_model(out / "model.pt", dataset, device), dataset, "test").metrics


def _print(share: float, note: str) -> None:
    processes = num_processes()
    sys.stdout.write(f"{share:4.0%}  {note}  ({processes} process{'es' * (processes > 1)})\n")
    sys.stdout.flush()


def _ignore(share: float, note: str) -> None:
    """The first process tells how far all are."""
