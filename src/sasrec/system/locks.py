"""File locks that the operating system releases when the process that holds them ends.

The lock of a file or folder is a hidden file next to it. Nothing is ever written to the lock file,
and it is never opened through a symbolic link, so a planted link cannot damage another file.
"""

from __future__ import annotations

import errno
import hashlib
import logging
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

logger = logging.getLogger(__name__)
LOCKS_UNSUPPORTED = frozenset({errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP, errno.EINVAL})
"""Errors of a file system that does not support locks, such as some network file systems."""
NOT_A_LOCK_FILE = "cannot be used as a lock file, because it is a link or not a regular file"
LONGEST_NAME = 200
"""In bytes, before the prefix and suffix are added; most file systems allow 255 in all."""
MOST_TRIES = 100
"""Attempts to create a lock file whose folder another process keeps removing."""


@contextmanager
def exclusive_lock(path: Path, *, wait: bool) -> Iterator[None]:
    """Hold the exclusive lock of a file or folder within the block.

    The lock is the hidden file ``.NAME.lock`` in the same folder, accessible to its owner only. It
    is removed at the end, together with folders that were created for it and are empty. A lock file
    that a killed process left behind does not block anyone.

    Args:
        path: A file or folder; it need not exist.
        wait: If another process holds the lock, wait for it instead of raising an error.

    Yields:
        Nothing.

    Raises:
        BlockingIOError: Another process holds the lock.
        OSError: The lock file cannot be created or opened: the folder is not writable, the file
            belongs to another user, or it is not a regular file.
    """  # BlockingIOError is raised by flock
    if fcntl is None:
        yield
        return
    lock = _lock_path(path.resolve())
    missing = [each for each in lock.parents if not each.exists()]
    descriptor = _acquired(lock, wait=wait)
    try:
        yield
    finally:
        # Delete the file before releasing it, so that no other process holds a deleted file.
        with suppress(OSError):
            lock.unlink()
        os.close(descriptor)
        with suppress(OSError):  # keeps folders that are not empty
            for folder in missing:
                folder.rmdir()


def _lock_path(target: Path) -> Path:
    name = target.name
    if len(os.fsencode(name)) > LONGEST_NAME:
        name = hashlib.sha256(os.fsencode(name)).hexdigest()
    return target.with_name(f".{name}.lock")


def _acquired(path: Path, *, wait: bool) -> int:
    """Return the file descriptor of a lock file, after acquiring the lock.

    Raises:
        FileNotFoundError: The folder of the lock file cannot be created.
    """
    tries = 0
    while True:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            descriptor = _open_lock_file(path, 0o600)
        except FileNotFoundError:  # another process has just removed the folder
            tries += 1
            if tries == MOST_TRIES:
                raise
            continue
        try:
            _lock(descriptor, path, wait=wait)
            if _has_name(path, descriptor):
                return descriptor
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)  # the previous owner has deleted this file; create a new one


def _open_lock_file(path: Path, permissions: int) -> int:
    """Open a lock file and create it if needed.

    Args:
        path: The lock file.
        permissions: Permissions of a new file, before the umask is applied.

    Returns:
        Its file descriptor.

    Raises:
        OSError: The file cannot be opened, or is a link, a folder or another non-regular file.
    """
    flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
    try:
        descriptor = os.open(path, flags, permissions)
    except OSError as error:
        if error.errno in {errno.ELOOP, errno.EISDIR, errno.ENXIO}:
            raise OSError(errno.EINVAL, NOT_A_LOCK_FILE, str(path)) from error
        raise
    if stat.S_ISREG(os.fstat(descriptor).st_mode):
        return descriptor
    os.close(descriptor)
    raise OSError(errno.EINVAL, NOT_A_LOCK_FILE, str(path))


def _lock(descriptor: int, path: Path, *, wait: bool) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except BlockingIOError:
        raise
    except OSError as error:
        if error.errno not in LOCKS_UNSUPPORTED:
            raise
        logger.warning(
            "%s: this file system does not support locks (%s); make sure that no other process "
            "writes there",
            path.parent,
            error.strerror,
        )


def _has_name(path: Path, descriptor: int) -> bool:
    """Return whether the path still leads to the open file."""
    try:
        return os.path.samestat(os.stat(path, follow_symlinks=False), os.fstat(descriptor))
    except FileNotFoundError:
        return False


class FileLock:
    """Lets one process at a time write to a file, on any machine that shares the file system.

    It has the interface of Optuna's locks. Unlike those, it is released when its process is killed.
    """

    def __init__(self, path: Path) -> None:
        """Create the lock without acquiring it.

        Args:
            path: The file to protect; the lock file ``NAME.lock`` next to it is never deleted.
        """
        self._path = path.with_name(f"{path.name}.lock")
        self._descriptor: int | None = None

    def acquire(self) -> bool:
        """Acquire the lock; wait as long as another process holds it.

        Returns:
            True.
        """
        if self._path.is_symlink():  # created by an older version
            self._path.unlink(missing_ok=True)
        descriptor = _open_lock_file(self._path, 0o666)  # other users may write to the file too
        try:
            _lock(descriptor, self._path, wait=True)
        except BaseException:
            os.close(descriptor)
            raise
        self._descriptor = descriptor
        return True

    def release(self) -> None:
        """Release the lock, if it is held."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


def lock_for(path: Path) -> Any:
    """Return a lock for a file that several processes write to.

    Args:
        path: The file.

    Returns:
        A lock of the operating system; on Windows, Optuna's lock, which is given up after 30
        seconds.
    """
    if fcntl is not None:
        return FileLock(path)
    from optuna.storages.journal import JournalFileOpenLock

    return JournalFileOpenLock(str(path.resolve()))
