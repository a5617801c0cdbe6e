"""What CSV and Parquet share: reading only the needed columns of a table, piece by piece."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import polars as pl

from sasrec.data.filters import needed_columns
from sasrec.data.formats.rows import Rows
from sasrec.data.interactions import Interactions, from_frame
from sasrec.data.values.columns import time_column
from sasrec.data.values.numbering import Numbering
from sasrec.data.values.timestamps import TimeReader
from sasrec.remarks import Remark
from sasrec.settings.data import DataSettings


def _nothing() -> None:
    """Do nothing after reading."""


@dataclass(frozen=True, slots=True)
class Table:
    """A table of a file, whose rows are read later.

    Attributes:
        where: Name of the file, for error messages.
        names: All its columns.
        max_rows: Upper limit on its rows.
        read: Yields, piece by piece, the columns in its first argument, and those in its second as
            token numbers. It may be called twice.
        types: The type of each column that is not text.
        finish: Raises an error if the file was changed while it was read.
        has_header: Whether the file itself names its columns.
    """

    where: str
    names: list[str]
    max_rows: int
    read: Callable[[list[str], Mapping[str, Numbering]], Iterator[pl.DataFrame]]
    types: Mapping[str, pl.DataType] = field(default_factory=dict)
    finish: Callable[[], None] = _nothing
    has_header: bool = True


def read_columns(
    read: Callable[[list[str], Mapping[str, Numbering]], Iterator[pl.DataFrame]],
    values: list[str],
    numberings: Mapping[str, Numbering],
    *,
    numbers: Sequence[str] = (),
    readers: Mapping[str, TimeReader],
    where: str,
    max_rows: int,
) -> tuple[pl.DataFrame, dict[str, pl.Series]]:
    """Read some columns of a table that comes in pieces.

    Args:
        read: Yields, piece by piece, the columns in its first argument, and those in its second
            as token numbers. It may be called twice.
        values: Columns other than those of tokens.
        numberings: For each column of tokens, an empty numbering.
        numbers: Those of ``values`` that are Float64 without nulls.
        readers: For some text columns of ``values``, what reads them as times.
        where: Name of the source, for error messages.
        max_rows: Upper limit on the number of rows.

    Returns:
        The rows, with tokens as numbers, Int32, 0 where there is none; and for each column of
        tokens, its tokens from number 1 on, String.

    Raises:
        DataError: As ``read``, or times can be read in two ways.
    """  # raised by TimeReader.series
    tokens = list(numberings)
    rows = Rows(max_rows, dict.fromkeys(tokens, np.int32) | dict.fromkeys(numbers, np.float64))
    others = [name for name in values if name not in numbers and name not in readers]
    frames = []
    for frame in read(values, numberings):
        rows.append(frame.select(*tokens, *numbers).fill_null(0))
        for name, reader in readers.items():
            reader.add(frame[name])
        frames.append(frame.select(others))
    entries = {name: numbering.entries for name, numbering in numberings.items()}
    if not frames:
        return pl.DataFrame(schema=[*tokens, *values]), entries
    times = [
        pl.concat(each[name] for each in read([*tokens, *values], {}))  # tells the invalid row
        if reader.has_failed
        else reader.series(name, where)
        for name, reader in readers.items()
    ]
    columns = [rows.frame(), pl.concat(frames), pl.DataFrame(times)]
    return pl.concat(columns, how="horizontal"), entries


def columns_to_read(columns: DataSettings) -> list[str]:
    """Return the names of the columns that are read if the table has them.

    Args:
        columns: Which columns hold what, and filters.
    """
    own = [columns.user_column, columns.item_column, columns.time_column]
    return own + needed_columns(columns)


def from_table(
    frame: pl.DataFrame,
    names: list[str],
    where: str,
    columns: DataSettings,
    *,
    tokens: Mapping[str, pl.Series],
    remarks: tuple[Remark, ...] = (),
) -> Interactions:
    """Check a table and convert it to ``Interactions``.

    Args:
        frame: One row per event, tokens as numbers.
        names: All columns of the file that are loaded.
        where: Name of the source, for error messages.
        columns: Which columns hold what.
        tokens: For each column of tokens, its tokens from number 1 on.
        remarks: Remarks found while reading the file.

    Returns:
        The events in the order of the frame.

    Raises:
        DataError: As ``from_frame`` and ``time_column``.
    """
    time = time_column(names, columns, where)
    events = from_frame(
        frame,
        user=columns.user_column,
        item=columns.item_column,
        time=time,
        values=needed_columns(columns),
        tokens=tokens,
        where=where,
        settings=columns,
        remarks=remarks,
    )
    return replace(events, columns=tuple(names))
