"""Expressions over item columns, such as ``stock > 0 and category != 'gift cards'``."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from sasrec_serve.errors import SettingsError
from sasrec_serve.rules.nodes import column_name, comparisons_of, name_of, parts_of
from sasrec_serve.rules.numbers import TypeMismatch, floats
from sasrec_serve.rules.parsing import OWN, Bounds, Refused, parsed
from sasrec_serve.rules.trees import value_of
from sasrec_serve.rules.values import KINDS, Values
from sasrec_serve.rules.wording import did_you_mean, nearest

if TYPE_CHECKING:
    from sqlglot import exp

_DATE = re.compile(r"\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}(?:\D.*)?")
_YEAR_FIRST = re.compile(r"\d{4}-\d{2}-\d{2}(?:[T ].*)?")


@dataclass(frozen=True, slots=True, eq=False)
class ItemTable:
    """Facts about items.

    Attributes:
        n_items: Number of items.
        columns: Name of each column to its values, one for each item.
    """

    n_items: int
    columns: Mapping[str, Values]


@dataclass(frozen=True, slots=True)
class Written:
    """An expression as it was written, for messages.

    Attributes:
        text: The expression.
        what: Name of the rule it belongs to.
        bounds: How large it may be.
    """

    text: str
    what: str
    bounds: Bounds = OWN


def condition(written: Written, table: ItemTable) -> tuple[np.ndarray, int]:
    """Return which items meet a condition.

    Args:
        written: The condition.
        table: The items.

    Returns:
        bool [n_items], false where the condition is unknown because a value is missing, or has
        none, as 0/0 and 1/0; and the number of such items.

    Raises:
        SettingsError: The text is no condition over these columns.
    """
    found = _evaluated(written, table, guarded=True)
    if found.kind != "flag":
        raise SettingsError(
            f"{written.what}: {written.text!r} gives {KINDS[found.kind]}, not true or false; "
            "compare it, as in 'stock > 0'"
        )
    met = np.broadcast_to(found.data & found.mask, (table.n_items,))
    unknown = np.broadcast_to(~found.mask, (table.n_items,))
    return met.copy(), int(unknown.sum())


def amounts(written: Written, table: ItemTable) -> np.ndarray:
    """Return a number for each item.

    Args:
        written: A number, or an expression that gives one.
        table: The items.

    Returns:
        float64 [n_items]; NaN where a value is missing.

    Raises:
        SettingsError: The text gives no numbers.
    """
    found = _evaluated(written, table, guarded=False)
    if found.kind not in ("whole", "decimal", "number"):
        raise SettingsError(
            f"{written.what}: {written.text!r} gives {KINDS[found.kind]}, not numbers"
        )
    values = np.where(found.mask, floats(found), np.nan)
    return np.broadcast_to(values, (table.n_items,)).copy()


def _evaluated(written: Written, table: ItemTable, *, guarded: bool) -> Values:
    """Return the value of an expression.

    Raises:
        SettingsError: It is no expression over these columns, or its types do not fit.
    """
    root, nodes = checked(written)
    names = dict.fromkeys(name for node in nodes if (name := _name(node)) is not None)
    for name in names:
        _check_column(name, written, list(table.columns))
    _check_texts(nodes, written, table)
    try:
        return value_of(root, table.columns, guarded=guarded)
    except Refused as error:
        raise SettingsError(_refused(error, written)) from error
    except TypeMismatch as error:
        kinds = [f"{name} holds {KINDS[table.columns[name].kind]}" for name in names]
        shown = f": {', '.join(kinds)}" if kinds else ""
        raise SettingsError(
            f"{written.what}: {written.text!r} does not fit the types of its values ({error})"
            f"{shown}; write texts as 'text', numbers without quotation marks, and dates as date "
            "'2026-11-29'"
        ) from error


def checked(written: Written) -> tuple[exp.Expression, list[exp.Expression]]:
    """Return the tree of an expression, and all of its nodes, which are allowed.

    Args:
        written: The expression.

    Returns:
        The root, and all nodes.

    Raises:
        SettingsError: It is no expression, too large, or uses something that is not allowed.
    """
    try:
        root = parsed(written.text, written.what, written.bounds)
        return root, _nodes(root)
    except Refused as error:
        raise SettingsError(_refused(error, written)) from error


def _refused(error: Refused, written: Written) -> str:
    return (
        f"{written.what}: {written.text!r} uses something other than the values of one item "
        f"({error}); use columns, numbers, 'texts', and, or, not, comparisons, in, like, between, "
        "is null, arithmetic, case when, coalesce, lower, upper and array_contains"
    )


def _nodes(root: exp.Expression) -> list[exp.Expression]:
    """Return all nodes of a tree; every one is allowed.

    Raises:
        Refused: One is not.
    """  # raised by parts_of
    found, waiting = [], [root]
    while waiting:
        node = waiting.pop()
        found.append(node)
        waiting += reversed(parts_of(node))
    return found


def _name(node: exp.Expression) -> str | None:
    return column_name(node) if name_of(node) == "Column" else None


def _check_column(name: str, written: Written, known: Sequence[str]) -> None:
    """Refuse a column that does not exist.

    Raises:
        SettingsError: It does not.
    """
    if name in known:
        return
    if not known:
        raise SettingsError(
            f"{written.what}: {written.text!r} needs item columns, and there are none; give a "
            "table of items (in Python: items=), or train with it"
        )
    is_quoted = f'"{name}"' in written.text
    quoted = f"; write texts in single quotation marks: '{name}'" if is_quoted else ""
    raise SettingsError(
        f"{written.what}: there is no item column {name!r}{did_you_mean(name, known)} (columns: "
        f"{', '.join(known)}){quoted}"
    )


def _check_texts(nodes: Sequence[exp.Expression], written: Written, table: ItemTable) -> None:
    """Refuse comparisons of texts that are probably mistakes.

    Raises:
        SettingsError: No item has a text that is compared for equality, or in a list; or dates are
            compared by size, and their texts are not in the order of time.
    """
    for name, texts, is_ordered in comparisons_of(nodes):
        column = table.columns[name]
        if column.kind != "text":
            continue
        if is_ordered:
            _check_dates(name, column, texts[0], what=written.what)
        elif texts:
            _check_known(name, column, texts, written=written)


def _check_known(name: str, column: Values, texts: list[str], *, written: Written) -> None:
    """Refuse a text that no item has, such as a typing error.

    In a list, a text that resembles none that an item has may be absent: other models of the same
    shop lack some.

    Raises:
        SettingsError: No item has it.
    """
    known = column.entries
    absent = [text for text in texts if not _is_entry(text, known)]
    some = known[: written.bounds.known_texts]
    is_alone = len(absent) == len(texts)
    for text in absent[: 1 if is_alone else written.bounds.absent_texts]:
        meant = nearest(text, some)
        if meant is None and not is_alone:
            continue
        more = ", …" if len(known) > 5 else ""
        others = (
            f"; did you mean {meant!r}?" if meant else f" (there are: {', '.join(known[:5])}{more})"
        )
        raise SettingsError(
            f"{written.what}: no item has {name} = {text!r}{others}; if it may be absent, write "
            f"{name} like '{text}'"
        )


def _is_entry(text: str, entries: Sequence[str]) -> bool:
    place = bisect_left(entries, text)
    return place < len(entries) and entries[place] == text


def _check_dates(name: str, column: Values, text: str, *, what: str) -> None:
    """Refuse to compare dates by size whose texts are not in the order of time.

    Raises:
        SettingsError: They are not.
    """
    if not _DATE.fullmatch(text):
        return
    other = next(
        (each for each in (text, *column.entries) if not _YEAR_FIRST.fullmatch(each)), None
    )
    if other is not None:
        raise SettingsError(
            f"{what}: {name!r} holds text, which is compared with the date {text!r} letter by "
            f"letter; that is not the order of time for {other!r}; write all dates as 2024-05-31"
        )
