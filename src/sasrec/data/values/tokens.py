"""Tokens: users and items as text, whatever type their column has.

A text is its own token. The token of a number is the whole number in decimal digits: 9, 9.0, and a
9 that became a float because other values are missing all give ``9``, from a data frame, a Parquet
file or Python.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

import numpy as np
import polars as pl

from sasrec.errors import DataError

FIRST_INEXACT: Mapping[type[pl.DataType], int] = {
    pl.Float64: 2**53,
    pl.Float32: 2**24,
    pl.Float16: 2**11,
}
"""From here on, a float can stand for several whole numbers."""
INEXACT = "a float this large can stand for several whole numbers"


def token_of(value: object) -> str:
    """Return the token of a Python value; all other conversions to tokens follow this rule.

    >>> token_of("09"), token_of(9), token_of(9.0)
    ('09', '9', '9')

    Args:
        value: A text or a whole number of any type.

    Returns:
        The text itself, or the number in digits.

    Raises:
        ValueError: It is neither a text nor a whole number, or a float so large that it can stand
            for several whole numbers.
    """
    if isinstance(value, str):
        return str(value)
    if isinstance(value, bool | np.bool_):
        raise ValueError("True and False cannot be ids")
    if isinstance(value, int | np.integer):
        return str(int(value))
    if isinstance(value, Decimal) and value.is_finite() and value == value.to_integral_value():
        return str(int(value))
    if isinstance(value, float | np.floating) and float(value).is_integer():
        if abs(value) >= 2 ** (np.finfo(type(value)).nmant + 1):
            raise ValueError(INEXACT)
        return str(int(value))
    raise ValueError("that is neither a text nor a whole number")


def column_tokens(values: pl.Series, where: str, before: int = 0) -> pl.Series:
    """Return the tokens of a column, by the rule of ``token_of``.

    Args:
        values: The column: text, categories, or whole numbers of any type.
        where: Name of the data source, for error messages.
        before: Number of rows of the source before these, for the row number in messages.

    Returns:
        String, null where a value is missing.

    Raises:
        DataError: A value cannot be a token.
    """
    dtype = values.dtype
    if dtype == pl.Object:
        return _tokens_of_objects(values, where, before)
    if dtype.is_nested() or dtype in (pl.Duration, pl.Binary, pl.Boolean):
        raise DataError(
            f"{where}: column {values.name!r} has type {dtype}; convert it to text or whole numbers"
        )
    if dtype.is_float():
        values = _floats_as_integers(values.fill_nan(None), where, before)
    if dtype.is_decimal():
        values = _decimals_as_text(values, where, before)
    return values.cast(pl.String)


def first_location(bad: pl.Series, column: str, where: str, before: int = 0) -> str:
    """Return where the first bad value is, such as ``e.csv, row 7: 'item_id'``.

    Args:
        bad: Boolean, one per row; at least one is true.
        column: Name of the column.
        where: Name of the data source.
        before: Number of rows of the source before these.

    Returns:
        The beginning of an error message.
    """
    return f"{where}, row {before + int(bad.fill_null(True).arg_max() or 0) + 1}: {column!r}"


def _floats_as_integers(values: pl.Series, where: str, before: int) -> pl.Series:
    """Return floats as Int64; null stays null.

    Raises:
        DataError: A value is not a whole number, not finite, or so large that it can stand for
            several whole numbers.
    """
    whole = values.cast(pl.Int64, strict=False)
    large = values.abs() >= FIRST_INEXACT[type(values.dtype)]
    bad = values.is_not_null() & (whole.is_null() | (whole.cast(values.dtype) != values))
    bad &= ~(large & values.is_finite()).fill_null(value=False)
    if bad.any():
        _raise_for_fraction(values, bad, where, before)
    if large.any():
        name = values.name
        raise DataError(
            first_location(large.fill_null(value=False), name, where, before)
            + f" is {values.filter(large)[0]!r}, and {INEXACT}, so ids may have been merged "
            f"already; read the column as text from its source (pandas: dtype={{{name!r}: "
            f"str}}; Polars: schema_overrides={{{name!r}: pl.String}})"
        )
    return whole


def _decimals_as_text(values: pl.Series, where: str, before: int) -> pl.Series:
    """Return decimals that are whole numbers as String, without a decimal point.

    Raises:
        DataError: A value is not a whole number.
    """
    texts = values.cast(pl.String).str.replace(r"\.0*$", "")
    bad = texts.str.contains(".", literal=True).fill_null(value=False)
    if bad.any():
        _raise_for_fraction(values, bad, where, before)
    return texts


def _raise_for_fraction(values: pl.Series, bad: pl.Series, where: str, before: int) -> None:
    value = values.filter(bad)[0]
    raise DataError(
        first_location(bad, values.name, where, before)
        + f" is {str(value) if isinstance(value, Decimal) else repr(value)}; users and items must "
        "be text or whole numbers"
    )


def _tokens_of_objects(values: pl.Series, where: str, before: int) -> pl.Series:
    """Return the tokens of a column of Python objects.

    Raises:
        DataError: An object is neither text nor a whole number.
    """
    tokens: list[str | None] = []
    for value in values.to_list():
        is_missing = value is None or (isinstance(value, float) and value != value)
        try:
            tokens.append(None if is_missing else token_of(value))
        except ValueError as error:
            row = before + len(tokens) + 1
            raise DataError(
                f"{where}, row {row}: {values.name!r} is {value!r}, and {error}; users and items "
                "must be text or whole numbers, preferably text"
            ) from error
    return pl.Series(values.name, tokens, dtype=pl.String)
