"""What the readers of training and test files share: joining the parts, and names from file names."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from scipy import sparse

from labelchain.envs.datasets.checks import DatasetError
from labelchain.envs.datasets.dataset import MultilabelDataset

MAX_COLUMNS = 10_000_000
"""A file that declares or names more features or labels is taken for damaged."""
TEXT_SUFFIXES = (".txt", ".svm", ".libsvm", ".dat")
"""Suffixes of text without a format of its own."""
_ROLE = re.compile(r"(^|[-_.\s])(training|train|trn|tr|testing|test|tst|ts|data)([-_.\s]|$)", re.IGNORECASE)
_TEST_WORD = r"(^|[-_.\s])(testing|test|tst|ts)([-_.\s\d]|split|set|$)"
_TRAIN_WORD = r"(^|[-_.\s])(training|train|trn|tr)([-_.\s\d]|split|set|$)"


def joined(
    name: str,
    where: Path,
    parts: Sequence[tuple[Any, sparse.csr_array]],
    *,
    label_names: Sequence[str] | None = None,
    feature_names: Sequence[str] | None = None,
) -> MultilabelDataset:
    """One data set from a training and a test part, rows in that order.

    Args:
        name: The data set's name.
        where: The file or folder, for messages.
        parts: Features and labels of the two parts; sparse features in one make both sparse.
        label_names: One per label.
        feature_names: One per feature.

    Raises:
        DatasetError: If :meth:`MultilabelDataset.from_arrays` refuses the data.
    """
    (train, _), (test, _) = parts
    is_sparse = any(sparse.issparse(features) for features in (train, test))
    try:
        return MultilabelDataset.from_arrays(
            name,
            sparse.vstack([sparse.csr_array(part) for part in (train, test)])
            if is_sparse
            else np.vstack([train, test]),
            sparse.vstack([labels for _, labels in parts]),
            train_rows=np.arange(train.shape[0]),
            test_rows=np.arange(train.shape[0], train.shape[0] + test.shape[0]),
            label_names=label_names,
            feature_names=feature_names,
        )
    except DatasetError as error:
        raise DatasetError(f"{where}: {error}") from error


def absolute(path: Path) -> Path:
    """A path from the root that keeps its own name: a link may lead to a file of any other."""
    return path.parent.resolve() / path.name if path.name not in ("", "..") else path.resolve()


def looks_like_path(text: str) -> bool:
    """Whether a text is taken for a path, not for the name of a data set."""
    separators = {"/", os.sep, os.altsep or os.sep}
    suffixes = (".npz", ".arff", *TEXT_SUFFIXES)
    return any(separator in text for separator in separators) or Path(text).suffix.lower() in suffixes


def name_of(path: Path) -> str:
    """A data set's name from its training file: ``x`` for ``x_train.txt`` and for ``x/train.txt``."""
    path = absolute(path)
    name = path.name
    while Path(name).suffix.lower() in (*TEXT_SUFFIXES, ".arff", ".npz"):
        name = Path(name).stem
    name = _ROLE.sub(r"\1\3", name).strip("-_. ")
    return re.sub(r"([-_.])[-_.]+", r"\1", name) or path.parent.name or "data"


def split_role(path: Path) -> str | None:
    """``"train"``, ``"test"`` or ``None``, as a file's name says: by a word, or else by a part of one."""
    stem = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", path.stem).lower()
    for test, train in ((_TEST_WORD, _TRAIN_WORD), ("te?st", "train|trn")):
        if re.search(test, stem):
            return "test"
        if re.search(train, stem):
            return "train"
    return None


def check_regular(path: Path) -> None:
    """Raise DatasetError for a pipe or a device: its content comes once, and readers begin again."""
    try:
        mode = path.stat().st_mode
    except (OSError, ValueError):
        return  # what opens it says so
    if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):
        kind = "pipe" if stat.S_ISFIFO(mode) else "device"
        raise DatasetError(f"{path}: is a {kind}, which can be read only once; write it to a file first")


def open_text(path: Path) -> Any:
    """A text file, UTF-8 or not; what is not UTF-8 becomes a character that no number has.

    Raises:
        DatasetError: If it cannot be opened.
    """
    try:
        return path.open(encoding="utf-8-sig", errors="replace")
    except OSError as error:
        raise DatasetError(f"{path}: cannot read the file: {error.strerror}") from error
