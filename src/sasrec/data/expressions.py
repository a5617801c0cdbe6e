"""Expressions over the columns of a table, such as ``stock > 0 and category != 'gift cards'``.

Polars parses them as SQL. Only operators and functions that compute a value from the values of the
same row are accepted, so an expression can read no file, no other table and no other row.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
import polars as pl
import polars.selectors as cs

from sasrec.data.compared_texts import check_texts, texts_after_like
from sasrec.data.expression_nodes import (
    FUNCTIONS,
    NODES,
    function_name,
    nodes_of,
    without_undefined,
)
from sasrec.data.item_columns import kind_of
from sasrec.errors import SettingsError, did_you_mean

LONGEST = 10_000
"""Maximum number of characters of an expression."""
_IS_NOT = re.compile(r"\bis\s+not\s+(?:true|false)\b", re.IGNORECASE)
ROW = "#"
"""Name of a column that keeps the height of a table without other columns; rules cannot use it."""


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
        bool [n], false where the condition is unknown because a value is missing, or has none, as
        0/0 and 1/0; and the number of such rows.

    Raises:
        SettingsError: The text is no condition over these columns.
    """
    expression = without_undefined(_parsed(text, what))
    found = _evaluated(expression, text, frame, what=what, about=about)
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
    """  # raised by _evaluated
    return _evaluated(_parsed(text, what), text, frame, what=what, about=about)


def _evaluated(
    expression: pl.Expr, text: str, frame: pl.DataFrame, *, what: str, about: Subject
) -> pl.Series:
    """Return the value of a parsed expression for each row, as ``evaluated``.

    Raises:
        SettingsError: It uses something else than these columns, or its types do not match.
    """
    nodes = list(nodes_of(expression))
    numbers = frame.with_columns(cs.float().fill_nan(None))
    for name, content in nodes:
        if name == "Column":
            _check_column(str(content), text, [n for n in frame.columns if n != ROW], (what, about))
        elif name not in NODES or (name == "Function" and function_name(content) not in FUNCTIONS):
            shown = function_name(content) if name == "Function" else name
            raise SettingsError(
                f"{what}: {text!r} uses something other than the values of one {about.row} "
                f"({shown}); use columns, numbers, 'texts', and, or, not, comparisons, in, like, "
                "is null, arithmetic and array_contains"
            )
    check_texts(nodes, frame, what, row=about.row, may_be_absent=texts_after_like(text))
    try:
        found = numbers.with_columns(expression.alias("##value"))["##value"]
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
    if found := _IS_NOT.search(text):
        raise SettingsError(
            f"{what}: {text!r} has {found[0]!r}, which does not hold here where the value is "
            "missing; write coalesce(COLUMN, false) = false, or 'not COLUMN' to leave such out"
        )
    try:
        return pl.sql_expr(text)
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException) as error:
        reason = (str(error).strip().splitlines() or ["unreadable"])[0][:200]
        raise SettingsError(
            f'{what}: {text!r} is not an expression ({reason}); write such as "stock > 0 and '
            "category != 'gift cards'\""
        ) from error


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
