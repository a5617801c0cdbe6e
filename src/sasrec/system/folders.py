"""Atomic and durable writes of whole folders: a folder is complete, or it is the previous one."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from sasrec.system.writing import (
    REPLACED_SUFFIX,
    exchange_names,
    flush_to_disk,
    make_folders,
    working_prefix,
)


def write_folder_atomically(target: Path, fill: Callable[[Path], object]) -> None:
    """Call a function that fills a folder under a temporary name, then rename the folder.

    When this returns, the folder and its name have been flushed to the disk. A folder that was
    replaced is deleted after that. File permissions follow the umask.

    Args:
        target: The folder to write; missing parent folders are created, and an existing folder is
            replaced.
        fill: Receives the path of an empty folder, and writes files to it.

    Raises:
        OSError: The folder cannot be written; an existing folder is then unchanged.
    """  # raised by the parts
    working = None
    try:
        make_folders(target.parent)
        working = Path(tempfile.mkdtemp(prefix=working_prefix(target), dir=target.parent))
        whole = working / "model"
        whole.mkdir()  # follows the umask, unlike the private temporary folder around it
        fill(whole)
        for path in (*whole.iterdir(), whole):
            flush_to_disk(path)
        _swap(whole, target, working.with_name(working.name + REPLACED_SUFFIX))
    finally:
        if working is not None:
            shutil.rmtree(working, ignore_errors=True)


def _swap(finished: Path, target: Path, aside: Path) -> None:
    """Rename a finished folder to its final name; on failure the previous folder is kept.

    Args:
        finished: The folder. If the system can exchange two names in one step, this path holds the
            previous folder afterwards.
        target: The final path.
        aside: Path to move the previous folder to, if the system cannot; deleted afterwards.
    """
    if not target.exists():
        finished.rename(target)
    elif not exchange_names(finished, target):
        target.rename(aside)
        try:
            finished.rename(target)
        except BaseException:
            aside.rename(target)
            raise
    flush_to_disk(target.parent)
    with suppress(OSError):
        shutil.rmtree(aside)
