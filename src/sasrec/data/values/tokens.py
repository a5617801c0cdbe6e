"""Tokens: how users and items are spelled, whatever type their column has.

A text is its own token. A number's token is the whole number in decimal digits, so that 9, 9.0 and
a missing-value-ridden float column give the same ``9`` from a data frame, Parquet and Python.
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
"""From here on a float also stands for whole numbers beside its own."""
INEXACT = "a float this large stands for several whole numbers"


def token_of(value: object) -> str:
    """Return the token that a Python value spells; the one rule for what a number's token is.

    >>> token_of("09"), token_of(9), token_of(9.0)
    ('09', '9', '9')

    Args:
        value: A text or a whole number of any type.

    Returns:
        The text itself, or the number in digits.

    Raises:
        ValueError: It is neither, or a float too large to tell which whole number was meant.
    """
    if isinstance(value, str):
        return str(value)
    if isinstance(value, bool | np.bool_):
        raise ValueError("true and false are no names")
    if isinstance(value, int | np.integer):
        return str(int(value))
    if isinstance(value, Decimal) and value.is_finite() and value == value.to_integral_value():
        return str(int(value))
    if isinstance(value, float | np.floating) and float(value).is_integer():
        if abs(value) >= 2 ** (np.finfo(type(value)).nmant + 1):
            raise ValueError(INEXACT)
        return str(int(value))
    raise ValueError("it is neither a text nor a whole number")


def spelled(values: pl.Series, where: str, before: int = 0) -> pl.Series:
    """Return the tokens of a column, by the rule of ``token_of``.

    Args:
        values: The column: text, categories, or whole numbers of any type.
        where: What to call the source in an error text.
        before: Rows of the source before these.

    Returns:
        String, null where there is no token.

    Raises:
        DataError: The column holds what is no token.
    """
    kind = values.dtype
    if kind == pl.Object:
        return _spelled_objects(values, where, before)
    if kind.is_nested() or kind in (pl.Duration, pl.Binary, pl.Boolean):
        raise DataError(
            f"{where}: column {values.name!r} holds {kind}; it needs text or "
            "whole numbers, so cast it to one of them"
        )
    if kind.is_float():
        values = _whole(values.fill_nan(None), where, before)
    if kind.is_decimal():
        values = _without_fraction(values, where, before)
    return values.cast(pl.String)


def place_of(bad: pl.Series, column: str, where: str, before: int = 0) -> str:
    """Return where the first bad value stands, such as ``e.csv, row 7: 'item_id'``.

    Args:
        bad: Boolean, a row each; at least one is true.
        column: Its name.
        where: What to call the source.
        before: Rows of the source before these.

    Returns:
        The beginning of an error text.
    """
    return f"{where}, row {before + int(bad.fill_null(True).arg_max() or 0) + 1}: {column!r}"


def _whole(values: pl.Series, where: str, before: int) -> pl.Series:
    """Return floats that are whole, as Int64; missing ones stay missing.

    Raises:
        DataError: One is a fraction, not finite, or too large to be told from its neighbours.
    """
    whole = values.cast(pl.Int64, strict=False)
    large = values.abs() >= FIRST_INEXACT[type(values.dtype)]
    odd = values.is_not_null() & (whole.is_null() | (whole.cast(values.dtype) != values))
    odd &= ~(large & values.is_finite()).fill_null(value=False)
    if odd.any():
        _refuse_fraction(values, odd, where, before)
    if large.any():
        name = values.name
        raise DataError(
            place_of(large.fill_null(value=False), name, where, before)
            + f" is {values.filter(large)[0]!r}, and {INEXACT}, so ids may have been merged "
            f"already; read the column as text where it comes from (pandas: dtype={{{name!r}: "
            f"str}}; Polars: schema_overrides={{{name!r}: pl.String}})"
        )
    return whole


def _without_fraction(values: pl.Series, where: str, before: int) -> pl.Series:
    """Return decimals that are whole, as String without a point.

    Raises:
        DataError: One is a fraction.
    """
    texts = values.cast(pl.String).str.replace(r"\.0*$", "")
    odd = texts.str.contains(".", literal=True).fill_null(value=False)
    if odd.any():
        _refuse_fraction(values, odd, where, before)
    return texts


def _refuse_fraction(values: pl.Series, odd: pl.Series, where: str, before: int) -> None:
    value = values.filter(odd)[0]
    raise DataError(
        place_of(odd, values.name, where, before)
        + f" is {str(value) if isinstance(value, Decimal) else repr(value)}; users and items are "
        "names or whole numbers"
    )


def _spelled_objects(values: pl.Series, where: str, before: int) -> pl.Series:
    """Return the tokens of a column of Python's objects.

    Raises:
        DataError: One is neither text nor a whole number.
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
                "are names or whole numbers, best given as text"
            ) from error
    return pl.Series(values.name, tokens, dtype=pl.String)
