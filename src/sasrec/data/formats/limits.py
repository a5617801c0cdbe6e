"""Limits of text files: what no honest file passes, and what a reader could not bear."""

from __future__ import annotations

from pathlib import Path

from sasrec.errors import DataError

LONGEST_LINE = 2**20
"""Bytes. Polars takes some 450 times as much memory for a line of nothing but separators."""
MOST_COLUMNS = 10_000
FEW_ROWS = 1_000_000
"""Rows of a compressed table that may take as little room as they will."""
MOST_ROWS_A_BYTE = 8
MOST_SWOLLEN = 10
"""How many times its size what a file holds may take in memory."""


def check_lines(path: Path) -> None:
    """Refuse a text file with an endless line, or one that is no text at all.

    Each block of ``LONGEST_LINE`` bytes must hold the end of a line, so that any line of twice that
    length is found, and looking takes no longer than reading the file.

    Args:
        path: The file.

    Raises:
        DataError: It has such a line, or cannot be read.
    """
    begin = 0
    try:
        with path.open("rb") as file:
            while block := file.read(LONGEST_LINE):
                if not begin and b"\0" in block.partition(b"\n")[0]:
                    raise DataError(
                        f"{path}, line 1 holds NUL bytes, so it is no text in UTF-8, but binary or "
                        "UTF-16; save it as text in UTF-8"
                    )
                if len(block) == LONGEST_LINE and b"\n" not in block:
                    raise DataError(
                        f"{path}, line {count_line_ends(path, begin) + 1} has more than "
                        f"{LONGEST_LINE:,} characters; is it a table of text, with a line for each "
                        "row?"
                    )
                begin += len(block)
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}") from error


def count_line_ends(path: Path, size: int | None = None) -> int:
    """Return how many lines have their end in the first bytes of a file.

    Args:
        path: The file.
        size: How many bytes; None for all.
    """
    left = path.stat().st_size if size is None else size
    ends = 0
    with path.open("rb") as file:
        while block := file.read(min(left, LONGEST_LINE)):
            ends += block.count(b"\n")
            left -= len(block)
    return ends


def check_columns(path: Path, count: int) -> None:
    """Refuse a header of too many columns.

    Args:
        path: The file.
        count: Columns its first line names.

    Raises:
        DataError: There are more than ``MOST_COLUMNS``.
    """
    if count > MOST_COLUMNS:
        raise DataError(
            f"{path}, line 1 names {count:,} columns; at most {MOST_COLUMNS:,} are read"
        )


def check_rows(path: Path, count: int) -> None:
    """Refuse a compressed table in which rows without end take next to no room.

    Args:
        path: The file.
        count: Its rows.

    Raises:
        DataError: They are more than ``FEW_ROWS``, and ``MOST_ROWS_A_BYTE`` times its bytes.
    """
    size = path.stat().st_size
    if count > FEW_ROWS and count > MOST_ROWS_A_BYTE * size:
        raise DataError(
            f"{path} holds {count:,} rows in {size:,} bytes; in events that tell anything a row "
            "takes a bit at least; if they are real, write them as CSV"
        )
