"""Size limits that no genuine file exceeds, so that hostile files cannot exhaust the memory."""

from __future__ import annotations

from pathlib import Path

from sasrec.errors import DataError

LONGEST_LINE = 2**20
"""Bytes. For a line of nothing but separators, Polars takes some 450 times as much memory."""
MAX_COLUMNS = 10_000
ALWAYS_ALLOWED_ROWS = 1_000_000
"""A compressed table may have this many rows however small the file is."""
MAX_ROWS_PER_BYTE = 8
MAX_EXPANSION = 10
"""Upper limit on the ratio of unpacked size to file size."""


def check_lines(path: Path) -> None:
    """Raise an error if a file has an extremely long line or is not text.

    Each block of ``LONGEST_LINE`` bytes must contain a line end. This finds every line of twice
    that length, and takes no longer than reading the file.

    Args:
        path: The file.

    Raises:
        DataError: A line is too long, the file is not UTF-8 text, or it cannot be read.
    """
    begin = 0
    try:
        with path.open("rb") as file:
            while block := file.read(LONGEST_LINE):
                if not begin and b"\0" in block.partition(b"\n")[0]:
                    raise DataError(
                        f"{path}, line 1: it contains NUL bytes, so the file is binary or UTF-16; "
                        "for UTF-16, set encoding=utf-16, or save it as UTF-8 text"
                    )
                if len(block) == LONGEST_LINE and b"\n" not in block:
                    raise DataError(
                        f"{path}, line {count_line_ends(path, begin) + 1} has more than "
                        f"{LONGEST_LINE:,} bytes; check that the file is a text table with one "
                        "row per line"
                    )
                begin += len(block)
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}") from error


def count_line_ends(path: Path, size: int | None = None) -> int:
    """Return the number of line ends in the first bytes of a file.

    Args:
        path: The file.
        size: Number of bytes to look at; None for all.
    """
    return count_bytes(path, b"\n", path.stat().st_size if size is None else size)


def count_bytes(path: Path, sought: bytes, size: int) -> int:
    """Return how often a byte occurs in the first bytes of a file.

    Args:
        path: The file.
        sought: One byte.
        size: Number of bytes to look at.
    """
    found = 0
    with path.open("rb") as file:
        while block := file.read(min(size, LONGEST_LINE)):
            found += block.count(sought)
            size -= len(block)
    return found


def check_columns(path: Path, count: int) -> None:
    """Raise an error if a header has too many columns.

    Args:
        path: The file.
        count: Number of columns in its first line.

    Raises:
        DataError: There are more than ``MAX_COLUMNS``.
    """
    if count > MAX_COLUMNS:
        raise DataError(
            f"{path}, line 1 names {count:,} columns; at most {MAX_COLUMNS:,} are allowed"
        )


def check_rows(path: Path, count: int) -> None:
    """Raise an error if a compressed table has far too many rows for the size of its file.

    Args:
        path: The file.
        count: Number of its rows.

    Raises:
        DataError: There are more than ``ALWAYS_ALLOWED_ROWS`` rows, and more than
            ``MAX_ROWS_PER_BYTE`` for each byte of the file.
    """
    size = path.stat().st_size
    if count > ALWAYS_ALLOWED_ROWS and count > MAX_ROWS_PER_BYTE * size:
        raise DataError(
            f"{path} has {count:,} rows in {size:,} bytes, which is too many rows for so few bytes "
            f"(at most {MAX_ROWS_PER_BYTE} per byte); if the rows are real, export them as CSV"
        )
