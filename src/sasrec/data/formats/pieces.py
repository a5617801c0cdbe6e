"""Pieces: text files read some megabytes at a time, so that what is parsed is never all in text."""

from __future__ import annotations

import re
from collections.abc import Iterator
from os import SEEK_END
from typing import BinaryIO

from sasrec.data.formats.changes import end_of_lines

SHARE, SMALLEST, LARGEST = 64, 2**17, 2**23
"""A piece is a sixty-fourth of the file, within these bytes; parsing it holds some thirty times as
many. Of ten million events pieces four times as large take a tenth less time."""
LONGEST_VALUE = 2**22
"""Bytes over which a quotation mark may stay open beyond the end of a piece."""


def pieces(file: BinaryIO, *, quoted: bool, end: int | None = None) -> Iterator[bytes]:
    """Yield the rest of a text file in pieces of whole lines, without blank lines before them.

    Args:
        file: Open after the lines that are not wanted.
        quoted: Whether a value in quotation marks may run over several lines; then a piece ends
            where as many marks have been closed as opened, if that is within ``LONGEST_VALUE``
            bytes of where it would end otherwise.
        end: The size of the file when it was first looked at; what has been added since is not
            read. None for its size now.

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
        if (place := file.tell()) >= end:
            piece = piece[: max(len(piece) - place + end_of_lines(file, end), 0)]
            file.seek(place)
        blank = _BLANK_LINES.match(piece)
        if piece := piece[blank.end() :] if blank else piece:
            yield piece


_BLANK_LINES = re.compile(rb"(?:\r?\n)+")


def _rest_of_value(file: BinaryIO) -> bytes:
    """Return the lines up to and with the one in which an open quotation mark is closed, if any."""
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
