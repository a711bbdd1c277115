"""One multi-label data set in memory: features, label sets, names and splits."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse

from labelchain.envs.datasets.checks import (
    DatasetError,
    as_annotations,
    as_features,
    as_image_shape,
    as_labels,
    as_rows,
    check_disjoint,
    check_name,
    check_names,
    check_not_reordered,
    hold_out,
)
from labelchain.envs.datasets.memory import from_label_lists, unframed

SPLITS = ("train", "validation", "test")


@dataclass(frozen=True, eq=False)
class MultilabelDataset:
    """Features, label sets and splits of one multi-label problem.

    Build one with :meth:`from_arrays` (which converts and checks) or
    :func:`labelchain.envs.datasets.load_dataset` (by name or path).

    Attributes:
        name: A short name, used in run names and tables.
        features: ``(num_rows, num_features)`` float32, a dense array or a SciPy ``csr_array``. All finite.
        labels: ``(num_rows, num_labels)`` int8 ``csr_array``; stored entries are 1, column indices sorted.
        splits: Row numbers (int64, sorted, disjoint, not empty) of ``"train"``, ``"validation"``, ``"test"``.
        label_names: One name per label.
        feature_names: One name per feature, or ``None`` if the source has none.
        image_shape: ``(height, width)`` if a row of features is a picture, else ``None``.
        annotations: Further facts about single labels of single rows, by name, each a ``csr_array`` of the
            shape of ``labels``. DigitScenes keeps here which digits are ``"blurred"``.
        zero_based: Whether the source, LIBSVM's text, numbers features from 0; ``None`` of other sources.
    """

    name: str
    features: NDArray[np.float32] | sparse.csr_array
    labels: sparse.csr_array
    splits: Mapping[str, NDArray[np.int64]]
    label_names: tuple[str, ...]
    feature_names: tuple[str, ...] | None = None
    image_shape: tuple[int, int] | None = None
    annotations: Mapping[str, sparse.csr_array] = field(default_factory=dict)
    zero_based: bool | None = None

    @classmethod
    def from_arrays(
        cls,
        name: str,
        features: Any,
        labels: Any,
        *,
        train_rows: ArrayLike,
        test_rows: ArrayLike,
        validation_rows: ArrayLike | None = None,
        label_names: Sequence[str] | None = None,
        feature_names: Sequence[str] | None = None,
        num_labels: int | None = None,
        image_shape: tuple[int, int] | None = None,
        annotations: Mapping[str, sparse.csr_array] | None = None,
    ) -> MultilabelDataset:
        """Check and convert arrays.

        Without ``validation_rows``, a tenth of the training rows (at least one), drawn with a fixed seed, is
        held out for validation, so that every learner selects its model on the same rows.

        >>> dataset = MultilabelDataset.from_arrays(
        ...     "toy",
        ...     [[0.1, 0.2], [0.3, 0.4], [0.5, 0.6], [0.7, 0.8]],
        ...     [["sea", "sky"], ["sky"], [], ["sea"]],
        ...     train_rows=[0, 1],
        ...     test_rows=[2, 3],
        ... )
        >>> dataset.label_names, dataset.labels.toarray().tolist()
        (('sea', 'sky'), [[1, 1], [0, 1], [0, 0], [1, 0]])

        Args:
            name: A short name.
            features: ``(num_rows, num_features)`` numbers: an array, a SciPy sparse array or a data frame;
                converted to float32. What needs no conversion, such as an array of float32, is shared, as a
                copy could be too large: do not change it any more. Labels and row numbers are copied.
            labels: ``(num_rows, num_labels)``, each value 0 or 1: an array, a SciPy sparse array or a data
                frame. Or one list for each row: of names of labels or, with ``num_labels``, of numbers.
            train_rows: Row numbers of the training split.
            test_rows: Row numbers of the test split.
            validation_rows: Row numbers of the validation split, or ``None``.
            label_names: One per label, kept as text; by default the columns of the data frame, the names in
                the lists in alphabetical order, or else ``"0"``, ``"1"``, ... They rename the columns of a
                data frame, which stay in their order.
            feature_names: One per feature; by default the columns of the data frame.
            num_labels: How many labels there are, if ``labels`` are lists of label numbers (from 0).
            image_shape: ``(height, width)`` if each row is a picture.
            annotations: See the class.

        Raises:
            DatasetError: If the name has a slash or control character, shapes disagree, a feature is not
                finite, a label value is neither 0 nor 1, values are masked, dates or complex, a split is
                empty, out of range or overlaps another, or names are missing or repeated.
        """
        check_name(name)
        features, feature_columns = unframed(features, name)
        check_not_reordered(name, "feature", feature_names, feature_columns)
        feature_names = feature_columns if feature_names is None else feature_names
        labels, label_columns = unframed(labels, name)
        check_not_reordered(name, "label", label_names, label_columns)
        if label_columns is None:
            labels, label_columns = from_label_lists(labels, name, label_names, num_labels)
        label_names = label_columns if label_names is None else label_names
        x = as_features(features, name)
        y = as_labels(labels, name)
        if x.shape[0] != y.shape[0]:
            raise DatasetError(
                f"{name}: features have {x.shape[0]} rows but labels have {y.shape[0]}; they must be equal"
            )
        names = tuple(map(str, range(y.shape[1]) if label_names is None else label_names))
        check_names(name, "label", names, y.shape[1])
        if feature_names is not None:
            check_names(name, "feature", tuple(feature_names), x.shape[1], unique=False)
        if image_shape is not None:
            image_shape = as_image_shape(image_shape, x.shape[1], name)
        train = as_rows(train_rows, y.shape[0], f"{name}: training split")
        if validation_rows is None:
            train, validation = hold_out(train, name)
        else:
            validation = as_rows(validation_rows, y.shape[0], f"{name}: validation split")
        splits = {
            "train": train,
            "validation": validation,
            "test": as_rows(test_rows, y.shape[0], f"{name}: test split"),
        }
        check_disjoint(splits, name)
        return cls(
            name=name,
            features=x,
            labels=y,
            splits=splits,
            label_names=names,
            feature_names=None if feature_names is None else tuple(map(str, feature_names)),
            image_shape=image_shape,
            annotations=as_annotations(annotations or {}, y.shape, name),
        )

    def __deepcopy__(self, memo: dict[int, Any]) -> MultilabelDataset:
        """Itself: a data set is never changed, and ``gym.make`` copies its arguments."""
        return self

    @property
    def num_features(self) -> int:
        """Number of feature columns."""
        return int(self.features.shape[1])

    @property
    def num_labels(self) -> int:
        """Number of labels, L."""
        return int(self.labels.shape[1])

    @property
    def is_sparse(self) -> bool:
        """Whether the features are stored as a SciPy CSR array."""
        return bool(sparse.issparse(self.features))

    @cached_property
    def fingerprint(self) -> str:
        """A checksum of features, labels and splits, in hexadecimal: other data of the same name differ."""
        features: Any = self.features
        parts = [features.data, features.indices, features.indptr] if self.is_sparse else [features]
        parts += [self.labels.indices, self.labels.indptr, *(self.splits[split] for split in SPLITS)]
        checksum = hashlib.sha256(repr((self.features.shape, self.labels.shape)).encode())
        for part in parts:
            kind = np.float32 if part.dtype.kind == "f" else np.int64
            checksum.update(np.ascontiguousarray(part, dtype=kind).data)
        return checksum.hexdigest()

    @property
    def columns_fingerprint(self) -> str:
        """A checksum of what the numbers mean: the names of labels and features and the shape of pictures."""
        content = json.dumps([self.label_names, self.feature_names, self.image_shape])
        return hashlib.sha256(content.encode()).hexdigest()

    def rows(self, split: str) -> NDArray[np.int64]:
        """Row numbers of a split, ``(num_rows_in_split,)``.

        Raises:
            DatasetError: If ``split`` is not one of ``"train"``, ``"validation"``, ``"test"``.
        """
        if split not in self.splits:
            raise DatasetError(f"unknown split {split!r}: expected one of {', '.join(SPLITS)}")
        return self.splits[split]

    def dense_features(self, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """A fresh dense copy of some rows' features, ``(len(rows), num_features)``."""
        selected = self.features[rows]
        dense = selected if isinstance(selected, np.ndarray) else selected.toarray()
        return np.ascontiguousarray(dense, dtype=np.float32)

    def label_entries(self, rows: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.integer[Any]]]:
        """The labels of some rows: how many each has ``(len(rows),)``, and which, one row after the other."""
        # SciPy's own indexing takes several times as long for the few rows of a batch.
        ends = self.labels.indptr[rows + 1].astype(np.int64)
        counts = ends - self.labels.indptr[rows]
        last = counts.cumsum()
        entries = np.arange(last[-1] if len(rows) else 0) + (ends - last).repeat(counts)
        return counts, self.labels.indices[entries]

    def dense_labels(self, rows: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Label indicators of some rows, ``(len(rows), num_labels)``; never ask for a whole data set."""
        counts, labels = self.label_entries(rows)
        dense = np.zeros((len(rows), self.num_labels), dtype=bool)
        dense[np.arange(len(rows)).repeat(counts), labels] = True
        return dense

    def feature_range(self) -> tuple[float, float]:
        """Bounds that every feature of every row keeps, the upper above the lower."""
        low, high = self._extremes
        return low, high if high > low else low + 1.0

    @cached_property
    def _extremes(self) -> tuple[float, float]:
        """Once for all environments on these data: it takes a pass over all features."""
        return float(self.features.min()), float(self.features.max())

    def label_frequencies(self, split: str = "train") -> NDArray[np.int64]:
        """How many rows of a split carry each label, ``(num_labels,)``."""
        labels = self.labels[self.rows(split)]
        return np.bincount(labels.indices, minlength=self.num_labels).astype(np.int64)

    def cardinality(self, split: str | None = None) -> float:
        """Mean number of labels per row, of one split or of all rows."""
        labels = self.labels if split is None else self.labels[self.rows(split)]
        return float(labels.nnz / labels.shape[0])

    def largest_label_set(self, split: str = "train") -> int:
        """Size of the largest label set of a split."""
        return int(np.diff(self.labels.indptr)[self.rows(split)].max())
