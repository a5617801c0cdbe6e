"""Files that change while they are read: a log file that grows, or a table that is rewritten."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO, TypeVar

from sasrec.errors import DataError

Result = TypeVar("Result")
STEP = 2**16
"""Number of bytes searched at once, backwards, for the end of a line."""


def file_status(path: Path) -> os.stat_result:
    """Return the current size, modification time and inode of a file.

    Args:
        path: The file.

    Raises:
        DataError: The file does not exist or cannot be accessed.
    """
    try:
        return path.stat()
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}") from error


def read_once(path: Path, read: Callable[[int], Result]) -> Result:
    """Read a text file to which another program may append lines at the same time.

    Args:
        path: The file.
        read: Reads the whole lines within the given number of bytes.

    Returns:
        What ``read`` returns for the lines that the file had at the start. If its last line was
        only partly written then, the file is read again without it.

    Raises:
        DataError: ``read`` raises it, or the file was replaced or truncated while it was read.
    """
    before = file_status(path)
    found: list[Result] = []
    problem = None
    try:
        found.append(read(before.st_size))
    except DataError as error:  # perhaps about a line that was only partly written
        problem = error
    _check_only_grown(path, before)
    with path.open("rb") as file:
        end = end_of_lines(file, before.st_size)
    if end < before.st_size:
        found.clear()
        return read(end)
    if problem is not None:
        problem = _with_hint_if_last_line(path, before.st_size, read, problem)
        raise problem
    return found[0]


def _with_hint_if_last_line(
    path: Path, size: int, read: Callable[[int], Result], problem: DataError
) -> DataError:
    """Return the error, with a hint if only the last line is invalid and has no line end.

    Another program may still be writing that line, even if the file has not grown since.
    """
    with path.open("rb") as file:
        end = _last_line_end(file, size)
    if end == size:
        return problem
    try:
        read(end)
    except DataError:
        return problem
    return problem.with_text(
        f"{problem}; this line is the last one and has no line end: if it is still being written, "
        "try again, otherwise complete or delete it"
    )


def _check_only_grown(path: Path, before: os.stat_result) -> None:
    """Raise an error if a text file was replaced or truncated while it was read.

    Raises:
        DataError: It is another file now, or a shorter one.
    """
    now = file_status(path)
    if (now.st_ino, now.st_dev) != (before.st_ino, before.st_dev) or now.st_size < before.st_size:
        raise DataError(f"{path} was replaced or truncated while it was read; read it again")


def check_unchanged(path: Path, before: os.stat_result) -> None:
    """Raise an error if a file was written to while it was read.

    Args:
        path: The file.
        before: Its status before it was read.

    Raises:
        DataError: It is another file now, or its size or modification time differs.
    """
    now = file_status(path)
    for field in ("st_ino", "st_dev", "st_size", "st_mtime_ns"):
        if getattr(now, field) != getattr(before, field):
            raise DataError(f"{path} changed while it was read; read it again")


def end_of_lines(file: BinaryIO, end: int) -> int:
    """Return the length in bytes of the whole lines of a file.

    Args:
        file: An open file; its position is changed.
        end: Size of the file when it was opened. If it has grown since, the last line within this
            size may have been incomplete then, and is not counted.

    Returns:
        ``end`` or less.
    """
    if file.seek(0, os.SEEK_END) <= end:
        return end
    return _last_line_end(file, end)


def _last_line_end(file: BinaryIO, end: int) -> int:
    """Return where the last whole line within the first ``end`` bytes of a file ends."""
    stop = end
    while stop > 0:
        begin = max(0, stop - STEP)
        file.seek(begin)
        found = file.read(stop - begin).rfind(b"\n")
        if found >= 0:
            return begin + found + 1
        stop = begin
    return 0
