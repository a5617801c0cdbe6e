"""Writing a file whole or not at all."""

from __future__ import annotations

import os
import tempfile
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
    """
    data = content.encode() if isinstance(content, str) else content
    try:
        if path.exists() and not path.is_file():
            path.write_bytes(data)
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(
            dir=path.parent, prefix=f".{path.name[:50]}-", delete=False
        ) as file:
            working = Path(file.name)
            try:
                file.write(data)
                file.close()
                working.chmod(0o644)
                os.replace(working, path)
            except BaseException:
                working.unlink(missing_ok=True)
                raise
    except OSError as error:
        raise DataError(f"{path} cannot be written: {error.strerror or error}") from error
