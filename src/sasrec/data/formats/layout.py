"""Layouts of atomic files, and the line of one that does not fit, named by walking the lines."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from sasrec.errors import DataError

EMPTY = "is empty; fill it or drop the line"


@dataclass(frozen=True, slots=True)
class Layout:
    """An atomic file and what to read of it.

    Attributes:
        path: The file.
        separator: One character between the columns.
        names: All columns of the file, in order.
        wanted: Columns to read; none of their values may be empty, unless ``may_lack``.
        optional: Further columns to read; an empty value is null.
        numbers: Those among them to read as numbers; the others are text, whatever their type.
        tokens: Those among the texts of which each value is kept once, and numbers in its place.
        may_lack: Whether the wanted values may be empty too; such a value is null.
        missing: Texts that mean the same as an empty number.
    """

    path: Path
    separator: str
    names: list[str]
    wanted: tuple[str, ...]
    optional: tuple[str, ...] = ()
    numbers: tuple[str, ...] = ()
    tokens: tuple[str, ...] = ()
    may_lack: bool = False
    missing: tuple[str, ...] = ()


def check_each_line(layout: Layout, end: int) -> None:
    """Refuse a file in which some line does not fit; slow, so rarely done.

    Args:
        layout: The file and its columns.
        end: Bytes of the file that count.

    Raises:
        DataError: There is such a line; the text names it.
    """
    if next(_bad_lines(layout, end), None) is not None:
        refuse(layout, end)


def refuse(layout: Layout, end: int) -> NoReturn:
    """Refuse a file, by its first line that does not fit.

    Args:
        layout: The file and its columns.
        end: Bytes of the file that count.

    Raises:
        DataError: Always.
    """
    bad = _bad_lines(layout, end)
    number, problem = next(bad, (0, ""))
    if not number:
        raise DataError(f"{layout.path} cannot be read as {len(layout.names)} columns of text")
    if problem.endswith(EMPTY):
        count = 1 + sum(other.endswith(EMPTY) for _, other in bad)
        lines = "1 line lacks" if count == 1 else f"{count:,} lines lack"
        problem += f" ({lines} a value; incomplete=drop leaves such lines out)"
    raise DataError(f"{layout.path}, line {number}: {problem}")


def _bad_lines(layout: Layout, end: int) -> Iterator[tuple[int, str]]:
    """Yield the number of each line that does not fit, and why; slow, so rarely done."""
    begin = 0
    with layout.path.open("rb") as file:
        for number, raw in enumerate(file, start=1):
            begin += len(raw)
            if begin > end:  # added since the file was opened
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
        return "not UTF-8 text; save the file as UTF-8"
    names = layout.names
    if len(values) != len(names):
        columns = "column" if len(values) == 1 else "columns"
        return f"{len(values)} {columns} where the header names {len(names)} ({', '.join(names)})"
    for name in (*layout.wanted, *layout.optional):
        value = values[names.index(name)]
        if name in layout.numbers and value.strip() in layout.missing:
            value = ""
        if layout.may_lack and name in layout.wanted and value.strip().lower() == "nan":
            continue
        if not value and name in layout.wanted and not layout.may_lack:
            return f"{name!r} {EMPTY}"
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
