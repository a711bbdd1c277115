"""The rows of the Extreme Classification Repository's text, parsed many at a time into flat arrays."""

from __future__ import annotations

import math
import re
from array import array
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from labelchain.envs.datasets.checks import DatasetError

_ROW = re.compile(r"(\d{1,9}(?:,\d{1,9})*)?((?:[ \t]+\d{1,9}:[-+.0-9eE]+)*)\s*", re.ASCII)
_MAX_FLOAT = float(np.finfo(np.float32).max)


class XCRows:
    """The rows read so far, as flat arrays.

    Args:
        path: The file, for messages.
        num_features: How many it declares.
        num_labels: How many it declares.
        header: The line with the header.
        before: Rows of the file that are not kept here.
    """

    def __init__(
        self, path: Path, num_features: int, num_labels: int, header: int = 1, before: int = 0
    ) -> None:
        self._before, self._first_line = before, header + 1
        self.count = before
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
            line = self._before + row + self._first_line
            raise DatasetError(f"{self._path}, line {line}: a feature is named twice; expected each once")
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
        for number, line in enumerate(lines, start=self.count + self._first_line):
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
