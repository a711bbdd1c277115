"""The features of one file, some rows at a time: what a trained model predicts from. Labels are read over."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from labelchain.envs.datasets.arff import read_arff_parts
from labelchain.envs.datasets.arff_encoding import encode
from labelchain.envs.datasets.checks import DatasetError, as_features
from labelchain.envs.datasets.libsvm import is_libsvm, libsvm_feature_parts
from labelchain.envs.datasets.npz import read_npz_features
from labelchain.envs.datasets.parts import open_text
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

    Yields:
        ``(at most size, num_features)`` finite float32, an array or CSR.

    Raises:
        DatasetError: If the file is missing, damaged, of no known format or has other features. Rows before
            the fault have been given by then.
    """
    for part in _parts(path, num_features, frozenset(label_names), size, zero_based):
        if part.shape[1] != num_features:
            raise DatasetError(
                f"{path}: has {part.shape[1]:,} features, but the model was trained on {num_features:,}; "
                "give a file made as the training data were"
            )
        if part.shape[0]:
            yield as_features(part, str(path))


def _parts(
    path: Path, num_features: int, labels: frozenset[str], size: int, zero_based: bool | None
) -> Iterator[Any]:
    if path.is_dir():
        raise DatasetError(f"{path}: is a folder; expected one file: {EXPECTED}")
    if path.suffix.lower() == ".npz":
        features = read_npz_features(path)
        for start in range(0, features.shape[0], size):
            yield features[start : start + size]
    elif path.suffix.lower() == ".arff":
        for table in read_arff_parts(path, size):
            columns = [c for c, attribute in enumerate(table.attributes) if attribute.name not in labels]
            yield encode(table, columns)
    elif is_xc(line := _first_line(path)):
        yield from xc_feature_parts(path, size)
    elif is_libsvm(line):
        yield from libsvm_feature_parts(path, num_features, zero_based, size)
    else:
        raise DatasetError(f"{path}: not a known format, by its name and first line; expected {EXPECTED}")


def _first_line(path: Path) -> str:
    """The first line that is neither blank nor a comment."""
    with open_text(path) as file:
        while line := file.readline(_LONGEST_LINE):
            if line.strip() and line[0] != "#":
                return str(line)
    return ""
