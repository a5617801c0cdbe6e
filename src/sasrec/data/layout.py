"""Layouts of atomic files, and the line of one that does not fit, named by walking the lines."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from sasrec.errors import DataError


@dataclass(frozen=True, slots=True)
class Layout:
    """An atomic file and what to read of it.

    Attributes:
        path: The file.
        separator: One character between the columns.
        names: All columns of the file, in order.
        wanted: Columns to read; none of their values may be empty.
        optional: Further columns to read; an empty value is null.
        numbers: Those among them to read as numbers; the others are text, whatever their type.
        tokens: Those among the texts of which each value is kept once, and numbers in its place.
    """

    path: Path
    separator: str
    names: list[str]
    wanted: tuple[str, ...]
    optional: tuple[str, ...] = ()
    numbers: tuple[str, ...] = ()
    tokens: tuple[str, ...] = ()


def check_each_line(layout: Layout) -> None:
    """Refuse a file in which some line does not fit; slow, so rarely done.

    Args:
        layout: The file and its columns.

    Raises:
        DataError: There is such a line; the text names it.
    """
    if _find_bad_line(layout) is not None:
        refuse(layout)


def refuse(layout: Layout) -> NoReturn:
    """Refuse a file, by its first line that does not fit.

    Args:
        layout: The file and its columns.

    Raises:
        DataError: Always.
    """
    bad = _find_bad_line(layout)
    if bad is None:
        raise DataError(f"{layout.path} cannot be read as {len(layout.names)} columns of text")
    number, problem = bad
    raise DataError(f"{layout.path}, line {number}: {problem}")


def _find_bad_line(layout: Layout) -> tuple[int, str] | None:
    """Return the number of the first line that does not fit, and why; slow, so rarely done."""
    with layout.path.open("rb") as file:
        for number, raw in enumerate(file, start=1):
            if number == 1 or not raw.strip():
                continue
            problem = _line_problem(layout, raw)
            if problem is not None:
                return number, problem
    return None


def _line_problem(layout: Layout, raw: bytes) -> str | None:
    try:
        values = raw.decode("utf-8").rstrip("\r\n").split(layout.separator)
    except UnicodeDecodeError:
        return "not UTF-8 text; save the file as UTF-8"
    names = layout.names
    if len(values) != len(names):
        columns = "column" if len(values) == 1 else "columns"
        return f"{len(values)} {columns} where the header names {len(names)} ({', '.join(names)})"
    for name in (*layout.wanted, *layout.optional):
        value = values[names.index(name)]
        if not value and name in layout.wanted:
            return f"{name!r} is empty; fill it or drop the line"
        if value and name in layout.numbers and not _is_number(value):
            return f"{name!r} is {value!r}; it must be a number"
    return None


def _is_number(text: str) -> bool:
    if not text.isascii() or "_" in text:  # Python reads 1_000 and digits of any script
        return False
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False
