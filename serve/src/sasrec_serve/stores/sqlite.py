"""The store in one SQLite file: durable, without a server, for several processes of one machine."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from pathlib import Path

from sasrec_serve.histories import History
from sasrec_serve.stores.checks import check_events, check_moment, is_storable
from sasrec_serve.stores.contract import KEEP, Event, StoreInfo
from sasrec_serve.stores.grouped_commits import GroupedCommits
from sasrec_serve.stores.rows import distinct, history_of, stored_time
from sasrec_serve.stores.sqlite_connections import SqliteConnections

LATEST = """
    SELECT item, time, type FROM events WHERE user = ? ORDER BY time DESC, number DESC LIMIT ?"""
APPEND = """
    INSERT INTO events (user, time, item, type, id, number) VALUES (?, ?, ?, ?, ?, ?)
    ON CONFLICT (user, id) WHERE id IS NOT NULL DO NOTHING"""
MERGE = """
    WITH new (user, time, item, type, id, number) AS (VALUES (?, ?, ?, ?, ?, ?))
    INSERT INTO events (user, time, item, type, id, number) SELECT * FROM new
    WHERE new.time = 9e999 OR NOT EXISTS (SELECT 1 FROM events AS old
        WHERE old.user = new.user AND old.time = new.time AND old.item = new.item
        AND old.type IS new.type)
    ON CONFLICT (user, id) WHERE id IS NOT NULL DO NOTHING"""
COUNTER = "SELECT value FROM counters WHERE name = ?"
PRUNE_ROWS = 5000
"""Rows that ``prune`` reads in one transaction, so that others need not wait long."""


class SqliteStore:
    """Histories in an SQLite file.

    The file is in WAL mode with ``synchronous = FULL``: a commit is on the disk before ``append``
    returns. Appends that come together from several threads are one commit.
    """

    def __init__(self, path: Path, *, keep: int | None = KEEP, read_only: bool = False) -> None:
        """Open or create the file.

        Args:
            path: The file; its folder must exist.
            keep: The most events to return of one user, the latest ones; None for all.
            read_only: Only read; the file must exist.

        Raises:
            DataError: The file cannot be opened, or is no store.
            StoreUnavailable: Another process holds its lock for too long.
        """  # raised by the connections
        self._path = path.absolute()  # so that a later change of the folder has no effect
        self._keep = keep
        self._read_only = read_only
        self._connections = SqliteConnections(self._path, read_only=read_only)
        self._grouped = GroupedCommits(self._commit)

    def histories(self, users: Sequence[str]) -> list[History]:
        """Return the latest events of users; see ``HistoryStore.histories``.

        Args:
            users: Tokens.

        Returns:
            One history per user.

        Raises:
            DataError: The store is closed.
            StoreUnavailable: The file is locked for too long or damaged.
        """  # raised by the connections
        limit = -1 if self._keep is None else self._keep
        with self._connections.reading() as connection:
            return [
                history_of(user, connection.execute(LATEST, (user, limit)).fetchall())
                if is_storable(user)
                else History([], user=user)
                for user in users
            ]

    def append(self, events: Sequence[Event]) -> int:
        """Store events; see ``HistoryStore.append``.

        Args:
            events: In order of arrival.

        Returns:
            Number of new events.

        Raises:
            DataError: An event is invalid, or the store is read-only or closed.
            StoreUnavailable: The file is locked for too long, damaged or replaced, or the
                disk is full; nothing was stored.
        """  # raised by check_events and the connections
        check_events(events)
        return self._grouped.write((APPEND, events)) if events else 0

    def merge(self, events: Sequence[Event]) -> int:
        """Store the events that are not in the store; see ``HistoryStore.merge``.

        Args:
            events: In order of arrival.

        Returns:
            Number of new events.

        Raises:
            DataError: An event is invalid, or the store is read-only or closed.
            StoreUnavailable: The file is locked for too long, damaged or replaced, or the
                disk is full; nothing was stored.
        """  # raised by check_events and the connections
        check_events(events)
        return self._grouped.write((MERGE, distinct(events))) if events else 0

    def forget(self, user: str) -> int:
        """Delete all events of a user, also from unused parts of the file.

        Args:
            user: The user's token.

        Returns:
            Number of deleted events.

        Raises:
            DataError: The store is read-only or closed.
            StoreUnavailable: The file is locked for too long or damaged.
        """  # raised by the connections
        if not is_storable(user):
            return 0
        with self._connections.writing() as connection:
            count = _deleted(connection, "DELETE FROM events WHERE user = ?", (user,))
        self._connections.empty_log()
        return count

    def prune(self, before: float) -> int:
        """Delete all events before a time; see ``HistoryStore.prune``.

        Args:
            before: In the unit of the times of the events.

        Returns:
            Number of deleted events.

        Raises:
            DataError: The store is read-only or closed, or ``before`` is not finite.
            StoreUnavailable: The file is locked for too long or damaged.
        """  # raised by check_moment and the connections
        check_moment(before)
        count, last = 0, ""
        nth = "SELECT user FROM events WHERE user > ? ORDER BY user LIMIT 1 OFFSET ?"
        while True:
            with self._connections.writing() as connection:
                row = connection.execute(nth, (last, PRUNE_ROWS)).fetchone()
                between = "user > ?" if row is None else "user > ? AND user <= ?"
                ends = (last,) if row is None else (last, row[0])
                statement = f"DELETE FROM events WHERE {between} AND time < ?"  # noqa: S608
                count += _deleted(connection, statement, (*ends, before))
            if row is None:
                break
            last = row[0]
        self._connections.empty_log()
        return count

    def describe(self) -> StoreInfo:
        """Return path and number of events.

        Returns:
            The description.

        Raises:
            DataError: The store is closed.
            StoreUnavailable: The file is locked for too long or damaged.
        """  # raised by the connections
        with self._connections.reading() as connection:
            n_events = connection.execute(COUNTER, ("n_events",)).fetchone()[0]
        return StoreInfo(
            "sqlite", str(self._path), read_only=self._read_only, keep=self._keep, n_events=n_events
        )

    def close(self) -> None:
        """Close the connections; may be called again."""
        self._connections.close()

    def _commit(self, batches: Sequence[tuple[str, Sequence[Event]]]) -> list[int]:
        """Write batches in one transaction.

        Args:
            batches: Statement and events of each.

        Returns:
            Number of new events of each.
        """
        counts = []
        with self._connections.writing() as connection:
            number = connection.execute(COUNTER, ("last_number",)).fetchone()[0]
            for statement, events in batches:
                rows = [
                    (e.user, stored_time(e.time), e.item, e.type, e.id, arrival)
                    for arrival, e in enumerate(events, number + 1)
                ]
                before = connection.total_changes  # rowcount is -1 for statements that begin WITH
                connection.executemany(statement, rows)
                counts.append(connection.total_changes - before)
                number += len(rows)
            _set(connection, "last_number", number)
            _add(connection, "n_events", sum(counts))
        return counts


def _deleted(connection: sqlite3.Connection, statement: str, values: tuple[object, ...]) -> int:
    count = connection.execute(statement, values).rowcount
    _add(connection, "n_events", -count)
    return count


def _set(connection: sqlite3.Connection, name: str, value: int) -> None:
    connection.execute("UPDATE counters SET value = ? WHERE name = ?", (value, name))


def _add(connection: sqlite3.Connection, name: str, change: int) -> None:
    connection.execute("UPDATE counters SET value = value + ? WHERE name = ?", (change, name))
