"""Limits of text files: what no honest file passes, and what a reader could not bear."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from sasrec.errors import DataError

LONGEST_LINE = 2**20
"""Bytes. Polars takes some 450 times as much memory for a line of nothing but separators."""
MOST_COLUMNS = 10_000
MOST_NESTED = 100_000
"""Lists and objects of a JSON text. An empty one takes twenty times the memory of its three
characters."""


def check_lines(path: Path) -> None:
    """Refuse a text file with an endless line, or one that is no text at all.

    Each block of ``LONGEST_LINE`` bytes must hold the end of a line, so that any line of twice that
    length is found, and looking takes no longer than reading the file.

    Args:
        path: The file.

    Raises:
        DataError: It has such a line, or cannot be read.
    """
    ends = 0
    try:
        with path.open("rb") as file:
            while block := file.read(LONGEST_LINE):
                if not ends and b"\0" in block.partition(b"\n")[0]:
                    raise DataError(
                        f"{path}, line 1 holds NUL bytes, so it is no text in UTF-8, but binary or "
                        "UTF-16; save it as text in UTF-8"
                    )
                if len(block) == LONGEST_LINE and b"\n" not in block:
                    raise DataError(
                        f"{path}, line {ends + 1} has more than {LONGEST_LINE:,} characters; is "
                        "it a table of text, with a line for each row?"
                    )
                ends += block.count(b"\n")
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}") from error


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


def json_within_limits(text: str | bytes) -> Any:
    """Return what a JSON text holds, unless it was made to fill the memory.

    Args:
        text: JSON.

    Returns:
        Its value.

    Raises:
        ValueError: It is no JSON, or holds more than ``MOST_NESTED`` lists and objects.
        RecursionError: They lie too deep in one another.
    """
    if isinstance(text, bytes):
        text = text.decode("utf-8")
    # Texts may hold brackets too, so only where there are many is it worth looking closely.
    if text.count("[") + text.count("{") > MOST_NESTED:
        parts = re.finditer(r'"(?:[^"\\]|\\.)*"|[\[{]', text)
        if sum(1 for part in parts if part[0] in "[{") > MOST_NESTED:
            raise ValueError(f"it holds more than {MOST_NESTED:,} lists and objects")
    return json.loads(text)
