"""Limits of text files: what no honest file passes, and what a reader could not bear."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sasrec.errors import DataError

LONGEST_LINE = 2**20
"""Bytes. Polars takes some 450 times as much memory for a line of nothing but separators."""
MOST_COLUMNS = 10_000
FEW_ROWS = 1_000_000
"""Rows of a compressed table that may take as little room as they will."""
MOST_ROWS_A_BYTE = 8
MOST_NESTED = 100_000
"""Lists and objects of a JSON text. An empty one takes twenty times the memory of its three
characters."""
SMALL_JSON = 2**19
"""Bytes. A smaller text may take what it will, which is some 27 times its size at most."""
MOST_SWOLLEN = 10
"""How many times its size a larger one may take."""
NEW_KEY = 150
"""Bytes of a key the first time it is met; again it costs no text."""


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


def json_within_limits(text: str | bytes, most_values: int = 0) -> Any:
    """Return what a JSON text holds, unless it was made to fill the memory.

    Args:
        text: JSON.
        most_values: So many values are never too many, however small they are.

    Returns:
        Its value.

    Raises:
        ValueError: It is no JSON, or holds more than ``MOST_NESTED`` lists and objects; or more
            than ``SMALL_JSON`` bytes, of which its values would take ``MOST_SWOLLEN`` times as
            many.
        RecursionError: They lie too deep in one another.
    """
    raw = text.encode() if isinstance(text, str) else text
    signs = {sign: raw.count(sign) for sign in (b"[", b"{", b",", b":", b'"')}
    signs[b'"'] //= 2  # of each text one
    problem = _too_much(signs, signs[b":"], raw, most_values)
    # Texts may hold such signs too, so only where there are many is it worth looking closely.
    if problem and (problem := _too_much(*_counted(raw), raw, most_values)):
        raise ValueError(problem)
    return json.loads(raw.decode("utf-8"))


# What cannot match otherwise is not tried again, so that time and memory stay small.
_SIGNS = re.compile(rb'"(?:[^"\\]++|\\.)*+"?|[\[{,:]', re.DOTALL)


def _counted(raw: bytes) -> tuple[Mapping[bytes, int], int]:
    """Return how often each sign stands outside texts, and how many different keys there are."""
    signs: Counter[bytes] = Counter()
    keys: set[bytes] = set()
    before = b""
    for part in _SIGNS.finditer(raw):
        signs[part[0][:1]] += 1
        if part[0] == b":" and len(keys) * NEW_KEY < MOST_SWOLLEN * len(raw):
            keys.add(before)
        before = part[0]
    return signs, len(keys)


def _too_much(signs: Mapping[bytes, int], keys: int, raw: bytes, most_values: int) -> str:
    """Return what is too much about a JSON text with so many signs; empty if nothing is."""
    lists, objects, values, pairs = (signs[sign] for sign in (b"[", b"{", b",", b":"))
    if lists + objects > MOST_NESTED:
        return f"it holds more than {MOST_NESTED:,} lists and objects"
    if len(raw) <= SMALL_JSON or values <= most_values:
        return ""
    texts = max(signs[b'"'] - pairs, 0)
    # What Python takes: the bytes, their text, and so much for each text, number, pair, and so on.
    highest = max(raw, default=0)
    width = 4 if highest >= 0xF0 else 2 if highest > 0xC3 else 1
    memory = (1 + width) * len(raw) + 60 * texts + 32 * max(values - texts, 0)
    memory += 8 * values + 60 * pairs + NEW_KEY * keys + 80 * lists + 240 * objects
    if memory <= MOST_SWOLLEN * len(raw):
        return ""
    return f"it holds {values:,} values, too many for its {len(raw):,} bytes"
