"""Atomic and durable file writes: a file is complete or absent, even after a power failure."""

from __future__ import annotations

import errno
import glob
import hashlib
import os
import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from sasrec.errors import DataError, SettingsError

REPLACED_SUFFIX = ".old"
"""Suffix added to a folder's temporary name to form the name of the folder that it replaces."""
UNFINISHED_MARKER = "-unfinished-"
"""Part of the hidden temporary name of a file or folder that is being written."""
FOLDER_SYNC_UNSUPPORTED = frozenset({errno.EINVAL, errno.ENOTSUP, errno.EBADF})
"""Errors from fsync on a folder that mean the file system does not support it; safe to ignore."""


def write_atomically(path: Path, content: str | bytes) -> None:
    """Write a file under a temporary name in the same folder, then rename it to its final name.

    Args:
        path: The file; its folder is created if needed. An existing regular file is replaced; a
            pipe or a terminal is written to directly.
        content: Text, written as UTF-8, or bytes.

    Raises:
        DataError: The file cannot be written; an existing file is left unchanged.
    """  # DataError is also raised by write_atomically_with
    data = content.encode() if isinstance(content, str) else content
    if path.exists() and not path.is_file():
        try:
            path.write_bytes(data)
        except OSError as error:
            raise DataError(f"{path} cannot be written: {error.strerror or error}") from error
        return
    write_atomically_with(path, lambda working: working.write_bytes(data))


def write_atomically_with(path: Path, write: Callable[[Path], object]) -> None:
    """Call a function that writes a file in a temporary folder, then move the file into place.

    The umask decides the file's permissions. When this function returns, both the content and the
    directory entry have been flushed to disk.

    Args:
        path: The file; its folder is created if needed, and an existing file is replaced.
        write: Receives the temporary path to write to. It may write in several steps and may
            create other files in the same folder; those are deleted.

    Raises:
        DataError: The file cannot be written; an existing file is left unchanged.
    """
    try:
        working = _working_folder(path)
        try:
            file = working / path.name
            file.touch()
            permissions = file.stat().st_mode
            write(file)
            file.chmod(permissions)  # a library may have replaced the file we created
            flush_to_disk(file)
            os.replace(file, path)
            flush_to_disk(path.parent)
        finally:
            shutil.rmtree(working, ignore_errors=True)
    except OSError as error:
        raise DataError(f"{path} cannot be written: {error.strerror or error}") from error


def write_file_or_pipe(path: Path, write: Callable[[Path], object]) -> None:
    """Call a function that writes a file atomically, or directly to a pipe or a terminal.

    Args:
        path: The file or pipe.
        write: Receives the path to write to.

    Raises:
        DataError: It cannot be written; an existing file is left unchanged.
        BrokenPipeError: The reader of a pipe has ended.
    """
    if not path.exists() or path.is_file():
        write_atomically_with(path, write)
        return
    try:
        write(path)
    except BrokenPipeError:
        raise
    except OSError as error:
        raise DataError(f"{path} cannot be written: {error.strerror or error}") from error


def write_by_library(path: Path, write: Callable[[Path], object]) -> None:
    """Call a function that may open a file several times; a pipe gets a copy of the whole file.

    When a pipe is closed for the first time, its reader ends, and opening it again waits forever.

    Args:
        path: An existing file, or a pipe.
        write: Receives the path to write to.

    Raises:
        BrokenPipeError: The reader of a pipe has ended.
    """  # raised by copyfileobj
    if path.is_file():
        write(path)
        return
    with tempfile.TemporaryDirectory(prefix="sasrec-") as folder:
        whole = Path(folder) / "whole"
        write(whole)
        with whole.open("rb") as source, path.open("wb") as pipe:
            shutil.copyfileobj(source, pipe)


def check_writable(path: Path) -> None:
    """Raise an error if a file cannot be written; call this before hours of work.

    Args:
        path: The file that will be written later; its folder is created if needed.

    Raises:
        DataError: The file cannot be written.
    """
    if path.is_dir():
        raise DataError(f"{path} is a folder; give the name of a file")
    if path.exists() and not path.is_file():
        return  # a pipe or a terminal
    try:
        _working_folder(path).rmdir()
    except OSError as error:
        raise DataError(f"{path} cannot be written: {error.strerror or error}") from error


def working_prefix(path: Path) -> str:
    """Return the prefix of the temporary name that a file or folder has while it is written.

    Args:
        path: The final path of the file or folder.

    Returns:
        A prefix that starts with a dot and is unique to this file or folder, even if its name is
        so long that only part of it fits.
    """
    digest = hashlib.sha256(path.name.encode(errors="surrogateescape")).hexdigest()[:8]
    return f".{path.name[:50]}-{digest}{UNFINISHED_MARKER}"


def remove_leftovers(path: Path) -> None:
    """Remove the temporary files that a killed process left next to a file or folder.

    If the process was killed after it had moved the old folder away and before the new one was in
    place, the old folder is restored. Call this only if no other process is writing to the path.

    Args:
        path: The final path of the file or folder.
    """
    for left in path.parent.glob(f"{glob.escape(working_prefix(path))}*"):
        if left.suffix == REPLACED_SUFFIX and not path.exists():
            left.rename(path)
        elif left.is_dir() and not left.is_symlink():
            shutil.rmtree(left, ignore_errors=True)
        else:
            left.unlink(missing_ok=True)


def make_folders(path: Path) -> None:
    """Create a folder and its parents, and flush them to disk so that they survive a power failure.

    Args:
        path: The folder; it may exist already.

    Raises:
        OSError: The folder cannot be created.
    """
    missing = [each for each in (path, *path.parents) if not each.exists()]
    path.mkdir(parents=True, exist_ok=True)
    for each in reversed(missing):
        flush_to_disk(each.parent)


def create_output_folder(folder: Path) -> Path:
    """Create the folder for results; call this before hours of work.

    Args:
        folder: The folder; it may exist already.

    Returns:
        ``folder``.

    Raises:
        SettingsError: The folder cannot be created.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        why = error.strerror or error
        reason = "is a file" if folder.is_file() else f"cannot be created ({why})"
        raise SettingsError(f"{folder} {reason}; choose another output folder") from error
    return folder


def flush_to_disk(path: Path) -> None:
    """Flush a file's content, or a folder's list of names, to disk (fsync).

    A file's content must reach the disk before its name does, and a replacement must reach it
    before the original is deleted.

    Args:
        path: The file or folder.

    Raises:
        OSError: The disk cannot store it.
        PermissionError: The file cannot be opened for reading.
    """
    is_folder = path.is_dir()
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except PermissionError:  # a folder without read permission, or any folder on Windows
        if is_folder:
            return
        raise
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in FOLDER_SYNC_UNSUPPORTED or not is_folder:
            raise
    finally:
        os.close(descriptor)


def exchange_names(first: Path, second: Path) -> bool:
    """Exchange the names of two files or folders atomically, if the system supports it.

    Args:
        first: An existing file or folder.
        second: Another one on the same file system.

    Returns:
        True if the names were exchanged, False if nothing was changed.
    """
    if sys.platform != "linux":
        return False
    import ctypes

    try:
        rename = ctypes.CDLL(None, use_errno=True).renameat2
    except AttributeError:  # an old C library
        return False
    current_folder, exchange = -100, 2  # AT_FDCWD and RENAME_EXCHANGE on Linux
    names = os.fsencode(first), os.fsencode(second)
    status: int = rename(current_folder, names[0], current_folder, names[1], exchange)
    return status == 0


def _working_folder(path: Path) -> Path:
    """Return a new temporary folder next to a file that is to be written.

    It is a folder, not a file, because libraries create temporary files too: safetensors does so
    next to the file it writes, and a killed process would leave that file behind.
    """
    make_folders(path.parent)
    return Path(tempfile.mkdtemp(dir=path.parent, prefix=working_prefix(path)))
