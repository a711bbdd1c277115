"""Checks of plain values from files that anybody may have written: their names, types and ranges."""

from __future__ import annotations

import reprlib
from collections.abc import Iterable, Mapping
from dataclasses import fields
from typing import Any, TypeGuard

MOST = 1e300
"""A number that is larger is damage."""
LARGEST_COUNT = 2**31 - 1
"""Of rows, labels, epochs and the like."""
LARGEST_SEED = 2**32 - 1
"""As in NumPy and scikit-learn."""


def shown(value: object) -> str:
    """A value for a message: short, in one line, however large or nested it is."""
    return reprlib.repr(value)


def fields_of(values: object, names: Iterable[str], what: str) -> dict[str, Any]:
    """Some values by name.

    Raises:
        ValueError: If they are no dictionary with these names and no others.
    """
    if not isinstance(values, dict):
        raise ValueError(f"{what} must be a dictionary, got {type(values).__name__}")
    wanted = set(names)
    for problem, different in (("lacks", wanted - values.keys()), ("has an unknown", values.keys() - wanted)):
        if different:
            raise ValueError(f"{what} {problem} {shown(min(different, key=shown))}")
    return values


def check_number(value: object, what: str, kind: type, least: float = -MOST, most: float = MOST) -> None:
    """Raise ValueError unless a value is an ``int``, or a ``float``, in a range; NaN is in none."""
    if type(value) is not kind or not least <= value <= most:  # type: ignore[operator]
        some = "a whole number" if kind is int else "a number"
        bounds = f" from {least:g} to {most:g}" if most < MOST else f", at least {least:g}, and finite"
        raise ValueError(f"{what} must be {some}{bounds}, got {shown(value)}")


def is_finite(value: object) -> TypeGuard[float]:
    """Whether a value is a number that a float can hold, and not NaN."""
    return isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) < MOST


def check_types(kind: type, values: Mapping[str, Any]) -> None:
    """Raise ValueError if a value is for no field of a dataclass, or has another type than is declared there.

    Numbers must be finite; fields may be left out.
    """
    if unknown := values.keys() - {field.name for field in fields(kind)}:
        raise ValueError(f"unknown setting {shown(min(unknown))}")
    for field in fields(kind):
        value, declared = values.get(field.name), str(field.type)
        if field.name not in values or (value is None and "None" in declared):
            continue
        number = declared.startswith(("int", "float"))
        expected = (int,) if declared.startswith("int") else (int, float) if number else (str,)
        if type(value) not in expected:
            raise ValueError(f"{field.name} must be of type {declared}, got {shown(value)}")
        if number and not is_finite(value):
            raise ValueError(f"{field.name} must be finite, got {shown(value)}")
