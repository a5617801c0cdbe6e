"""CSV, TSV and other text files with columns, read piece by piece as text."""

from __future__ import annotations

import re
from codecs import BOM_UTF8
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import polars as pl

from sasrec.data.formats.changes import read_once
from sasrec.data.formats.headings import SPACES, UNNAMED, Heading, heading_of
from sasrec.data.formats.joined import read_tables
from sasrec.data.formats.limits import check_lines, count_line_ends
from sasrec.data.formats.pieces import pieces
from sasrec.data.formats.quoting import one_character, rows_one_by_one
from sasrec.data.formats.tables import Table
from sasrec.data.formats.word_lines import words_table
from sasrec.data.interactions import Interactions
from sasrec.data.values.numbering import Numbering
from sasrec.errors import DataError
from sasrec.settings.data import DataSettings


@dataclass(frozen=True, slots=True)
class _Table:
    """A text file and how to read it.

    Attributes:
        path: The file.
        heading: Its columns and their separator.
        end: Size of the file in bytes when it was first looked at; later bytes are ignored.
    """

    path: Path
    heading: Heading
    end: int


SEPARATORS = {
    ".csv": (",", ";", "\t", "|"),
    ".tsv": ("\t",),
    "": ("\t", "::", ",", ";", "|", SPACES),
}
"""Separators to look for in the first line, by suffix."""
VALUE = rb'(?:"(?:[^"]++|"")*+"|[^",\n]*+)'
"""A value in quotation marks, or one without any."""
_BLANK_LINE = re.compile(rb"^\r?\n|^\r\Z", re.MULTILINE)


def read_csv(path: Path, columns: DataSettings) -> Interactions:
    """Read a comma (.csv) or tab (.tsv) separated file.

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

    def read(end: int) -> Interactions:
        return read_tables([open_csv(path, columns, end)], columns, str(path))

    return read_once(path, read)


def open_csv(path: Path, columns: DataSettings, end: int) -> Table:
    """Return the table of a text file with one event a line, or one history a line.

    Args:
        path: The file: .csv, .tsv, or a text file with another suffix.
        columns: Which columns hold what.
        end: Number of bytes of the file to read.

    Returns:
        The table.

    Raises:
        DataError: The file is empty, not UTF-8 or cannot be parsed, or it is unknown what its
            columns are.
    """
    check_lines(path)
    candidates = SEPARATORS.get(path.suffix.lower(), SEPARATORS[""])
    heading = heading_of(path, columns, candidates)
    if heading.separator == SPACES or heading.has_histories:
        return words_table(path, heading, columns, end)
    names = [name for name in heading.names if not name.startswith(UNNAMED)]
    read = partial(_texts, _Table(path, heading, end))
    rows = count_line_ends(path, end) + 1
    return Table(str(path), names, rows, read, has_header=heading.has_header)


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
    names, separator = table.heading.names, one_character(table.heading.separator)
    fits = _regular_lines(len(names), separator).fullmatch
    one_by_one = partial(
        rows_one_by_one,
        table.path,
        separator=table.heading.separator,
        names=names,
        needed=needed,
        end=table.end,
    )
    with table.path.open("rb") as file:
        header = b"".join(file.readline() for _ in range(table.heading.lines))
        if b'"' in header and not fits(header.removeprefix(BOM_UTF8)):
            yield from one_by_one(file.tell())
            return
        begin = file.tell()
        for piece in pieces(file, quoted=True, end=table.end):
            frame = _read_fitting(table, piece, needed, fits)
            if frame is None:  # reads the rest, or raises an error with the line number
                yield from one_by_one(begin)
                return
            yield frame
            begin = file.tell()


def _read_fitting(
    table: _Table, piece: bytes, needed: list[str], fits: Callable[[bytes], object]
) -> pl.DataFrame | None:
    """Return the rows of a piece, without blank lines; or None if a line is irregular.

    Args:
        table: The file.
        piece: Whole lines.
        needed: Columns to return; the last column is returned too.
        fits: Checks that every line of a piece is regular; slow.
    """
    names, separator = table.heading.names, one_character(table.heading.separator)
    if separator != table.heading.separator:
        piece = piece.replace(table.heading.separator.encode(), separator.encode())
    has_quotes = b'"' in piece
    if has_quotes and not fits(piece):
        return None
    if not table.heading.lines:
        piece = piece.removeprefix(BOM_UTF8)
    # With too few values the last column is null; Polars does not report too many.
    columns = [index for index, name in enumerate(names) if name in needed or name == names[-1]]
    try:
        frame = pl.read_csv(
            piece,
            has_header=False,
            separator=separator,
            schema=dict.fromkeys(names, pl.String),
            columns=columns,
        )
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
