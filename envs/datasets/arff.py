"""Read ARFF, Weka's text format: a header of typed attributes, then dense or sparse rows.

Nothing here knows about labels: Mulan names them in an XML file beside the ARFF, MEKA in the relation's name.
Every error names the file and the line.
"""

from __future__ import annotations

import sys
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from labelchain.envs.datasets.arff_rows import (
    ArffAttribute,
    RowParser,
    outside_quotes,
    parse_quoted,
    split_at_commas,
    unquote,
)
from labelchain.envs.datasets.checks import DatasetError

NUMERIC_TYPES = ("numeric", "real", "integer")


@dataclass(frozen=True, eq=False)
class ArffTable:
    """The content of one ARFF file.

    Attributes:
        path: The file.
        relation: The relation's name, ``""`` if the file has none.
        attributes: The columns.
        values: ``(num_rows, num_attributes)`` float64; a ``csr_array`` if the rows are sparse. A nominal
            value is its *position* among those declared, so that 0, which sparse rows leave out, is the first
            one: Weka's rule.
        lines: ``(num_rows,)`` the line of each row, for messages.
    """

    path: Path
    relation: str
    attributes: tuple[ArffAttribute, ...]
    values: NDArray[np.float64] | sparse.csr_array
    lines: NDArray[np.int64]

    @property
    def is_sparse(self) -> bool:
        """Whether ``values`` is a ``csr_array``."""
        return bool(sparse.issparse(self.values))


def read_arff(path: Path) -> ArffTable:
    """Read one ARFF file, UTF-8 or else Latin-1.

    Args:
        path: The file. It may have no rows.

    Raises:
        DatasetError: If the file is missing or not ARFF, or has attributes that are neither numeric nor
            nominal, missing values (``?``) or numbers that are not finite.
    """
    try:
        try:
            return _read(path, "utf-8-sig")
        except UnicodeDecodeError:
            return _read(path, "latin-1")
    except OSError as error:
        raise DatasetError(f"{path}: cannot read the file: {error.strerror}") from error


def check_same_header(train: ArffTable, test: ArffTable) -> None:
    """Check that two files declare the same attributes.

    Raises:
        DatasetError: If they do not.
    """
    for a, b in zip(train.attributes, test.attributes, strict=False):
        if (a.name, a.values) != (b.name, b.values):
            raise DatasetError(
                f"headers differ: {a} in {train.path}, line {a.line}, but {b} in {test.path}, line {b.line}; "
                "training and test file must declare the same attributes in the same order"
            )
    if len(train.attributes) != len(test.attributes):
        raise DatasetError(
            f"headers differ: {len(train.attributes)} attributes in {train.path}, but {len(test.attributes)} "
            f"in {test.path}; training and test file must declare the same attributes"
        )


def read_arff_parts(path: Path, size: int, ignored: Collection[str] = ()) -> Iterator[ArffTable]:
    """Read one ARFF file, ``size`` rows at a time; a table without rows if it has none.

    Args:
        path: The file.
        size: Rows at a time.
        ignored: Names of attributes that are read over: whatever they hold, such as ``?``, becomes 0.

    Raises:
        DatasetError: As :func:`read_arff`; rows before the fault have been given by then.
    """
    try:
        encoding = "utf-8-sig"
        try:
            with path.open(encoding=encoding) as file:
                for _ in file:
                    pass
        except UnicodeDecodeError:
            encoding = "latin-1"
        yield from _parts(path, encoding, size, ignored)
    except OSError as error:
        raise DatasetError(f"{path}: cannot read the file: {error.strerror}") from error


def _read(path: Path, encoding: str) -> ArffTable:
    (table,) = _parts(path, encoding, sys.maxsize)
    return table


def _parts(path: Path, encoding: str, size: int, ignored: Collection[str] = ()) -> Iterator[ArffTable]:
    """One table or more, all but the last of ``size`` rows."""
    header = _Header()
    rows: RowParser | None = None
    given = False

    def table(rows: RowParser) -> ArffTable:
        lines = np.array(rows.lines, dtype=np.int64)
        return ArffTable(path, header.relation, rows.attributes, rows.matrix(), lines)

    with path.open(encoding=encoding) as file:
        for number, raw in enumerate(file, start=1):
            line = raw.strip()
            if not line or line[0] == "%":
                continue
            try:
                if rows is not None:
                    rows.add(line, number)
                elif header.add(line, number):
                    rows = RowParser(tuple(header.attributes.values()), ignored)
            except ValueError as error:
                raise DatasetError(f"{path}, line {number}: {error}") from error
            if rows is not None and len(rows.lines) == size:
                yield table(rows)
                rows, given = RowParser(rows.attributes, ignored), True
    if rows is None:
        raise DatasetError(
            f"{path}: no @data line; expected a header, @data and rows; is the file cut short?"
        )
    if rows.lines or not given:
        yield table(rows)


class _Header:
    """The header read so far."""

    def __init__(self) -> None:
        self.relation = ""
        self.attributes: dict[str, ArffAttribute] = {}

    def add(self, line: str, number: int) -> bool:
        """Parse one line; whether it is ``@data``, which ends the header.

        Raises:
            ValueError: With what is wrong with the line.
        """
        keyword, rest = _first_word(line)
        match keyword.lower():
            case "@relation":
                name, tail = parse_quoted(rest) or (rest, "")
                self.relation = name if _is_ignored(tail) else unquote(rest)  # which says what is wrong
            case "@attribute":
                attribute = _parse_attribute(rest, number)
                earlier = self.attributes.setdefault(attribute.name, attribute)
                if earlier is not attribute:
                    raise ValueError(
                        f"attribute {attribute.name!r} is on line {earlier.line} already; rename one"
                    )
            case "@data":
                if not self.attributes:
                    raise ValueError("@data comes before any @attribute; expected the columns first")
                return True
            case _:
                raise ValueError(f"expected @relation, @attribute or @data, got {line[:40]!r}; is this ARFF?")
        return False


def _parse_attribute(text: str, number: int) -> ArffAttribute:
    """The attribute that is declared by what follows ``@attribute``."""
    name, rest = parse_quoted(text) or _first_word(text)
    if not name or not rest:
        raise ValueError(f"expected '@attribute <name> <type>', got {('@attribute ' + text)[:60]!r}")
    if rest[0] == "{":
        return ArffAttribute(name, _parse_values(rest, name), number)
    kind, tail = _first_word(rest)
    if kind.lower() not in NUMERIC_TYPES or not _is_ignored(tail):
        raise ValueError(
            f"attribute {name!r} has type {rest[:30]!r}, which is not supported; expected "
            f"{', '.join(NUMERIC_TYPES)} or a list of values such as {{0,1}}: convert or remove the attribute"
        )
    return ArffAttribute(name, None, number)


def _parse_values(text: str, name: str) -> tuple[str, ...]:
    """The values of a nominal type such as ``{red, 'dark blue'}``."""
    ends = outside_quotes(text[1:], "}")
    end = next((end for end in ends if _is_ignored(text[end + 2 :])), None)
    if end is None:
        raise ValueError(f"the values of attribute {name!r} must end with '}}', got {text[-30:]!r}")
    pieces = split_at_commas(text[1 : end + 1])
    if not all(piece.strip() for piece in pieces):
        raise ValueError(
            f"attribute {name!r} declares an empty value in {text[:40]!r}; expected {{0,1}} or so"
        )
    values = tuple(unquote(piece) for piece in pieces)
    if len(set(values)) != len(values):
        raise ValueError(f"attribute {name!r} declares a value twice in {text[:40]!r}")
    return values


def _first_word(text: str) -> tuple[str, str]:
    """The text up to the first blank, and the rest without blanks around it."""
    first, rest = (*text.split(None, 1), "", "")[:2]
    return first, rest.strip()


def _is_ignored(tail: str) -> bool:
    """Whether what follows a type is nothing or a comment."""
    return not tail.strip() or tail.lstrip()[0] == "%"
