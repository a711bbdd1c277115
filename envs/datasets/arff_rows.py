"""The rows of an ARFF file: values, quotes and the sparse notation.

A row is parsed by plain splitting and one table look-up a value. A row that this does not understand, because
it has quotes or blanks or because it is wrong, goes to the careful parser, which knows the whole notation and
says what is wrong. Errors are ``ValueError``; the caller adds the file and the line.
"""

from __future__ import annotations

import math
import re
from array import array
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

_QUOTED = re.compile(r"""'((?:[^'\\]|\\.)*)'|"((?:[^"\\]|\\.)*)\"""", re.DOTALL)
_WEIGHT = re.compile(r",\s*\{[^{},]*\}$")
_ESCAPES = {"n": "\n", "r": "\r", "t": "\t"}


@dataclass(frozen=True)
class ArffAttribute:
    """One column.

    Attributes:
        name: Without its quotes.
        values: The declared values of a nominal attribute, in their order; ``None`` if it is numeric.
        line: The line that declares it.
    """

    name: str
    values: tuple[str, ...] | None
    line: int

    def __str__(self) -> str:
        kind = "numeric" if self.values is None else f"{{{shorten(self.values)}}}"
        return f"{self.name!r} {kind}"


class RowParser:
    """Parses rows one by one into flat arrays.

    Args:
        attributes: The columns that the header declares.
        ignored: Names of columns that may hold anything, which becomes 0.
    """

    def __init__(self, attributes: tuple[ArffAttribute, ...], ignored: Collection[str] = ()) -> None:
        self.attributes = attributes
        self.lines: list[int] = []
        self._tables: list[Mapping[str, float]] = [
            _Anything() if attribute.name in ignored else _table(attribute) for attribute in attributes
        ]
        self._is_sparse: bool | None = None  # not known before the first row
        self._values = array("d")
        self._indices = array("i")
        self._ends = array("q", [0])

    def add(self, line: str, number: int) -> None:
        """Parse one row, a line without blanks around it.

        Raises:
            ValueError: With what is wrong with the row.
        """
        is_sparse = line[0] == "{"
        if self._is_sparse is None:
            self._is_sparse = is_sparse
        elif self._is_sparse != is_sparse:
            now, before = ("sparse", "dense") if is_sparse else ("dense", "sparse ('{index value, ...}')")
            raise ValueError(f"this row is {now}, but those before it are {before}; expected one form")
        try:
            indices, values = self._parse_sparse(line) if is_sparse else ([], self._parse_dense(line))
        except ValueError as error:
            if weight := _WEIGHT.search(line):
                raise ValueError(
                    f"weights of rows, such as {weight[0][1:].strip()[:30]}, are not supported; remove them"
                ) from error
            raise
        if is_sparse:
            self._indices.extend(indices)
            self._ends.append(len(self._indices))
        self._values.extend(values)
        self.lines.append(number)

    def matrix(self) -> NDArray[np.float64] | sparse.csr_array:
        """All rows, ``(num_rows, num_attributes)``."""
        shape = (len(self.lines), len(self.attributes))
        values = np.array(self._values, dtype=np.float64)
        if not self._is_sparse:
            return values.reshape(shape)
        index_type = np.int32 if values.size < 2**31 else np.int64
        indices, ends = np.array(self._indices, dtype=index_type), np.array(self._ends, dtype=index_type)
        return sparse.csr_array((values, indices, ends), shape=shape)

    def _parse_dense(self, line: str) -> list[float]:
        try:
            return [table[text] for table, text in zip(self._tables, line.split(","), strict=True)]
        except (KeyError, ValueError):
            pieces = split_at_commas(line)
        if len(pieces) != len(self._tables):
            raise ValueError(f"expected {len(self._tables)} values, one per attribute, got {len(pieces)}")
        return [self._parse_value(index, piece) for index, piece in enumerate(pieces)]

    def _parse_sparse(self, line: str) -> tuple[list[int], list[float]]:
        body, brace, tail = line[1:].rpartition("}")
        if not brace:
            raise ValueError("sparse row without closing brace '}'; is the file cut short?")
        if tail:
            raise ValueError(f"expected nothing after the closing brace '}}', got {tail[:30]!r}")
        if not body.strip():
            return [], []
        try:
            return self._parse_entries(body)
        except (KeyError, ValueError):
            return self._parse_entries_carefully(body)

    def _parse_entries(self, body: str) -> tuple[list[int], list[float]]:
        indices, values = [], []
        previous, count = -1, len(self._tables)
        for piece in body.split(","):
            position, text = piece.split()
            index = int(position)
            if not previous < index < count or not position.isdecimal():
                raise ValueError
            if value := self._tables[index][text]:
                indices.append(index)
                values.append(value)
            previous = index
        return indices, values

    def _parse_entries_carefully(self, body: str) -> tuple[list[int], list[float]]:
        indices, values = [], []
        previous, count = -1, len(self._tables)
        for piece in split_at_commas(body):
            position, text = (*piece.split(None, 1), "", "")[:2]
            if not position.isdecimal() or not text:
                raise ValueError(f"expected 'index value', got {piece.strip()[:40]!r}")
            index = int(position)
            if index >= count:
                raise ValueError(f"index {index} is out of range: attributes are numbered 0..{count - 1}")
            if index <= previous:
                raise ValueError(f"indices must ascend without repetition, but {index} follows {previous}")
            if value := self._parse_value(index, text):
                indices.append(index)
                values.append(value)
            previous = index
        return indices, values

    def _parse_value(self, index: int, piece: str) -> float:
        attribute, text = self.attributes[index], unquote(piece)
        try:
            return self._tables[index][text]
        except (KeyError, ValueError):
            if piece.strip() == "?":
                reason = f"missing value '?' of attribute {attribute.name!r}; fill in or drop such rows"
            elif attribute.values is None:
                reason = f"expected a finite number for attribute {attribute.name!r}, got {text[:40]!r}"
            else:
                reason = f"value {text[:40]!r} is not declared by attribute {attribute}"
            raise ValueError(reason) from None


def _table(attribute: ArffAttribute) -> Mapping[str, float]:
    """What each text is as a number."""
    if attribute.values is None:
        return _Numbers()
    return {value: float(code) for code, value in enumerate(attribute.values)}


class _Anything(dict[str, float]):
    """Takes whatever a column holds that is read over."""

    def __missing__(self, _: str) -> float:
        return 0.0


class _Numbers(dict[str, float]):
    """Converts instead of looking up, so that numeric attributes are read like nominal ones; stays empty."""

    def __missing__(self, text: str) -> float:
        value = float(text)
        if not math.isfinite(value) or "_" in text:
            raise ValueError
        return value


def shorten(names: Sequence[str], most: int = 5) -> str:
    """The first few names, for a message, and how many there are if those are not all."""
    listed = ", ".join(names[:most])
    return listed if len(names) <= most else f"{listed}, ... ({len(names)} in all)"


def split_at_commas(text: str) -> list[str]:
    """Split at the commas outside quotes.

    Raises:
        ValueError: If a quote is not closed.
    """
    borders = [-1, *outside_quotes(text, ","), len(text)]
    return [text[start + 1 : end] for start, end in pairwise(borders)]


def outside_quotes(text: str, wanted: str) -> Iterator[int]:
    """Where a character is outside quotes. A quote opens only where a value can begin.

    Raises:
        ValueError: If a quote is not closed.
    """
    quote, escaped = "", False
    for i, char in enumerate(text):
        if escaped:
            escaped = False
        elif quote:
            escaped = char == "\\"
            quote = "" if char == quote else quote
        elif char in "'\"" and (i == 0 or text[i - 1] in " \t,"):
            quote = char
        elif char == wanted:
            yield i
    if quote:
        raise ValueError(f"a quote ({quote}) is not closed")


def parse_quoted(text: str) -> tuple[str, str] | None:
    """If the text begins with a quoted part: that part without its quotes, and the rest.

    Raises:
        ValueError: If the quote is not closed.
    """
    if not text or text[0] not in "'\"":
        return None
    quoted = _QUOTED.match(text)
    if quoted is None:
        raise ValueError(f"a quote ({text[0]}) is not closed in {text[:40]!r}")
    inner = quoted[0][1:-1]
    if "\\" in inner:
        inner = re.sub(r"\\(.)", lambda match: _ESCAPES.get(match[1], match[1]), inner, flags=re.DOTALL)
    return inner, text[quoted.end() :].strip()


def unquote(text: str) -> str:
    """A value without blanks around it and, if it is quoted, without the quotes, its escapes resolved.

    Raises:
        ValueError: If a quote is not closed or something follows it.
    """
    text = text.strip()
    inner, rest = parse_quoted(text) or (text, "")
    if rest:
        raise ValueError(f"expected one quoted text, got {text[:40]!r}")
    return inner
