"""Turn attributes of an ARFF table into numbers: features for a network, labels as 0 and 1."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from labelchain.envs.datasets.arff import ArffTable
from labelchain.envs.datasets.arff_rows import ArffAttribute
from labelchain.envs.datasets.checks import DatasetError

MAX_DENSE = 100_000_000
"""Nominal attributes that would make more numbers than this make the features sparse."""

Matrix: TypeAlias = NDArray[np.float32] | sparse.csr_array


def encode(table: ArffTable, columns: Sequence[int]) -> Matrix:
    """Some attributes as float32 numbers.

    A nominal attribute of at most two different numbers, such as ``{0,1}``, is taken as that number. Any
    other nominal attribute, ``{1,2,3}`` too, becomes one 0/1 column for each declared value, in their order.

    Args:
        table: The ARFF file.
        columns: The positions of the attributes.

    Returns:
        ``(num_rows, num_columns)``, dense or a ``csr_array`` as the table is; a ``csr_array`` too if the
        columns of nominal attributes would make more than :data:`MAX_DENSE` numbers.

    Raises:
        DatasetError: If a number is too large for float32.
    """
    _check_range(table)
    attributes = [table.attributes[column] for column in columns]
    if all(a.values is None or _numbers(a) in ([0.0, 1.0], [0.0]) for a in attributes):
        return table.values[:, columns].astype(np.float32)  # the positions of the values are the numbers
    width = sum(1 if a.values is None or _numbers(a) else len(a.values) for a in attributes)
    is_sparse = table.is_sparse or table.lines.size * width > MAX_DENSE
    by_column: Any = sparse.csc_array(table.values) if table.is_sparse else table.values
    blocks = []
    for column, attribute in zip(columns, attributes, strict=True):
        block = by_column[:, [column]]  # (num_rows, 1)
        if attribute.values is not None:
            codes = (block.toarray() if table.is_sparse else block).ravel().astype(np.int64)
            numbers = _numbers(attribute)
            block = np.array(numbers)[codes, None] if numbers else _one_hot(codes, len(attribute.values))
        blocks.append(sparse.csc_array(block) if is_sparse else _dense(block))
    joined = sparse.csr_array(sparse.hstack(blocks)) if is_sparse else np.hstack(blocks)
    return joined.astype(np.float32)


def _one_hot(codes: NDArray[np.int64], num_values: int) -> sparse.csr_array:
    """``(num_rows, num_values)``; memory grows with the rows, not with the values that are declared."""
    ones, ends = np.ones(codes.size, dtype=np.float32), np.arange(codes.size + 1)
    return sparse.csr_array((ones, codes, ends), shape=(codes.size, num_values))


def _dense(block: Any) -> NDArray[Any]:
    dense: NDArray[Any] = block.toarray() if sparse.issparse(block) else block
    return dense


def encoded_names(table: ArffTable, columns: Sequence[int]) -> list[str]:
    """The names of the columns of :func:`encode`: the attribute's, or ``attribute=value``."""
    names = []
    for attribute in (table.attributes[column] for column in columns):
        if attribute.values is None or _numbers(attribute):
            names.append(attribute.name)
        else:
            names.extend(f"{attribute.name}={value}" for value in attribute.values)
    return names


def encode_labels(table: ArffTable, columns: Sequence[int]) -> sparse.csr_array:
    """Some attributes as labels.

    Args:
        table: The ARFF file.
        columns: The positions of the attributes, each ``{0,1}`` or numeric.

    Returns:
        ``(num_rows, num_columns)``; each stored entry is 1.

    Raises:
        DatasetError: If a label is declared otherwise or has another value than 0 and 1.
    """
    for column in columns:
        attribute = table.attributes[column]
        if attribute.values is not None and not {"0", "1"}.issuperset(attribute.values):
            raise DatasetError(
                f"{table.path}, line {attribute.line}: label {attribute} must be declared {{0,1}} or numeric"
            )
    labels = sparse.csr_array(encode(table, columns))
    labels.eliminate_zeros()
    if (wrong := np.flatnonzero(labels.data != 1)).size:
        entries = labels.tocoo()
        label = table.attributes[columns[entries.col[wrong[0]]]].name
        raise DatasetError(
            f"{table.path}, line {table.lines[entries.row[wrong[0]]]}: label {label!r} must be 0 or 1, "
            f"got {entries.data[wrong[0]]:g}"
        )
    return labels


def _numbers(attribute: ArffAttribute) -> list[float] | None:
    """The numbers that a nominal attribute's at most two values are; ``None`` if they are not, or are one."""
    if (
        attribute.values is None
        or len(attribute.values) > 2
        or any("_" in value for value in attribute.values)
    ):
        return None  # Python reads 2019_1 as 20191
    try:
        numbers = [float(value) for value in attribute.values]
    except ValueError:
        return None
    distinct = np.unique(np.array(numbers, dtype=np.float32))
    return numbers if np.isfinite(distinct).all() and distinct.size == len(numbers) else None


def _check_range(table: ArffTable) -> None:
    """Refuse numbers that become infinite as float32."""
    values: Any = table.values
    if np.abs(values.data if table.is_sparse else values).max(initial=0.0) > np.finfo(np.float32).max:
        entries = sparse.coo_array(values)
        largest = np.abs(entries.data).argmax()
        line, number = table.lines[entries.row[largest]], entries.data[largest]
        raise DatasetError(f"{table.path}, line {line}: {number:g} is too large for float32; rescale it")
