"""Data sets for commands: downloaded if need be, with a progress bar, and loaded under a spinner."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from labelchain.cli.errors import console, errors, working
from labelchain.envs.datasets import CATALOGUE, MultilabelDataset, download_dataset, load_dataset
from labelchain.envs.datasets.entries import DataFile
from labelchain.envs.datasets.places import available, canonical


def load(dataset: str, test: Path | None = None) -> MultilabelDataset:
    """Load a data set for a command; a set of the catalogue that is not here is downloaded first.

    Args:
        dataset: A name or a path.
        test: The test file that goes with a training file.

    Raises:
        UnknownDatasetError: If the name is not known.
        DatasetError: If it cannot be downloaded or loaded.
    """
    entry = CATALOGUE.get(canonical(dataset)) if test is None else None
    if entry is not None and entry.downloads and not available(entry):
        download(entry.name)
    with working(f"loading {dataset}"):
        return load_dataset(dataset, test)


def download(name: str) -> Path:
    """Download a set of the catalogue, and say from where and to where.

    Raises:
        UnknownDatasetError: If the name is not known.
        DownloadError: If it cannot be downloaded.
    """
    with DownloadProgress(errors) as progress:
        folder = download_dataset(name, progress)
    if progress.started:
        console.print(f"downloaded {name} to {folder}", highlight=False, soft_wrap=True)
    return folder


class DownloadProgress:
    """A bar for each file that is downloaded.

    Args:
        console: Where they are drawn.
    """

    def __init__(self, console: Console) -> None:
        self._tasks: dict[str, TaskID] = {}
        self._bars = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=24),
            DownloadColumn(),
            TimeRemainingColumn(),
            console=console,
            transient=True,
        )

    def __enter__(self) -> DownloadProgress:
        self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bars.stop()

    def __call__(self, file: DataFile, done: int) -> None:
        """Show that so many bytes of a file are here."""
        if file.name not in self._tasks:
            self._tasks[file.name] = self._bars.add_task(f"downloading {file.name}", total=file.size)
        self._bars.update(self._tasks[file.name], completed=done)

    @property
    def started(self) -> bool:
        """Whether anything has come."""
        return bool(self._tasks)
