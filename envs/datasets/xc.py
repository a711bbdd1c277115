"""Read the text format of the Extreme Classification Repository.

The first line that is neither blank nor a comment (``#``) is ``rows features labels``; each further one is a
row: ``l1,l2 f:v f:v``, where labels and features are numbers from 0. A row without labels begins with a
blank. The split is either two files, or one file and split files, which name rows by numbers from 1, one
column for each of several splits.
"""

from __future__ import annotations

import re
from array import array
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from labelchain.envs.datasets.checks import DatasetError
from labelchain.envs.datasets.dataset import MultilabelDataset
from labelchain.envs.datasets.parts import MAX_COLUMNS, joined, name_of, open_text
from labelchain.envs.datasets.xc_rows import XCRows

_HEADER = re.compile(r"\s*(\d{1,18})[ \t]+(\d{1,18})[ \t]+(\d{1,18})\s*", re.ASCII)
_CHUNK = 4096
_LONGEST_HEADER = 1 << 20

Part = tuple[sparse.csr_array, sparse.csr_array]
"""Features and labels of one file."""


def read_xc(
    path: Path,
    test: Path | None = None,
    *,
    train_split: Path | None = None,
    test_split: Path | None = None,
    name: str | None = None,
) -> MultilabelDataset:
    """Read a data set from a training and a test file, or from one file and its split files.

    A label that a row names twice counts once. Labels are named by their numbers.

    Args:
        path: The training file, or the file with all rows.
        test: The test file.
        train_split: Numbers, from 1, of the training rows: a matrix in text, of which the first column (the
            first of several splits) is taken. Needed, with ``test_split``, if there is no test file.
        test_split: The same for the test rows.
        name: The data set's name; by default from the file's.

    Raises:
        DatasetError: If a file is missing or damaged; the message names the file, the line and the reason.
    """
    path = Path(path)
    name = name_of(path) if name is None else name
    if (test is None) == (train_split is None and test_split is None):
        raise DatasetError(f"{path}: expected either a test file or a train_split and a test_split file")
    features, labels = _read_part(path)
    if test is not None:
        test = Path(test)
        other = _read_part(test)
        for what, here, there in (("features", features, other[0]), ("labels", labels, other[1])):
            if here.shape[1] != there.shape[1]:
                raise DatasetError(
                    f"{test}, line 1: declares {there.shape[1]:,} {what}, but {path} declares "
                    f"{here.shape[1]:,}; training and test file must agree"
                )
        return joined(name, path, [(features, labels), other])
    if train_split is None or test_split is None:
        raise DatasetError(f"{path}: expected both split files, got one")
    rows = [_read_split(Path(file), labels.shape[0]) for file in (train_split, test_split)]
    try:
        return MultilabelDataset.from_arrays(name, features, labels, train_rows=rows[0], test_rows=rows[1])
    except DatasetError as error:
        raise DatasetError(f"{path}: {error}") from error


def is_xc(first_line: str) -> bool:
    """Whether a file's first line is the header of this format."""
    return _HEADER.fullmatch(first_line) is not None


def _read_header(path: Path, file: IO[str]) -> tuple[int, int, int, int]:
    """The rows, features and labels that a file declares, and on which line; the next to read is a row."""
    number, line = 1, file.readline(_LONGEST_HEADER)
    while line and (not line.strip() or line[0] == "#"):
        number, line = number + 1, file.readline(_LONGEST_HEADER)
    header = _HEADER.fullmatch(line)
    if header is None:
        raise DatasetError(
            f"{path}, line {number}: expected 'rows features labels', got {line.strip()[:40]!r}"
        )
    num_rows, num_features, num_labels = (int(size) for size in header.groups())
    for what, count in (("features", num_features), ("labels", num_labels)):
        if not 0 < count <= MAX_COLUMNS:
            raise DatasetError(
                f"{path}, line {number}: declares {count:,} {what}; expected 1 to {MAX_COLUMNS:,}"
            )
    if num_rows == 0:
        raise DatasetError(f"{path}, line {number}: declares no rows; expected at least one")
    return num_rows, num_features, num_labels, number


def _declared(path: Path) -> tuple[int, int, int]:
    """The features and labels that a file declares, and on which line."""
    with open_text(path) as file:
        return _read_header(path, file)[1:]


def xc_feature_parts(path: Path, size: int) -> Iterator[sparse.csr_array]:
    """The features of a file, ``size`` rows at a time; labels are read over.

    Raises:
        DatasetError: As :func:`read_xc`; rows before the fault have been given by then.
    """
    declared = _declared(path)
    done = 0
    for lines in _row_lines(path, size):
        rows = XCRows(path, *declared, done)
        rows.add(lines)
        done += len(lines)
        yield rows.features()


def _read_part(path: Path) -> Part:
    """The rows of one file. Memory grows with what is read, not with what the header declares."""
    rows = XCRows(path, *_declared(path))
    for lines in _row_lines(path, _CHUNK):
        rows.add(lines)
    return rows.features(), rows.labels()


def _row_lines(path: Path, size: int) -> Iterator[list[str]]:
    """The lines after the header, some at a time; in the end, an error if their number is not as declared."""
    count = 0
    try:
        with open_text(path) as file:
            num_rows, _, _, number = _read_header(path, file)
            while count <= num_rows and (lines := list(islice(file, size))):
                surplus = count + len(lines) - num_rows
                if surplus > 0 and not any(line.strip() for line in lines[-surplus:]):
                    lines = lines[:-surplus]  # blank lines at the end of the file
                count += len(lines)
                if lines:
                    yield lines
    except OSError as error:
        raise DatasetError(f"{path}: cannot read the file: {error.strerror}") from error
    if count != num_rows:
        found = f"{count:,}" if count < num_rows else "more"
        hint = "; is the file cut short?" if count < num_rows else ""
        raise DatasetError(
            f"{path}, line {number}: declares {num_rows:,} rows, but the file has {found}{hint}"
        )


def _read_split(path: Path, num_rows: int) -> NDArray[np.int64]:
    """The first column of a split file, as row numbers from 0."""
    rows = array("q")
    width = 0
    try:
        with open_text(path) as file:
            for number, line in enumerate(file, start=1):
                fields = line.split()
                if not fields:
                    continue
                width = width or len(fields)
                if len(fields) != width or not (fields[0].isascii() and fields[0].isdigit()):
                    raise DatasetError(
                        f"{path}, line {number}: expected {width} row numbers, got {line.strip()[:40]!r}"
                    )
                if not 1 <= int(fields[0][:18]) <= num_rows:
                    raise DatasetError(
                        f"{path}, line {number}: row {fields[0][:18]} is out of range: rows are numbered "
                        f"1..{num_rows}"
                    )
                rows.append(int(fields[0]) - 1)
    except OSError as error:
        raise DatasetError(f"{path}: cannot read the file: {error.strerror}") from error
    if not rows:
        raise DatasetError(f"{path}: no row numbers; expected one line per row of the split")
    return np.array(rows, dtype=np.int64)
