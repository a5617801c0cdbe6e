"""Layout of an atomic file: which columns to read; and the search for its first invalid line."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from sasrec.errors import DataError, SettingNeeded, counted

DATE = re.compile(r"\s*\d{1,4}[-/.]\d{1,2}[-/.]\d")
EMPTY = "is empty; fill it in or delete the line"


@dataclass(frozen=True, slots=True)
class Layout:
    """An atomic file and which of its columns to read.

    Attributes:
        path: The file.
        separator: Separator between the columns.
        names: All columns of the file, in order.
        required: Columns to read; their values must not be empty, unless ``allow_empty``.
        optional: Further columns to read; an empty value is null.
        numbers: Columns among these to read as numbers; the others are read as text, whatever
            their type in the header.
        tokens: Text columns among these to read as token numbers; each distinct text is stored
            once.
        allow_empty: Whether required values may be empty too; such a value is null.
        missing: Texts that count as an empty number.
    """

    path: Path
    separator: str
    names: list[str]
    required: tuple[str, ...]
    optional: tuple[str, ...] = ()
    numbers: tuple[str, ...] = ()
    tokens: tuple[str, ...] = ()
    allow_empty: bool = False
    missing: tuple[str, ...] = ()


def check_each_line(layout: Layout, end: int) -> None:
    """Raise an error if a line is invalid; slow, so only called when something looks wrong.

    Args:
        layout: The file and its columns.
        end: Number of bytes of the file to look at.

    Raises:
        DataError: A line is invalid; the message gives its number.
    """
    if next(_bad_lines(layout, end), None) is not None:
        raise_for_first_bad_line(layout, end)


def raise_for_first_bad_line(layout: Layout, end: int) -> NoReturn:
    """Raise an error that gives the first invalid line of a file.

    Args:
        layout: The file and its columns.
        end: Number of bytes of the file to look at.

    Raises:
        SettingNeeded: A line lacks a value.
        DataError: Otherwise; one of them always.
    """
    bad = _bad_lines(layout, end)
    number, problem = next(bad, (0, ""))
    if not number:
        columns = counted(len(layout.names), "text column")
        raise DataError(f"{layout.path} cannot be read as a table with {columns}")
    if problem.endswith(EMPTY):
        count = 1 + sum(other.endswith(EMPTY) for _, other in bad)
        lines = "1 line lacks" if count == 1 else f"{count:,} lines lack"
        problem += f" ({lines} a value; incomplete=drop drops such lines)"
        raise SettingNeeded(f"{layout.path}, line {number}: {problem}", ({"incomplete": "drop"},))
    raise DataError(f"{layout.path}, line {number}: {problem}")


def _bad_lines(layout: Layout, end: int) -> Iterator[tuple[int, str]]:
    """Yield the number of each invalid line, and what is wrong with it; slow."""
    begin = 0
    with layout.path.open("rb") as file:
        for number, raw in enumerate(file, start=1):
            begin += len(raw)
            if begin > end:  # lines appended since the file was opened
                return
            if number == 1 or not raw.strip():
                continue
            problem = _line_problem(layout, raw)
            if problem is not None:
                yield number, problem


def _line_problem(layout: Layout, raw: bytes) -> str | None:
    try:
        values = raw.decode("utf-8").rstrip("\r\n").split(layout.separator)
    except UnicodeDecodeError:
        return "this is not UTF-8 text; save the file as UTF-8"
    names = layout.names
    if len(values) != len(names):
        columns = counted(len(values), "column")
        return f"{columns} where the header names {len(names)} ({', '.join(names)})"
    for name in (*layout.required, *layout.optional):
        value = values[names.index(name)]
        if name in layout.numbers and value.strip() in layout.missing:
            value = ""
        if layout.allow_empty and name in layout.required and value.strip().lower() == "nan":
            continue
        if not value and name in layout.required and not layout.allow_empty:
            return f"{name!r} {EMPTY}"
        if value and name in layout.numbers and not _is_number(value):
            hint = "; columns of dates have the type token" if DATE.match(value) else ""
            return f"{name!r} is {value!r}; it must be a number{hint}"
    return None


def _is_number(text: str) -> bool:
    if not text.isascii() or "_" in text:  # float() accepts 1_000 and digits of any script
        return False
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False
