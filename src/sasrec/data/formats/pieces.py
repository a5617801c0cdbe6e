"""Pieces: reads text files a few megabytes at a time, to save memory while parsing."""

from __future__ import annotations

import re
from collections.abc import Iterator
from os import SEEK_END
from pathlib import Path
from typing import BinaryIO

from sasrec.data.formats.changes import end_of_lines

SHARE, SMALLEST, LARGEST = 64, 2**17, 2**23
"""A piece is a sixty-fourth of the file, within these limits in bytes; parsing takes some thirty
times its size in memory. With ten million events, pieces four times as large take 10 % less
time."""
BLANKS = " \t\r"
"""Characters that a blank line may have."""
LONGEST_VALUE = 2**22
"""A quoted value may continue for this many bytes after the end of a piece."""


def pieces(file: BinaryIO, *, quoted: bool, end: int | None = None) -> Iterator[bytes]:
    """Yield the rest of a text file in pieces of whole lines, without leading blank lines.

    Args:
        file: An open file, positioned after the header.
        quoted: Whether a value in quotation marks may span several lines; then a piece ends only
            where no quotation mark is open, if that is within ``LONGEST_VALUE`` bytes after its
            normal end.
        end: Number of bytes of the file to read, such as its size when it was opened; None for its
            size now.

    Yields:
        Bytes, none empty.
    """
    begin, last = file.tell(), file.seek(0, SEEK_END)
    end = last if end is None else end
    file.seek(begin)
    size = min(max(end // SHARE, SMALLEST), LARGEST)
    while (left := end - file.tell()) > 0 and (block := file.read(min(size, left))):
        piece = block + file.readline()
        if quoted and piece.count(b'"') % 2:
            piece += _rest_of_value(file)
        if (position := file.tell()) >= end:
            piece = piece[: max(len(piece) - position + end_of_lines(file, end), 0)]
            file.seek(position)
        blank = _BLANK_LINES.match(piece)
        if piece := piece[blank.end() :] if blank else piece:
            yield piece


def number_of_line(path: Path, begin: int, index: int) -> int:
    """Return the number of a line, counted from 1, given how many lines are not blank before it.

    Args:
        path: The file.
        begin: Number of lines to skip at the beginning.
        index: Number of lines after these, and before the line, that are not blank.
    """
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            if number > begin and line.strip(BLANKS.encode() + b"\n"):
                if not index:
                    return number
                index -= 1
    return 0


_BLANK_LINES = re.compile(rb"(?:\r?\n)+")


def _rest_of_value(file: BinaryIO) -> bytes:
    """Return the lines up to the one that closes an open quotation mark; empty if none does."""
    begin = file.tell()
    lines: list[bytes] = []
    size = 0
    while size <= LONGEST_VALUE and (line := file.readline()):
        lines.append(line)
        size += len(line)
        if line.count(b'"') % 2:
            return b"".join(lines)
    file.seek(begin)
    return b""
