"""Read MEKA's ARFF: the relation's name says how many attributes, the first or the last, are labels.

``@relation 'Music: -C 6'`` makes the first six attributes labels, ``-C -6`` the last six. The name may also
give the split of a single file: ``-split-number 400`` trains on the first 400 rows, ``-split-percentage 66``
on the first 66 per cent.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from labelchain.envs.datasets.arff import ArffTable, check_same_header, read_arff
from labelchain.envs.datasets.arff_encoding import encode, encode_labels, encoded_names
from labelchain.envs.datasets.checks import DatasetError
from labelchain.envs.datasets.dataset import MultilabelDataset
from labelchain.envs.datasets.parts import joined, name_of, open_text

_OPTION = re.compile(r"(?:^|[\s:'\"])-(C|c|split-number|split-percentage)[\s=]+(\S*?)(?=[\s'\"]|$)")


def read_meka(path: Path, test: Path | None = None, name: str | None = None) -> MultilabelDataset:
    """Read a data set from one ARFF file, or from a training and a test file.

    Labels are declared ``{0,1}`` or numeric; features become numbers as in
    :func:`labelchain.envs.datasets.read_mulan`. Of the options in the relation's name, only ``-C`` and the
    split are read.

    Args:
        path: The file, or the training file.
        test: The test file; without it, the relation's name must give the split.
        name: The data set's name; by default from the file's.

    Raises:
        DatasetError: If a file is missing or wrong; the message names the file, the line and the reason.
    """
    path = Path(path)
    train = read_arff(path)
    options = dict(_OPTION.findall(train.relation))
    label_columns = _label_columns(train, options.get("C", options.get("c")))
    columns = [c for c in range(len(train.attributes)) if c not in set(label_columns)]
    if test is not None:
        tables = [train, read_arff(Path(test))]
        check_same_header(*tables)
        for table in tables:
            if not table.lines.size:
                raise DatasetError(f"{table.path}: no rows; expected some after @data")
        parts = [(encode(table, columns), encode_labels(table, label_columns)) for table in tables]
    else:
        border = _border(train, options)
        features, labels = encode(train, columns), encode_labels(train, label_columns)
        rows = np.arange(train.lines.size)
        parts = [(features[rows[half]], labels[rows[half]]) for half in (slice(border), slice(border, None))]
    return joined(
        name_of(path) if name is None else name,
        path,
        parts,
        label_names=[train.attributes[column].name for column in label_columns],
        feature_names=encoded_names(train, columns),
    )


def is_meka(path: Path) -> bool:
    """Whether an ARFF file's relation has the option ``-C``.

    Raises:
        DatasetError: If the file cannot be read.
    """
    with open_text(path) as file:
        for line in file:
            text = line.strip()
            if text.lower().startswith("@relation"):
                return any(option in "Cc" for option, _ in _OPTION.findall(text))
            if text and not text.startswith("%"):
                return False
    return False


def _label_columns(table: ArffTable, option: str | None) -> list[int]:
    what = f"{table.path}: the relation's name, {table.relation[:60]!r},"
    if option is None:
        raise DatasetError(f"{what} has no option -C; expected '-C 6' if the first 6 attributes are labels")
    count = len(table.attributes)
    if not re.fullmatch(r"-?[0-9]{1,9}", option) or not 0 < abs(int(option)) < count:
        raise DatasetError(
            f"{what} has the option '-C {option[:20]}'; expected 1 to {count - 1} or "
            f"-1 to -{count - 1} labels: the file has one attribute more, and one must be a feature"
        )
    number = int(option)
    return list(range(number)) if number > 0 else list(range(count + number, count))


def _border(table: ArffTable, options: dict[str, str]) -> int:
    """How many rows, the first ones, the training split has."""
    total = int(table.lines.size)
    number, percentage = options.get("split-number"), options.get("split-percentage")
    what = f"{table.path}: the relation's name, {table.relation[:60]!r},"
    if number is None and percentage is None:
        raise DatasetError(
            f"{what} gives no split; expected -split-number N, -split-percentage P, or a test file too"
        )
    if number is not None and re.fullmatch(r"[0-9]{1,18}", number):
        border = int(number)
    elif number is None and percentage is not None and re.fullmatch(r"[0-9]{1,3}(\.[0-9]{1,9})?", percentage):
        border = int(total * float(percentage) / 100 + 0.5)
    else:
        raise DatasetError(f"{what} gives a split that is no number; expected -split-number N or so")
    if not 0 < border < total:
        raise DatasetError(
            f"{what} gives {border:,} training rows, but the file has {total:,}; is it cut short?"
        )
    return border
