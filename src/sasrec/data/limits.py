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
MOST_ROWS_A_BYTE = 8
MOST_NESTED = 100_000
"""Lists and objects of a JSON text. An empty one takes twenty times the memory of its three
characters."""
SMALL_JSON = 2**20
"""Bytes. A smaller text may take what it will, which is some 17 times its size at most."""
MOST_SWOLLEN = 10
"""How many times its size a larger one may take."""


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
            "takes a bit at least"
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
    raw = text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text
    signs = {sign: raw.count(sign) for sign in (b"[", b"{", b",", b":", b'"')}
    signs[b'"'] //= 2  # of each text one
    if _too_much(signs, len(raw), most_values):
        # Texts may hold such signs too, so only where there are many is it worth looking closely.
        signs = Counter(part[0][:1] for part in _SIGNS.finditer(raw))
        if problem := _too_much(signs, len(raw), most_values):
            raise ValueError(problem)
    return json.loads(raw.decode("utf-8"))


_SIGNS = re.compile(rb'"(?:[^"\\]|\\.)*"|[\[{,:]')


def _too_much(signs: Mapping[bytes, int], size: int, most_values: int) -> str:
    """Return what is too much about a JSON text of so many signs and bytes; empty if nothing is."""
    if signs[b"["] + signs[b"{"] > MOST_NESTED:
        return f"it holds more than {MOST_NESTED:,} lists and objects"
    values, pairs = signs[b","], signs[b":"]
    texts = max(signs[b'"'] - pairs, 0)
    # What Python takes: 50 bytes for a text, 28 for a number, 8 in a list, 100 for a new key.
    memory = 2 * size + 50 * texts + 28 * max(values - texts, 0) + 8 * values + 100 * pairs
    if size > SMALL_JSON and values > most_values and memory > MOST_SWOLLEN * size:
        return f"it holds {values:,} values, too many for its {size:,} bytes"
    return ""
