"""Columns of new items, in the types that the columns of the earlier items have."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import polars as pl

from sasrec.data.content.columns import as_texts, category_lists
from sasrec.data.item_columns import ItemColumns, kind_of
from sasrec.data.values.parsed_texts import parsed_texts
from sasrec.errors import DataError, printable

MOMENT = "%Y-%m-%d %H:%M:%S"


def in_earlier_types(table: ItemColumns, types: Mapping[str, pl.DataType]) -> ItemColumns:
    """Return a table of items with its columns in the types of earlier items.

    Args:
        table: Facts about new items.
        types: Types of the columns of earlier items by name; others are unchanged.

    Returns:
        The table; a column of numbers may hold whole numbers or fractions.

    Raises:
        DataError: A value has no meaning in the type of its column.
    """
    columns = [_converted(column, types.get(column.name)) for column in table.values]
    return replace(table, values=pl.DataFrame(columns))


def _converted(column: pl.Series, dtype: pl.DataType | None) -> pl.Series:
    """Return a column in another type, or unchanged if there is none.

    Raises:
        DataError: A value has no meaning in this type.
    """
    if dtype is None or column.dtype == dtype or (dtype.is_numeric() and column.dtype.is_numeric()):
        return column
    if column.null_count() == len(column):
        return pl.Series(column.name, [None] * len(column), dtype=dtype)
    source = parsed_texts(column) if column.dtype == pl.String else column
    found = _as_type(source, column, dtype)
    if found is None or found.null_count() > column.null_count():
        example = printable(str(column.drop_nulls().to_list()[0]))[:40]
        raise DataError(
            f"the new items: column {column.name!r} holds {kind_of(column.dtype)}, such as "
            f"{example!r}, but the items of the model have {kind_of(dtype)} there; convert it"
        )
    return found.alias(column.name)


def _as_type(source: pl.Series, column: pl.Series, dtype: pl.DataType) -> pl.Series | None:
    """Return values in a type of item columns; None if their own type has no meaning there.

    Args:
        source: The values; texts that mean numbers or dates are such.
        column: The values as they were given.
        dtype: The type.
    """
    if isinstance(dtype, pl.List):
        return category_lists(column, None, "|") if column.dtype == pl.String else None
    if dtype == pl.String:
        return _as_text(column)
    if dtype.is_numeric() and source.dtype.is_numeric():
        return source
    is_date = source.dtype in (pl.Date, pl.Datetime) and dtype in (pl.Date, pl.Datetime)
    return source.cast(dtype) if is_date or source.dtype == dtype else None


def _as_text(column: pl.Series) -> pl.Series | None:
    """Return values as the texts that mean them in a file; None for lists."""
    if isinstance(column.dtype, pl.List):
        return None
    if column.dtype == pl.Datetime:
        return column.dt.strftime(MOMENT)
    return as_texts(column)
