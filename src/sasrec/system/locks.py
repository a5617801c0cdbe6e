"""Locks that go with their process, so that nobody wait for one that was killed.

A lock is a file beside what it is about. It is never written to or emptied, and never opened
through a link, so that whoever plants one there harms no other file.
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
"""How a file system, such as some of the network, says that it has none."""
NOT_A_LOCK_FILE = "a link, or no ordinary file, is where a lock is to be"
LONGEST_NAME = 200
"""Bytes; most file systems take 255 with what is put around a name."""
MOST_TRIES = 100


@contextmanager
def exclusive_lock(place: Path, *, wait: bool) -> Iterator[None]:
    """Keep other processes that ask too away from a place.

    The lock is the hidden file ``.NAME.lock`` beside the place, for its owner alone. It is removed
    in the end, with the folders that were made for it and are empty; one that a killed process left
    behind locks nothing.

    Args:
        place: A file or folder that need not exist.
        wait: Wait for another process that is there, or refuse.

    Yields:
        Nothing.

    Raises:
        BlockingIOError: Another process is there.
        OSError: The lock cannot be made: nothing can be written there, it belongs to another user,
            or is no ordinary file.
    """  # by flock
    if fcntl is None:
        yield
        return
    target = place.resolve()
    path = _lock_path(target)
    missing = [each for each in path.parents if not each.exists()]
    number = _acquired(path, wait=wait)
    try:
        yield
    finally:
        # While it is held, so that nobody holds what is no longer there.
        with suppress(OSError):
            path.unlink()
        os.close(number)
        with suppress(OSError):  # what is not empty stays
            for folder in missing:
                folder.rmdir()


def _lock_path(target: Path) -> Path:
    name = target.name
    if len(os.fsencode(name)) > LONGEST_NAME:
        name = hashlib.sha256(os.fsencode(name)).hexdigest()
    return target.with_name(f".{name}.lock")


def _acquired(path: Path, *, wait: bool) -> int:
    """Return the open lock, once it is this process's own.

    Raises:
        FileNotFoundError: Its folder cannot be made.
    """
    tries = 0
    while True:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            number = _open_lock_file(path, 0o600)
        except FileNotFoundError:  # another process has just taken its folder away again
            tries += 1
            if tries == MOST_TRIES:
                raise
            continue
        try:
            _lock(number, path, wait=wait)
            if _has_name(path, number):
                return number
        except BaseException:
            os.close(number)
            raise
        os.close(number)  # its last owner has removed it


def _open_lock_file(path: Path, permissions: int) -> int:
    """Return an open lock file, made if it is not there.

    Args:
        path: Of the file.
        permissions: Of a new one, before the umask.

    Returns:
        Its number.

    Raises:
        OSError: It cannot be opened, or is a link or anything else that is no ordinary file.
    """
    flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
    try:
        number = os.open(path, flags, permissions)
    except OSError as error:
        if error.errno in {errno.ELOOP, errno.EISDIR, errno.ENXIO}:
            raise OSError(errno.EINVAL, NOT_A_LOCK_FILE, str(path)) from error
        raise
    if stat.S_ISREG(os.fstat(number).st_mode):
        return number
    os.close(number)
    raise OSError(errno.EINVAL, NOT_A_LOCK_FILE, str(path))


def _lock(number: int, path: Path, *, wait: bool) -> None:
    try:
        fcntl.flock(number, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except BlockingIOError:
        raise
    except OSError as error:
        if error.errno not in LOCKS_UNSUPPORTED:
            raise
        logger.warning(
            "%s: this file system has no locks (%s); make sure that nobody else writes there",
            path.parent,
            error.strerror,
        )


def _has_name(path: Path, number: int) -> bool:
    """Return whether an open file still has its name."""
    try:
        return os.path.samestat(os.stat(path, follow_symlinks=False), os.fstat(number))
    except FileNotFoundError:
        return False


class FileLock:
    """Lets one process at a time write to a file, on any machine that shares it.

    It has the interface of Optuna's locks, which are files whose makers must remove them.
    """

    def __init__(self, path: Path) -> None:
        """Make the lock, open.

        Args:
            path: The file it is about; the lock is one beside it, which stays.
        """
        self._path = path.with_name(f"{path.name}.lock")
        self._held: int | None = None

    def acquire(self) -> bool:
        """Wait until nobody else holds it.

        Returns:
            True.
        """
        if self._path.is_symlink():  # what an older version left behind
            self._path.unlink(missing_ok=True)
        number = _open_lock_file(self._path, 0o666)  # for whoever may write to the file itself
        try:
            _lock(number, self._path, wait=True)
        except BaseException:
            os.close(number)
            raise
        self._held = number
        return True

    def release(self) -> None:
        """Let others in."""
        if self._held is not None:
            os.close(self._held)
            self._held = None


def lock_for(path: Path) -> Any:
    """Return a lock for a file that several processes write to.

    Args:
        path: The file.

    Returns:
        The kernel's lock, or Optuna's where there is none; that one is given up after 30 seconds.
    """
    if fcntl is not None:
        return FileLock(path)
    from optuna.storages.journal import JournalFileOpenLock

    return JournalFileOpenLock(str(path.resolve()))
