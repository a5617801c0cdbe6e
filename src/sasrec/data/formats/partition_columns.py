"""Columns in the names of folders, such as ``country=DE``: added to the tables of their files."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import partial

import polars as pl

from sasrec.data.formats.part_files import HIVE_NULL
from sasrec.data.formats.tables import Table
from sasrec.data.values.numbering import Numbering
from sasrec.errors import DataError

DATE = re.compile(r"[0-9]{4}(?:-[0-9]{2}){1,2}")
"""A month or a day in the name of a folder."""


def with_constants(table: Table, constants: Mapping[str, str | None]) -> Table:
    """Return a table with further columns of one text each, such as those of a Hive partition.

    Args:
        table: The table; its own columns are kept if they have the same name, and compared with
            the constants where they are read.
        constants: Name of a column to its value, None for null.

    Returns:
        The table with these columns last.
    """
    added = {name: value for name, value in constants.items() if name not in table.names}
    own = {name: value for name, value in constants.items() if name in table.names}
    read = table.read if not own else partial(_compared, table, own)
    if added:
        read = partial(_with_constants, read, added)
    return replace(table, names=[*table.names, *added], read=read)


def _compared(
    table: Table,
    constants: Mapping[str, str | None],
    values: list[str],
    numberings: Mapping[str, Numbering],
) -> Iterator[pl.DataFrame]:
    """Yield the rows of a table whose folder names columns that it has itself.

    Raises:
        DataError: A value contradicts the name of the folder.
    """
    for piece in table.read(values, numberings):
        for name in constants.keys() & set(piece.columns):
            value = constants[name]
            if name in numberings:
                token = pl.Series([value], dtype=pl.String)
                agrees = piece[name] == numberings[name].add(token).item()
            else:
                agrees = _agrees(piece[name], value)
            if not agrees.all(ignore_nulls=True):
                row = int((~agrees).fill_null(value=False).arg_max() or 0)
                own = numberings[name].entries[piece[name][row] - 1] if name in numberings else None
                raise DataError(_contradiction(table, name, own or piece[name][row], value))
        yield piece


def _agrees(values: pl.Series, constant: str | None) -> pl.Series:
    """Return whether values mean the same as the text in the name of a folder, Boolean [n].

    Null where a value is missing, or cannot be compared, such as a time with the date of a folder.
    """
    if constant is None:
        return values.is_null()
    if values.dtype == pl.Datetime or values.dtype.is_nested():
        return pl.Series([None], dtype=pl.Boolean).new_from_index(0, len(values))
    texts = values.cast(pl.String).str.strip_chars()
    texts = texts.set(texts == "", None)
    if values.dtype == pl.Boolean:
        return texts == constant.lower()
    if DATE.fullmatch(constant):  # the values may be times of this day or month
        return texts.str.starts_with(constant)
    number = pl.Series([constant]).cast(pl.Float64, strict=False).item()
    same = texts == constant
    if number is None:
        return same
    is_equal: pl.Series = texts.cast(pl.Float64, strict=False) == number
    return same | is_equal.fill_null(value=False)


def _contradiction(table: Table, name: str, own: object, constant: str | None) -> str:
    folder = f"{name}={HIVE_NULL if constant is None else constant}"
    return (
        f"{table.where}: column {name!r} holds {str(own)!r}, but the file is in a folder "
        f"{folder!r}, which gives all its rows this value; remove the column from the files, or "
        "rename the folder or the column"
    )


def _with_constants(
    own: Callable[[list[str], Mapping[str, Numbering]], Iterator[pl.DataFrame]],
    added: Mapping[str, str | None],
    values: list[str],
    numberings: Mapping[str, Numbering],
) -> Iterator[pl.DataFrame]:
    inner = {name: each for name, each in numberings.items() if name not in added}
    for piece in own([name for name in values if name not in added], inner):
        columns = [
            pl.Series(name, [added[name]], dtype=pl.String).new_from_index(0, piece.height)
            for name in [*numberings, *values]
            if name in added
        ]
        yield piece.with_columns(
            numberings[each.name].add(each) if each.name in numberings else each for each in columns
        )
