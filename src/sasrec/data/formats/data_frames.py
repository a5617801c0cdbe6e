"""Polars and pandas data frames as data sources."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from sasrec.data.filters import needed_columns
from sasrec.data.interactions import Interactions, from_frame
from sasrec.data.values.columns import time_column
from sasrec.data.values.tokens import column_tokens
from sasrec.errors import DataError
from sasrec.settings.data import DataSettings

if TYPE_CHECKING:
    import pandas as pd


def read_data_frame(source: pl.DataFrame | pd.DataFrame, settings: DataSettings) -> Interactions:
    """Read a Polars or pandas data frame.

    Args:
        source: One row per event.
        settings: Which columns hold what.

    Returns:
        Its events, in the order of the rows.

    Raises:
        DataError: It is not a data frame, lacks a column, or has a value that cannot be used.
    """
    values = needed_columns(settings)
    frame = source
    if not isinstance(source, pl.DataFrame):
        frame = _from_pandas(source, settings, values)
    names = tuple(str(name) for name in source.columns)
    events = from_frame(
        frame,
        user=settings.user_column,
        item=settings.item_column,
        time=time_column(list(names), settings, "the data frame"),
        values=values,
        settings=settings,
    )
    return replace(events, columns=names)


def as_polars(
    source: pl.DataFrame | pd.DataFrame, tokens: tuple[str, ...], what: str
) -> pl.DataFrame:
    """Return a Polars or pandas data frame as Polars, with all its columns.

    Args:
        source: The data frame.
        tokens: Names of its columns of tokens, whose objects may be of several types.
        what: What it was given as, for error messages.

    Returns:
        The same rows.

    Raises:
        DataError: It is not a data frame, or has a column that Polars has no type for.
    """
    if isinstance(source, pl.DataFrame):
        return source
    if not hasattr(source, "columns") or not hasattr(source, "to_dict") or isinstance(source, type):
        raise DataError(
            f"{what} is a {type(source).__name__}; give a path, or a Polars or pandas data frame"
        )
    names = [str(name) for name in source.columns]
    _check_index(source, tokens, names, what)
    columns = [
        _pandas_column(source[own], holds_tokens=name in tokens).alias(name)
        for own, name in zip(source.columns, names, strict=True)
    ]
    return pl.DataFrame(columns)


def _from_pandas(source: pd.DataFrame, settings: DataSettings, values: list[str]) -> pl.DataFrame:
    if not hasattr(source, "columns") or not hasattr(source, "to_dict") or isinstance(source, type):
        raise DataError(
            f"data is a {type(source).__name__}; give the name of a data set, a path, or a Polars "
            "or pandas data frame"
        )
    names = {str(name): name for name in source.columns}
    own = (settings.user_column, settings.item_column, settings.time_column)
    _check_index(source, (*own, *values), list(names), "data")
    time_column(list(names), settings, "the data frame")
    return pl.DataFrame(
        {
            text: _pandas_column(source[name], holds_tokens=text in own[:2])
            for text, name in names.items()
            if text in own or text in values
        }
    )


def _check_index(
    source: pd.DataFrame, needed: Sequence[str], names: Sequence[str], what: str
) -> None:
    """Refuse a pandas data frame whose index has columns that are needed, such as the times.

    Raises:
        DataError: It has.
    """
    levels = getattr(getattr(source, "index", None), "names", ())
    index = [str(name) for name in levels if name is not None]
    if found := [name for name in index if name in needed and name not in names]:
        raise DataError(
            f"the index of the data frame has {', '.join(map(repr, found))}, and only columns are "
            f"read; give {what} as frame.reset_index()"
        )


def _pandas_column(column: pd.Series, *, holds_tokens: bool) -> pl.Series:
    """Return a pandas column as a Polars series, null where a value is missing.

    Args:
        column: A column of any dtype.
        holds_tokens: Whether the column holds users or items, whose objects may be of several
            types; objects in other columns must be of one type.

    Raises:
        DataError: The column has values that Polars has no type for.
    """
    if not hasattr(column, "to_numpy") or getattr(column, "ndim", 1) != 1:
        raise DataError("the data frame has two columns with the same name; rename one")
    if column.dtype == "category":
        return _pandas_categories(column, holds_tokens=holds_tokens)
    numpy_dtype = getattr(column.dtype, "numpy_dtype", None)
    is_missing = column.isna().to_numpy(dtype=bool)
    if numpy_dtype is not None and numpy_dtype.kind in "iuf":
        # to_numpy() without these arguments converts integers to floats if one is missing.
        whole = pl.Series(
            column.to_numpy(dtype=numpy_dtype, na_value=0, copy=True), nan_to_null=True
        )
        return whole.set(pl.Series(is_missing), None) if is_missing.any() else whole
    values = column.to_numpy(copy=True)
    if values.dtype.kind == "M":
        values = values.astype("datetime64[us]")
    try:
        if values.dtype == object:  # in pandas, a missing value is None, NaN or NA
            values[is_missing] = None
            # Objects of one type become that type; tokens are converted to text one by one later.
            dtype = pl.Object if holds_tokens else None
            return pl.Series(str(column.name), values.tolist(), dtype=dtype, strict=False)
        return pl.Series(values, nan_to_null=True)
    except (TypeError, ValueError, pl.exceptions.PolarsError) as error:
        raise DataError(
            f"column {column.name!r} of the data frame has values of an unsupported type "
            f"({error}); use text, numbers or dates"
        ) from error


def _pandas_categories(column: pd.Series, *, holds_tokens: bool) -> pl.Series:
    """Return the category of each row, looked up by its code; pandas may convert them to floats."""
    categories = _pandas_column(column.cat.categories.to_series(), holds_tokens=holds_tokens)
    if categories.dtype == pl.Object:
        categories = column_tokens(categories.alias(str(column.name)), "the data frame")
    codes = pl.Series(column.cat.codes.to_numpy().astype(np.int64))
    return categories.gather(codes.set(codes < 0, None))
