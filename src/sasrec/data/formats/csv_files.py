"""CSV and TSV files, read piece by piece as text."""

from __future__ import annotations

import csv
import re
from codecs import BOM_UTF8
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import polars as pl

from sasrec.data.filters import loaded_columns
from sasrec.data.formats.changes import read_once
from sasrec.data.formats.limits import check_columns, check_lines, count_line_ends
from sasrec.data.formats.pieces import pieces
from sasrec.data.formats.quoting import rows_one_by_one
from sasrec.data.formats.tables import columns_to_read, from_table, read_columns
from sasrec.data.interactions import Interactions
from sasrec.data.values.cleaning import numbering_for
from sasrec.data.values.columns import time_column
from sasrec.data.values.numbering import Numbering
from sasrec.data.values.timestamps import Zones, numbers_or_datetimes
from sasrec.errors import DataError
from sasrec.settings.data import DataSettings


@dataclass(frozen=True, slots=True)
class _Table:
    """A CSV file and how to read it.

    Attributes:
        path: The file.
        separator: One character between the columns.
        names: All columns of the file.
        header_lines: Lines that name them.
        end: Size of the file in bytes when it was first looked at; later bytes are ignored.
    """

    path: Path
    separator: str
    names: list[str]
    header_lines: int
    end: int


VALUE = rb'(?:"(?:[^"]++|"")*+"|[^",\n]*+)'
"""A value in quotation marks, or one without any."""
_BLANK_LINE = re.compile(rb"^\r?\n|^\r\Z", re.MULTILINE)


def read_csv(path: Path, columns: DataSettings) -> Interactions:
    """Read a comma (.csv) or tab (.tsv) separated file whose first line names the columns.

    Only the needed columns are read, and as text, so that no type is guessed from the first rows.
    Times may be numbers or ISO dates. Without a time column, events are in the order of the file.

    Args:
        path: The file.
        columns: Which columns hold what.

    Returns:
        Its events, in the order of the file.

    Raises:
        DataError: The file cannot be parsed or lacks a column.
    """
    return read_once(path, partial(_read_csv, path, columns))


def _read_csv(path: Path, columns: DataSettings, end: int) -> Interactions:
    separator = _separator_of(path)
    header, lines = _csv_header(path, separator)
    names = loaded_columns(header, "inter", columns)
    time_column(names, columns, str(path))
    tokens = (columns.user_column, columns.item_column)
    values = [name for name in columns_to_read(columns) if name in names and name not in tokens]
    read = partial(_texts, _Table(path, separator, header, lines, end))
    max_rows = count_line_ends(path, end) + 1
    zones = Zones()
    # Other columns stay text, so that the meaning of a filter does not depend on their values.
    as_times_if_all = partial(numbers_or_datetimes, missing=columns.missing_values, zones=zones)
    read_as = {name: as_times_if_all for name in values if name == columns.time_column}
    numberings = {name: numbering_for(columns) for name in tokens}
    frame, entries = read_columns(read, values, numberings, read_as=read_as, max_rows=max_rows)
    remarks = zones.remarks(columns.time_column)
    return from_table(frame, names, path, columns, tokens=entries, remarks=remarks)


def _texts(
    table: _Table, values: list[str], tokens: Mapping[str, Numbering]
) -> Iterator[pl.DataFrame]:
    """Yield some columns of a table piece by piece, without its blank lines.

    Args:
        table: The file.
        values: Columns to yield as text.
        tokens: Columns of tokens, yielded as numbers; new tokens are added.

    Yields:
        One row per line, in one chunk; columns with different chunks would be copied later.

    Raises:
        DataError: A line has too many values, or a quotation mark is not closed.
    """
    rows = 0
    needed = [*tokens, *values]
    for frame in _pieces_read(table, needed):
        piece = frame.select(needed).rechunk()
        for name in needed:
            has_line_end = piece[name].str.contains(r"[\r\n]").fill_null(value=False)
            if has_line_end.any():
                raise DataError(
                    f"{table.path}, row {rows + int(has_line_end.arg_max() or 0) + 1}: the value "
                    f"of {name!r} spans several lines; close its quotation mark"
                )
        rows += piece.height
        yield piece.with_columns(each.add(piece[name]) for name, each in tokens.items())


def _pieces_read(table: _Table, needed: list[str]) -> Iterator[pl.DataFrame]:
    """Yield columns of a table piece by piece, with Polars as long as quotation marks are regular.

    Python's csv reader takes a quotation mark inside a value, as for inches, as an ordinary
    character. Polars would read everything up to the next quotation mark as one row.

    Args:
        table: The file.
        needed: Columns to yield, as String.

    Yields:
        One row per line that is not blank.

    Raises:
        DataError: A line has too many values, or a quotation mark is not closed.
    """
    fits = _regular_lines(len(table.names), table.separator).fullmatch
    one_by_one = partial(
        rows_one_by_one,
        table.path,
        separator=table.separator,
        names=table.names,
        needed=needed,
        end=table.end,
    )
    with table.path.open("rb") as file:
        header = b"".join(file.readline() for _ in range(table.header_lines))
        if b'"' in header and not fits(header.removeprefix(BOM_UTF8)):
            yield from one_by_one(file.tell())
            return
        begin = file.tell()
        for piece in pieces(file, quoted=True, end=table.end):
            frame = _read_fitting(table, header, piece, needed, fits)
            if frame is None:  # reads the rest, or raises an error with the line number
                yield from one_by_one(begin)
                return
            yield frame
            begin = file.tell()


def _read_fitting(
    table: _Table,
    header: bytes,
    piece: bytes,
    needed: list[str],
    fits: Callable[[bytes], object],
) -> pl.DataFrame | None:
    """Return the rows of a piece, without blank lines; or None if a line is irregular.

    Args:
        table: The file.
        header: The header lines.
        piece: Whole lines.
        needed: Columns to return; the last column is returned too.
        fits: Checks that every line of a piece is regular; slow.
    """
    names, separator = table.names, table.separator
    has_quotes = b'"' in piece
    if has_quotes and not fits(piece):
        return None
    # With too few values the last column is null; Polars does not report too many.
    columns = list(dict.fromkeys([*needed, names[-1]]))
    text = header + piece
    try:
        frame = pl.read_csv(text, separator=separator, columns=columns, infer_schema=False)
    except pl.exceptions.PolarsError:
        return None
    filled = frame.filter(~pl.all_horizontal(pl.all().is_null()))
    is_even = piece.count(separator.encode()) == (len(names) - 1) * filled.height
    is_sure = has_quotes or (is_even and not filled[names[-1]].null_count())
    if not is_sure and not fits(piece):
        return None
    # If values are only in columns that are not read, the line is not blank and its row is kept;
    # the missing values are reported later.
    dropped = frame.height - filled.height
    return filled if dropped and dropped <= len(_BLANK_LINE.findall(piece)) else frame


def _regular_lines(most: int, separator: str) -> re.Pattern[bytes]:
    """Return a pattern for lines of at most this many values, with quotation marks as in RFC 4180.

    Args:
        most: Upper limit on the values of a line.
        separator: Separator between values.
    """
    between = re.escape(separator.encode())
    value = VALUE.replace(b",", between)
    line = value + b"(?:" + between + value + b"){0,%d}+" % (most - 1)
    return re.compile(b"(?:" + line + rb"(?:\r?\n|\Z))*+")


def _separator_of(path: Path) -> str:
    """Return a tab for .tsv; for .csv the first of ``,;``, tab and ``|`` in the first line."""
    if path.suffix.lower() == ".tsv":
        return "\t"
    with path.open("rb") as file:
        first = file.readline()
    return next((each for each in (",", ";", "\t", "|") if each.encode() in first), ",")


def _csv_header(path: Path, separator: str) -> tuple[list[str], int]:
    """Return the column names in the first row; they must be distinct.

    Args:
        path: The file.
        separator: Separator between the columns.

    Returns:
        The names, and the number of lines they take.

    Raises:
        DataError: The file is empty, not UTF-8 or cannot be parsed, or two columns have the same
            name.
    """
    check_lines(path)
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file, delimiter=separator)
            names, lines = next(reader, []), reader.line_num
    except UnicodeDecodeError as error:
        raise DataError(f"{path} is not UTF-8 text; save the file as UTF-8") from error
    except (OSError, csv.Error) as error:
        raise DataError(f"{path} cannot be read as a table: {error}") from error
    if not names:
        raise DataError(f"{path} is empty; its first line must name the columns")
    check_columns(path, len(names))
    for name in names:
        if names.count(name) > 1:
            raise DataError(f"{path}, line 1: two columns are named {name!r}; rename one")
    return names, lines
