"""Read LIBSVM's multi-label text, rows such as ``1,3 2:0.5 7:1`` without a header, through scikit-learn."""

from __future__ import annotations

import io
import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from sklearn.datasets import load_svmlight_file, load_svmlight_files

from labelchain.envs.datasets.checks import DatasetError
from labelchain.envs.datasets.dataset import MultilabelDataset
from labelchain.envs.datasets.parts import MAX_COLUMNS, joined, name_of, open_text

_MAX_FLOAT = float(np.finfo(np.float32).max)
_LARGEST_LABEL = 2**53
_CHUNK = 4096
_BLANKS = re.compile(r"^[ \t]+(?=\n)", re.MULTILINE)
_NUMBERS = re.compile(r"(?<!\S)(\d{1,18}):", re.ASCII)
_LABELS = re.compile(r"[-+.\d]+(,[-+.\d]+)*", re.ASCII)
_LOOK = re.compile(rf"({_LABELS.pattern}\s+)?(\d+|qid):\S", re.ASCII)
_LONGEST_LINE = 1 << 20


def read_libsvm(
    path: Path, test: Path, *, zero_based: bool | None = None, name: str | None = None
) -> MultilabelDataset:
    """Read a data set from a training and a test file.

    The labels are the whole numbers that occur in either file, in ascending order, and are named by them. A
    row without labels begins with its first feature; one without features either is a line of blanks, as
    scikit-learn writes it. Empty lines, what follows ``#`` and a query number (``qid:3``) are skipped.

    Args:
        path: The training file.
        test: The test file.
        zero_based: Whether features are numbered from 0. ``None`` is scikit-learn's ``zero_based="auto"``:
            from 0 if one of the files names a feature 0, from 1 otherwise. The feature of the highest number
            in either file is the last one. The data set keeps which it was.
        name: The data set's name; by default from the training file's.

    Raises:
        DatasetError: If a file is missing or damaged; the message names the file, the line and the reason.
    """
    paths = [Path(path), Path(test)]
    for file in paths:
        open_text(file).close()
    try:
        loaded = load_svmlight_files(
            [_Lines(file) for file in paths],
            multilabel=True,
            dtype=np.float64,
            zero_based=zero_based is not False,
        )
    except (OSError, ValueError, OverflowError) as error:
        raise _explained(paths, zero_based, str(error)) from error
    features, sets = loaded[::2], loaded[1::2]
    begins_at_zero = zero_based
    if begins_at_zero is None:  # the rule of "auto", with which scikit-learn does not tell what it found
        begins_at_zero = not all(part.indices.size and part.indices.min() > 0 for part in features)
        features = features if begins_at_zero else [part[:, 1:] for part in features]
    values = np.array([label for part in sets for row in part for label in row], dtype=np.float64)
    if (
        any(np.abs(part.data).max(initial=0.0) > _MAX_FLOAT or np.isnan(part.data).any() for part in features)
        or features[0].shape[1] > MAX_COLUMNS
        or not (np.abs(values) <= _LARGEST_LABEL).all()
        or (values != np.floor(values)).any()
    ):
        raise _explained(paths, zero_based, "a number is out of range")
    names = np.unique(values)
    for file, part, rows in zip(paths, features, sets, strict=True):
        if part.shape[0] == 0:
            raise DatasetError(f"{file}: no rows; expected lines such as '1,3 2:0.5 7:1'")
        if not any(rows):
            raise DatasetError(f"{file}: no row has a label; expected lines such as '1,3 2:0.5 7:1'")
    dataset = joined(
        name_of(paths[0]) if name is None else name,
        paths[0],
        [(_csr(part), _indicators(rows, names)) for part, rows in zip(features, sets, strict=True)],
        label_names=[str(int(label)) for label in names],
    )
    return replace(dataset, zero_based=begins_at_zero)


def libsvm_feature_parts(
    path: Path, num_features: int, zero_based: bool | None, size: int
) -> Iterator[sparse.csr_array]:
    """The features of one file, ``size`` rows at a time; labels are read over.

    Args:
        path: The file.
        num_features: How many there are.
        zero_based: Whether they are numbered from 0. ``None``: as the file shows, which holds a feature 0
            or the last one.
        size: Rows at a time.

    Raises:
        DatasetError: As :func:`read_libsvm`; or if the file does not show where its numbers begin.
    """
    if zero_based is None:
        zero_based = _numbered_from_zero(path, num_features)
    last = num_features - zero_based
    for block in _blocks(path, size):
        try:
            part, _ = load_svmlight_file(
                io.BytesIO(block),
                n_features=num_features,
                multilabel=True,
                dtype=np.float64,
                zero_based=zero_based,
            )
        except (OSError, ValueError, OverflowError) as error:
            raise _explained([path], zero_based, str(error), last) from error
        if np.isnan(part.data).any() or np.abs(part.data).max(initial=0.0) > _MAX_FLOAT:
            raise _explained([path], zero_based, "a number is out of range", last)
        if part.shape[0]:
            yield _csr(part)


def _blocks(path: Path, size: int) -> Iterator[bytes]:
    """The lines of a file, ``size`` at a time; rows of blanks have a query number, lest they be skipped."""
    with open_text(path) as file:
        while lines := list(islice(file, size)):
            yield _BLANKS.sub("qid:0", "".join(lines)).encode()


class _Lines:
    """The lines of a file as scikit-learn takes them: it tells a file by ``read``, and iterates."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def read(self) -> bytes:
        """The whole file."""
        return b"".join(self)

    def __iter__(self) -> Iterator[bytes]:
        for block in _blocks(self.path, _CHUNK):
            yield from io.BytesIO(block)


def _numbered_from_zero(path: Path, num_features: int) -> bool:
    lowest, highest = num_features, 0
    with open_text(path) as file:
        for line in file:
            if numbers := _NUMBERS.findall(line.split("#", 1)[0]):
                lowest, highest = min(lowest, int(numbers[0])), max(highest, int(numbers[-1]))
    if lowest == 0 or highest == num_features:
        return lowest == 0
    raise DatasetError(
        f"{path}: names features {lowest} to {highest} of {num_features}, which does not show whether they "
        "are numbered from 0 or from 1: give --features-from 0 or 1 (in Python, zero_based)"
    )


def is_libsvm(path: Path) -> bool:
    """Whether the first row with more than labels looks like one of this format, right or wrong.

    Raises:
        DatasetError: If the file cannot be read.
    """
    with open_text(path) as file:
        while line := file.readline(_LONGEST_LINE):
            row = line.split("#", 1)[0].strip()
            if row and _LABELS.fullmatch(row) is None:
                return "\0" not in row and _LOOK.match(row) is not None
    return False


def _csr(part: Any) -> sparse.csr_array:
    matrix = sparse.csr_array(part)
    matrix.eliminate_zeros()
    return matrix


def _indicators(rows: Sequence[Sequence[float]], names: NDArray[np.float64]) -> sparse.csr_array:
    """``(num_rows, num_labels)``; a label that a row names twice counts once."""
    sets = [np.unique(np.searchsorted(names, row)) for row in rows]
    ends = np.cumsum([0, *(len(row) for row in sets)])
    columns = np.concatenate([np.zeros(0, np.int64), *sets])
    return sparse.csr_array((np.ones(columns.size, np.int8), columns, ends), shape=(len(rows), names.size))


def _explained(
    paths: Sequence[Path], zero_based: bool | None, reason: str, last: int = MAX_COLUMNS
) -> DatasetError:
    """The error with the first line, of any file, that is wrong."""
    for path in paths:
        with open_text(path) as file:
            for number, line in enumerate(file, start=1):
                text = line.split("#", 1)[0]
                if text.strip() and (fault := _fault(text, zero_based, last)) is not None:
                    return DatasetError(f"{path}, line {number}: {fault}")
    return DatasetError(f"{', '.join(map(str, paths))}: not LIBSVM's multi-label text: {reason}")


def _fault(line: str, zero_based: bool | None, last: int) -> str | None:
    """What is wrong with a row that is not blank."""
    fields = line.split()
    labels = [] if ":" in fields[0] else fields.pop(0).split(",")
    for label in labels:
        number = _number(label)
        if number is None or not math.isfinite(number) or not number.is_integer():
            return f"expected labels such as 1,3, whole numbers, got {label[:30]!r}"
        if abs(number) > _LARGEST_LABEL:
            return f"label {label[:30]} is too large a number"
    if fields and fields[0].startswith("qid:"):
        fields.pop(0)
    previous = -1
    for field in fields:
        index, colon, value = field.partition(":")
        if not colon or not (index.isascii() and index.isdigit()):
            return f"expected 'feature:number', got {field[:40]!r}"
        column = int(index[:19])
        if column > last:
            numbered = "" if zero_based is None else f", with features numbered from {0 if zero_based else 1}"
            return f"feature {index[:20]} is out of range: at most {last:,} is expected{numbered}"
        if column == 0 and zero_based is False:
            return "feature 0, but features are numbered from 1, as was said or found in the training data"
        if column <= previous:
            return f"features must ascend without repetition, but {column} follows {previous}"
        if (number := _number(value)) is None:
            return f"feature {column} has the value {value[:30]!r}; expected a number"
        if not math.isfinite(number):
            return f"feature {column} is {value[:30]}; expected a finite number: impute or drop such rows"
        if abs(number) > _MAX_FLOAT:
            return f"feature {column} has the value {value[:30]}, too large for float32; rescale it"
        previous = column
    return None


def _number(text: str) -> float | None:
    try:
        return None if "_" in text else float(text)
    except ValueError:
        return None
