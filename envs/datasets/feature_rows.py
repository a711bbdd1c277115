"""The features of one file, some rows at a time: what a trained model predicts from. Labels are read over."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from labelchain.envs.datasets.arff import read_arff_parts
from labelchain.envs.datasets.arff_encoding import encode, encoded_names
from labelchain.envs.datasets.checks import DatasetError, as_features
from labelchain.envs.datasets.feature_order import trained_order
from labelchain.envs.datasets.libsvm import is_libsvm, libsvm_feature_parts
from labelchain.envs.datasets.npz import read_npz_features
from labelchain.envs.datasets.parts import check_regular, open_text
from labelchain.envs.datasets.xc import is_xc, xc_feature_parts

EXPECTED = (
    "an .npz file, an .arff file, text of the Extreme Classification Repository (with 'rows features labels' "
    "in the first line) or of LIBSVM"
)
_LONGEST_LINE = 1 << 20


def feature_rows(
    path: Path,
    num_features: int,
    label_names: Sequence[str],
    *,
    size: int,
    zero_based: bool | None = None,
    feature_names: Sequence[str] | None = None,
) -> Iterator[NDArray[np.float32] | sparse.csr_array]:
    """Read all rows of a file in order, whatever split they belong to.

    Text and ARFF are read as they are asked for, so that a file may be larger than memory; an ``.npz`` file
    is read whole.

    Args:
        path: The file, of a format that data sets have. Labels may be there, be missing or be wrong.
        num_features: How many features there must be.
        label_names: Attributes of these names in an ARFF file are labels; all others are features.
        size: Rows at a time.
        zero_based: Whether the features of LIBSVM's text are numbered from 0; ``None``: as the file shows.
        feature_names: One per feature, as data sets have them. An ARFF file, or an ``.npz`` file with names,
            may have them in any order; without, features are taken as they come.

    Yields:
        ``(at most size, num_features)`` finite float32, an array or CSR, columns in the order of the names.

    Raises:
        DatasetError: If the file is missing, damaged, a pipe, of no known format or has other features. Rows
            before the fault have been given by then.
    """
    for part in _parts(path, num_features, frozenset(label_names), size, zero_based, feature_names):
        if part.shape[1] != num_features:
            raise DatasetError(
                f"{path}: has {part.shape[1]:,} features, but the model was trained on {num_features:,}; "
                "give a file made as the training data were"
            )
        if part.shape[0]:
            yield as_features(part, str(path))


def _parts(
    path: Path,
    num_features: int,
    labels: frozenset[str],
    size: int,
    zero_based: bool | None,
    feature_names: Sequence[str] | None,
) -> Iterator[Any]:
    if path.is_dir():
        raise DatasetError(f"{path}: is a folder; expected one file: {EXPECTED}")
    check_regular(path)
    if path.suffix.lower() == ".npz":
        features, names = read_npz_features(path)
        order = trained_order(path, names, feature_names) if names and feature_names else None
        for start in range(0, features.shape[0], size):
            yield _reordered(features[start : start + size], order)
    elif path.suffix.lower() == ".arff":
        yield from _arff_parts(path, labels, size, feature_names)
    elif is_xc(_first_line(path)):
        yield from xc_feature_parts(path, size)
    elif is_libsvm(path):
        yield from libsvm_feature_parts(path, num_features, zero_based, size)
    else:
        raise DatasetError(f"{path}: not a known format, by its name and first line; expected {EXPECTED}")


def _arff_parts(
    path: Path, labels: frozenset[str], size: int, feature_names: Sequence[str] | None
) -> Iterator[Any]:
    columns, order = None, None
    for table in read_arff_parts(path, size, labels):
        if columns is None:  # all tables have one header
            columns = [c for c, attribute in enumerate(table.attributes) if attribute.name not in labels]
            if feature_names:
                order = trained_order(path, encoded_names(table, columns), feature_names)
        yield _reordered(encode(table, columns), order)


def _reordered(part: Any, order: NDArray[np.int64] | None) -> Any:
    return part if order is None else part[:, order]


def _first_line(path: Path) -> str:
    """The first line that is neither blank nor a comment."""
    with open_text(path) as file:
        while line := file.readline(_LONGEST_LINE):
            if line.strip() and line[0] != "#":
                return str(line)
    return ""
