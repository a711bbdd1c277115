"""Read a multi-label data set from OpenML, through scikit-learn, which downloads and caches it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse
from sklearn import datasets

from labelchain.envs.datasets.checks import DatasetError
from labelchain.envs.datasets.dataset import MultilabelDataset

_TRUE, _FALSE = ("1", "1.0", "true", "t", "yes", "y"), ("0", "0.0", "false", "f", "no", "n")
TEST_SHARE = 1 / 3
SPLIT_SEED = 0


def read_openml(
    name_or_id: str | int,
    label_columns: Sequence[str] | None = None,
    *,
    version: int | str = "active",
    train_rows: ArrayLike | None = None,
    test_rows: ArrayLike | None = None,
    name: str | None = None,
) -> MultilabelDataset:
    """Read a data set from OpenML.

    OpenML has no standard training and test rows: unless they are given, a third of the rows, drawn with a
    fixed seed, is the test split. A nominal feature of two values becomes 0 or 1, of more values one column
    for each. Rows at the end of a sparse file that hold nothing, ``{}``, are lost, as scikit-learn counts
    rows by what they hold.

    Args:
        name_or_id: The data set's name on OpenML, or its number, which names one version for good.
        label_columns: The columns that are labels; by default those that OpenML names as targets.
        version: The version, if a name is given.
        train_rows: Row numbers of the training split.
        test_rows: Row numbers of the test split.
        name: The data set's name; by default OpenML's.

    Raises:
        DatasetError: If OpenML cannot be reached and the set is not in scikit-learn's cache, there is no such
            set or column, labels are not 0 and 1, or values are missing.
    """
    what = f"OpenML data set {name_or_id}"
    is_id = isinstance(name_or_id, int) or re.fullmatch("[0-9]{1,18}", name_or_id) is not None
    chosen: dict[str, Any] = (
        {"data_id": int(name_or_id)} if is_id else {"name": name_or_id, "version": version}
    )
    # All columns as data: as targets, scikit-learn 1.9 leaves those of sparse rows uninitialised, and takes
    # a missing nominal value for any other.
    bunch = _fetched(chosen, None, what)
    columns, categories = list(bunch.feature_names), bunch.categories or {}
    labels = _label_columns(bunch, chosen, what) if label_columns is None else list(label_columns)
    if missing := [label for label in labels if label not in columns]:
        raise DatasetError(
            f"{what}: no column {', '.join(map(repr, missing[:5]))}, or OpenML marks it as one to ignore; "
            f"expected label_columns to be among {', '.join(columns[:10])}{', ...' * (len(columns) > 10)}"
        )
    if len(labels) < 2:
        raise DatasetError(
            f"{what}: expected at least two label columns, got {', '.join(labels) or 'none'}; name them "
            "in label_columns"
        )
    indicators = _labels(bunch.data, [columns.index(label) for label in labels], labels, categories, what)
    known = set(labels)
    kept = [column for column, each in enumerate(columns) if each not in known]
    features, feature_names = _features(bunch.data[:, kept], [columns[i] for i in kept], categories)
    train, test = _split(indicators.shape[0], train_rows, test_rows)
    try:
        return MultilabelDataset.from_arrays(
            str(bunch.details.get("name", name_or_id)) if name is None else name,
            features,
            indicators,
            train_rows=train,
            test_rows=test,
            label_names=labels,
            feature_names=feature_names,
        )
    except DatasetError as error:
        raise DatasetError(f"{what}: {error}") from error


def _fetched(chosen: Mapping[str, Any], target: str | None, what: str) -> Any:
    """What scikit-learn gives, without pandas: numbers, nominal values as their positions."""
    try:
        return datasets.fetch_openml(**chosen, target_column=target, as_frame=False, parser="liac-arff")
    except OSError as error:
        raise DatasetError(
            f"{what}: OpenML cannot be reached ({error}). Go online, or fetch the set on another "
            f"machine and copy scikit-learn's cache from there to {datasets.get_data_home()} here"
        ) from error
    except (LookupError, ValueError) as error:
        raise DatasetError(f"{what}: {error}") from error


def _label_columns(bunch: Any, chosen: Mapping[str, Any], what: str) -> list[str]:
    """The columns that OpenML names as targets, in the order of the columns."""
    named = set(str(bunch.details.get("default_target_attribute") or "").split(","))
    if len(named) > 1 and named.issubset(bunch.feature_names):
        return [column for column in bunch.feature_names if column in named]
    if sparse.issparse(bunch.data):  # whose targets scikit-learn may fail to read
        return []
    # The description may cut its list short; what OpenML says of each column is complete.
    return list(_fetched(chosen, "default-target", what).target_names or ())


def _split(
    num_rows: int, train_rows: ArrayLike | None, test_rows: ArrayLike | None
) -> tuple[ArrayLike, ArrayLike]:
    """Both splits; of one that is given, the other is the rest."""
    rest = np.arange(num_rows)
    if train_rows is not None:
        return train_rows, np.setdiff1d(rest, np.asarray(train_rows)) if test_rows is None else test_rows
    if test_rows is not None:
        return np.setdiff1d(rest, np.asarray(test_rows)), test_rows
    shuffled = np.random.default_rng(SPLIT_SEED).permutation(num_rows)
    size = round(num_rows * TEST_SHARE)
    return np.sort(shuffled[size:]), np.sort(shuffled[:size])


def _labels(
    data: Any,
    columns: Sequence[int],
    names: Sequence[str],
    categories: Mapping[str, Sequence[str] | None],
    what: str,
) -> sparse.csr_array:
    """Labels as 0 and 1, from numbers or words such as TRUE."""
    by_column: Any = sparse.csc_array(data) if sparse.issparse(data) else np.asarray(data)
    carriers: list[NDArray[np.int64]] = []  # of each label, the rows
    for column, label in zip(columns, names, strict=True):
        block = by_column[:, [column]]
        values = (block.toarray() if sparse.issparse(block) else block).ravel().astype(np.float64)
        if (missing := np.isnan(values)).any():
            raise DatasetError(
                f"{what}: label {label!r} has no value in {missing.sum():,} rows, such as row "
                f"{int(missing.argmax())}; expected 0 and 1: choose other label_columns"
            )
        words = categories.get(label)
        carried = np.zeros(values.size, dtype=bool)
        for value in np.unique(values):
            word = words[int(value)] if words else f"{value:.17g}"  # not rounded to 1
            if word.strip().lower() in _TRUE:
                carried |= values == value
            elif word.strip().lower() not in _FALSE:
                raise DatasetError(f"{what}: label {label!r} has the value {word[:40]!r}; expected 0 and 1")
        carriers.append(np.flatnonzero(carried))
    rows, ends = np.concatenate(carriers), np.cumsum([0, *(len(each) for each in carriers)])
    ones = np.ones(rows.size, dtype=np.int8)
    return sparse.csr_array(sparse.csc_array((ones, rows, ends), shape=(data.shape[0], len(names))))


def _features(
    data: Any, names: Sequence[str], categories: Mapping[str, Sequence[str] | None]
) -> tuple[NDArray[np.float32] | sparse.csr_array, list[str]]:
    """Features with one column for each value of a nominal one of more than two."""
    by_column: Any = sparse.csc_array(data) if sparse.issparse(data) else np.asarray(data)
    blocks: list[Any] = []
    encoded: list[str] = []
    for column, name in enumerate(names):
        block = by_column[:, [column]]
        values = categories.get(name) or ()
        stored = block.data if sparse.issparse(block) else block
        if len(values) > 2 and not np.isnan(stored.astype(float)).any():
            codes = (block.toarray() if sparse.issparse(block) else block).astype(np.int64)
            block = (codes == np.arange(len(values))).astype(np.float32)
            block = sparse.csc_array(block) if sparse.issparse(data) else block
            encoded.extend(f"{name}={value}" for value in values)
        else:
            encoded.append(name)
        blocks.append(block)
    if not any(len(categories.get(name) or ()) > 2 for name in names):
        return data, list(names)
    joined = sparse.csr_array(sparse.hstack(blocks)) if sparse.issparse(data) else np.hstack(blocks)
    return joined.astype(np.float32), encoded
