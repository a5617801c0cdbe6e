"""Locks that go with their process, so that nobody waits for one that was killed."""

from __future__ import annotations

import getpass
import hashlib
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]


@contextmanager
def alone_at(place: Path, *, waits: bool) -> Iterator[None]:
    """Keep other processes of this user and machine, that ask too, away from a place.

    Args:
        place: A file or folder that need not exist; nothing is written there.
        waits: Wait for another process that is there, or refuse.

    Yields:
        Nothing.

    Raises:
        BlockingIOError: Another process is there.
    """  # by flock
    if fcntl is None:
        yield
        return
    whose = ""
    with suppress(KeyError, OSError, ImportError):  # a user without a name
        whose = getpass.getuser()
    digest = hashlib.sha256(f"{whose} {place.resolve()}".encode()).hexdigest()[:16]
    # It stays: taking it away would let two others in, one with the old file and one with a new.
    with (Path(tempfile.gettempdir()) / f"sasrec-{digest}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX | (0 if waits else fcntl.LOCK_NB))
        yield


class KernelLock:
    """Lets one process at a time write to a file, on any machine that shares it.

    It has the interface of Optuna's locks, which are files whose makers must remove them.
    """

    def __init__(self, path: Path) -> None:
        """Make the lock, open.

        Args:
            path: The file it is about; the lock is one beside it, which stays.
        """
        self._path = path.with_name(f"{path.name}.lock")
        self._held: IO[bytes] | None = None

    def acquire(self) -> bool:
        """Wait until nobody else holds it.

        Returns:
            True.
        """
        if self._path.is_symlink():  # what an older version left behind
            self._path.unlink(missing_ok=True)
        self._held = self._path.open("ab")
        fcntl.flock(self._held, fcntl.LOCK_EX)
        return True

    def release(self) -> None:
        """Let others in."""
        if self._held is not None:
            self._held.close()
            self._held = None


def lock_of(path: Path) -> Any:
    """Return a lock for a file that several processes write to.

    Args:
        path: The file.

    Returns:
        The kernel's lock, or Optuna's where there is none; that one is given up after 30 seconds.
    """
    if fcntl is not None:
        return KernelLock(path)
    from optuna.storages.journal import JournalFileOpenLock

    return JournalFileOpenLock(str(path.resolve()))
