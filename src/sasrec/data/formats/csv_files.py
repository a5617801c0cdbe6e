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
from sasrec.data.formats.tables import from_table, gathered, columns_to_read
from sasrec.data.interactions import Interactions, require_columns
from sasrec.data.values.cleaning import numbering_for
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
"""Without quotation marks, or between a pair of them."""
_BLANK_LINE = re.compile(rb"^\r?\n|^\r\Z", re.MULTILINE)


def read_csv(path: Path, columns: DataSettings) -> Interactions:
    """Read a comma (.csv) or tab (.tsv) separated file whose first line names the columns.

    Only the columns needed are read, and as text, so that nothing is guessed from the first rows.
    Times may be numbers or ISO dates. Without the time column the order of the file counts.

    Args:
        path: The file.
        columns: Which columns hold what.

    Returns:
        Its events, in the order of the file.

    Raises:
        DataError: The file is broken or lacks a column.
    """
    return read_once(path, partial(_read_csv, path, columns))


def _read_csv(path: Path, columns: DataSettings, end: int) -> Interactions:
    separator = _separator_of(path)
    header, lines = _csv_header(path, separator)
    names = loaded_columns(header, "inter", columns)
    require_columns(names, (columns.user_column, columns.item_column), str(path))
    tokens = (columns.user_column, columns.item_column)
    values = [name for name in columns_to_read(columns) if name in names and name not in tokens]
    read = partial(_texts, _Table(path, separator, header, lines, end))
    most = count_line_ends(path, end) + 1
    zones = Zones()
    # Other columns stay texts, so that one of them does not change what a filter means.
    as_moments = partial(numbers_or_datetimes, missing=columns.missing_values, zones=zones)
    read_as = {name: as_moments for name in values if name == columns.time_column}
    numberings = {name: numbering_for(columns) for name in tokens}
    frame, entries = gathered(read, values, numberings, read_as=read_as, most=most)
    remarks = zones.remarks(columns.time_column)
    return from_table(frame, names, path, columns, tokens=entries, remarks=remarks)


def _texts(
    table: _Table, values: list[str], tokens: Mapping[str, Numbering]
) -> Iterator[pl.DataFrame]:
    """Yield some columns of a table piece by piece, without its blank lines.

    Args:
        table: The file.
        values: Columns to yield as text.
        tokens: Columns of tokens, yielded as numbers; are added to.

    Yields:
        A row a line, in one chunk, or columns would differ in theirs and be copied.

    Raises:
        DataError: A line has too many values, or a quotation mark is not closed.
    """
    rows = 0
    needed = [*tokens, *values]
    for frame in _pieces_read(table, needed):
        some = frame.select(needed).rechunk()
        for name in needed:
            odd = some[name].str.contains(r"[\r\n]").fill_null(value=False)
            if odd.any():
                raise DataError(
                    f"{table.path}, row {rows + int(odd.arg_max() or 0) + 1}: {name!r} runs over "
                    "several lines; a quotation mark is not closed"
                )
        rows += some.height
        yield some.with_columns(each.add(some[name]) for name, each in tokens.items())


def _pieces_read(table: _Table, needed: list[str]) -> Iterator[pl.DataFrame]:
    """Yield columns of a table piece by piece: by Polars, while marks stand about whole values.

    A mark within a value, as for inches, is a character like any other to Python's reader, but
    makes Polars take the lines up to the next one for a single row.

    Args:
        table: The file.
        needed: Columns to yield, as String.

    Yields:
        A row a line that is not blank.

    Raises:
        DataError: A line has too many values, or a quotation mark is not closed.
    """
    fits = _lines_of(len(table.names), table.separator).fullmatch
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
            if frame is None:  # what is wrong is told with its line there, and the rest is read
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
    """Return the rows of a piece in which every line fits, without blank lines; otherwise None.

    Args:
        table: The file.
        header: Names the columns.
        piece: Whole lines.
        needed: Columns to return, beside the last one.
        fits: Looks at every line of a piece; slow.
    """
    names, separator = table.names, table.separator
    has_marks = b'"' in piece
    if has_marks and not fits(piece):
        return None
    # A line with too few values ends in a null; of one with too many Polars does not tell.
    asked = list(dict.fromkeys([*needed, names[-1]]))
    try:
        frame = pl.read_csv(header + piece, separator=separator, columns=asked, infer_schema=False)
    except pl.exceptions.PolarsError:
        return None
    filled = frame.filter(~pl.all_horizontal(pl.all().is_null()))
    is_even = piece.count(separator.encode()) == (len(names) - 1) * filled.height
    is_sure = has_marks or (is_even and not filled[names[-1]].null_count())
    if not is_sure and not fits(piece):
        return None
    # A row with values in other columns alone is not blank; that its own are missing will be found.
    dropped = frame.height - filled.height
    return filled if dropped and dropped <= len(_BLANK_LINE.findall(piece)) else frame


def _lines_of(most: int, separator: str) -> re.Pattern[bytes]:
    """Return what lines look like, none of which has more values, all with marks by the rules.

    Args:
        most: Values of a line.
        separator: Between them.
    """
    mark = re.escape(separator.encode())
    value = VALUE.replace(b",", mark)
    line = value + b"(?:" + mark + value + b"){0,%d}+" % (most - 1)
    return re.compile(b"(?:" + line + rb"(?:\r?\n|\Z))*+")


def _separator_of(path: Path) -> str:
    """Return a tab for .tsv; for .csv a comma, or what stands in the first line instead of it."""
    if path.suffix.lower() == ".tsv":
        return "\t"
    with path.open("rb") as file:
        first = file.readline()
    return next((mark for mark in (",", ";", "\t", "|") if mark.encode() in first), ",")


def _csv_header(path: Path, separator: str) -> tuple[list[str], int]:
    """Return the names in the first line; none of them may stand there twice.

    Args:
        path: The file.
        separator: Between the columns.

    Returns:
        The names, and how many lines they take.

    Raises:
        DataError: There is no such line.
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
            raise DataError(f"{path}, line 1: column {name!r} stands there twice; rename one")
    return names, lines
