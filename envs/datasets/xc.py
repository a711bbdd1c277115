"""Read the text format of the Extreme Classification Repository.

The first line is ``rows features labels``; each further one is a row: ``l1,l2 f:v f:v``, where labels and
features are numbers from 0. A row without labels begins with a blank. The split is either two files, or one
file and split files, which name rows by numbers from 1, one column for each of several splits.
"""

from __future__ import annotations

import math
import re
from array import array
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from labelchain.envs.datasets.checks import DatasetError
from labelchain.envs.datasets.dataset import MultilabelDataset
from labelchain.envs.datasets.parts import MAX_COLUMNS, joined, name_of, open_text

_HEADER = re.compile(r"\s*(\d{1,18})[ \t]+(\d{1,18})[ \t]+(\d{1,18})\s*", re.ASCII)
_ROW = re.compile(r"(\d{1,9}(?:,\d{1,9})*)?((?:[ \t]+\d{1,9}:[-+.0-9eE]+)*)\s*", re.ASCII)
_CHUNK = 4096
_MAX_FLOAT = float(np.finfo(np.float32).max)

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


def _read_header(path: Path, line: str) -> tuple[int, int, int]:
    header = _HEADER.fullmatch(line)
    if header is None:
        raise DatasetError(f"{path}, line 1: expected 'rows features labels', got {line.strip()[:40]!r}")
    num_rows, num_features, num_labels = (int(number) for number in header.groups())
    for what, count in (("features", num_features), ("labels", num_labels)):
        if not 0 < count <= MAX_COLUMNS:
            raise DatasetError(f"{path}, line 1: declares {count:,} {what}; expected 1 to {MAX_COLUMNS:,}")
    if num_rows == 0:
        raise DatasetError(f"{path}, line 1: declares no rows; expected at least one")
    return num_rows, num_features, num_labels


def _read_part(path: Path) -> Part:
    """The rows of one file. Memory grows with what is read, not with what the header declares."""
    try:
        with open_text(path) as file:
            num_rows, num_features, num_labels = _read_header(path, file.readline())
            rows = _Rows(path, num_features, num_labels)
            while lines := list(islice(file, _CHUNK)):
                surplus = rows.count + len(lines) - num_rows
                if surplus > 0 and not any(line.strip() for line in lines[-surplus:]):
                    lines = lines[:-surplus]  # blank lines at the end of the file
                rows.add(lines)
                if rows.count > num_rows:
                    break
    except OSError as error:
        raise DatasetError(f"{path}: cannot read the file: {error.strerror}") from error
    if rows.count != num_rows:
        found = f"{rows.count:,}" if rows.count < num_rows else "more"
        hint = "; is the file cut short?" if rows.count < num_rows else ""
        raise DatasetError(f"{path}, line 1: declares {num_rows:,} rows, but the file has {found}{hint}")
    return rows.features(), rows.labels()


class _Rows:
    """The rows read so far, as flat arrays."""

    def __init__(self, path: Path, num_features: int, num_labels: int) -> None:
        self.count = 0
        self._path = path
        self._num_features, self._num_labels = num_features, num_labels
        self._feature_counts, self._label_counts = array("q"), array("q")
        self._columns, self._values = [np.zeros(0, np.int32)], [np.zeros(0, np.float32)]
        self._labels = [np.zeros(0, np.int32)]

    def add(self, lines: list[str]) -> None:
        """Parse some lines at once; if anything is wrong, one by one to say what and where."""
        matches = [_ROW.fullmatch(line) for line in lines]
        try:
            texts = [match.groups("") for match in matches]  # type: ignore[union-attr]
            pairs = "".join(text for _, text in texts).replace(":", " ").split()
            numbers = " ".join(text.replace(",", " ") for text, _ in texts).split()
            labels = np.array(array("q", map(int, numbers)))
            columns = np.array(array("q", map(int, pairs[::2])))
            values = np.array(array("d", map(float, pairs[1::2])))
        except (AttributeError, ValueError):
            self._explain(lines)
        if (
            labels.max(initial=0) >= self._num_labels
            or columns.max(initial=0) >= self._num_features
            or np.abs(values).max(initial=0.0) > _MAX_FLOAT
        ):
            self._explain(lines)
        self._label_counts.extend(text.count(",") + 1 if text else 0 for text, _ in texts)
        self._feature_counts.extend(text.count(":") for _, text in texts)
        self._labels.append(labels.astype(np.int32))
        self._columns.append(columns.astype(np.int32))
        self._values.append(values.astype(np.float32))
        self.count += len(lines)

    def features(self) -> sparse.csr_array:
        """``(num_rows, num_features)`` without zeros."""
        columns = np.concatenate(self._columns)
        matrix = _csr(np.concatenate(self._values), columns, self._feature_counts, self._num_features)
        matrix.sum_duplicates()
        if matrix.nnz != columns.size:
            row = int(np.flatnonzero(np.diff(matrix.indptr) != np.array(self._feature_counts))[0])
            raise DatasetError(f"{self._path}, line {row + 2}: a feature is named twice; expected each once")
        matrix.eliminate_zeros()
        return matrix

    def labels(self) -> sparse.csr_array:
        """``(num_rows, num_labels)``; each stored entry is 1."""
        labels = np.concatenate(self._labels)
        matrix = _csr(np.ones(labels.size, np.int32), labels, self._label_counts, self._num_labels)
        matrix.sum_duplicates()
        matrix.data = np.ones(matrix.nnz, np.int8)
        return matrix

    def _explain(self, lines: list[str]) -> Any:
        for number, line in enumerate(lines, start=self.count + 2):
            if reason := self._fault(line):
                raise DatasetError(f"{self._path}, line {number}: {reason}")
        raise AssertionError("a chunk was refused, but none of its rows")  # pragma: no cover

    def _fault(self, line: str) -> str | None:
        """What is wrong with a row."""
        fields = line.split()
        first = fields.pop(0) if line[:1].strip() else ""
        for label in first.split(",") if first else ():
            if not (label.isascii() and label.isdigit()):
                return f"expected labels such as 3,17 before the first blank, got {first[:40]!r}"
            if int(label[:19]) >= self._num_labels:
                return f"label {label[:20]} is out of range: labels are numbered 0..{self._num_labels - 1}"
        for pair in fields:
            column, _, value = pair.partition(":")
            if not (column.isascii() and column.isdigit() and re.fullmatch(r"[-+.0-9eE]+", value)):
                return f"expected 'feature:number', got {pair[:40]!r}"
            if int(column[:19]) >= self._num_features:
                highest = self._num_features - 1
                return f"feature {column[:20]} is out of range: features are numbered 0..{highest}"
            if (problem := _number_fault(value)) is not None:
                return f"feature {column} {problem}"
        return None if _ROW.fullmatch(line) else f"expected 'labels feature:number ...', got {line[:40]!r}"


def _number_fault(text: str) -> str | None:
    try:
        number = float(text)
    except ValueError:
        return f"has the value {text[:30]!r}; expected a number"
    if not math.isfinite(number) or abs(number) > _MAX_FLOAT:
        return f"has the value {text[:30]}, too large for float32; rescale it"
    return None


def _csr(data: NDArray[Any], columns: NDArray[np.int32], counts: Any, num_columns: int) -> sparse.csr_array:
    ends = np.concatenate([[0], np.cumsum(np.array(counts, dtype=np.int64))])
    index_type = np.int32 if data.size < 2**31 else np.int64
    return sparse.csr_array(
        (data, columns.astype(index_type), ends.astype(index_type)), shape=(len(counts), num_columns)
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
