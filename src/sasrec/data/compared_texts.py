"""Comparisons of text columns with texts: refuses those that are probably mistakes."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Collection, Iterable
from typing import Any

import polars as pl

from sasrec.errors import SettingsError, nearest

ORDERED = ("Lt", "LtEq", "Gt", "GtEq")
MOST_KNOWN = 10_000
"""Among at most so many texts a similar one is looked for."""
_DATE = re.compile(r"\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}(?:\D.*)?")
_LIKE = re.compile(r"\blike\s+'((?:[^']|'')*)'", re.IGNORECASE)
YEAR_FIRST = r"^\d{4}-\d{2}-\d{2}(?:[T ].*)?$"
"""Dates whose order is that of their texts."""


def texts_after_like(text: str) -> frozenset[str]:
    """Return the patterns of ``like``; Polars turns one without ``%`` and ``_`` into a comparison.

    Args:
        text: An expression.
    """
    return frozenset(found.replace("''", "'") for found in _LIKE.findall(text))


def check_texts(
    nodes: Iterable[tuple[str, Any]],
    frame: pl.DataFrame,
    what: str,
    *,
    row: str,
    may_be_absent: Collection[str] = (),
) -> None:
    """Refuse comparisons of a text column that are probably mistakes.

    Args:
        nodes: Nodes of the expression.
        frame: The table.
        what: Name of the rule or setting, for error messages.
        row: What a row is, such as ``item``.
        may_be_absent: Texts that need not be there.

    Raises:
        SettingsError: No row has a text that is compared for equality, or in a list; or dates are
            compared by size, and their texts are not in the order of time.
    """
    for name, content in nodes:
        for column, values, is_ordered in _comparisons(name, content):
            if column not in frame.columns or frame[column].dtype != pl.String:
                continue
            if is_ordered:
                _check_dates(frame[column], values[0], what)
            elif not set(values) <= set(may_be_absent):
                _check_known(frame[column], values, what, row=row)


def _comparisons(name: str, content: Any) -> Iterable[tuple[str, list[str], bool]]:
    """Yield column and texts of each comparison in a node, and whether it is one by size."""
    if name == "BinaryExpr" and content["op"] in ("Eq", "NotEq", *ORDERED):
        sides = (content["left"], content["right"])
        for one, other in (sides, sides[::-1]):
            value = _text_of(other)
            if (column := _column_of(one)) is not None and value is not None:
                yield column, [value], content["op"] in ORDERED
    elif name == "Function" and "IsIn" in json.dumps(content["function"]):
        column = _column_of(content["input"][0])
        if column is not None:
            yield column, _texts_in(content["input"][1]), False


def _check_known(column: pl.Series, values: list[str], what: str, *, row: str) -> None:
    """Refuse a text that no row has, such as a typing error.

    In a list, a text that resembles none that a row has may be absent: smaller data with the same
    condition lack some.

    Raises:
        SettingsError: No row has it.
    """
    absent = [value for value in values if not (column == value).any()]
    if not absent:
        return
    known = column.drop_nulls().unique().sort().to_list()
    is_alone = len(absent) == len(values)
    bad = [each for each in absent if is_alone or nearest(each, known[:MOST_KNOWN])]
    if bad:
        raise SettingsError(
            f"{what}: no {row} has {column.name} = {bad[0]!r}{_alternatives(bad[0], known)}; if it "
            f"may be absent, write {column.name} like '{bad[0]}'"
        )


def _check_dates(column: pl.Series, value: str, what: str) -> None:
    """Refuse to compare dates by size whose texts are not in the order of time.

    Raises:
        SettingsError: They are not.
    """
    if not _DATE.fullmatch(value):
        return
    texts = pl.concat([pl.Series([value]), column.drop_nulls().alias("")])
    others = texts.filter(~texts.str.contains(YEAR_FIRST))
    if len(others):
        raise SettingsError(
            f"{what}: {column.name!r} holds text, which is compared with the date {value!r} letter "
            f"by letter; that is not the order of time for {others[0]!r}; write all dates as "
            "2024-05-31"
        )


def _alternatives(value: str, known: list[str]) -> str:
    if meant := nearest(value, known[:MOST_KNOWN]):
        return f"; did you mean {meant!r}?"
    return f" (there are: {', '.join(known[:5])}{', …' if len(known) > 5 else ''})"


def _column_of(node: Any) -> str | None:
    """Return the name of a column; None for anything else."""
    return node.get("Column") if isinstance(node, dict) else None


def _text_of(node: Any) -> str | None:
    """Return the text of a literal; None for anything else."""
    try:
        value = node["Literal"]["Scalar"]["String"]
    except (KeyError, TypeError):
        return None
    return value if isinstance(value, str) else None


def _texts_in(node: Any) -> list[str]:
    """Return the texts of a list of literals; none if it holds anything else."""
    if not isinstance(node, dict) or "Series" not in (node.get("Literal") or {}):
        return []
    expression = pl.Expr.deserialize(io.StringIO(json.dumps(node)), format="json")
    values = pl.select(expression).to_series()
    if isinstance(values.dtype, pl.List):
        values = values.explode()
    return values.drop_nulls().to_list() if values.dtype == pl.String else []
