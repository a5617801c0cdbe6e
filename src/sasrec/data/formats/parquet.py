"""Parquet files, read slice by slice, so that no column is in memory as text all at once."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import polars as pl

from sasrec.data.formats.changes import check_unchanged, file_status
from sasrec.data.formats.joined import read_tables
from sasrec.data.formats.limits import check_rows
from sasrec.data.formats.parquet_footer import DAMAGED, check_sizes
from sasrec.data.formats.tables import Table, columns_to_read
from sasrec.data.interactions import Interactions
from sasrec.data.values.numbering import Numbering
from sasrec.data.values.tokens import column_tokens
from sasrec.errors import DataError
from sasrec.settings.data import DataSettings
from sasrec.system.children import python_command

SHARE, SMALLEST, LARGEST = 16, 2**14, 2**19
"""A slice is a sixteenth of the rows, but at least and at most this many rows."""
TOKEN_EXPANSION, ALWAYS_ALLOWED_BYTES = 100, 2**26
"""Limit on decoded tokens: 100 times the size of the file plus 64 MiB. Parquet stores a repeated
text only once, so a small file can expand to very much text."""
READ_IN_CHILD = """
import sys, polars
for name in sys.argv[2:]:
    polars.read_parquet(sys.argv[1], columns=[name], glob=False)
"""


def read_parquet(path: Path, columns: DataSettings) -> Interactions:
    """Read a Parquet file.

    Args:
        path: The file.
        columns: Which columns hold what.

    Returns:
        Its events, in the order of the file.

    Raises:
        DataError: The file is damaged, lacks a column, or has far too many rows for its size.
    """
    return read_tables([open_parquet(path, columns)], columns, str(path))


def open_parquet(path: Path, columns: DataSettings, end: int | None = None) -> Table:
    """Return the table of a Parquet file, after the checks of its sizes.

    Args:
        path: The file.
        columns: Which columns hold what.
        end: Size of the file; not used.

    Returns:
        The table.

    Raises:
        DataError: The file is damaged, lacks a column, or has far too many rows for its size.
    """
    before = file_status(path)
    own = (columns.user_column, columns.item_column)
    needs_trial = check_sizes(path, tuple(columns_to_read(columns)))
    with _errors_translated(path):
        table = pl.scan_parquet(path, glob=False, hive_partitioning=False)
        schema = table.collect_schema()
        height = table.select(pl.len()).collect().item()
    check_rows(path, height)
    if needs_trial:
        needed = [*own, *columns_to_read(columns)]
        _try_in_child(path, [name for name in dict.fromkeys(needed) if name in schema])
    return Table(
        str(path),
        list(schema),
        height,
        partial(_slices, path, height),
        {name: dtype for name, dtype in schema.items() if dtype != pl.String},
        partial(check_unchanged, path, before),
    )


@contextmanager
def _errors_translated(path: Path) -> Iterator[None]:
    """Turn errors of Polars into a DataError that names the file.

    Raises:
        DataError: The file is damaged.
    """
    try:
        yield
    except pl.exceptions.PolarsError as error:
        first_line = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise DataError(f"{path} cannot be read as Parquet: {first_line}") from error
    except pl.exceptions.PanicException as error:
        raise DataError(DAMAGED.format(path, "values")) from error


def _try_in_child(path: Path, names: list[str]) -> None:
    """Read some columns in a child process first, since a damaged file may crash the process.

    Raises:
        DataError: The child process failed.
    """
    if getattr(sys, "frozen", False):  # the executable is not Python then
        return
    command = python_command("-c", READ_IN_CHILD, str(path), *names)
    if subprocess.run(command, capture_output=True).returncode:
        raise DataError(DAMAGED.format(path, "values"))


def _slices(
    path: Path,
    height: int,
    names: list[str],
    numberings: Mapping[str, Numbering],
) -> Iterator[pl.DataFrame]:
    """Yield some columns of a file slice by slice.

    Args:
        path: The file.
        height: Number of its rows.
        names: Further columns to yield, in their own type.
        numberings: Columns of tokens, yielded as numbers; new tokens are added.

    Yields:
        Rows.

    Raises:
        DataError: A token is invalid, or the tokens expand to too much text.
    """
    table = pl.scan_parquet(path, glob=False, hive_partitioning=False).select([*numberings, *names])
    size = min(max(height // SHARE, SMALLEST), LARGEST)
    token_bytes = 0
    for first in range(0, height, size):
        with _errors_translated(path):
            piece = table.slice(first, size).collect()
        for name in numberings:
            if piece[name].dtype == pl.String:
                token_bytes += int(piece[name].str.len_bytes().sum())
        if token_bytes > TOKEN_EXPANSION * path.stat().st_size + ALWAYS_ALLOWED_BYTES:
            raise DataError(
                f"{path}: the user and item columns expand to far more text than the size of the "
                "file; use shorter ids"
            )
        tokens = [
            each.add(column_tokens(piece[name], str(path), first))
            for name, each in numberings.items()
        ]
        yield piece.with_columns(tokens)
