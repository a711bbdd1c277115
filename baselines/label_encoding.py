"""Labels as scikit-learn's users hold them, as a CSR matrix and back."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Set
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from sklearn.preprocessing import MultiLabelBinarizer
from sklearn.utils import check_array
from sklearn.utils.multiclass import type_of_target

from labelchain.envs.datasets.checks import as_labels
from labelchain.envs.datasets.memory import columns_of, unframed

EXPECTED = (
    "expected a matrix of 0 and 1 with a column for each label (an array, a sparse array or a data frame), "
    "or a list of the labels of each row"
)


@dataclass(frozen=True)
class LabelEncoding:
    """What the columns of a label matrix mean, and in which form labels came.

    Attributes:
        classes: ``(L,)`` the label of each column: those in the lists, sorted; the columns of a data frame as
            they are, of type object; else the numbers of the columns.
        of_lists: Whether labels came as lists.
        of_frame: Whether they came as a data frame.
        is_sparse: Whether they came as a sparse matrix.
        dtype: Of the matrix that came, if it is one of numbers.
    """

    classes: NDArray[Any]
    of_lists: bool
    of_frame: bool
    is_sparse: bool
    dtype: np.dtype[Any]

    @classmethod
    def fit(cls, Y: Any) -> tuple[LabelEncoding, sparse.csr_array]:
        """The encoding that training labels ask for, and the labels as ``(n, L)`` int8 CSR.

        Raises:
            ValueError: If they are no labels of rows, or two labels are the same.
        """
        lists = _rows(Y)
        if lists is not None and not _is_matrix(lists):
            if not any(lists):
                raise ValueError(f"{EXPECTED}; no row has a label")
            binarizer = MultiLabelBinarizer(sparse_output=True)
            try:
                matrix = as_labels(binarizer.fit_transform(lists), "Y")
            except TypeError as error:
                raise ValueError(f"labels must be hashable and of one kind, to be sorted: {error}") from error
            _check_differ(binarizer.classes_.tolist())
            form = {"of_lists": True, "of_frame": False, "is_sparse": False}
            return cls(binarizer.classes_, **form, dtype=np.dtype(np.int64)), matrix
        values, columns = _matrix(Y), columns_of(Y)
        matrix = as_labels(values, "Y")
        if columns is None:
            classes = np.arange(matrix.shape[1])
        else:
            _check_differ(columns)
            classes = np.fromiter(columns, dtype=object, count=len(columns))  # a tuple is one label, too
        dtype = values.dtype if values.dtype.kind in "iu" else np.dtype(np.int64)
        is_sparse = bool(sparse.issparse(values))
        form = {"of_lists": False, "of_frame": columns is not None, "is_sparse": is_sparse}
        return cls(classes, **form, dtype=dtype), matrix

    def encode(self, Y: Any) -> sparse.csr_array:
        """Other labels in the same form, ``(n, L + 1)``: the last column is 1 where a label is not known.

        Columns of data frames are told by their names, those of other matrices by their places.

        Raises:
            ValueError: If they are no labels of rows, or in another form.
        """
        lists, known = _rows(Y), set(self.classes.tolist())
        if lists is not None and _is_matrix(lists):
            # Lists with labels 0 or 1, and of one length, may look like a matrix; none has a label twice.
            twice = any(len(set(row)) < len(row) for row in lists)
            lists = lists if self.of_lists and known & {0, 1} and not twice else None
        if (lists is not None) != self.of_lists:
            forms = ("a matrix", "lists of labels")
            raise ValueError(f"labels came as {forms[self.of_lists]} in fit: give them so here, too")
        if lists is not None:
            sets = [{label for label in row if label in known} for row in lists]
            binarizer = MultiLabelBinarizer(classes=self.classes, sparse_output=True)
            matrix = binarizer.fit_transform(sets)
            unknown = [len(set(row)) != len(found) for row, found in zip(lists, sets, strict=True)]
        else:
            matrix = as_labels(_matrix(Y), "Y")
            if matrix.shape[1] != len(self.classes):
                raise ValueError(f"Y has {matrix.shape[1]} columns, but {len(self.classes)} in fit")
            columns = columns_of(Y)
            if self.of_frame and columns is not None:
                matrix = matrix[:, self._places(columns)]
            unknown = [False] * matrix.shape[0]
        column = sparse.csr_array(np.array(unknown, dtype=np.int8)[:, None])
        return sparse.csr_array(sparse.hstack([matrix, column]))

    def _places(self, columns: tuple[Any, ...]) -> list[int]:
        """Where, among as many columns of another frame, those of fit are."""
        places = {column: place for place, column in enumerate(columns)}
        for label in self.classes:
            if label not in places:
                raise ValueError(
                    f"Y has no column {label!r}, which fit had: give the columns of fit, in any order; "
                    f"got {list(columns)!r:.200}"
                )
        return [places[label] for label in self.classes]

    def indicators(self, chains: NDArray[np.int64]) -> NDArray[Any] | sparse.csr_array:
        """Label sets ``(n, length)``, padded with -1, as 0/1 ``(n, L)``: sparse if labels came so."""
        held = chains >= 0
        ends = np.concatenate([[0], held.sum(axis=1).cumsum()])
        ones = np.ones(int(ends[-1]), dtype=self.dtype)
        matrix = sparse.csr_array((ones, chains[held], ends), shape=(len(chains), len(self.classes)))
        matrix.sort_indices()
        dense: NDArray[Any] = matrix.toarray()
        return matrix if self.is_sparse else dense


def _rows(Y: Any) -> list[Collection[Any]] | None:
    """The rows, if labels come as a list of rows."""
    if sparse.issparse(Y) or hasattr(Y, "columns") or (isinstance(Y, np.ndarray) and Y.ndim != 1):
        return None
    if not isinstance(Y, list | tuple) and getattr(getattr(Y, "dtype", None), "kind", "") != "O":
        return None
    rows = list(Y)
    if not any(isinstance(row, Collection) and not isinstance(row, str | bytes) for row in rows):
        return None
    for number, row in enumerate(rows):
        if not isinstance(row, Collection) or isinstance(row, str | bytes):
            raise ValueError(f"{EXPECTED}; row {number} is {row!r:.40}: wrap a single label in a list")
        if isinstance(row, Mapping):  # its keys would all count, whatever their values say
            raise ValueError(f"{EXPECTED}; row {number} is {row!r:.40}: list the labels that the row has")
    return rows


def _is_matrix(rows: list[Collection[Any]]) -> bool:
    """Whether rows are those of a matrix: a rectangle of 0 and 1. A set has no columns."""
    if any(isinstance(row, Set) for row in rows) or len({len(row) for row in rows}) != 1 or len(rows[0]) == 0:
        return False
    numbers = int | float | np.number | np.bool_
    return all(isinstance(value, numbers) and value in (0, 1) for row in rows for value in row)


def _matrix(Y: Any) -> Any:
    """A 0/1 matrix, an array or a sparse one."""
    values, _ = unframed(Y)
    if not sparse.issparse(values):
        values = check_array(values, dtype=None, ensure_2d=False, ensure_min_samples=0, input_name="y")
    stored = values.data if sparse.issparse(values) else values
    if values.ndim != 2 or stored.dtype.kind not in "biuf" or not np.isin(stored, (0, 1)).all():
        kind = type_of_target(values, input_name="y", raise_unknown=True)
        raise ValueError(
            f"{EXPECTED}; got y of shape {values.shape}, {kind}. Only binary classification is supported. "
            "(Of each label: for rows of one label each, give [[label] for label in y].)"
        )
    return values


def _check_differ(labels: Iterable[Any]) -> None:
    """Raise ValueError if two labels are the same; as text, too, since runs keep them as text."""
    found: dict[str, Any] = {}
    for label in labels:
        if (text := str(label)) in found:
            raise ValueError(
                f"labels must differ, as text, too; got {found[text]!r} and {label!r}: rename or drop one"
            )
        found[text] = label
