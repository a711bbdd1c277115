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
    for each.

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
    try:
        bunch = datasets.fetch_openml(
            **chosen,
            target_column="default-target" if label_columns is None else list(label_columns),
            as_frame=False,
            parser="liac-arff",
        )
    except OSError as error:
        raise DatasetError(
            f"{what}: OpenML cannot be reached ({error}). Go online, or fetch the set on another "
            f"machine and copy scikit-learn's cache from there to {datasets.get_data_home()} here"
        ) from error
    except (KeyError, ValueError) as error:
        raise DatasetError(f"{what}: {error}") from error
    names = tuple(bunch.target_names or ())
    target = bunch.target
    if target is None or target.ndim != 2 or len(names) < 2:
        raise DatasetError(
            f"{what}: expected at least two label columns, got {', '.join(names) or 'none'}; name them "
            "in label_columns"
        )
    features, feature_names = _features(bunch.data, bunch.feature_names, bunch.categories or {})
    num_rows = target.shape[0]
    train, test = _split(num_rows, train_rows, test_rows)
    try:
        return MultilabelDataset.from_arrays(
            str(bunch.details.get("name", name_or_id)) if name is None else name,
            features,
            _labels(target, names, what),
            train_rows=train,
            test_rows=test,
            label_names=names,
            feature_names=feature_names,
        )
    except DatasetError as error:
        raise DatasetError(str(error) if str(error).startswith(what) else f"{what}: {error}") from error


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


def _labels(target: Any, names: Sequence[str], what: str) -> sparse.csr_array:
    """Labels as 0 and 1, from numbers or words such as TRUE."""
    values = target.toarray() if sparse.issparse(target) else np.asarray(target)
    indicators = np.zeros(values.shape, dtype=np.int8)
    for column, label in enumerate(names):
        for word in np.unique(values[:, column].astype(str)):
            if word.strip().lower() in _TRUE:
                indicators[values[:, column].astype(str) == word, column] = 1
            elif word.strip().lower() not in _FALSE:
                raise DatasetError(f"{what}: label {label!r} has the value {word[:40]!r}; expected 0 and 1")
    return sparse.csr_array(indicators)


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
