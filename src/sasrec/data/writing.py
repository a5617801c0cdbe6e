"""Writing a file whole or not at all."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from pathlib import Path

from sasrec.errors import DataError


def write_whole(path: Path, content: str | bytes) -> None:
    """Write a file under a temporary name beside it, then give it its own.

    Args:
        path: The file; its folder is made. What is there is replaced, unless it is no ordinary
            file (a pipe, a terminal), which is written to.
        content: Text, written as UTF-8, or bytes.

    Raises:
        DataError: It cannot be written; what was there is still there then.
    """  # by written_whole
    data = content.encode() if isinstance(content, str) else content
    if path.exists() and not path.is_file():
        try:
            path.write_bytes(data)
        except OSError as error:
            raise DataError(f"{path} cannot be written: {error.strerror or error}") from error
        return
    written_whole(path, lambda working: working.write_bytes(data))


def written_whole(path: Path, write: Callable[[Path], object]) -> None:
    """Let a function write a file under a temporary name beside it, then give it its own.

    Args:
        path: The file; its folder is made, and what is there is replaced.
        write: Given the temporary name; may write piece by piece.

    Raises:
        DataError: It cannot be written; what was there is still there then.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        number, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name[:50]}-")
        os.close(number)
        working = Path(name)
        try:
            write(working)
            working.chmod(0o644)
            os.replace(working, path)
        except BaseException:
            working.unlink(missing_ok=True)
            raise
    except OSError as error:
        raise DataError(f"{path} cannot be written: {error.strerror or error}") from error
