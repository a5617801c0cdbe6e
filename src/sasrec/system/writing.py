"""Writing a file whole or not at all, and so that a power cut does not take it away again."""

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

ASIDE = ".old"
"""Behind the working name of a folder: what stood in its place before."""
UNFINISHED = "-unfinished-"
"""Within the hidden name of what is being written."""
NOT_FLUSHED = frozenset({errno.EINVAL, errno.ENOTSUP, errno.EBADF})
"""How file systems say that they keep no folder back, so that there is nothing to wait for."""


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
    """Let a function write a file in a folder of its own, then put it in its place.

    Whoever may read it is up to the umask. When this returns, the file is on the disk and so is its
    name.

    Args:
        path: The file; its folder is made, and what is there is replaced.
        write: Given where to write; may write piece by piece, and other files beside.

    Raises:
        DataError: It cannot be written; what was there is still there then.
    """
    try:
        working = _working_folder(path)
        try:
            file = working / path.name
            file.touch()
            permissions = file.stat().st_mode
            write(file)
            file.chmod(permissions)  # libraries may have put a file of their own there
            settle(file)
            os.replace(file, path)
            settle(path.parent)
        finally:
            shutil.rmtree(working, ignore_errors=True)
    except OSError as error:
        raise DataError(f"{path} cannot be written: {error.strerror or error}") from error


def check_writable(path: Path) -> None:
    """Refuse a place no file can be written to; worth asking before hours of work.

    Args:
        path: Of a file to be written later; its folder is made.

    Raises:
        DataError: It cannot be written.
    """
    if path.is_dir():
        raise DataError(f"{path} is a folder; name a file")
    if path.exists() and not path.is_file():
        return  # a pipe or a terminal
    try:
        _working_folder(path).rmdir()
    except OSError as error:
        raise DataError(f"{path} cannot be written: {error.strerror or error}") from error


def working_prefix(path: Path) -> str:
    """Return how the temporary name of a file or folder begins, while that is being written.

    Args:
        path: The file or folder by its own name.

    Returns:
        The beginning of a hidden name that belongs to this file or folder alone, however long its
        own name is.
    """
    digest = hashlib.sha256(path.name.encode(errors="surrogateescape")).hexdigest()[:8]
    return f".{path.name[:50]}-{digest}{UNFINISHED}"


def remove_leftovers(path: Path) -> None:
    """Remove what a process killed while writing left beside a file or folder.

    A folder that had been moved aside to be replaced goes back to its place, if that is empty.
    Only for places that nobody else writes to at this moment.

    Args:
        path: The file or folder by its own name.
    """
    for left in path.parent.glob(f"{glob.escape(working_prefix(path))}*"):
        if left.suffix == ASIDE and not path.exists():
            left.rename(path)
        elif left.is_dir() and not left.is_symlink():
            shutil.rmtree(left, ignore_errors=True)
        else:
            left.unlink(missing_ok=True)


def make_folders(path: Path) -> None:
    """Make a folder and those it lies in, so that a power cut does not take them away again.

    Args:
        path: The folder; may be there.

    Raises:
        OSError: It cannot be made.
    """
    missing = [each for each in (path, *path.parents) if not each.exists()]
    path.mkdir(parents=True, exist_ok=True)
    for each in reversed(missing):
        settle(each.parent)


def made_folder(folder: Path) -> Path:
    """Return a folder to write to, made before hours of work and not after.

    Args:
        folder: Of results.

    Returns:
        The same.

    Raises:
        SettingsError: It cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        reason = "is a file" if folder.is_file() else f"cannot be made ({error.strerror or error})"
        raise SettingsError(f"{folder} {reason}; choose another folder with --out") from error
    return folder


def settle(path: Path) -> None:
    """Wait until a file, or the names in a folder, are on the disk.

    A name must never come there before its content, nor what replaces something after that is gone.

    Args:
        path: The file or folder.

    Raises:
        OSError: The disk cannot take it.
        PermissionError: The file may not be read.
    """
    is_folder = path.is_dir()
    try:
        number = os.open(path, os.O_RDONLY)
    except PermissionError:  # one that may be written and not read, or any on Windows
        if is_folder:
            return
        raise
    try:
        os.fsync(number)
    except OSError as error:
        if error.errno not in NOT_FLUSHED or not is_folder:
            raise
    finally:
        os.close(number)


def exchanged(first: Path, second: Path) -> bool:
    """Let two files or folders change names in one step, where the system can.

    Args:
        first: Is there.
        second: Is there too, in the same file system.

    Returns:
        Whether it was done; if not, both are as they were.
    """
    if sys.platform != "linux":
        return False
    import ctypes

    try:
        rename = ctypes.CDLL(None, use_errno=True).renameat2
    except AttributeError:  # an old C library
        return False
    here, swap = -100, 2  # AT_FDCWD and RENAME_EXCHANGE of Linux
    done: int = rename(here, os.fsencode(first), here, os.fsencode(second), swap)
    return done == 0


def _working_folder(path: Path) -> Path:
    """Return a new folder beside a file to be written, whose own folder is made.

    A folder, as libraries write under temporary names of their own: safetensors beside the file it
    is given, where a killed process would leave it.
    """
    make_folders(path.parent)
    return Path(tempfile.mkdtemp(dir=path.parent, prefix=working_prefix(path)))
