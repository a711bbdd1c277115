"""A batch that several processes share (data-parallel training): what each must know of the whole.

Each process computes the loss of its own rows, divided by what the whole batch counts: the losses of all add
up to that of the whole batch, and so do their gradients. Random numbers are drawn for the whole batch by
every process, from the same seed, and each takes those of its rows. So a training does not depend on how many
processes do it, but for rounding.

A process without others, or outside of :func:`shared`, has the whole batch to itself: nothing here costs it
anything, or changes what it computes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TypeVar

import torch
from torch import Tensor, distributed, nn

T = TypeVar("T")


@dataclass(frozen=True)
class _Share:
    """The rows of a batch that this process has, and how many there are."""

    rows: slice
    num_rows: int


_share: ContextVar[_Share | None] = ContextVar("share", default=None)


def num_processes() -> int:
    """How many processes train together, this one included."""
    return distributed.get_world_size() if distributed.is_available() and distributed.is_initialized() else 1


def is_first() -> bool:
    """Whether this process is the one that evaluates and writes."""
    return num_processes() == 1 or distributed.get_rank() == 0


def from_first(value: T) -> T:
    """What the first process gives, in all of them."""
    if num_processes() == 1:
        return value
    values = [value]
    distributed.broadcast_object_list(values)
    return values[0]


@contextmanager
def shared(num_rows: int) -> Iterator[slice]:
    """Share a batch of so many rows among all processes; gives the rows of this one.

    Raises:
        ValueError: If a process would have none.
    """
    processes = num_processes()
    if processes == 1:
        yield slice(None)
        return
    if num_rows < processes:
        raise ValueError(
            f"a batch of {num_rows} inputs cannot be shared by {processes} processes: raise batch_size, or "
            "start fewer"
        )
    number = distributed.get_rank()
    rows = slice(num_rows * number // processes, num_rows * (number + 1) // processes)
    token = _share.set(_Share(rows, num_rows))
    try:
        yield rows
    finally:
        _share.reset(token)


def rows_of_all(own: int) -> int:
    """Rows of the whole batch, given those of this process."""
    share = _share.get()
    return own if share is None else share.num_rows


def total(count: int) -> int:
    """The sum of a count over all processes."""
    return sum(counts(count))


def counts(count: int) -> list[int]:
    """A count of every process, in their order."""
    if _share.get() is None:
        return [count]
    found = torch.zeros(num_processes(), dtype=torch.int64)
    found[distributed.get_rank()] = count
    distributed.all_reduce(found)
    return found.tolist()


def totals(values: Sequence[float]) -> list[float]:
    """The sums of some figures over all processes."""
    if _share.get() is None:
        return list(values)
    found = torch.tensor(values, dtype=torch.float64)
    distributed.all_reduce(found)
    return found.tolist()


def add_up(tensors: Iterable[Tensor]) -> None:
    """Replace tensors by their sums over all processes."""
    if _share.get() is None:
        return
    pending = [distributed.all_reduce(tensor, async_op=True) for tensor in tensors]
    for one in pending:
        one.wait()


def uniform(
    shape: Sequence[int], generator: torch.Generator | None = None, device: torch.device | None = None
) -> Tensor:
    """As ``torch.rand``: random numbers in [0, 1) for this process's rows of the batch.

    Args:
        shape: Its first number is that of the rows, the others must be the same in all processes.
        generator: In the same state in all processes; by default torch's own.
        device: Of the result.
    """
    share = _share.get()
    if share is None:
        return torch.rand(*shape, generator=generator, device=device)
    return torch.rand(share.num_rows, *shape[1:], generator=generator, device=device)[share.rows]


def uniform_for_some(numbers: Sequence[int], generator: torch.Generator, device: torch.device) -> Tensor:
    """Random numbers in [0, 1) for some of the batch's rows, as :func:`counts` counted them: ``(own, 1)``."""
    drawn = torch.rand(sum(numbers), 1, generator=generator, device=device)
    if _share.get() is None:
        return drawn
    number = distributed.get_rank()
    return drawn.narrow(0, sum(numbers[:number]), numbers[number])


def dropout(values: Tensor, rate: float, training: bool) -> Tensor:
    """Dropout of every value ``(n, width)`` by itself, for this process's rows of the batch."""
    share = _share.get()
    if share is None or not training or rate == 0.0:
        return nn.functional.dropout(values, rate, training)
    ones = torch.ones(share.num_rows, *values.shape[1:], dtype=values.dtype, device=values.device)
    return values * nn.functional.dropout(ones, rate)[share.rows]
