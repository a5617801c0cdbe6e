"""Parquet files, read some rows at a time, so that no column is ever in memory as text."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path

import polars as pl

from sasrec.data.filters import loaded_columns
from sasrec.data.interactions import Interactions, as_times, numbered, require_columns
from sasrec.data.limits import check_rows
from sasrec.data.numbering import Numbering
from sasrec.data.tables import first_line, from_table, gathered, needed_of
from sasrec.errors import DataError
from sasrec.settings import DataSettings

SHARE, SMALLEST, LARGEST = 16, 2**14, 2**19
"""A slice is a sixteenth of the rows, within these numbers of them."""


def read_parquet(path: Path, columns: DataSettings) -> Interactions:
    """Read a Parquet file.

    Args:
        path: The file.
        columns: Which columns hold what.

    Returns:
        Its events, in the order of the file.

    Raises:
        DataError: The file is broken, lacks a column, or holds rows without end.
    """
    tokens = (columns.user_column, columns.item_column)
    try:
        kinds = pl.read_parquet_schema(path)
        names = loaded_columns(list(kinds), "inter", columns)
        require_columns(names, tokens, str(path))
        values = [name for name in needed_of(columns) if name in names and name not in tokens]
        height = pl.scan_parquet(path, glob=False).select(pl.len()).collect().item()
        check_rows(path, height)
        # Times that are text may be numbers in some slices and dates in others.
        times = [n for n in values if n == columns.time_column and kinds[n] != pl.String]
        read = partial(_slices, path, height, times)
        written = [n for n in values if n == columns.time_column and n not in times]
        frame, entries = gathered(read, values, tokens, numbers=times, written=written, most=height)
    except pl.exceptions.PolarsError as error:
        raise DataError(f"{path} cannot be read as Parquet: {first_line(error)}") from error
    return from_table(frame, names, path, columns, entries)


def _slices(
    path: Path,
    height: int,
    times: list[str],
    names: list[str],
    numberings: Mapping[str, Numbering],
) -> Iterator[pl.DataFrame]:
    """Yield some columns of a file slice by slice.

    Args:
        path: The file.
        height: Its rows.
        times: Columns among ``names`` to yield as times.
        names: Columns to yield, the others as they are.
        numberings: Columns of tokens, yielded as numbers; are added to.

    Yields:
        Rows.

    Raises:
        DataError: A token or a time is none.
    """
    table = pl.scan_parquet(path, glob=False).select([*numberings, *names])
    size = min(max(height // SHARE, SMALLEST), LARGEST)
    for first in range(0, height, size):
        piece = table.slice(first, size).collect()
        tokens = [numbered(piece[n], str(path), each, first) for n, each in numberings.items()]
        moments = [as_times(piece[name], str(path), first) for name in times if name in names]
        yield piece.with_columns(*tokens, *moments)
