"""``item_columns.json`` of a model folder: facts about items, such as category and price."""

from __future__ import annotations

import math
from typing import Any

import polars as pl

from sasrec.data.item_columns import ItemColumns
from sasrec.data.vocabulary import Vocabulary
from sasrec.errors import ModelError

TYPES: dict[str, pl.DataType] = {
    "text": pl.String(),
    "whole": pl.Int64(),
    "number": pl.Float64(),
    "flag": pl.Boolean(),
    "date": pl.Date(),
    "time": pl.Datetime("us"),
    "texts": pl.List(pl.String()),
}
"""Name of each type in the file. Dates are days, and times are microseconds, since 1970."""
STORED = {"date": pl.Int32(), "time": pl.Int64()}
PYTHON = {"text": str, "whole": int, "number": float, "flag": bool, "date": int, "time": int}


def item_columns_as_json(columns: ItemColumns) -> dict[str, Any]:
    """Return item columns in types JSON has; infinite numbers and NaN are missing.

    Args:
        columns: The columns, with a row for each item of the model, in its order.

    Returns:
        Column name to its type and its values.
    """
    names = {dtype: name for name, dtype in TYPES.items()}
    content = {}
    for column in columns.values:
        kind = names[column.dtype]
        values = column.cast(STORED[kind]) if kind in STORED else column
        if kind == "number":  # JSON has neither infinity nor NaN
            values = values.set(~values.is_finite().fill_null(value=True), None)
        content[column.name] = {"type": kind, "values": values.to_list()}
    return content


def item_columns_from_json(content: dict[str, Any], items: Vocabulary) -> ItemColumns | None:
    """Return item columns from their JSON.

    Args:
        content: What ``item_columns_as_json`` returned.
        items: The items of the model.

    Returns:
        The columns; None if there are none.

    Raises:
        ModelError: A column has an unknown type, a value of another type, or the wrong length.
    """
    if not content:
        return None
    values = pl.DataFrame([_column(name, each, len(items)) for name, each in content.items()])
    return ItemColumns(items.entries, values)


def _column(name: str, content: Any, n_items: int) -> pl.Series:
    """Return a column from its JSON.

    Raises:
        ModelError: Its type is unknown, or its values do not fit.
    """
    kind, values = content["type"], content["values"]
    if kind not in TYPES or not isinstance(values, list):
        raise ModelError(f"the item column {name!r} has an unknown type")
    if len(values) != n_items:
        raise ModelError(f"the item column {name!r} has {len(values)} values for {n_items} items")
    name.encode()  # raises for lone surrogates, which could not be printed
    if kind == "texts":
        parts = [part for each in values if each is not None for part in each]
        _check_types(name, parts, str)
        if not all(each is None or isinstance(each, list) for each in values):
            raise ModelError(f"the item column {name!r} has a value that is not a list")
    else:
        _check_types(name, [each for each in values if each is not None], PYTHON[kind])
    try:
        return pl.Series(name, values, dtype=STORED.get(kind, TYPES[kind])).cast(TYPES[kind])
    except (pl.exceptions.PolarsError, OverflowError, TypeError) as error:
        reason = str(error).splitlines()[0]
        raise ModelError(f"the item column {name!r} has an unsuitable value: {reason}") from error


def _check_types(name: str, values: list[Any], expected: type) -> None:
    """Refuse values of another type; Polars would convert some of them.

    Raises:
        ModelError: A value has another type.
    """
    for value in values:
        if type(value) is not expected:
            raise ModelError(
                f"the item column {name!r} has a value that is not {expected.__name__}"
            )
        if isinstance(value, str):
            value.encode()
        if isinstance(value, float) and not math.isfinite(value):
            raise ModelError(
                f"the item column {name!r} has the number {value}, which JSON does not have; make "
                "it null, or train again"
            )
