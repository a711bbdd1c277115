"""What the columns of a model's input and output are, kept with its run: to predict without its data."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from pathlib import Path

import numpy as np
from scipy import sparse

from labelchain.agents.plain_values import LARGEST_COUNT, check_number, fields_of, shown
from labelchain.agents.runs import RunError, read_json, write_json
from labelchain.envs import DatasetError, MultilabelDataset
from labelchain.envs.datasets.arff_rows import shorten

FILE = "columns.json"
SHOWN = 3
"""How many of the columns that differ a message names."""
_MAY_LACK = {"zero_based": None, "feature_names": None}
"""What files of earlier versions do not hold, nor those of data sets without it."""


@dataclass(frozen=True)
class Columns:
    """The columns of a data set.

    Attributes:
        dataset: The data set's name.
        num_features: Columns of the input.
        label_names: One for each column of the output.
        zero_based: Whether LIBSVM's text numbers the columns of the input from 0; ``None``: not known.
        feature_names: One for each column of the input; ``None``: it has none, or they are not known.
    """

    dataset: str
    num_features: int
    label_names: tuple[str, ...]
    zero_based: bool | None = None
    feature_names: tuple[str, ...] | None = None

    @classmethod
    def of(cls, dataset: MultilabelDataset) -> Columns:
        """Those of a data set."""
        names = None if _count(dataset.feature_names) else dataset.feature_names  # as of data frames
        return cls(dataset.name, dataset.num_features, dataset.label_names, dataset.zero_based, names)

    def save(self, directory: Path) -> None:
        """Write ``columns.json``, beside and renamed."""
        write_json(directory / FILE, {key: value for key, value in asdict(self).items() if value is not None})

    @classmethod
    def load(cls, directory: Path) -> Columns | None:
        """Those of a run's directory, or ``None`` of a run of an earlier version, which did not keep them.

        Raises:
            RunError: If the file is damaged.
        """
        if not (directory / FILE).exists():
            return None
        content = _MAY_LACK | read_json(directory / FILE)
        try:
            fields_of(content, (field.name for field in fields(cls)), "it")
            name, labels, features = content["dataset"], content["label_names"], content["feature_names"]
            check_number(content["num_features"], "num_features", int, least=1, most=LARGEST_COUNT)
            if not isinstance(name, str) or not _are_texts(labels):
                raise ValueError("dataset and each of label_names must be text")
            if not labels or len(set(labels)) < len(labels):
                raise ValueError("label_names must be one or more, all different")
            if not isinstance(content["zero_based"], bool | None):
                raise ValueError(f"zero_based must be true or false, got {shown(content['zero_based'])}")
            if features is not None and not _are_texts(features, content["num_features"]):
                raise ValueError("feature_names must be a text for each of num_features")
        except ValueError as error:
            path = directory / FILE
            raise RunError(f"{path} does not hold the columns of a run ({error}); remove it") from error
        names = None if features is None else tuple(features)
        return cls(name, content["num_features"], tuple(labels), content["zero_based"], names)

    def check_names(self, data: MultilabelDataset) -> None:
        """Refuse data whose columns have other names, or another order: a model tells them by their places.

        Names that only count the columns ("0", "1", ... or from "1" on) tell nothing, except of two sets of
        LIBSVM's text: their labels are the numbers that occur. How many columns there are is not looked at.

        Raises:
            DatasetError: If the names differ where they tell something.
        """
        theirs = Columns.of(data)
        of_text = None not in (self.zero_based, theirs.zero_based)
        for what in ("label", "feature"):
            trained, names = (getattr(columns, f"{what}_names") for columns in (self, theirs))
            if trained is None or names is None or trained == names or len(trained) != len(names):
                continue
            tells_nothing = any(_count(side, first) for side in (trained, names) for first in (0, 1))
            if sorted(trained) != sorted(names) and not of_text and tells_nothing:
                continue
            differ = [
                f"{names[column]!r} instead of {trained[column]!r}"
                for column in range(len(names))
                if names[column] != trained[column]
            ]
            raise DatasetError(
                f"{data.name} does not have the {what}s of the training in their order: it has "
                f"{shorten(differ, SHOWN)}; give data with the columns of the training"
            )

    def without_rows(self) -> MultilabelDataset:
        """A stand-in for the data set, for what looks at its shape alone: one row of nothing."""
        return MultilabelDataset(
            self.dataset,
            sparse.csr_array((1, self.num_features), dtype=np.float32),
            sparse.csr_array((1, len(self.label_names)), dtype=np.int8),
            {split: np.zeros(1, dtype=np.int64) for split in ("train", "validation", "test")},
            self.label_names,
        )


def _count(names: tuple[str, ...] | None, first: int = 0) -> bool:
    """Whether they only count the columns: from 0, as data sets name columns without names, or from 1."""
    return names is not None and names == tuple(str(first + place) for place in range(len(names)))


def _are_texts(values: object, count: int | None = None) -> bool:
    """Whether it is a list of texts, and of so many."""
    return (
        isinstance(values, list)
        and count in (None, len(values))
        and all(isinstance(text, str) for text in values)
    )
