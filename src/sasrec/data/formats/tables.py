"""Tables of one column a value, of which only the columns needed are read, piece by piece."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import polars as pl

from sasrec.data.checks.remarks import Remark
from sasrec.data.filters import needed_columns
from sasrec.data.formats.rows import Rows
from sasrec.data.interactions import Interactions, from_frame
from sasrec.data.values.numbering import Numbering
from sasrec.data.values.times import time_column
from sasrec.settings.data import DataSettings


def gathered(
    read: Callable[[list[str], Mapping[str, Numbering]], Iterator[pl.DataFrame]],
    values: list[str],
    numberings: Mapping[str, Numbering],
    *,
    numbers: Sequence[str] = (),
    read_as: Mapping[str, Callable[[pl.Series], pl.Series]],
    most: int,
) -> tuple[pl.DataFrame, dict[str, pl.Series]]:
    """Return some columns of a table that comes in pieces.

    Args:
        read: Yields the columns named, and those of tokens as numbers, piece by piece; may be
            called again.
        values: Columns of no tokens.
        numberings: Columns of tokens, each with an empty numbering of them.
        numbers: Those values that are Float64 without nulls.
        read_as: Of those values that are text, what makes numbers or moments of a piece if all of
            it can be read so.
        most: No more rows come.

    Returns:
        A row a line; tokens as numbers, Int32, 0 where there is none; and of each column of
        tokens, the text of number 1 and so on, String.

    Raises:
        DataError: As ``read`` does.
    """
    tokens = list(numberings)
    rows = Rows(most, dict.fromkeys(tokens, np.int32) | dict.fromkeys(numbers, np.float64))
    others = [name for name in values if name not in numbers]
    frames = []
    for frame in read(values, numberings):
        rows.append(frame.select(*tokens, *numbers).fill_null(0))
        read_so = [make(frame[name]) for name, make in read_as.items()]
        frames.append(frame.select(others).with_columns(read_so))
    entries = {name: numbering.entries for name, numbering in numberings.items()}
    if not frames:
        return pl.DataFrame(schema=[*tokens, *values]), entries
    kinds = {name: _kinds(name, frames) for name in others}
    mixed = [name for name, found in kinds.items() if len(found) > 1]
    casts = [pl.col(name).cast(*found) for name, found in kinds.items() if len(found) == 1]
    frame = pl.concat(each.drop(mixed).with_columns(casts) for each in frames)
    frames.clear()
    if mixed:
        # What is a number or a date in some pieces of the file alone is text. All columns are read
        # again, since a line is blank if all of them are empty.
        texts = pl.concat(each.select(mixed) for each in read([*tokens, *values], {}))
        frame = pl.concat([frame, texts], how="horizontal")
    return pl.concat([rows.frame(), frame], how="horizontal"), entries


def _kinds(name: str, frames: list[pl.DataFrame]) -> set[pl.DataType]:
    """Return the types a column has in the pieces in which it has values."""
    return {each[name].dtype for each in frames if each[name].null_count() < each.height}


def needed_of(columns: DataSettings) -> list[str]:
    """Return the columns of a table that are read, if they are there.

    Args:
        columns: Which columns hold what, and filters.
    """
    own = [columns.user_column, columns.item_column, columns.time_column]
    return own + needed_columns(columns)


def from_table(
    frame: pl.DataFrame,
    names: list[str],
    path: Path,
    columns: DataSettings,
    *,
    tokens: Mapping[str, pl.Series],
    remarks: tuple[Remark, ...] = (),
) -> Interactions:
    """Check a table that was read and bring it into our form.

    Args:
        frame: A row an event, tokens as numbers.
        names: All columns of the file that count.
        path: The file.
        columns: Which columns hold what.
        tokens: By column, the text of number 1 and so on.
        remarks: What has been found doubtful in the file before.

    Returns:
        The events in the order of the frame.

    Raises:
        DataError: As ``from_frame`` and ``time_column`` do.
    """
    time = time_column(names, columns, str(path))
    return from_frame(
        frame,
        user=columns.user_column,
        item=columns.item_column,
        time=time,
        values=needed_columns(columns),
        tokens=tokens,
        where=str(path),
        settings=columns,
        remarks=remarks,
    )
