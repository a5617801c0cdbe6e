"""Tables: CSV and TSV files, of which only the columns needed are read."""

from __future__ import annotations

import csv
import re
from codecs import BOM_UTF8
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path

import numpy as np
import polars as pl

from sasrec.data.filters import loaded_columns, needed_columns
from sasrec.data.interactions import Interactions, from_frame, require_columns, time_column
from sasrec.data.limits import check_columns, check_lines, count_line_ends
from sasrec.data.moments import numbers_or_moments, numbers_or_texts
from sasrec.data.numbering import Numbering
from sasrec.data.pieces import pieces
from sasrec.data.rows import Rows
from sasrec.data.stray_marks import rows_one_by_one
from sasrec.errors import DataError
from sasrec.settings import DataSettings


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
    separator = _separator_of(path)
    header, lines = _csv_header(path, separator)
    names = loaded_columns(header, "inter", columns)
    require_columns(names, (columns.user_column, columns.item_column), str(path))
    tokens = (columns.user_column, columns.item_column)
    values = [name for name in needed_of(columns) if name in names and name not in tokens]
    read = partial(_texts, path, separator, header, lines)
    most = count_line_ends(path)
    # A date is compared by its text where it is no time.
    read_as = {
        name: numbers_or_moments if name == columns.time_column else numbers_or_texts
        for name in values
    }
    frame, entries = gathered(read, values, tokens, read_as=read_as, most=most)
    return from_table(frame, names, path, columns, entries)


def gathered(
    read: Callable[[list[str], Mapping[str, Numbering]], Iterator[pl.DataFrame]],
    values: list[str],
    tokens: tuple[str, ...],
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
        tokens: Columns of tokens.
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
    numberings = {name: Numbering() for name in tokens}
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


def _texts(
    path: Path,
    separator: str,
    names: list[str],
    header_lines: int,
    values: list[str],
    tokens: Mapping[str, Numbering],
) -> Iterator[pl.DataFrame]:
    """Yield some columns of a table piece by piece, without its blank lines.

    Args:
        path: The file.
        separator: Between the columns.
        names: All columns of the file.
        header_lines: Lines that name them.
        values: Columns to yield as text.
        tokens: Columns of tokens, yielded as numbers; are added to.

    Yields:
        A row a line, in one chunk, or columns would differ in theirs and be copied.

    Raises:
        DataError: A line has too many values, or a quotation mark is not closed.
    """
    rows = 0
    needed = [*tokens, *values]
    for frame in _pieces_read(path, separator, names, header_lines, needed):
        some = frame.select(needed).rechunk()
        for name in needed:
            odd = some[name].str.contains(r"[\r\n]").fill_null(value=False)
            if odd.any():
                raise DataError(
                    f"{path}, row {rows + int(odd.arg_max() or 0) + 1}: {name!r} runs over "
                    "several lines; a quotation mark is not closed"
                )
        rows += some.height
        yield some.with_columns(each.add(some[name]) for name, each in tokens.items())


def _pieces_read(
    path: Path, separator: str, names: list[str], header_lines: int, needed: list[str]
) -> Iterator[pl.DataFrame]:
    """Yield columns of a table piece by piece: by Polars, while marks stand about whole values.

    A mark within a value, as for inches, is a character like any other to Python's reader, but
    makes Polars take the lines up to the next one for a single row.

    Args:
        path: The file.
        separator: Between the columns.
        names: All columns of the file.
        header_lines: Lines that name them.
        needed: Columns to yield, as String.

    Yields:
        A row a line that is not blank.

    Raises:
        DataError: A line has too many values, or a quotation mark is not closed.
    """
    # Too many values are not told of columns that are not read; behind the last there is nothing.
    asked = list(dict.fromkeys([*needed, names[-1]]))
    is_plain = re.compile(WELL_QUOTED.replace(b",", re.escape(separator.encode())))
    with path.open("rb") as file:
        header = b"".join(file.readline() for _ in range(header_lines))
        if b'"' in header and not is_plain.fullmatch(header.removeprefix(BOM_UTF8)):
            yield from rows_one_by_one(path, file.tell(), separator, names, needed)
            return
        for piece in pieces(file, quoted=True):
            frame = None
            if b'"' not in piece or is_plain.fullmatch(piece):
                with suppress(pl.exceptions.PolarsError):
                    frame = pl.read_csv(
                        header + piece, separator=separator, columns=asked, infer_schema=False
                    )
            if frame is None:  # what is wrong is told with its line there, and the rest is read
                yield from rows_one_by_one(path, file.tell() - len(piece), separator, names, needed)
                return
            filled = frame.filter(~pl.all_horizontal(pl.all().is_null()))
            # A row with values in other columns alone is not blank; that its own are missing will
            # be found.
            dropped = frame.height - filled.height
            if dropped and dropped <= len(_BLANK_LINE.findall(piece)):
                frame = filled
            yield frame


WELL_QUOTED = rb'(?:(?:"(?:[^"]++|"")*+"|[^",\n]*+)(?:,|\r?\n|\Z))*+'
"""Values between commas and line ends, each of them without quotation marks or in a pair."""
_BLANK_LINE = re.compile(rb"^\r?$", re.MULTILINE)


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


def needed_of(columns: DataSettings) -> list[str]:
    """Return the columns of a table that are read, if they are there.

    Args:
        columns: Which columns hold what, and filters.
    """
    own = [columns.user_column, columns.item_column, columns.time_column]
    return own + needed_columns(columns)


def first_line(error: Exception) -> str:
    """Return the first line of what an error says, or else its kind.

    Args:
        error: Somebody else's.
    """
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


def from_table(
    frame: pl.DataFrame,
    names: list[str],
    path: Path,
    columns: DataSettings,
    tokens: Mapping[str, pl.Series],
) -> Interactions:
    """Check a table that was read and bring it into our form.

    Args:
        frame: A row an event, tokens as numbers.
        names: All columns of the file that count.
        path: The file.
        columns: Which columns hold what.
        tokens: By column, the text of number 1 and so on.

    Returns:
        The events in the order of the frame.

    Raises:
        DataError: As ``from_frame`` does.
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
    )
