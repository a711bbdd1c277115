"""Checks and conversions of what a data set is made of; whatever is wrong is a :class:`DatasetError`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

VALIDATION_SEED = 0


class DatasetError(ValueError):
    """The data are not what they should be; the message says what was expected, what came and what to do."""


def as_features(values: Any, name: str) -> NDArray[np.float32] | sparse.csr_array:
    """Features as a finite float32 array or CSR, ``(num_rows, num_features)``; the given are not changed."""
    if sparse.issparse(values):
        _check_real(values, name, "features")
        result = sparse.csr_array(values, dtype=np.float32)
        if not result.has_canonical_format:
            result = result.copy()
            result.sum_duplicates()
        data = result.data
    else:
        try:
            array = np.asanyarray(values)
            _check_real(array, name, "features")
            result = np.ascontiguousarray(array, dtype=np.float32)
        except DatasetError:
            raise
        except (TypeError, ValueError) as error:
            raise DatasetError(f"{name}: features must be numbers in a rectangular array: {error}") from error
        data = result
    if result.ndim != 2 or result.shape[1] == 0:
        raise DatasetError(
            f"{name}: features must have shape (rows, features) with at least one feature, got {result.shape}"
        )
    if not np.isfinite(data).all():
        if sparse.issparse(result):
            row = int(np.searchsorted(result.indptr, np.flatnonzero(~np.isfinite(data))[0], "right")) - 1
        else:
            row = int(np.flatnonzero(~np.isfinite(result).all(axis=1))[0])
        raise DatasetError(
            f"{name}: features must be finite float32 numbers, but row {row} holds NaN or infinity; "
            "impute or drop such rows"
        )
    return result


def as_labels(values: Any, name: str) -> sparse.csr_array:
    """Labels as a canonical int8 CSR of ones, ``(num_rows, num_labels)``, in memory of its own."""
    try:
        array = values if sparse.issparse(values) else np.asanyarray(values)
        _check_real(array, name, "labels")
        if array.dtype.kind in "US":
            raise TypeError("these are texts")
        if array.dtype == object and array.ndim == 2:  # such as a frame of bool with missing values
            array = array.astype(np.float64)
        result = sparse.csr_array(array, copy=True)
    except DatasetError:
        raise
    except (TypeError, ValueError) as error:
        raise DatasetError(
            f"{name}: labels must be a rectangular array of 0 and 1: {error}; for lists of label numbers, "
            "give num_labels"
        ) from error
    if result.ndim != 2 or result.shape[1] == 0:
        raise DatasetError(
            f"{name}: labels must have shape (rows, labels) with at least one label, got {result.shape}"
        )
    if not np.isin(result.data, (0, 1)).all():
        position = int(np.flatnonzero(~np.isin(result.data, (0, 1)))[0])
        row = int(np.searchsorted(result.indptr, position, "right")) - 1
        raise DatasetError(
            f"{name}: label values must be 0 or 1, but row {row}, label {int(result.indices[position])} "
            f"is {result.data[position]!s}"
        )
    result.eliminate_zeros()
    if not result.has_canonical_format:
        result.sum_duplicates()
    return sparse.csr_array(
        (np.ones(result.nnz, dtype=np.int8), result.indices, result.indptr), shape=result.shape
    )


def holds_dates(values: NDArray[Any]) -> bool:
    """Whether an array of objects has NumPy's dates or times, which become numbers without a word."""
    kinds = set(map(type, values.ravel()))
    return any(issubclass(kind, np.datetime64 | np.timedelta64) for kind in kinds)


def _check_real(values: Any, name: str, what: str) -> None:
    """Raise DatasetError for what would become numbers that nobody meant."""
    if np.ma.is_masked(values):
        raise DatasetError(
            f"{name}: {what} are a masked array whose masked values would count as numbers; fill them by "
            ".filled(...) or drop such rows"
        )
    if values.dtype.kind in "mMc" or (values.dtype == object and holds_dates(values)):
        kind = "dates or times" if values.dtype.kind == "O" else values.dtype
        raise DatasetError(f"{name}: {what} must be real numbers, got {kind}; convert or drop such columns")


def as_rows(values: Any, num_rows: int, what: str) -> NDArray[np.int64]:
    """Row numbers, sorted, without repeats, in range and not empty."""
    given = np.asarray(values)
    if given.size == 0:
        raise DatasetError(f"{what} is empty; it needs at least one row")
    if given.ndim != 1 or not np.issubdtype(given.dtype, np.integer):
        raise DatasetError(
            f"{what} must be a one-dimensional array of row numbers, got shape {given.shape} of {given.dtype}"
        )
    rows = np.unique(given).astype(np.int64)
    if rows.size != given.size:
        raise DatasetError(f"{what} names {given.size - rows.size} rows twice")
    if rows[0] < 0 or rows[-1] >= num_rows:
        raise DatasetError(f"{what} has row numbers outside 0..{num_rows - 1}")
    return rows


def as_image_shape(values: Any, num_features: int, name: str) -> tuple[int, int]:
    """The height and width of a picture whose pixels are the features of a row."""
    sides = tuple(values) if isinstance(values, Sequence | np.ndarray) else ()
    whole = len(sides) == 2 and all(isinstance(side, int | np.integer) and side > 0 for side in sides)
    if not whole or int(sides[0]) * int(sides[1]) != num_features:
        raise DatasetError(
            f"{name}: image_shape must be (height, width), two positive integers whose product is the number "
            f"of features, {num_features}; got {values!r:.70}"
        )
    return int(sides[0]), int(sides[1])


def hold_out(train: NDArray[np.int64], name: str) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Split the training rows into nine tenths and a tenth, both sorted."""
    if train.size < 2:
        raise DatasetError(f"{name}: training split has {train.size} row; holding out a tenth needs two")
    shuffled = np.random.default_rng(VALIDATION_SEED).permutation(train)
    size = max(1, train.size // 10)
    return np.sort(shuffled[size:]), np.sort(shuffled[:size])


def check_disjoint(splits: Mapping[str, NDArray[np.int64]], name: str) -> None:
    """Raise DatasetError if a row is in more than one split."""
    rows, counts = np.unique(np.concatenate(list(splits.values())), return_counts=True)
    if (counts > 1).any():
        raise DatasetError(
            f"{name}: splits must be disjoint, but row {int(rows[counts > 1][0])} is in more than one "
            f"of {', '.join(splits)}"
        )


def check_name(name: str) -> None:
    """Raise DatasetError unless a data set's name can be part of a file's name and of a table."""
    if not isinstance(name, str):
        raise DatasetError(f"the name of a data set must be text, got {name!r:.70}")
    if any(char in "/\\" or not char.isprintable() for char in name):
        raise DatasetError(
            f"a data set cannot be called {name[:70]!r}: its name becomes part of folder names; expected "
            "text without slashes and control characters"
        )


def check_not_reordered(
    name: str, what: str, given: Sequence[str] | None, columns: tuple[str, ...] | None
) -> None:
    """Raise DatasetError if given names are a data frame's own columns in another order: they rename."""
    if given is None or columns is None:
        return
    names = tuple(map(str, given))
    if names != columns and sorted(names) == sorted(columns):
        raise DatasetError(
            f"{name}: {what}_names are the columns of the data frame in another order, but would rename, not "
            f"reorder them; leave {what}_names out, or select the columns in that order before"
        )


def as_annotations(
    values: Mapping[str, Any], shape: tuple[int, int], name: str
) -> dict[str, sparse.csr_array]:
    """Annotations, each a ``csr_array`` of the shape of the labels."""
    for key, annotation in values.items():
        if not sparse.issparse(annotation) or annotation.shape != shape:
            got = annotation.shape if sparse.issparse(annotation) else type(annotation).__name__
            raise DatasetError(
                f"{name}: annotation {key!r} must be a sparse array of the labels' shape, {shape}, got {got}"
            )
    return {key: sparse.csr_array(annotation) for key, annotation in values.items()}


def check_names(name: str, what: str, names: tuple[str, ...], count: int, *, unique: bool = True) -> None:
    """Raise DatasetError unless there is one name each, all different if ``unique``."""
    if len(names) != count:
        raise DatasetError(f"{name}: expected {count} {what} names, got {len(names)}")
    if unique and len(set(names)) != count:
        seen: set[str] = set()
        repeated = next(n for n in names if n in seen or seen.add(n))  # type: ignore[func-returns-value]
        raise DatasetError(f"{name}: {what} names must differ, but {repeated!r} occurs twice")
