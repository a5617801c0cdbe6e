"""Headings: separator and column names of a text file, with or without a header."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from sasrec.data.filters import filter_columns
from sasrec.data.formats.first_lines import first_lines
from sasrec.data.formats.guesses import is_data, is_header, proposal
from sasrec.data.formats.limits import check_columns
from sasrec.data.formats.pieces import BLANKS
from sasrec.errors import DataError, SettingNeeded, counted
from sasrec.settings.data import DataSettings
from sasrec.settings.text_tables import ITEM, ITEMS, SKIPPED, TIME, USER

SPACES = " "
"""A separator: any number of spaces or tabs."""
WORDS = re.compile(r"[^ \t]+")
UNNAMED = "\0"
"""First character of the names of columns that nobody can ask for: without a name, or with one
that an earlier column has."""


@dataclass(frozen=True, slots=True)
class Heading:
    """How to split the lines of a text file into columns.

    Attributes:
        separator: Separator between the columns; ``SPACES`` for any number of spaces.
        names: The columns. If the last one is ``items``, it is the rest of the line.
        lines: Number of lines before the first event.
        has_header: Whether one of these lines names the columns.
    """

    separator: str
    names: list[str]
    lines: int
    has_header: bool = False

    @property
    def has_histories(self) -> bool:
        """Whether each line has a user and the items of a whole history."""
        return self.names[-1] == UNNAMED + ITEMS


def heading_of(path: Path, columns: DataSettings, candidates: Sequence[str]) -> Heading:
    """Return the separator and the columns of a text file.

    Args:
        path: The file, UTF-8.
        columns: ``separator``, ``columns``, and the names of the needed columns.
        candidates: Separators to look for, in this order, if none is set; ``SPACES`` is always
            there, so it must be the last.

    Returns:
        The heading.

    Raises:
        DataError: The file is empty or not UTF-8; the first line is no header, and ``columns`` does
            not say what the columns are; or it does, but does not match the file.
    """
    lines = first_lines(path)
    mark = excel_mark(lines[0]) if lines else ""
    begin = 1 if mark else 0
    before = _lines_to(lines[begin:])
    lines = lines[begin + before :]
    if not lines:
        raise DataError(f"{path} is empty; its first line must name the columns")
    separator = mark or separator_of(lines[0], columns.separator, candidates)
    rows, height = _rows(path, lines, separator)
    check_columns(path, len(rows[0]))
    heading = Heading(separator, rows[0], begin + before + height, has_header=True)
    data = Heading(separator, rows[0], begin + before)
    has_names = {columns.user_column, columns.item_column} <= set(rows[0])
    if columns.columns is not None and not has_names:
        return _named(path, columns, data, rows)
    if not has_names and columns.user_column.isdecimal() and columns.item_column.isdecimal():
        return _numbered(path, columns, heading if is_header(rows) else data, rows)
    if has_names or not is_data(rows):
        return replace(heading, names=_distinct(path, columns, rows))
    return _without_header(path, data, rows, columns)


def _lines_to(lines: Sequence[str]) -> int:
    """Return how many blank lines there are before the first other line."""
    return next((index for index, line in enumerate(lines) if line.strip()), len(lines))


def excel_mark(line: str) -> str:
    """Return the separator in a first line such as ``sep=;``, which Excel reads; else nothing."""
    text = line.strip('"')
    is_mark = text.lower().startswith("sep=") and len(text) == len("sep=") + 1
    return text[-1] if is_mark else ""


def separator_of(line: str, given: str, candidates: Sequence[str]) -> str:
    """Return the separator of a file.

    Args:
        line: Its first line.
        given: The setting; a tab is its default, which the line need not have.
        candidates: Separators to look for.
    """
    if given != "\t":
        return given
    last = SPACES if SPACES in candidates else candidates[0]
    return next((each for each in candidates if each in line), last)


def _rows(path: Path, lines: list[str], separator: str) -> tuple[list[list[str]], int]:
    """Return the values of the first lines, and how many lines the first row takes.

    Raises:
        DataError: They cannot be parsed.
    """
    if separator == SPACES:
        return [WORDS.findall(line) for line in lines if line.strip(BLANKS)], 1
    if len(separator) > 1:
        return [line.split(separator) for line in lines if line], 1
    reader = csv.reader(io.StringIO("\n".join(lines), newline=""), delimiter=separator)
    try:
        first, height = next(reader), reader.line_num
    except csv.Error as error:
        raise DataError(f"{path} cannot be read as a table: {error}") from error
    rows = [first]
    with suppress(csv.Error):  # told later, with the line
        rows += [row for row in reader if row]
    return rows, height


def _distinct(path: Path, columns: DataSettings, rows: list[list[str]]) -> list[str]:
    """Return the names in a header; those of columns that nobody can ask for become distinct.

    If the rows have empty values after the last column, such as those that Excel writes, there are
    columns for them.

    Args:
        path: The file.
        columns: The settings, which name the needed columns.
        rows: The first rows, the header first.

    Raises:
        DataError: Two columns have the name of a needed one.
    """
    header = rows[0]
    needed = {columns.user_column, columns.item_column, columns.time_column}
    needed |= {*filter_columns(columns), *filter(None, [columns.type_column])}
    for name in header:
        if name in needed and header.count(name) > 1:
            raise DataError(f"{path}, line 1: two columns are named {name!r}; rename one")
    names = [
        name if name and header.index(name) == index else f"{UNNAMED}{index}"
        for index, name in enumerate(header)
    ]
    return names + _trailing(rows[1:], len(names))


def _trailing(rows: Sequence[Sequence[str]], count: int) -> list[str]:
    """Return names for columns after the last one in which the first rows have no values."""
    longest = max(map(len, rows), default=0)
    if any(value for row in rows for value in row[count:]):
        return []
    return [f"{UNNAMED}{index}" for index in range(count, longest)]


def _numbered(
    path: Path, columns: DataSettings, heading: Heading, rows: list[list[str]]
) -> Heading:
    """Return a heading in which columns are named by their numbers, from 1.

    Args:
        path: The file.
        columns: The settings; user and item column are numbers.
        heading: The separator, and the lines before the first event.
        rows: The first rows.

    Raises:
        DataError: The file has fewer columns, or the first line may or may not be a header.
    """
    count = len(heading.names)
    asked = [columns.user_column, columns.item_column]
    asked += [columns.time_column] * columns.time_column.isdecimal()
    for number in map(int, asked):
        if not 1 <= number <= count:
            raise DataError(f"{path} has no column {number}; it has {counted(count, 'column')}")
    if not is_header(rows) and not is_data(rows):
        raise DataError(
            f"{path}: the first line ({', '.join(rows[0])}) may be data or names of columns; if "
            f"it is data, use columns={','.join(proposal(rows))} instead of numbers, otherwise "
            "these names"
        )
    names = [str(index) for index in range(1, count + 1)]
    if is_header(rows):
        names = [
            number if number in asked or name in rows[0][:index] or not name else name
            for index, (number, name) in enumerate(zip(names, rows[0], strict=True))
        ]
    return replace(heading, names=names + _trailing(rows, count))


def _named(path: Path, columns: DataSettings, heading: Heading, rows: list[list[str]]) -> Heading:
    """Return the heading of a file whose columns the user names.

    Args:
        path: The file.
        columns: Its ``columns``.
        heading: Separator, and the number of lines before the first event.
        rows: The first rows.

    Raises:
        DataError: The file has a header, or another number of columns.
    """
    words = columns.columns or ()
    given = ",".join(words)
    if is_header(rows):
        raise DataError(
            f"{path}, line {heading.lines + 1}: the first line is a header "
            f"({', '.join(rows[0])}), so columns={given} is not needed; remove it and use "
            "user_column, item_column and time_column"
        )
    if words == (USER, ITEMS):
        return replace(heading, names=[columns.user_column, UNNAMED + ITEMS])
    own = {USER: columns.user_column, ITEM: columns.item_column, TIME: columns.time_column}
    names = [
        f"{UNNAMED}{index}" if word == SKIPPED else own.get(word, word)
        for index, word in enumerate(words)
    ]
    if len(rows[0]) < len(names) or any(rows[0][len(names) :]):
        raise DataError(
            f"{path}, line {heading.lines + 1}: {counted(len(rows[0]), 'value')} where "
            f"columns={given} names {len(names)}; name each column, or write _ to skip it, as in "
            f"columns={','.join(proposal(rows))}"
        )
    return replace(heading, names=names + _trailing(rows, len(names)))


def _without_header(
    path: Path, heading: Heading, rows: list[list[str]], columns: DataSettings
) -> Heading:
    """Return the heading of a file without a header, if only one meaning is possible.

    These are two words a line, a user and an item, and lines of different length with spaces
    between their words, a user and the items of the whole history.

    Args:
        path: The file.
        heading: The separator.
        rows: The first rows.
        columns: The names of the columns.

    Raises:
        SettingNeeded: The user must say what the columns are.
    """
    counts = {len(row) for row in rows}
    if heading.separator == SPACES and counts == {2}:
        return Heading(SPACES, [columns.user_column, columns.item_column], heading.lines)
    if heading.separator == SPACES and len(counts) > 1 and min(counts) > 1:
        return Heading(SPACES, [columns.user_column, UNNAMED + ITEMS], heading.lines)
    first = heading.separator.join(rows[0])
    shown = first if len(first) <= 60 else first[:60] + "…"
    event, history = ",".join(proposal(rows)), f"{USER},{ITEMS}"
    choices = {event: ""}
    if len(counts) > 1 or heading.separator == SPACES:
        choices = {history: " if a line is a user and all items of this user, in order"}
    if len(counts) == 1 and heading.separator == SPACES:
        choices[event] = " if a line is one event"
    options = ", or ".join(f"--columns={words}{when}" for words, when in choices.items())
    raise SettingNeeded(
        f"{path}: the first line is data, not names of columns ({shown}); add {options} (the words "
        "user, item and time say what a column is, _ skips one)",
        tuple({"columns": words} for words in choices),
    )
