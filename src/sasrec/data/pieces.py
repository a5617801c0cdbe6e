"""Pieces: text files read some megabytes at a time, so that what is parsed is never all in text."""

from __future__ import annotations

from collections.abc import Iterator
from os import SEEK_END
from typing import BinaryIO

from sasrec.errors import DataError

SHARE, SMALLEST, LARGEST = 16, 2**19, 2**23
"""A piece is a sixteenth of the file, within these bytes; parsing it takes some ten times as many.
Small pieces are read more slowly, and larger ones no faster."""
LONGEST_VALUE = 2**22
"""Bytes of a piece in which a quotation mark is still open."""


def pieces(file: BinaryIO, where: str, *, quoted: bool) -> Iterator[bytes]:
    """Yield the rest of a text file in pieces of whole lines, without blank lines before them.

    Args:
        file: Open after the lines that are not wanted.
        where: What to call the file in an error text.
        quoted: Whether a value in quotation marks may run over several lines; then a piece ends
            where as many marks have been closed as opened.

    Yields:
        Bytes, none empty.

    Raises:
        DataError: A quotation mark is not closed within ``LONGEST_VALUE`` bytes.
    """
    begin, end = file.tell(), file.seek(0, SEEK_END)
    file.seek(begin)
    size = min(max(end // SHARE, SMALLEST), LARGEST)
    held = b""
    while block := file.read(size):
        piece = held + block + file.readline()
        if quoted and piece.count(b'"') % 2:
            if len(piece) > LONGEST_VALUE:
                raise DataError(f"{where} cannot be read: a quotation mark is not closed")
            held = piece
            continue
        held = b""
        if piece := piece.lstrip(b"\r\n"):
            yield piece
    if held:
        yield held
