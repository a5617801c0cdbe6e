"""CSV that does not keep to its own rules: ``Monitor 24" wide``, ``"so "called""``, ``, "a, b"``.

Python's own reader reads it, strictly, so that no mark left open takes the lines behind it away;
a line that it refuses, or of which it makes too many values, is read by itself.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import polars as pl

from sasrec.data.formats.changes import end_of_lines
from sasrec.data.formats.limits import count_line_ends
from sasrec.errors import DataError

AT_ONCE = 2**13
"""Rows, each of which takes some hundred bytes a value until it is in columns."""
_ALONE = re.compile(r"\r(?!\n|\Z)")
STAND_IN = "\0"
"""For a carriage return within a line, which ends a row to Python's reader, and not to Polars."""


def rows_one_by_one(
    path: Path, begin: int, *, separator: str, names: list[str], needed: list[str], end: int
) -> Iterator[pl.DataFrame]:
    """Yield columns of a table from some place on; slow, so rarely done.

    Args:
        path: The file.
        begin: Byte at which a row begins.
        separator: Between the columns.
        names: All columns of the file.
        needed: Columns to yield, as String.
        end: Bytes of the file that count.

    Yields:
        A row a line that is not blank; an empty value is null, as one that a short line lacks.

    Raises:
        DataError: A line has too many values, or a quotation mark is not closed, or something
            follows where it is.
    """
    with path.open("rb") as file:
        before = count_line_ends(path, begin)
        last = end_of_lines(file, end)
        file.seek(begin)
        lines = _Lines(file, last - begin)
        kept: list[list[str]] = []
        try:
            for place, row in _rows(lines, separator, len(names)):
                line = before + place
                if len(row) > len(names):
                    raise DataError(
                        f"{path}, line {line}: {len(row)} values where the header names "
                        f"{len(names)} ({', '.join(names)})"
                    )
                kept += [row] if row else []
                if len(kept) == AT_ONCE:
                    yield _columns(kept, names, needed)
                    kept = []
        except UnicodeDecodeError as error:
            raise DataError(f"{path} is not UTF-8 text; save the file as UTF-8") from error
        except _BrokenRowError as error:
            raise DataError(
                f"{path} cannot be read as a table: line {before + error.line}: {error.__cause__}; "
                "is a quotation mark left open, or one too many?"
            ) from error
        yield _columns(kept, names, needed)


class _BrokenRowError(Exception):
    """A row that begins in some line, from 1, and cannot be read."""

    def __init__(self, line: int) -> None:
        self.line = line


def _rows(lines: _Lines, separator: str, most: int) -> Iterator[tuple[int, list[str]]]:
    """Yield the line that each row begins in, from 1, and its values; none of a blank line.

    Raises:
        _BrokenRowError: A row that takes more than its line along cannot be read.
    """
    reader = csv.reader(lines, delimiter=separator, strict=True)
    line = 1
    while True:
        try:
            row = next(reader, None)
            is_odd = row is not None and len(row) > most
        except csv.Error as error:
            if reader.line_num > line:  # whatever is wrong, it took lines along
                raise _BrokenRowError(line) from error
            is_odd = True
        if is_odd and reader.line_num == line:
            try:
                row = _by_itself(lines.last, separator, most)
            except csv.Error as error:  # too long a value
                raise _BrokenRowError(line) from error
        if row is None:
            return
        yield line, row
        line = reader.line_num + 1


class _Lines:
    """Lines of a text, the last of which is kept; what ends a row to Python alone is replaced.

    So many bytes are read from where the file stands.
    """

    def __init__(self, file: BinaryIO, left: int) -> None:
        self._file, self._left = file, left
        self.last = ""

    def __iter__(self) -> _Lines:
        return self

    def __next__(self) -> str:
        line = self._file.readline()
        self._left -= len(line)
        if not line or self._left < 0:
            raise StopIteration
        self.last = _ALONE.sub(STAND_IN, line.decode())
        return self.last


def _by_itself(line: str, separator: str, most: int) -> list[str]:
    """Return the values of a line, whatever its marks are like.

    Args:
        line: The line.
        separator: Between values.
        most: Values there should be.
    """
    [values] = csv.reader([line], delimiter=separator)
    if len(values) <= most:
        return values
    # As in ``a, "b, c"``: no separator counts between two marks, wherever these stand.
    split, is_open = [""], False
    for part in re.split('(")', line.rstrip("\r\n")):
        is_open ^= part == '"'
        first, *others = [part] if is_open else part.split(separator)
        split[-1] += first
        split += others
    return values if is_open or len(split) > most else split


def _columns(rows: list[list[str]], names: list[str], needed: list[str]) -> pl.DataFrame:
    columns = {}
    for name in needed:
        place = names.index(name)
        texts = [row[place] or None if place < len(row) else None for row in rows]
        column = pl.Series(texts, dtype=pl.String)
        columns[name] = column.str.replace_all(STAND_IN, "\r", literal=True)
    return pl.DataFrame(columns)
