"""Conditions on rows of the events: ``Quantity>0``, ``event=purchase``, or an SQL expression.

A comparison of one column with one value needs no quotation marks. Everything else is SQL.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import numpy as np
import polars as pl

from sasrec.data.expressions import Subject, column_names, condition
from sasrec.data.values.parsed_texts import COMMA_NUMBER, NUMBER
from sasrec.errors import SettingsError

EVENTS = Subject("row", "column", "the data have no such columns")
_COMPARISON = re.compile(
    r"\s*(?P<name>[^<>=!'\"()]+?)\s*(?P<sign><=|>=|!=|<>|==?|<|>)\s*(?P<value>[^<>=!'\"]+?)\s*"
)
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}(?P<time>[T ]\d{2}:\d{2}(?::\d{2})?)?")
_SEVERAL = re.compile(r"\b(?:and|or|between|in|like|is)\b", re.IGNORECASE)


def possible_columns(text: str) -> list[str]:
    """Return the names in a condition that may be columns.

    Args:
        text: The condition.

    Returns:
        Names; some may be texts to compare with.

    Raises:
        SettingsError: The text is no condition.
    """
    found = _COMPARISON.fullmatch(text)
    if found is None:
        return column_names(text, "where")
    names = [found["name"]]
    try:
        return [*names, *column_names(text, "where")]
    except SettingsError:  # the value is a text without quotation marks, such as United Kingdom
        return names


def compared_columns(text: str, columns: Mapping[str, pl.Series]) -> list[str]:
    """Return the names of the columns that a condition compares, known or not.

    Args:
        text: The condition.
        columns: Columns of the events by name.

    Returns:
        Names, without texts to compare with.

    Raises:
        SettingsError: The text is no condition.
    """
    frame = pl.DataFrame({name: _plain(values) for name, values in columns.items()})
    try:
        return column_names(_as_sql(text, frame), "where")
    except SettingsError:
        found = _COMPARISON.fullmatch(text)
        if found is None or found["name"] in columns:
            raise
        return [found["name"]]


def rows_that_meet(text: str, columns: Mapping[str, pl.Series]) -> tuple[np.ndarray, int]:
    """Return which rows meet a condition.

    Args:
        text: The condition.
        columns: Columns of the events by name, all of the same length.

    Returns:
        bool [n], false where the condition is unknown because a value is missing; and the number
        of such rows.

    Raises:
        SettingsError: The text is no condition over these columns.
    """
    frame = pl.DataFrame({name: _plain(values) for name, values in columns.items()})
    return condition(_as_sql(text, frame), frame, "where", about=EVENTS)


def _plain(values: pl.Series) -> pl.Series:
    is_coded = isinstance(values.dtype, pl.Categorical | pl.Enum)
    return values.cast(pl.String) if is_coded else values


def _as_sql(text: str, frame: pl.DataFrame) -> str:
    """Return a condition as SQL: with quotation marks around a text to compare with.

    Raises:
        SettingsError: A text column is compared with a number by size, or a value is both a text
            of the column and the name of another column.
    """
    found = _COMPARISON.fullmatch(text)
    if found is None or found["name"] not in frame.columns:
        return text
    name, sign, value = found["name"], found["sign"], found["value"]
    column = frame[name]
    if value in frame.columns:
        if column.dtype == pl.String and (column == value).any():
            raise SettingsError(
                f"where: {text!r} can mean the text {value!r} or the column of this name; write "
                f"\"{name} {sign} '{value}'\" for the text"
            )
        return text
    if column.dtype == pl.String and sign[0] in "<>" and sign != "<>" and _is_number(value):
        raise SettingsError(
            f"where: {text!r} compares numbers, but column {name!r} holds text{_mended(column)}"
        )
    if column.dtype.is_float() and _is_inexact(value):
        raise SettingsError(
            f"where: {text!r} compares a whole number of 2^53 or more, but column {name!r} holds "
            "floats, which cannot tell such numbers apart; read the column as text or whole numbers"
        )
    literal = _literal(value, column)
    if literal is None:
        return text
    return f'"{name}" {sign} {literal}'


def _literal(value: str, column: pl.Series) -> str | None:
    """Return a value as SQL in the type of a column; None if it is no value of this type."""
    if column.dtype.is_numeric():
        if re.match(COMMA_NUMBER, value):
            return value.replace(".", "").replace(",", ".")
        return value if _is_number(value) else None
    if column.dtype == pl.Boolean:
        return value.lower() if value.lower() in ("true", "false") else None
    if column.dtype in (pl.Date, pl.Datetime):
        found = _DATE.fullmatch(value)
        if found is None:
            return None
        plain = value.replace("T", " ")
        return f"timestamp '{plain}'" if found["time"] else f"date '{plain}'"
    if column.dtype == pl.String:
        if _SEVERAL.search(value) and not (column == value).any():
            return None
        return f"'{value}'"
    return None


def _is_number(value: str) -> bool:
    return re.match(NUMBER, value.lstrip("+")) is not None


def _is_inexact(value: str) -> bool:
    """Return whether a text is a whole number that a float cannot tell from its neighbours."""
    return re.fullmatch(r"[+-]?[0-9]{16,}", value) is not None and abs(int(value)) >= 2**53


def _mended(column: pl.Series) -> str:
    """Return an example of a text that is no number, if there is one, and what to do."""
    texts = column.drop_nulls()
    others = texts.filter(~texts.str.strip_chars().str.contains(NUMBER))
    if len(others) and others.str.strip_chars().str.contains(COMMA_NUMBER).all():
        point = others[0].strip().replace(".", "").replace(",", ".")
        return f", such as {others[0]!r}; write numbers with a point instead of a comma: {point}"
    if len(others):
        return f", such as {others[0]!r}; correct the column, or name such values in missing_values"
    return "; convert the column to numbers"
