"""Lets the processes that write to one SQLite file take turns.

SQLite itself retries at growing intervals, so a process that writes without pause would keep others
waiting for seconds. Here a process that wants to write holds a second lock while it waits, and one
that has just written must get that lock first, so it cannot overtake.
"""

from __future__ import annotations

import os
import sqlite3
import stat
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sasrec_serve.errors import StoreUnavailable
from sasrec_serve.stores.contract import SECONDS
from sasrec_serve.stores.sqlite_files import LOCKED, primary_code

try:
    import fcntl
except ImportError:  # Windows, where processes take turns as SQLite lets them
    fcntl = None  # type: ignore[assignment]

SUFFIX = "-turn"
"""End of the name of the lock file beside the database."""
IN_QUEUE, AT_HEAD = 0.001, 0.0003
"""Seconds between two attempts: at most one process is at the head of the queue."""


class Turns:
    """The queue of processes that want to write to a file."""

    def __init__(self, path: Path) -> None:
        """Open the lock file, or create it with the permissions of the database.

        Args:
            path: The database.
        """
        self._path = path
        self._threads = threading.Lock()
        try:
            permissions = stat.S_IMODE(path.stat().st_mode)
            name = f"{path}{SUFFIX}"
            self._file = os.open(name, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, permissions)
        except (OSError, AttributeError):  # still correct, but not fair
            self._file = -1

    def begin(self, connection: sqlite3.Connection) -> None:
        """Begin a transaction that writes.

        Args:
            connection: A connection that does not wait for locks itself.

        Raises:
            OperationalError: Another process holds the lock of the database for too long.
            StoreUnavailable: Other processes or threads are waiting for too long.
        """  # StoreUnavailable is raised by _at_head
        deadline = time.monotonic() + SECONDS
        with self._at_head(deadline):
            while True:
                try:
                    connection.execute("BEGIN IMMEDIATE")
                    return
                except sqlite3.OperationalError as error:
                    if primary_code(error) not in LOCKED or time.monotonic() > deadline:
                        raise
                time.sleep(AT_HEAD)

    def close(self) -> None:
        """Close the lock file; may be called again."""
        with self._threads:
            if self._file >= 0:
                os.close(self._file)
                self._file = -1

    @contextmanager
    def _at_head(self, deadline: float) -> Iterator[None]:
        """Wait for the head of the queue, and leave it afterwards."""
        if not self._threads.acquire(timeout=max(0.0, deadline - time.monotonic())):
            raise self._too_long()
        try:
            if self._file < 0 or fcntl is None:
                yield
                return
            while not _locked(self._file):
                if time.monotonic() > deadline:
                    raise self._too_long()
                time.sleep(IN_QUEUE)
            try:
                yield
            finally:
                fcntl.flock(self._file, fcntl.LOCK_UN)
        finally:
            self._threads.release()

    def _too_long(self) -> StoreUnavailable:
        return StoreUnavailable(
            f"{self._path} has been locked by others for {SECONDS:g} seconds; try again"
        )


def _locked(file: int) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
