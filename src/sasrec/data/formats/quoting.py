"""CSV with irregular quotation marks: ``Monitor 24" wide``, ``"so "called""``, ``, "a, b"``.

Python's csv reader parses such files in strict mode, so that an unclosed quotation mark does not
swallow the lines after it. A line that it rejects, or splits into too many values, is parsed alone.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import polars as pl

from sasrec.data.formats.changes import end_of_lines
from sasrec.data.formats.first_lines import NOT_UTF_8
from sasrec.data.formats.headings import UNNAMED
from sasrec.data.formats.limits import count_line_ends
from sasrec.errors import DataError

ROWS_AT_ONCE = 2**13
"""Rows parsed before they become columns; until then a value takes some hundred bytes."""
_INNER_RETURN = re.compile(r"\r(?!\n|\Z)")
RETURN_REPLACEMENT = "\0"
"""Replaces a carriage return inside a line while parsing: it ends a row for Python's csv reader,
but not for Polars."""


ONE_CHARACTER = "\x1f"
"""Replaces a separator of several characters: ASCII's unit separator."""


def one_character(separator: str) -> str:
    """Return a separator of one character, which parsers need.

    Args:
        separator: One or more characters.
    """
    return separator if len(separator) == 1 else ONE_CHARACTER


def rows_one_by_one(
    path: Path, begin: int, *, separator: str, names: list[str], needed: list[str], end: int
) -> Iterator[pl.DataFrame]:
    """Yield columns of a table, parsed row by row from a given byte on; slow.

    Args:
        path: The file.
        begin: Position in bytes of the first row to read.
        separator: Separator between the columns.
        names: All columns of the file.
        needed: Columns to yield, as String.
        end: Number of bytes of the file to read.

    Yields:
        One row per line that is not blank; null where a value is empty or the line is too short.

    Raises:
        DataError: A line has too many values, a quotation mark is not closed, or text follows a
            closing quotation mark.
    """
    with path.open("rb") as file:
        before = count_line_ends(path, begin)
        last = end_of_lines(file, end)
        file.seek(begin)
        lines = _Lines(file, last - begin, separator)
        kept: list[list[str]] = []
        try:
            for number, row in _rows(lines, one_character(separator), len(names)):
                line = before + number
                if any(row[len(names) :]):
                    raise DataError(
                        f"{path}, line {line}: {len(row)} values where the header names "
                        f"{len(names)} ({', '.join(map(_shown, names))})"
                    )
                kept += [row] if row else []
                if len(kept) == ROWS_AT_ONCE:
                    yield _columns(kept, names, needed)
                    kept = []
        except UnicodeDecodeError as error:
            raise DataError(NOT_UTF_8.format(path, "cp1252")) from error
        except _BrokenRowError as error:
            raise DataError(
                f"{path}, line {before + error.line}: this row cannot be parsed "
                f"({error.__cause__}); check for a missing or extra quotation mark"
            ) from error
        yield _columns(kept, names, needed)


def _shown(name: str) -> str:
    """Return the name of a column as messages print it; ``_`` if it has none."""
    return "_" if name.startswith(UNNAMED) else name


class _BrokenRowError(Exception):
    """A row that cannot be parsed; ``line`` is the number of its first line, from 1."""

    def __init__(self, line: int) -> None:
        self.line = line


def _rows(lines: _Lines, separator: str, most: int) -> Iterator[tuple[int, list[str]]]:
    """Yield the number of each row's first line, from 1, and its values; none for a blank line.

    Raises:
        _BrokenRowError: A row of several lines cannot be parsed, or a value is too long.
    """
    reader = csv.reader(lines, delimiter=separator, strict=True)
    line = 1
    while True:
        try:
            row = next(reader, None)
            is_irregular = row is not None and len(row) > most
        except csv.Error as error:
            if reader.line_num > line:  # the reader has consumed further lines
                raise _BrokenRowError(line) from error
            is_irregular = True
        if is_irregular and reader.line_num == line:
            try:
                row = _values_of(lines.last, separator, most)
            except csv.Error as error:  # a value is too long
                raise _BrokenRowError(line) from error
        if row is None:
            return
        yield line, row
        line = reader.line_num + 1


class _Lines:
    """An iterator over lines that also keeps the last one; inner carriage returns are replaced.

    It reads the next ``size`` bytes of the file. A separator of several characters is replaced by
    one character.
    """

    def __init__(self, file: BinaryIO, size: int, separator: str) -> None:
        self._file, self._left, self._separator = file, size, separator
        self.last = ""

    def __iter__(self) -> _Lines:
        return self

    def __next__(self) -> str:
        line = self._file.readline()
        self._left -= len(line)
        if not line or self._left < 0:
            raise StopIteration
        text = line.decode().replace(self._separator, one_character(self._separator))
        self.last = _INNER_RETURN.sub(RETURN_REPLACEMENT, text)
        return self.last


def _values_of(line: str, separator: str, most: int) -> list[str]:
    """Return the values of a single line with irregular quotation marks.

    Args:
        line: The line.
        separator: Separator between values.
        most: Number of values in the header.
    """
    [values] = csv.reader([line], delimiter=separator)
    if len(values) <= most:
        return values
    # For lines such as ``a, "b, c"``: ignore separators between any two quotation marks.
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
        index = names.index(name)
        texts = [row[index] or None if index < len(row) else None for row in rows]
        column = pl.Series(texts, dtype=pl.String)
        columns[name] = column.str.replace_all(RETURN_REPLACEMENT, "\r", literal=True)
    return pl.DataFrame(columns)
