"""Item columns that rules can use: those of the export, of a given table, and titles."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from functools import cached_property
from typing import Any

import numpy as np

from sasrec_serve.errors import DataError, ExportError
from sasrec_serve.rules.expressions import ItemTable
from sasrec_serve.rules.tables import Table, TableSource, read_table
from sasrec_serve.rules.values import DTYPES, Values, list_values, plain_values, text_values
from sasrec_serve.rules.wording import counted
from sasrec_serve.vocabulary import Vocabulary

logger = logging.getLogger(__name__)
PYTHON = {"text": str, "whole": int, "number": float, "flag": bool, "date": int, "time": int}
"""Type of the values of a column in JSON."""
LONG_TEXTS = 200
"""Mean number of characters from which a column of a given table is left out."""


class ExportedColumns:
    """The columns of an export, read when they are first used."""

    def __init__(self, content: Mapping[str, Any], n_items: int) -> None:
        """Keep the contents of ``item_columns.json``.

        Args:
            content: The contents.
            n_items: Number of items of the model.
        """
        self._content, self._n_items = content, n_items

    @cached_property
    def values(self) -> dict[str, Values]:
        """Name of each column to its values."""
        return exported_columns(self._content, self._n_items)


def exported_columns(content: Mapping[str, Any], n_items: int) -> dict[str, Values]:
    """Return the columns in ``item_columns.json``.

    Args:
        content: The contents of the file.
        n_items: Number of items of the model.

    Returns:
        Name of each column to its values.

    Raises:
        ExportError: A column has an unknown type, a value of another type, or the wrong length.
    """
    try:
        return {name: _column(name, each, n_items) for name, each in content.items()}
    except (TypeError, KeyError, AttributeError, OverflowError) as error:
        raise ExportError(f"item_columns.json is damaged: {error}; export again") from error


def _column(name: str, content: Mapping[str, Any], n_items: int) -> Values:
    """Return a column from its JSON.

    Raises:
        ExportError: Its type is unknown, or its values do not fit.
    """
    kind, values = content["type"], content["values"]
    if not isinstance(values, list) or (kind not in PYTHON and kind != "texts"):
        raise ExportError(f"item_columns.json: column {name!r} has an unknown type; export again")
    if len(values) != n_items:
        raise ExportError(
            f"item_columns.json: column {name!r} has {len(values)} values for {n_items} items; "
            "export again"
        )
    parts = values if kind != "texts" else [part for each in values for part in each or ()]
    expected = PYTHON.get(kind, str)
    if set(map(type, parts)) - {expected, type(None)} or (
        kind == "texts" and set(map(type, values)) - {list, type(None)}
    ):
        raise ExportError(
            f"item_columns.json: column {name!r} has a value that is not {expected.__name__}; "
            "export again"
        )
    if kind in DTYPES:
        return plain_values(kind, values)
    return text_values(values) if kind == "text" else list_values(values)


def shop_columns(
    items: Vocabulary,
    own: Mapping[str, Values],
    given: TableSource | None,
    titles: Mapping[str, str],
    data: Mapping[str, Any],
) -> ItemTable:
    """Return the item columns that rules can use, a value for each item of the model.

    Args:
        items: Item tokens by number.
        own: The columns of the export.
        given: A table of items, which wins where both have a column; None for none.
        titles: Item token to title, which become the column ``title``.
        data: Data settings of the training: item column, title column and cleaning of tokens.

    Returns:
        The columns.

    Raises:
        DataError: The table cannot be read, or has none of the items of the model.
    """
    columns, more = dict(own), dict[str, str]()
    if given is not None:
        table = read_table(given, "items", separator=str(data.get("separator") or "\t"))
        aligned, more = _aligned(table, items, data)
        columns = {name: each for name, each in columns.items() if name not in aligned} | aligned
    if (titles or more) and "title" not in columns:
        texts = [more.get(item, titles.get(item)) for item in items.entries]
        columns["title"] = text_values(texts)
    return ItemTable(len(items), columns)


def _aligned(
    table: Table, items: Vocabulary, data: Mapping[str, Any]
) -> tuple[dict[str, Values], dict[str, str]]:
    """Return the columns of a table for the items of the model, and item token to title.

    Raises:
        DataError: The table has none of the items, or rows of an item contradict each other.
    """
    key = str(data["item_column"])
    tokens = table.tokens(key, data)
    empty = next((row for row, token in enumerate(tokens, start=1) if not token), None)
    if empty is not None:
        raise DataError(
            f"{table.where}, row {empty}: there is no item; fill it in or delete the row"
        )
    numbers = items.numbers([token or "" for token in tokens])
    if not numbers.any():
        example = tokens[0] if tokens else "nothing"
        raise DataError(
            f"the table of items has none of the model's items: it has {example!r}, the model has "
            f"{items.entries[0]!r}; check the item column"
        )
    names = [name for name in table.columns if name != key]
    _check_repeated(table, tokens, names)
    row_of = np.full(len(items) + 1, -1, dtype=np.int64)
    row_of[numbers] = np.arange(len(tokens))
    typed = {name: table.typed(name) for name in names}
    kept = {name: each for name, each in typed.items() if each is not None}
    aligned = {name: each.taken(row_of[1:]) for name, each in _without_long(kept).items()}
    title = _title_column(names, data)
    titles = {}
    if title is not None:
        pairs = zip(tokens, table.columns[title], strict=True)
        titles = {token: str(text) for token, text in pairs if token and text is not None}
    return aligned, titles


def _check_repeated(table: Table, tokens: list[str | None], names: list[str]) -> None:
    """Refuse rows of an item that contradict each other; equal rows are merged.

    Raises:
        DataError: They do.
    """
    if len(set(tokens)) == len(tokens):
        return
    first: dict[str | None, int] = {}
    for row, token in enumerate(tokens):
        other = first.setdefault(token, row)
        if any(table.columns[name][row] != table.columns[name][other] for name in names):
            raise DataError(
                f"{table.where}: item {token!r} has different values in rows {other + 1} and "
                f"{row + 1}; keep one row for each item"
            )


def _without_long(columns: dict[str, Values]) -> dict[str, Values]:
    """Return columns without those of long texts, such as descriptions."""
    long = [
        name
        for name, each in columns.items()
        if each.kind == "text" and _mean_length(each) > LONG_TEXTS
    ]
    if long:
        logger.warning(
            "%s of long texts not used by rules: %s", counted(len(long), "column"), ", ".join(long)
        )
    return {name: each for name, each in columns.items() if name not in long}


def _mean_length(texts: Values) -> float:
    lengths = np.array([len(text) for text in texts.entries], dtype=np.float64)
    places = texts.data[texts.mask]
    return float(lengths[places].mean()) if len(places) else 0.0


def _title_column(names: list[str], data: Mapping[str, Any]) -> str | None:
    """Return the name of the column with titles; None without such a column."""
    given = data.get("title_column")
    if given in names:
        return str(given)
    return next((n for n in names if any(word in n.lower() for word in ("title", "name"))), None)
