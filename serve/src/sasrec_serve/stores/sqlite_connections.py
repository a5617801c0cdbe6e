"""Connections of the SQLite store: shared by threads, for reading and for writing."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from sasrec_serve.errors import DataError, StoreUnavailable
from sasrec_serve.stores.contract import SECONDS
from sasrec_serve.stores.lending import Lending
from sasrec_serve.stores.sqlite_files import (
    check_schema,
    connect,
    connect_writer,
    prepare,
    translated,
)
from sasrec_serve.stores.sqlite_turns import Turns

CONNECTIONS = 16
"""The most connections of one process for reading, and for writing."""


class SqliteConnections:
    """Connections to one file; each is used by one thread at a time and then kept for others."""

    def __init__(self, path: Path, *, read_only: bool) -> None:
        """Open or create the file.

        Args:
            path: The file; its folder must exist.
            read_only: Only read; the file must exist.
        """
        self._path = path
        self._file: tuple[int, int] | None = None
        self._read_only = read_only
        mode = "ro" if read_only else "rw"
        self._readers = self._lending(partial(connect, path, mode=mode))
        self._writers = self._lending(partial(connect_writer, path))
        if not read_only:
            with self._translating():
                prepare(path)
            self._turns = Turns(path)
        with self.reading() as connection:
            check_schema(connection, path)
        self._file = _identity(path)

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """Lend a connection.

        Yields:
            A connection that no other thread uses meanwhile.

        Raises:
            DataError: The store is closed.
            StoreUnavailable: The file is locked for too long or damaged.
        """  # raised by translated
        with self._translating(), self._readers.lent() as connection:
            yield connection

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """Lend a connection for one transaction, which is committed unless there is an error.

        Yields:
            A connection in a transaction; no other process writes meanwhile.

        Raises:
            DataError: The store is closed or read-only.
            StoreUnavailable: The file is locked for too long, damaged or replaced.
        """  # raised by translated
        if self._read_only:
            raise DataError(f"{self._path} was opened with ?mode=ro; open it without to write")
        self._check_identity()  # also before the file is opened once more
        with self._translating(), self._writers.lent() as connection:
            self._check_identity()
            self._turns.begin(connection)  # closing the connection rolls back
            yield connection
            connection.execute("COMMIT")

    def empty_log(self) -> None:
        """Copy the log into the file and empty it, so that it holds nothing that was deleted."""
        with self.reading() as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def close(self) -> None:
        """Close all connections; may be called again."""
        self._readers.close()
        self._writers.close()
        if not self._read_only:
            self._turns.close()

    def _lending(self, opened: Callable[[], sqlite3.Connection]) -> Lending[sqlite3.Connection]:
        return Lending(opened, place=str(self._path), limit=CONNECTIONS, seconds=SECONDS)

    def _check_identity(self) -> None:
        """Refuse to write into a file that nobody finds any more.

        Raises:
            StoreUnavailable: It was deleted, moved or replaced.
        """
        if _identity(self._path) != self._file:
            raise StoreUnavailable(
                f"{self._path} was deleted, moved or replaced while it was open, so events "
                "would be lost; restart the server"
            )

    @contextmanager
    def _translating(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            reason = translated(error, self._path)
            if self._file is not None:  # it could be used before, so it is not the caller's mistake
                reason = StoreUnavailable(str(reason))
            raise reason from error


def _identity(path: Path) -> tuple[int, int]:
    """Return what stays the same as long as a path leads to the same file."""
    try:
        status = path.stat()
    except OSError:
        return (0, 0)
    return (status.st_dev, status.st_ino)
