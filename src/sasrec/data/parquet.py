"""Parquet files, read some rows at a time, so that no column is ever in memory as text."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from tempfile import TemporaryFile

import polars as pl

from sasrec.data.filters import loaded_columns
from sasrec.data.interactions import Interactions, as_times, numbered, require_columns
from sasrec.data.limits import check_rows
from sasrec.data.numbering import Numbering
from sasrec.data.parquet_footer import check_sizes
from sasrec.data.tables import first_line, from_table, gathered, needed_of
from sasrec.errors import DataError
from sasrec.settings import DataSettings

SHARE, SMALLEST, LARGEST = 16, 2**14, 2**19
"""A slice is a sixteenth of the rows, within these numbers of them."""
STANDARD_ERROR = 2


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
    check_sizes(path, tuple(needed_of(columns)))
    with _named(path):
        kinds = pl.read_parquet_schema(path)
        height = pl.scan_parquet(path, glob=False).select(pl.len()).collect().item()
    names = loaded_columns(list(kinds), "inter", columns)
    require_columns(names, tokens, str(path))
    values = [name for name in needed_of(columns) if name in names and name not in tokens]
    check_rows(path, height)
    # Times that are text may be numbers in some slices and dates in others.
    times = [n for n in values if n == columns.time_column and kinds[n] != pl.String]
    written = [n for n in values if n == columns.time_column and n not in times]
    read = partial(_slices, path, height, times)
    frame, entries = gathered(read, values, tokens, numbers=times, written=written, most=height)
    return from_table(frame, names, path, columns, entries)


@contextmanager
def _named(path: Path) -> Iterator[None]:
    """Say in one line what Polars says of a broken file, where it tells pages on standard error.

    Raises:
        DataError: The file is broken.
    """
    with TemporaryFile() as told:
        usual = os.dup(STANDARD_ERROR)
        os.dup2(told.fileno(), STANDARD_ERROR)
        try:
            yield
        except (pl.exceptions.PolarsError, pl.exceptions.PanicException) as error:
            told.truncate(0)
            raise DataError(f"{path} cannot be read as Parquet: {first_line(error)}") from error
        finally:
            os.dup2(usual, STANDARD_ERROR)
            os.close(usual)
            told.seek(0)
            sys.stderr.write(told.read().decode(errors="replace"))


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
        with _named(path):
            piece = table.slice(first, size).collect()
        tokens = [numbered(piece[n], str(path), each, first) for n, each in numberings.items()]
        moments = [as_times(piece[name], str(path), first) for name in times if name in names]
        yield piece.with_columns(*tokens, *moments)
