"""CSV with quotation marks inside of values, ``Monitor 24" wide``, by Python's own reader."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from pathlib import Path

import polars as pl

from sasrec.errors import DataError

AT_ONCE = 2**13
"""Rows, each of which takes some hundred bytes a value until it is in columns."""
_ALONE = re.compile(r"\r(?!\n|\Z)")
STAND_IN = "\0"
"""For a carriage return within a line, which ends a row to Python's reader, and not to Polars."""


def rows_one_by_one(
    path: Path, begin: int, separator: str, names: list[str], needed: list[str]
) -> Iterator[pl.DataFrame]:
    """Yield columns of a table from some place on; slow, so rarely done.

    Args:
        path: The file.
        begin: Byte at which a row begins.
        separator: Between the columns.
        names: All columns of the file.
        needed: Columns to yield, as String.

    Yields:
        A row a line that is not blank; an empty value is null, as one that a short line lacks.

    Raises:
        DataError: A line has too many values, or a quotation mark is not closed, or something
            follows where it is.
    """
    with path.open("rb") as file:
        line = sum(block.count(b"\n") for block in _blocks(file, begin)) + 1
        text = io.TextIOWrapper(file, "utf-8", newline="\n")
        lines = (_ALONE.sub(STAND_IN, each) for each in text)
        reader = csv.reader(lines, delimiter=separator, strict=True)
        before, rows = line, []
        try:
            for row in reader:
                if len(row) > len(names):
                    raise DataError(
                        f"{path}, line {line}: {len(row)} values where the header names "
                        f"{len(names)} ({', '.join(names)})"
                    )
                line = before + reader.line_num
                rows += [row] if row else []
                if len(rows) == AT_ONCE:
                    yield _columns(rows, names, needed)
                    rows = []
        except UnicodeDecodeError as error:
            raise DataError(f"{path} is not UTF-8 text; save the file as UTF-8") from error
        except csv.Error as error:  # in the row that begins in this line
            raise DataError(
                f"{path} cannot be read as a table: line {line}: {error}; is a quotation mark "
                "left open, or one too many?"
            ) from error
        yield _columns(rows, names, needed)


def _columns(rows: list[list[str]], names: list[str], needed: list[str]) -> pl.DataFrame:
    columns = {}
    for name in needed:
        place = names.index(name)
        texts = [row[place] or None if place < len(row) else None for row in rows]
        column = pl.Series(texts, dtype=pl.String)
        columns[name] = column.str.replace_all(STAND_IN, "\r", literal=True)
    return pl.DataFrame(columns)


def _blocks(file: io.BufferedReader, size: int) -> Iterator[bytes]:
    """Yield the next so many bytes of a file, some at a time."""
    while block := file.read(min(size, 2**20)):
        size -= len(block)
        yield block
