"""What the columns of a model's input and output are, kept with its run: to predict without its data."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy import sparse

from labelchain.agents.plain_values import LARGEST_COUNT, check_number, fields_of
from labelchain.agents.runs import RunError, read_json, write_json
from labelchain.envs import MultilabelDataset

FILE = "columns.json"


@dataclass(frozen=True)
class Columns:
    """The columns of a data set.

    Attributes:
        dataset: The data set's name.
        num_features: Columns of the input.
        label_names: One for each column of the output.
    """

    dataset: str
    num_features: int
    label_names: tuple[str, ...]

    @classmethod
    def of(cls, dataset: MultilabelDataset) -> Columns:
        """Those of a data set."""
        return cls(dataset.name, dataset.num_features, dataset.label_names)

    def save(self, directory: Path) -> None:
        """Write ``columns.json``, beside and renamed."""
        content = {"dataset": self.dataset, "num_features": self.num_features}
        write_json(directory / FILE, content | {"label_names": list(self.label_names)})

    @classmethod
    def load(cls, directory: Path) -> Columns | None:
        """Those of a run's directory, or ``None`` of a run of an earlier version, which did not keep them.

        Raises:
            RunError: If the file is damaged.
        """
        if not (directory / FILE).exists():
            return None
        content = read_json(directory / FILE)
        try:
            fields_of(content, ("dataset", "num_features", "label_names"), "it")
            name, labels = content["dataset"], content["label_names"]
            check_number(content["num_features"], "num_features", int, least=1, most=LARGEST_COUNT)
            if not isinstance(labels, list) or not all(isinstance(text, str) for text in (name, *labels)):
                raise ValueError("dataset and each of label_names must be text")
            if not labels or len(set(labels)) < len(labels):
                raise ValueError("label_names must be one or more, all different")
        except ValueError as error:
            path = directory / FILE
            raise RunError(f"{path} does not hold the columns of a run ({error}); remove it") from error
        return cls(name, content["num_features"], tuple(labels))

    def without_rows(self) -> MultilabelDataset:
        """A stand-in for the data set, for what looks at its shape alone: one row of nothing."""
        return MultilabelDataset(
            self.dataset,
            sparse.csr_array((1, self.num_features), dtype=np.float32),
            sparse.csr_array((1, len(self.label_names)), dtype=np.int8),
            {split: np.zeros(1, dtype=np.int64) for split in ("train", "validation", "test")},
            self.label_names,
        )
