"""A lock on a file that goes with its process, so that nobody waits for one that was killed.

Optuna's own locks are files whose makers must remove them.
"""

from __future__ import annotations

from pathlib import Path
from typing import IO, Any

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]


class KernelLock:
    """Lets one process at a time write to a file; Optuna's interface of a lock."""

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
