"""When a value that a filter lists equals a value of a column: as a number or as text."""

from __future__ import annotations

import math

import polars as pl

from sasrec.data.values.tokens import FIRST_INEXACT
from sasrec.settings.data import FilterValue

POINT_ZEROS = r"\.0*$"
LEADING_ZERO = r"^\s*[-+]?0[0-9]"
"""Texts such as 007, which is a different item from 7."""


def as_numbers(texts: pl.Series) -> pl.Series:
    """Return texts as Float64 [n], null where a text is not a number.

    Args:
        texts: String [n].
    """
    return texts.str.strip_chars().cast(pl.Float64, strict=False)


def equal_numbers(texts: pl.Series, numbers: list[FilterValue]) -> pl.Series:
    """Return which texts are one of some numbers, without leading zeros; Boolean [n].

    Args:
        texts: String [n].
        numbers: The numbers.
    """
    floats = [each for each in map(as_float, numbers) if abs(each) < FIRST_INEXACT[pl.Float64]]
    found = as_numbers(texts).is_in(floats)
    large = [
        each for each in numbers if FIRST_INEXACT[pl.Float64] <= abs(as_float(each)) < math.inf
    ]
    if large:  # compare their digits, since a float can stand for several of them
        digits = pl.Series([str(int(each)) for each in large]).implode()
        found |= texts.str.strip_chars().str.replace(POINT_ZEROS, "").is_in(digits)
    return found & ~texts.str.contains(LEADING_ZERO)


def as_float(number: FilterValue) -> float:
    """Return a number as a float, or infinity if it is too large for one.

    Args:
        number: The number.
    """
    try:
        return float(number)
    except OverflowError:  # a whole number of more than 308 digits
        return math.inf


def is_number(value: object) -> bool:
    """Return whether a value is an int or a float, but not a boolean.

    Args:
        value: Any value.
    """
    return isinstance(value, int | float) and not isinstance(value, bool)


def spellings(value: FilterValue) -> tuple[str, ...]:
    """Return the texts that equal a listed value: for 8.0 both ``8.0`` and the token ``8``.

    Args:
        value: The listed value.
    """
    if isinstance(value, float) and value.is_integer():
        return str(value), str(int(value))
    return (str(value),)


def number_or_text(value: object) -> object:
    """Return a text as a number if it is one, so that 8 and "8.0" compare as equal.

    Args:
        value: Any value.
    """
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int):
        return value
    try:
        number = float(value)  # type: ignore[arg-type]  # dates and others are compared as text
        return number if abs(number) < FIRST_INEXACT[pl.Float64] else str(value).lower()
    except (TypeError, ValueError, OverflowError):
        return str(value).lower()
