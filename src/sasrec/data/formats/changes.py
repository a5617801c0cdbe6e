"""Files that change while they are read: a log that grows, or a table that is written anew."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO, TypeVar

from sasrec.errors import DataError

Result = TypeVar("Result")
STEP = 2**16
"""Bytes looked at once, backwards, for the end of a line."""


def seen(path: Path) -> os.stat_result:
    """Return size, date and identity of a file, as they are now.

    Args:
        path: The file.

    Raises:
        DataError: It is gone.
    """
    try:
        return path.stat()
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}") from error


def read_once(path: Path, read: Callable[[int], Result]) -> Result:
    """Return what is read of a text file to which lines may be added meanwhile.

    Args:
        path: The file.
        read: Reads the whole lines among so many bytes.

    Returns:
        What ``read`` returns for the lines that were there at first. A last line that was written
        in part then is left out, for which the file is read again.

    Raises:
        DataError: ``read`` does, or the file has been replaced or cut meanwhile.
    """
    before = seen(path)
    found: list[Result] = []
    problem = None
    try:
        found.append(read(before.st_size))
    except DataError as error:  # maybe of the line that was written in part
        problem = error
    _check_only_grown(path, before)
    with path.open("rb") as file:
        end = end_of_lines(file, before.st_size)
    if end < before.st_size:
        found.clear()
        return read(end)
    if problem is not None:
        problem = _told_of_the_end(path, before.st_size, read, problem)
        raise problem
    return found[0]


def _told_of_the_end(
    path: Path, size: int, read: Callable[[int], Result], problem: DataError
) -> DataError:
    """Return an error that says so if only the last line is wrong, and has no line end.

    Such a line may be one that is just being written, without the file having grown meanwhile.
    """
    with path.open("rb") as file:
        end = _last_line_end(file, size)
    if end == size:
        return problem
    try:
        read(end)
    except DataError:
        return problem
    return DataError(
        f"{problem}; the file ends in the middle of this line: if it is still being written, "
        "try again, otherwise complete or delete the line"
    )


def _check_only_grown(path: Path, before: os.stat_result) -> None:
    """Refuse what was read of a text file that has been replaced or cut in the meantime.

    Raises:
        DataError: It is another file, or a shorter one.
    """
    now = seen(path)
    if (now.st_ino, now.st_dev) != (before.st_ino, before.st_dev) or now.st_size < before.st_size:
        raise DataError(f"{path} was replaced or cut while it was read; read it again")


def check_unchanged(path: Path, before: os.stat_result) -> None:
    """Refuse what was read of a file that was written in the meantime.

    Args:
        path: The file.
        before: What was seen of it before it was read.

    Raises:
        DataError: It is another file, or has another size or date.
    """
    now = seen(path)
    for part in ("st_ino", "st_dev", "st_size", "st_mtime_ns"):
        if getattr(now, part) != getattr(before, part):
            raise DataError(f"{path} changed while it was read; read it again")


def end_of_lines(file: BinaryIO, end: int) -> int:
    """Return how many bytes of a file are whole lines.

    Args:
        file: Open; is left at another place.
        end: Its size when it was opened. If it has grown since, the line there may have been
            written in part, and does not count.

    Returns:
        ``end`` or less.
    """
    if file.seek(0, os.SEEK_END) <= end:
        return end
    return _last_line_end(file, end)


def _last_line_end(file: BinaryIO, end: int) -> int:
    """Return where the last whole line among the first bytes of a file ends."""
    stop = end
    while stop > 0:
        begin = max(0, stop - STEP)
        file.seek(begin)
        found = file.read(stop - begin).rfind(b"\n")
        if found >= 0:
            return begin + found + 1
        stop = begin
    return 0
