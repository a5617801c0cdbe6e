"""Reads one table, or several parts as one: all share the numbers of users and items."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

import polars as pl

from sasrec.data.filters import loaded_columns
from sasrec.data.formats.tables import Table, columns_to_read, from_table, read_columns
from sasrec.data.interactions import Interactions
from sasrec.data.values.cleaning import numbering_for
from sasrec.data.values.columns import time_column
from sasrec.data.values.numbering import Numbering
from sasrec.data.values.part_zones import PartZones
from sasrec.data.values.times import as_times, is_read_as_text, unused_time_format
from sasrec.data.values.timestamps import TimeReader
from sasrec.errors import DataError
from sasrec.remarks import Remark
from sasrec.settings.data import DataSettings

SAMPLE = 1000
"""Values of a text column that show whether a part holds numbers or dates."""


def read_tables(
    tables: Sequence[Table], columns: DataSettings, where: str, remarks: tuple[Remark, ...] = ()
) -> Interactions:
    """Read some tables, one after the other.

    Memory grows with the events and the distinct tokens, not with the number of tables.

    Args:
        tables: One or more tables with the same columns, at least as far as these are needed.
        columns: Which columns hold what.
        where: Name of the whole source, for error messages.
        remarks: Remarks found while opening the tables.

    Returns:
        The events, in the order of the tables and their rows.

    Raises:
        DataError: A column is missing or has different types in two tables, or a value is invalid.
    """
    tokens = (columns.user_column, columns.item_column)
    names = loaded_columns(tables[0].names, "inter", columns)
    _check_same_names(tables, columns_to_read(columns))
    time_column(names, columns, tables[0].where)
    values = [name for name in columns_to_read(columns) if name in names and name not in tokens]
    _check_same_kinds(tables, [*tokens, *values])
    time = [name for name in values if name == columns.time_column]
    texts = [n for n in time if is_read_as_text(tables[0].types.get(n, pl.String()), columns)]
    times = [name for name in time if name not in texts]
    readers = {n: TimeReader(columns.time_format, columns.missing_values) for n in texts}
    joined = _Joined(tables, times, readers)
    frame, entries = read_columns(
        joined.pieces,
        values,
        {name: numbering_for(columns) for name in tokens},
        numbers=times,
        readers=readers,
        where=where,
        max_rows=sum(table.max_rows for table in tables),
    )
    for table in tables:
        table.finish()
    for name, reader in readers.items():
        remarks += reader.remarks(name)
    if times and columns.time_format is not None:
        remarks += (unused_time_format(columns, times[0], frame.height),)
    if columns.columns is not None and all(table.has_header for table in tables):
        remarks += (unused_columns(columns, len(tables)),)
    if not any(reader.has_failed for reader in readers.values()):
        columns = columns.model_copy(update={"time_format": None})  # times have been read
    try:
        return from_table(frame, names, where, columns, tokens=entries, remarks=remarks)
    except DataError as error:
        raise error.with_text(joined.with_part(str(error), where)) from error


def unused_columns(columns: DataSettings, count: int) -> Remark:
    """Return the remark that ``columns`` has no effect, since files name their columns.

    Args:
        columns: The settings.
        count: Number of files.
    """
    given = ",".join(columns.columns or ())
    text = f"columns={given} has no effect: the names of the columns are in the data"
    return Remark("unused_columns", count, text)


class _Joined:
    """Several tables as one, and the number of the first row of each.

    Attributes:
        tables: The tables.
        times: Time columns that are numbers or dates already.
        readers: For time columns that are texts, what reads them.
        begins: Number of rows before each table that was read, in all.
    """

    def __init__(
        self, tables: Sequence[Table], times: list[str], readers: Mapping[str, TimeReader]
    ) -> None:
        self.tables, self.times, self.readers = tables, times, readers
        self.begins: list[int] = []
        self._first: dict[str, str] = {}
        self._zones: dict[str, PartZones] = {}

    def pieces(
        self, values: list[str], numberings: Mapping[str, Numbering]
    ) -> Iterator[pl.DataFrame]:
        """Yield some columns of all tables, piece by piece.

        Args:
            values: Columns to yield.
            numberings: Columns of tokens, yielded as numbers; new tokens are added.

        Yields:
            Rows; times of a number or date type are Float64.
        """
        self.begins = []
        before = 0
        self._zones = {name: PartZones(reader, name) for name, reader in self.readers.items()}
        others = [name for name in values if name not in self.times]
        types = _common_types(self.tables, others)
        for table in self.tables:
            self.begins.append(before)
            rows = 0
            for piece in table.read(values, numberings):
                if len(self.tables) > 1 and not rows:
                    self._check_texts(piece, table)
                converted = [
                    as_times(piece[name], table.where, rows)[0]
                    for name in self.times
                    if name in values
                ]
                rows += piece.height
                yield piece.cast(types).with_columns(converted)  # type: ignore[arg-type]
            for zones in self._zones.values():  # the last piece has been read now
                zones.end_part(table.where)
            before += rows

    def _check_texts(self, piece: pl.DataFrame, table: Table) -> None:
        """Refuse a time column that is numbers in one part and dates in another, for example.

        Args:
            piece: The first rows of a part.
            table: The part.

        Raises:
            DataError: No form fits this part and the earlier ones.
        """
        for name in set(self.readers) & set(piece.columns):
            before, own = self.readers[name], self.readers[name].empty_copy()
            own.add(piece[name].drop_nulls().head(SAMPLE))
            if not own.example or own.has_failed:  # no times: reported later, with the row
                continue
            first = self._first.setdefault(name, table.where)
            if before.example and before.forms and not set(before.forms) & set(own.forms):
                kinds = own.kind_beside(before), before.kind_beside(own)
                raise DataError(_differs(name, (kinds[1], first), (kinds[0], table.where)))

    def with_part(self, message: str, where: str) -> str:
        """Return a message in which a row of all tables is a row of its own table.

        Args:
            message: Such as ``months, row 12: …``.
            where: The name of the source in it, ``months``.

        Returns:
            Such as ``months/feb.csv, row 3: …``.
        """
        found = re.match(re.escape(where) + r", row (\d+)", message)
        if found is None or len(self.tables) == 1:
            return message
        row = int(found[1])
        index = sum(begin < row for begin in self.begins) - 1
        place = f"{self.tables[index].where}, row {row - self.begins[index]}"
        return place + message[found.end() :]


def kind_of(dtype: pl.DataType | type[pl.DataType]) -> str:
    """Return what the values of a column are, in words; types of the same kind can be joined.

    Args:
        dtype: A Polars type.
    """
    if dtype in (pl.String, pl.Categorical, pl.Enum, pl.Null):
        return "text"
    if dtype.is_numeric():
        return "numbers"
    if dtype == pl.Datetime and getattr(dtype, "time_zone", None) is not None:
        return "dates with a time zone"
    return "dates" if dtype in (pl.Date, pl.Datetime) else str(dtype)


def _check_same_names(tables: Sequence[Table], needed: Sequence[str]) -> None:
    """Raise an error if some tables have a needed column and others do not.

    Args:
        tables: The tables.
        needed: Columns that are read where they exist.

    Raises:
        DataError: A column is missing in one table, but not in another.
    """
    for name in needed:
        having = [table for table in tables if name in table.names]
        lacking = next((table for table in tables if name not in table.names), None)
        if having and lacking is not None:
            raise DataError(
                f"{lacking.where} has no column {name!r}, which {having[0].where} has; all parts "
                f"need the same columns (it has: {', '.join(lacking.names)})"
            )


def _check_same_kinds(tables: Sequence[Table], needed: Sequence[str]) -> None:
    """Raise an error if a column has types of different kinds in two tables.

    Args:
        tables: The tables.
        needed: Columns that are read.

    Raises:
        DataError: A column is text in one table and numbers in another, for example.
    """
    for name in needed:
        kinds = [kind_of(table.types.get(name, pl.String)) for table in tables]
        for kind, table in zip(kinds, tables, strict=True):
            if kind != kinds[0]:
                raise DataError(_differs(name, (kinds[0], tables[0].where), (kind, table.where)))


def _differs(name: str, first: tuple[str, str], other: tuple[str, str]) -> str:
    """Return the message about a column whose type changes between two parts.

    Args:
        name: The column.
        first: Its kind in a part, and the part.
        other: Its kind in another part, and that part.
    """
    return (
        f"column {name!r} holds {first[0]} in {first[1]} but {other[0]} in {other[1]}; convert one "
        "of the files, so that all parts have the same type"
    )


def _common_types(tables: Sequence[Table], names: Sequence[str]) -> dict[str, pl.DataType]:
    """Return the type that a column takes in all tables, where it is not the same in all.

    Args:
        tables: The tables; their types are of the same kind.
        names: Columns.
    """
    found = {}
    for name in names:
        types = {table.types.get(name, pl.String()) for table in tables}
        if len(types) > 1:
            empty = [pl.DataFrame({name: pl.Series([], dtype=each)}) for each in types]
            found[name] = pl.concat(empty, how="vertical_relaxed").schema[name]
    return found
