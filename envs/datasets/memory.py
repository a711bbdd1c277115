"""Features and labels as people hold them in memory: data frames, and lists of labels for each row.

Data frames are recognised by what they can do (``columns``, ``to_numpy``), so pandas is not needed.
"""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np
from scipy import sparse

from labelchain.envs.datasets.checks import DatasetError, holds_dates


def columns_of(values: Any) -> tuple[Any, ...] | None:
    """What names the columns of a data frame, text or not; ``None`` of anything else."""
    is_frame = hasattr(values, "columns") and hasattr(values, "to_numpy")
    return tuple(values.columns) if is_frame else None


def unframed(values: Any, name: str = "data frame") -> tuple[Any, tuple[str, ...] | None]:
    """The numbers of a data frame and its columns as text; anything else as it is, without names.

    Raises:
        DatasetError: If all columns are sparse, and what they leave out is not 0.
    """
    columns = columns_of(values)
    if columns is None:
        return values, None
    names = tuple(str(column) for column in columns)
    accessor = getattr(values, "sparse", None)  # of a frame whose columns are all sparse
    if accessor is not None and names:
        try:
            return accessor.to_coo(), names
        except ValueError as error:
            raise DatasetError(
                f"{name}: sparse columns of a data frame must leave out zeros, as in "
                f"pandas.SparseDtype(float, 0): {error}"
            ) from error
    array = np.asarray(values.to_numpy())
    if array.dtype == object and not holds_dates(array):  # columns of different types, such as int and bool
        with contextlib.suppress(TypeError, ValueError):  # else the caller says what is wrong
            array = array.astype(np.float64)
    return array, names


def from_label_lists(
    values: Any, name: str, label_names: Sequence[str] | None, num_labels: int | None
) -> tuple[Any, tuple[str, ...] | None]:
    """Labels given as one collection a row, as a 0/1 matrix with the names of its columns.

    Names of labels need nothing else; numbers of labels are taken for such only with ``num_labels``, as a
    list of lists of numbers is a 0/1 matrix otherwise.

    Args:
        values: The labels in any form; what is no such list is given back as it is.
        name: The data set's name, for messages.
        label_names: The names in the order of the columns, if they are known.
        num_labels: How many labels there are, if rows hold numbers of labels.

    Raises:
        DatasetError: If a row is not a collection of known labels.
    """
    if sparse.issparse(values) or (isinstance(values, np.ndarray) and values.dtype != object):
        if num_labels is not None:
            raise DatasetError(
                f"{name}: num_labels goes with lists of label numbers, one for each row; got a matrix"
            )
        return values, None
    rows = _rows(values)
    if rows is None:
        return values, None
    for i, row in enumerate(rows):
        if not isinstance(row, Collection) or isinstance(row, str | bytes):
            raise DatasetError(
                f"{name}: labels of row {i} must be a list, got {row!r:.40}; split the text, or wrap "
                "the label in a list"
            )
        if isinstance(row, Mapping):
            raise DatasetError(
                f"{name}: labels of row {i} are a mapping, {row!r:.40}, whose keys would all count; "
                "give a list of those that the row has"
            )
    texts = sum(isinstance(label, str) for row in rows for label in row)
    if num_labels is not None:
        return _from_numbers(rows, name, num_labels), None
    if not texts:
        return values, None  # a 0/1 matrix in nested lists
    if label_names is None and _is_matrix_of_text(rows):
        raise DatasetError(
            f"{name}: labels are rows of the texts '0' and '1', all of one length: a matrix, or lists of the "
            "names '0' and '1'? Give numbers, or label_names=['0', '1']"
        )
    return _from_names(rows, name, label_names)


def _is_matrix_of_text(rows: list[Any]) -> bool:
    """Whether lists of names may as well be a 0/1 matrix that was read as text."""
    is_ordered = all(isinstance(row, Sequence | np.ndarray) for row in rows)
    is_rectangle = is_ordered and len({len(row) for row in rows}) == 1
    return is_rectangle and all(
        isinstance(label, str) and label in ("0", "1") for row in rows for label in row
    )


def _rows(values: Any) -> list[Any] | None:
    """The rows, if the values may be lists of labels: nested lists, a Series or an array of objects."""
    if isinstance(values, np.ndarray | list | tuple):
        rows = list(values)
    elif hasattr(values, "to_numpy") and getattr(values, "ndim", 0) == 1:
        rows = list(values.to_numpy())
    else:
        return None
    return rows if any(isinstance(row, Collection) for row in rows) else None


def _from_names(
    rows: list[Any], name: str, label_names: Sequence[str] | None
) -> tuple[sparse.csr_array, tuple[str, ...]]:
    for i, row in enumerate(rows):
        if wrong := [label for label in row if not isinstance(label, str)]:
            raise DatasetError(f"{name}: labels of row {i} mix names with {wrong[0]!r}; expected names only")
    found = {label for row in rows for label in row}
    names = tuple(sorted(found)) if label_names is None else tuple(label_names)
    columns = {label: column for column, label in enumerate(names)}
    if unknown := sorted(found - set(names)):
        row = next(i for i, labels in enumerate(rows) if unknown[0] in labels)
        raise DatasetError(f"{name}: row {row} has the label {unknown[0]!r}, which is not in label_names")
    return _indicators([{columns[label] for label in row} for row in rows], len(names)), names


def _from_numbers(rows: list[Any], name: str, num_labels: int) -> sparse.csr_array:
    for i, row in enumerate(rows):
        for label in row:
            if isinstance(label, bool | np.bool_) or not isinstance(label, int | np.integer):
                raise DatasetError(f"{name}: row {i} has the label {label!r}; expected a number of a label")
            if not 0 <= label < num_labels:
                raise DatasetError(
                    f"{name}: row {i} has the label {label}; labels are numbered 0..{num_labels - 1}"
                )
    return _indicators([{int(label) for label in row} for row in rows], num_labels)


def _indicators(sets: list[set[int]], num_labels: int) -> sparse.csr_array:
    columns = np.array([label for labels in sets for label in sorted(labels)], dtype=np.int64)
    ends = np.cumsum([0, *(len(labels) for labels in sets)])
    ones = np.ones(columns.size, dtype=np.int8)
    return sparse.csr_array((ones, columns, ends), shape=(len(sets), num_labels))
