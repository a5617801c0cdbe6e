"""Files of the SQLite store: opens connections, and creates and checks the tables."""

from __future__ import annotations

import sqlite3
import time
from pathlib import Path
from urllib.parse import quote

from sasrec_serve.errors import DataError, StoreUnavailable
from sasrec_serve.stores.contract import SECONDS

APPLICATION = int.from_bytes(b"SASR", "big")
"""Marks a file as ours (``PRAGMA application_id``)."""
VERSION = 1
"""Version of the tables (``PRAGMA user_version``)."""

SCHEMA = (
    # Clustered by user and time: the history of one user lies in few neighbouring pages.
    """CREATE TABLE events (
        user TEXT NOT NULL, time REAL NOT NULL, number INTEGER NOT NULL, item TEXT NOT NULL,
        type TEXT, id TEXT, PRIMARY KEY (user, time, number)) WITHOUT ROWID""",
    "CREATE UNIQUE INDEX event_ids ON events (user, id) WHERE id IS NOT NULL",
    "CREATE TABLE counters (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID",
    "INSERT INTO counters VALUES ('last_number', 0), ('n_events', 0)",
    f"PRAGMA application_id = {APPLICATION}",
    f"PRAGMA user_version = {VERSION}",
)
CACHE_KILOBYTES = 32_768
LOG_PAGES = 4000
"""Pages of 4 KB in the write-ahead log before they are copied into the file."""
LOCKED = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}


def connect(path: Path, *, mode: str, seconds: float = SECONDS) -> sqlite3.Connection:
    """Return a connection that may be used by any thread, one at a time.

    Args:
        path: The file.
        mode: ``ro``, ``rw``, or ``rwc`` to create the file.
        seconds: How long to wait for locks of other processes.

    Returns:
        The connection; each commit is flushed to disk before it returns.
    """
    address = f"file:{quote(str(path.absolute()))}?mode={mode}"
    connection = sqlite3.connect(
        address, uri=True, timeout=seconds, isolation_level=None, check_same_thread=False
    )
    try:
        connection.execute("PRAGMA trusted_schema = OFF")
        connection.execute("PRAGMA synchronous = FULL")  # flush the log at every commit
        connection.execute("PRAGMA fullfsync = ON")  # macOS: past the disk's own cache
        connection.execute("PRAGMA secure_delete = ON")  # zeros over what is deleted
    except BaseException:
        connection.close()
        raise
    return connection


def connect_writer(path: Path) -> sqlite3.Connection:
    """Return a connection for writing, which does not wait for locks itself.

    Events of many users lie in many pages. With a larger cache, and more pages in the log before
    they are copied into the file, an import writes a third less and takes half the time.

    Args:
        path: The file.

    Returns:
        The connection.
    """
    connection = connect(path, mode="rw", seconds=0.0)
    connection.execute(f"PRAGMA cache_size = -{CACHE_KILOBYTES}")
    connection.execute(f"PRAGMA wal_autocheckpoint = {LOG_PAGES}")
    return connection


def prepare(path: Path) -> None:
    """Create the file and its tables where they are missing, and check that it can be written.

    Args:
        path: The file.

    Raises:
        DataError: The file is no store, is of a newer version, or cannot be written.
        OperationalError: Another process holds its lock for too long.
    """  # DataError is raised by _create
    deadline = time.monotonic() + SECONDS
    while True:
        connection = connect(path, mode="rwc")
        try:
            _create(connection, path)
            return
        except sqlite3.OperationalError as error:  # switching to WAL does not wait for locks
            if primary_code(error) not in LOCKED or time.monotonic() > deadline:
                raise
        finally:
            connection.close()
        time.sleep(0.02)


def _create(connection: sqlite3.Connection, path: Path) -> None:
    if not _is_empty(connection):
        check_schema(connection, path)
    mode = connection.execute("PRAGMA journal_mode = WAL").fetchone()[0]
    if mode != "wal":
        raise DataError(f"{path} cannot be used by several processes; put it on a local disk")
    connection.execute("BEGIN IMMEDIATE")
    try:
        if _is_empty(connection):
            for statement in SCHEMA:
                connection.execute(statement)
        check_schema(connection, path)
        connection.execute("UPDATE counters SET value = value")  # fails if the file is read-only
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def _is_empty(connection: sqlite3.Connection) -> bool:
    application = connection.execute("PRAGMA application_id").fetchone()[0]
    n_tables = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
    return bool(application == 0 and n_tables == 0)


def check_schema(connection: sqlite3.Connection, path: Path) -> None:
    """Check that a file is a store of a version that this package knows.

    Args:
        connection: A connection to the file.
        path: The file, for messages.

    Raises:
        DataError: It is not.
    """
    if connection.execute("PRAGMA application_id").fetchone()[0] != APPLICATION:
        raise DataError(
            f"{path} is an SQLite database of another program, not a store of histories; choose "
            "another file"
        )
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if version != VERSION:
        raise DataError(
            f"{path} has version {version} of the store's tables, and this sasrec-serve knows "
            f"version {VERSION}; install the sasrec-serve that wrote it"
        )


def translated(error: sqlite3.Error, path: Path) -> DataError:
    """Return the error to raise for an error of SQLite.

    Args:
        error: The error.
        path: The file.

    Returns:
        A DataError or StoreUnavailable.
    """
    code = primary_code(error)
    if code in LOCKED:
        return StoreUnavailable(
            f"{path} has been locked by another process for {SECONDS:g} seconds; try again"
        )
    if code == sqlite3.SQLITE_READONLY:
        return DataError(
            f"{path} is read-only; make it writable, or add ?mode=ro to the URL to only read it"
        )
    if code == sqlite3.SQLITE_CANTOPEN:
        return DataError(
            f"{path} cannot be opened; check that its folder exists and can be written, also for "
            "the files ending in -wal and -shm beside it"
        )
    if code == sqlite3.SQLITE_NOTADB:
        return DataError(f"{path} is not an SQLite database; choose another file")
    if code == sqlite3.SQLITE_FULL:
        return StoreUnavailable(f"{path}: the disk is full, so nothing was stored; make room")
    return StoreUnavailable(
        f"{path} cannot be used: {error}; restore it from a backup if it is damaged"
    )


def primary_code(error: sqlite3.Error) -> int | None:
    """Return the primary result code of an error of SQLite, such as ``SQLITE_BUSY``.

    Args:
        error: The error.

    Returns:
        The code; None for errors of the Python module itself.
    """
    code = getattr(error, "sqlite_errorcode", None)
    return None if code is None else code & 0xFF
