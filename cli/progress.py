"""One progress bar over all the work of a command, with the time left."""

from __future__ import annotations

from types import TracebackType
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    TaskProgressColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

if TYPE_CHECKING:
    from labelchain.agents.runs import Progress as Report


class WorkProgress:
    """A bar over a number of cells (one learner with one seed each), of which several may be at work.

    Args:
        console: Where it is drawn.
        num_cells: How many cells there are.
        counted: What the number of a cell counts.
    """

    def __init__(self, console: Console, num_cells: int, counted: str = "seed") -> None:
        self._counted = counted
        self._num_cells = num_cells
        self._shares: list[float] = []
        self._bar = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=24),
            TaskProgressColumn(),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            console=console,
            transient=True,
        )
        self._task = self._bar.add_task("starting", total=float(num_cells))

    def __enter__(self) -> WorkProgress:
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()

    def cell(self, learner: str, seed: int) -> Report:
        """Start the next cell; returns what its training reports to."""
        number = len(self._shares)
        self._shares.append(0.0)
        title = f"{learner}, {self._counted} {seed}"
        if self._num_cells > 1:
            title += f" ({number + 1}/{self._num_cells})"
            self._bar.console.print(title, highlight=False)
        self._bar.update(self._task, description=title)

        def report(share: float, note: str) -> None:
            self._shares[number] = share
            self._bar.update(self._task, completed=sum(self._shares), description=f"{title}: {note}")

        return report
