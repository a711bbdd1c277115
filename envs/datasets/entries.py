"""What the catalogue says of a data set, and the check that data are the published ones."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from labelchain.envs.datasets.checks import DatasetError
from labelchain.envs.datasets.dataset import MultilabelDataset


@dataclass(frozen=True)
class DataFile:
    """One file that can be downloaded.

    Attributes:
        name: Its name, here and at its source.
        size: Its size in bytes.
        sha256: Its checksum.
    """

    name: str
    size: int
    sha256: str


@dataclass(frozen=True)
class CatalogueEntry:
    """One data set.

    Attributes:
        name: What :func:`labelchain.envs.datasets.load_dataset` is given.
        title: What the inputs and the labels are, in a few words.
        num_train: Training rows of the published split; the validation tenth is among them.
        num_test: Test rows of the published split.
        num_features: Feature columns, after nominal attributes have become numbers.
        num_labels: Labels.
        cardinality: Mean number of labels per row: of a Mulan set over all rows and to three decimals, which
            is checked; else as published.
        citation: Whom to cite.
        note: What one should know about the set.
        folder: The folder of a Mulan set; ``None`` of any other.
        kind: ``"built-in"``; ``"mulan"``, whose files can be downloaded; or ``"xc"``, in the format of the
            Extreme Classification Repository, whose files the user brings.
        source: Where the data are from: an address or, if they are built in, a sentence.
        licence: What is known of the data's licence.
        downloads: The files of a Mulan set: training rows, test rows, names of labels.
    """

    name: str
    title: str
    num_train: int
    num_test: int
    num_features: int
    num_labels: int
    cardinality: float
    citation: str
    note: str = ""
    folder: str | None = None
    kind: Literal["built-in", "mulan", "xc"] = "built-in"
    source: str = "built in, made from scikit-learn's digits"
    licence: str = ""
    downloads: tuple[DataFile, ...] = ()

    @property
    def files(self) -> tuple[str, ...]:
        """The names of the files that can be downloaded."""
        return tuple(file.name for file in self.downloads)


def verify_statistics(dataset: MultilabelDataset, entry: CatalogueEntry) -> None:
    """Check that a data set has the published statistics.

    Raises:
        DatasetError: If one differs; the message names all that do.
    """
    num_train = len(dataset.rows("train")) + len(dataset.rows("validation"))
    statistics: list[tuple[str, float, float]] = [
        ("training rows (with validation)", num_train, entry.num_train),
        ("test rows", len(dataset.rows("test")), entry.num_test),
        ("features", dataset.num_features, entry.num_features),
        ("labels", dataset.num_labels, entry.num_labels),
    ]
    if entry.kind != "xc":
        statistics.append(("labels per row on average", round(dataset.cardinality(), 3), entry.cardinality))
    if differences := [
        f"{found:,} {what}, not {published:,}" for what, found, published in statistics if found != published
    ]:
        raise DatasetError(
            f"these are not the published data of {entry.name}: {'; '.join(differences)}. Get the original "
            f"files again ({entry.source}), or load a version of your own by its path"
        )
