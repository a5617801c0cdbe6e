"""Expressions over the columns of a table, such as ``stock > 0 and category != 'gift cards'``.

Polars parses them as SQL. Only operators and functions that compute a value from the values of the
same row are accepted, so an expression can read no file, no other table and no other row.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from sasrec.data.item_columns import kind_of
from sasrec.errors import SettingsError, did_you_mean, nearest

LONGEST = 10_000
"""Maximum number of characters of an expression."""
ROW = "#"
"""Name of a column that keeps the height of a table without other columns; rules cannot use it."""
NODES = frozenset({"Column", "Literal", "BinaryExpr", "Function", "Ternary", "Cast", "Alias"})
FUNCTIONS = frozenset(
    {
        *("Abs", "Coalesce", "Round", "Floor", "Ceil", "Log", "Exp", "Pow", "FillNull", "Negate"),
        *("MaxHorizontal", "MinHorizontal", "ListExpr.Contains", "ListExpr.Length"),
        *(
            "Boolean.Not",
            "Boolean.IsNull",
            "Boolean.IsNotNull",
            "Boolean.IsIn",
            "Boolean.IsBetween",
        ),
        *("Boolean.AnyHorizontal", "Boolean.AllHorizontal", "Boolean.IsNan", "Boolean.IsFinite"),
        *("StringExpr.Lowercase", "StringExpr.Uppercase", "StringExpr.StartsWith"),
        *("StringExpr.EndsWith", "StringExpr.Contains", "StringExpr.LenChars"),
        *("StringExpr.StripChars", "StringExpr.Slice", "StringExpr.Strptime", "StringExpr.Find"),
        *("TemporalExpr.Year", "TemporalExpr.Month", "TemporalExpr.Day", "TemporalExpr.WeekDay"),
        *("Sql.IsIn", "Sql.Binary", "Sql.Round", "Sql.ToFloat", "Pow.Generic", "Pow.Sqrt"),
    }
)
"""Functions that compute a value from values of the same row, by their names in Polars."""


@dataclass(frozen=True, slots=True)
class Subject:
    """What the rows of a table are, for error messages.

    Attributes:
        row: A row, such as ``item``.
        column: A column, such as ``item column``.
        no_columns: What to do if there are no columns at all.
    """

    row: str
    column: str
    no_columns: str


def condition(
    text: str, frame: pl.DataFrame, what: str, *, about: Subject
) -> tuple[np.ndarray, int]:
    """Return which rows meet a condition.

    Args:
        text: The condition.
        frame: The table.
        what: Name of the rule or setting, for error messages.
        about: What the rows are.

    Returns:
        bool [n], false where the condition is unknown because a value is missing; and the number
        of such rows.

    Raises:
        SettingsError: The text is no condition over these columns.
    """
    found = evaluated(text, frame, what, about=about)
    if found.dtype != pl.Boolean:
        raise SettingsError(
            f"{what}: {text!r} gives {kind_of(found.dtype)}, not true or false; compare it, as in "
            "'stock > 0'"
        )
    return found.fill_null(value=False).to_numpy(), found.null_count()


def column_names(text: str, what: str) -> list[str]:
    """Return the names in an expression that may be columns.

    Args:
        text: The expression.
        what: Name of the rule or setting, for error messages.

    Returns:
        The names, without repetition.

    Raises:
        SettingsError: The text is no expression.
    """  # raised by _parsed
    return list(dict.fromkeys(_parsed(text, what).meta.root_names()))


def evaluated(text: str, frame: pl.DataFrame, what: str, *, about: Subject) -> pl.Series:
    """Return the value of an expression for each row.

    Args:
        text: The expression.
        frame: The table.
        what: Name of the rule or setting, for error messages.
        about: What the rows are.

    Returns:
        One value per row.

    Raises:
        SettingsError: It is no expression, uses something else than these columns, or its types do
            not match.
    """
    expression = _parsed(text, what)
    nodes = list(_nodes(json.loads(expression.meta.serialize(format="json"))))
    for name, content in nodes:
        if name == "Column":
            _check_column(str(content), text, [n for n in frame.columns if n != ROW], (what, about))
        elif name not in NODES or (name == "Function" and _function(content) not in FUNCTIONS):
            shown = _function(content) if name == "Function" else name
            raise SettingsError(
                f"{what}: {text!r} uses something other than the values of one {about.row} "
                f"({shown}); use columns, numbers, 'texts', and, or, not, comparisons, in, like, "
                "is null, arithmetic and array_contains"
            )
    _check_texts(nodes, frame, what, about)
    try:
        found = frame.with_columns(expression.alias("##value"))["##value"]
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException) as error:
        names = dict.fromkeys(str(content) for name, content in nodes if name == "Column")
        kinds = ", ".join(f"{name} holds {kind_of(frame[name].dtype)}" for name in names)
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise SettingsError(
            f"{what}: {text!r} does not fit the types of its values ({reason}){_and(kinds)}; write "
            "texts as 'text', numbers without quotation marks, and dates as date '2026-11-29'"
        ) from error
    return found


def _and(kinds: str) -> str:
    return f": {kinds}" if kinds else ""


def _parsed(text: str, what: str) -> pl.Expr:
    """Return a text as an expression of Polars.

    Raises:
        SettingsError: It is none.
    """
    if len(text) > LONGEST:
        raise SettingsError(f"{what}: the expression has more than {LONGEST:,} characters")
    try:
        return pl.sql_expr(text)
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException) as error:
        reason = (str(error).strip().splitlines() or ["unreadable"])[0][:200]
        raise SettingsError(
            f'{what}: {text!r} is not an expression ({reason}); write such as "stock > 0 and '
            "category != 'gift cards'\""
        ) from error


def _nodes(content: Any) -> Iterator[tuple[str, Any]]:
    """Yield name and content of each node of a serialised expression, except inside literals."""
    if isinstance(content, str):
        yield content, None
        return
    [(name, inside)] = content.items()
    yield name, inside
    if name in ("Column", "Literal"):
        return
    if name == "BinaryExpr":
        children = [inside["left"], inside["right"]]
    elif name == "Function":
        children = inside["input"]
    elif name == "Ternary":
        children = [inside["predicate"], inside["truthy"], inside["falsy"]]
    elif name == "Cast":
        children = [inside["expr"]]
    elif name == "Alias":
        children = inside[:1]
    else:
        children = []
    for child in children:
        yield from _nodes(child)


def _function(content: Any) -> str:
    """Return the name of a function, such as ``StringExpr.Contains``."""
    names: list[str] = []
    function = content["function"]
    while isinstance(function, dict) and len(names) < 2:
        [(name, function)] = list(function.items())[:1]
        names.append(name)
    if isinstance(function, str) and len(names) < 2:
        names.append(function)
    return ".".join(names)


def _check_column(name: str, text: str, known: list[str], within: tuple[str, Subject]) -> None:
    """Refuse a column that does not exist.

    Raises:
        SettingsError: It does not.
    """
    what, about = within
    if name in known:
        return
    if not known:
        raise SettingsError(
            f"{what}: {text!r} needs {about.column}s, and there are none; {about.no_columns}"
        )
    quoted = f"; write texts in single quotation marks: '{name}'" if f'"{name}"' in text else ""
    raise SettingsError(
        f"{what}: there is no {about.column} {name!r}{did_you_mean(name, known)} (columns: "
        f"{', '.join(known)}){quoted}"
    )


def _check_texts(
    nodes: list[tuple[str, Any]], frame: pl.DataFrame, what: str, about: Subject
) -> None:
    """Refuse the comparison of a text column with a text that no row has, such as a typing error.

    Raises:
        SettingsError: No row has the text.
    """
    for name, content in nodes:
        if name != "BinaryExpr" or content["op"] not in ("Eq", "NotEq"):
            continue
        sides = (content["left"], content["right"])
        for one, other in (sides, sides[::-1]):
            column = one.get("Column") if isinstance(one, dict) else None
            value = _text_of(other)
            if column is None or value is None or frame[column].dtype != pl.String:
                continue
            if not (frame[column] == value).any():
                known = frame[column].drop_nulls().unique().sort().to_list()
                raise SettingsError(
                    f"{what}: no {about.row} has {column} = {value!r}"
                    f"{_alternatives(value, known)}; if it may be absent, write {column} like "
                    f"'{value}'"
                )


def _alternatives(value: str, known: list[str]) -> str:
    if meant := nearest(value, known[:10_000]):
        return f"; did you mean {meant!r}?"
    return f" (there are: {', '.join(known[:5])}{', …' if len(known) > 5 else ''})"


def _text_of(node: Any) -> str | None:
    """Return the text of a literal; None for anything else."""
    try:
        value = node["Literal"]["Scalar"]["String"]
    except (KeyError, TypeError):
        return None
    return value if isinstance(value, str) else None
