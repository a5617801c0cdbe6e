"""Reads logs of events in pieces: CSV files and Parquet files."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from sasrec_serve.errors import DataError
from sasrec_serve.stores.contract import Event
from sasrec_serve.stores.log_columns import LogColumns
from sasrec_serve.stores.log_texts import SUFFIXES, read_texts
from sasrec_serve.stores.parquet_files import (
    opened,
    seconds_or_numbers,
    token_column,
    translating,
)

PIECE = 2000
"""Rows read and stored at once; a server that appends meanwhile waits for as long as that takes."""
Piece = tuple[int, list[Event | None]]
"""Number of the first row, from 1, and an event for each row, or None if it lacks user or item."""


def read_rows(path: Path, columns: LogColumns) -> Iterator[Piece]:
    """Read a log.

    Args:
        path: The file.
        columns: Names of its columns.

    Returns:
        Pieces of events.

    Raises:
        DataError: The file cannot be read, is of an unknown kind, or has an invalid value.
    """
    name = path.name.lower().removesuffix(".gz")
    if name.endswith(".parquet"):
        return _parquet(path, columns)
    if name.endswith(SUFFIXES):
        return read_texts(path, columns, PIECE)
    raise DataError(
        f"{path} is no log that can be read; its name must end in .csv, .tsv, .inter (or these "
        "with .gz) or .parquet"
    )


def _parquet(path: Path, columns: LogColumns) -> Iterator[Piece]:
    with translating(path), opened(path) as file:
        columns = columns.found_in(file.schema_arrow.names, str(path))
        names = [columns.user, columns.item, columns.time, columns.type, columns.id]
        wanted = list(dict.fromkeys(name for name in names if name is not None))
        row = 1
        for batch in file.iter_batches(PIECE, columns=wanted):
            yield row, _events(batch, columns, path)
            row += len(batch)


def _events(batch: Any, columns: LogColumns, path: Path) -> list[Event | None]:
    """Return the events of a piece of a Parquet file."""
    users = _tokens(batch, columns.user, path)
    items = _tokens(batch, columns.item, path)
    times = _times(batch, columns.time, path)
    types = _tokens(batch, columns.type, path)
    ids = _tokens(batch, columns.id, path)
    return [
        None if user is None or item is None else Event(user, item, time, kind, name)
        for user, item, time, kind, name in zip(users, items, times, types, ids, strict=True)
    ]


def _tokens(batch: Any, name: str | None, path: Path) -> Sequence[str | None]:
    """Return a column of tokens; None where they are missing or empty."""
    import pyarrow as pa

    if name is None:
        return [None] * len(batch)
    column = token_column(batch.column(name), name, path)
    return [token or None for token in column.cast(pa.string()).to_pylist()]


def _times(batch: Any, name: str | None, path: Path) -> Sequence[float | None]:
    """Return a column of times; None where they are missing."""
    if name is None:
        return [None] * len(batch)
    times = seconds_or_numbers(batch.column(name), name, path).to_pylist()
    return [None if time != time else time for time in times]  # NaN
