"""Whole folders: whether they may be replaced, and writes that are complete or change nothing."""

from __future__ import annotations

import json
import re
import shutil
import tempfile
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from sasrec.errors import ModelError
from sasrec.system.writing import (
    REPLACED_SUFFIX,
    exchange_names,
    flush_to_disk,
    make_folders,
    working_prefix,
)

ADDRESS = re.compile("(https?|s3|gs|gcs|az|abfss?|hdfs|ftp):", re.IGNORECASE)
"""First part of a path that was meant as a URL."""


def check_replaceable(
    folder: Path, what: str, is_own: Callable[[Path], bool], *, overwrite: bool
) -> Path:
    """Raise an error if a folder cannot or must not be written; call this before long work.

    Args:
        folder: The folder to write.
        what: What it will be, for messages: an article and words, such as ``a model folder``.
        is_own: Whether an existing folder is of this kind, so that replacing it deletes nothing
            else.
        overwrite: Whether such a folder may be replaced.

    Returns:
        The folder, with links and ``~`` resolved.

    Raises:
        ModelError: The folder is of this kind and ``overwrite`` is off, contains something else,
            is not writable, or is a URL.
    """
    if folder.parts and ADDRESS.fullmatch(folder.parts[0]):
        raise ModelError(
            f"{folder} is the address of another machine; write to a local folder, and copy that"
        )
    try:
        target = folder.expanduser().resolve()
        if target.exists():
            _check_existing(target, folder, what, is_own, overwrite=overwrite)
        nearest = next(parent for parent in target.parents if parent.exists())
        tempfile.TemporaryDirectory(prefix=working_prefix(target), dir=nearest).cleanup()
    except (OSError, RuntimeError, ValueError) as error:  # unknown user after ~, NUL in a name
        reason = getattr(error, "strerror", None) or error
        raise ModelError(f"{folder} cannot be written ({reason}); choose another folder") from error
    return target


def _check_existing(
    target: Path, folder: Path, what: str, is_own: Callable[[Path], bool], *, overwrite: bool
) -> None:
    article, noun, *_ = what.split()
    if not target.is_dir() or (any(target.iterdir()) and not is_own(target)):
        raise ModelError(f"{folder} exists and is not {what}; choose another folder")
    if any(target.iterdir()) and not overwrite:
        raise ModelError(
            f"{folder} already holds {article} {noun}; choose another folder, or replace the "
            f"{noun} with --overwrite (in Python: overwrite=True)"
        )
    if target == Path.cwd() or target.is_mount():
        raise ModelError(
            f"{folder} is the current folder or a mount point, so it cannot be replaced; choose "
            "another folder"
        )


def write_json_files(
    folder: Path, contents: Mapping[str, Any], one_line: Collection[str] = ()
) -> None:
    """Write JSON files, UTF-8.

    Args:
        folder: An existing folder.
        contents: File name to what is in it.
        one_line: Names of the files without line breaks and indentation, as they are long.
    """
    for name, content in contents.items():
        text = json.dumps(content, indent=None if name in one_line else 2, ensure_ascii=False)
        (folder / name).write_text(text + "\n", encoding="utf-8", errors="backslashreplace")


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
