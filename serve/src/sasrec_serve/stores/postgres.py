"""The store in PostgreSQL: shared by several machines, and durable."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from sasrec_serve.errors import DataError
from sasrec_serve.histories import History
from sasrec_serve.stores.addresses import masked
from sasrec_serve.stores.checks import check_events, check_moment, is_storable
from sasrec_serve.stores.contract import AT_ONCE, KEEP, Event, StoreInfo
from sasrec_serve.stores.lending import Lending
from sasrec_serve.stores.postgres_server import (
    LOCK,
    connect,
    is_alive,
    is_standby,
    prepare,
    translating,
    weakness_of,
)
from sasrec_serve.stores.repeating import with_repetition
from sasrec_serve.stores.rows import Row, distinct, history_of, stored_time

if TYPE_CHECKING:
    import psycopg

Answer = TypeVar("Answer")
CONNECTIONS = 8
"""The most connections of one process; a server allows 100 by default."""
WAIT_SECONDS = 3.0
"""How long to wait for a connection that another thread uses."""

LATEST = """
    SELECT wanted.place, latest.item, latest.time, latest.type
    FROM unnest(%s::text[]) WITH ORDINALITY AS wanted (user_id, place), LATERAL (
        SELECT item, time, number, type FROM sasrec_events AS e WHERE e.user_id = wanted.user_id
        ORDER BY e.time DESC, e.number DESC LIMIT %s) AS latest
    ORDER BY wanted.place, latest.time DESC, latest.number DESC"""
NEW = """
    INSERT INTO sasrec_events (user_id, time, item, type, id)
    SELECT new.user_id, new.time, new.item, new.type, new.id
    FROM unnest(%s::text[], %s::float8[], %s::text[], %s::text[], %s::text[])
        WITH ORDINALITY AS new (user_id, time, item, type, id, place)"""
IN_ORDER = " ORDER BY new.place ON CONFLICT (user_id, id) WHERE id IS NOT NULL DO NOTHING"
APPEND = NEW + IN_ORDER
MERGE = f"""{NEW}
    WHERE new.time = 'Infinity' OR NOT EXISTS (SELECT 1 FROM sasrec_events AS old
        WHERE old.user_id = new.user_id AND old.time = new.time AND old.item = new.item
        AND old.type IS NOT DISTINCT FROM new.type){IN_ORDER}"""  # noqa: S608 - constants

NTH = "SELECT user_id FROM sasrec_events WHERE user_id > %s ORDER BY user_id LIMIT 1 OFFSET %s"
PRUNE = """
    DELETE FROM sasrec_events
    WHERE user_id > %s AND (%s::text IS NULL OR user_id <= %s) AND time < %s"""
PRUNE_ROWS = 5000
"""Rows that ``prune`` reads in one transaction."""


class PostgresStore:
    """Histories in a table ``sasrec_events`` of a PostgreSQL database.

    A commit is on the server's disk before ``append`` returns, also if the server's default is
    ``synchronous_commit = off``.
    """

    def __init__(self, url: str, *, keep: int | None = KEEP) -> None:
        """Connect, and create the tables where they are missing.

        Args:
            url: ``postgresql://user:password@host:5432/database``, or any other URL of libpq.
            keep: The most events to return of one user, the latest ones; None for all.

        Raises:
            DataError: The package psycopg is missing, the URL is invalid, or the server refuses.
            StoreUnavailable: The server does not answer.
        """  # StoreUnavailable is raised by _connection
        try:
            import psycopg  # noqa: F401
        except ImportError as error:
            raise DataError(
                f"{masked(url)} needs the package psycopg; run pip install 'sasrec-serve[postgres]'"
            ) from error
        self._url = url
        self._keep = keep
        self._lending = Lending(
            lambda: connect(url), place=masked(url), limit=CONNECTIONS, seconds=WAIT_SECONDS
        )
        with self._connection() as connection:
            prepare(connection, url)

    def histories(self, users: Sequence[str]) -> list[History]:
        """Return the latest events of users; see ``HistoryStore.histories``.

        Args:
            users: Tokens.

        Returns:
            One history per user.

        Raises:
            DataError: The store is closed.
            StoreUnavailable: The server does not answer.
        """  # raised by _calling
        known = list(dict.fromkeys(user for user in users if is_storable(user)))
        found: dict[str, list[Row]] = {user: [] for user in known}
        if known:
            limit = self._keep
            rows = self._calling(lambda c: c.execute(LATEST, (known, limit)).fetchall())
            for place, *row in rows:
                found[known[place - 1]].append((row[0], row[1], row[2]))
        return [history_of(user, found.get(user, ())) for user in users]

    def append(self, events: Sequence[Event]) -> int:
        """Store events; see ``HistoryStore.append``.

        Args:
            events: In order of arrival.

        Returns:
            Number of new events.

        Raises:
            DataError: An event is invalid, or the store is read-only or closed.
            StoreUnavailable: The server does not answer; events may have been stored or not.
        """  # raised by check_events and _calling
        check_events(events)
        count = 0
        for piece in _pieces(events):
            repeatable = all(event.id is not None for event in piece)
            count += self._calling(partial(_append, events=piece), repeatable=repeatable)
        return count

    def merge(self, events: Sequence[Event]) -> int:
        """Store the events that are not in the store; see ``HistoryStore.merge``.

        Args:
            events: In order of arrival.

        Returns:
            Number of new events.

        Raises:
            DataError: An event is invalid, or the store is read-only or closed.
            StoreUnavailable: The server does not answer; events may have been stored or not.
        """  # raised by check_events and _calling
        check_events(events)
        count = 0
        for piece in _pieces(distinct(events)):
            repeatable = all(e.id is not None or e.time is not None for e in piece)
            count += self._calling(partial(_merge, events=piece), repeatable=repeatable)
        return count

    def forget(self, user: str) -> int:
        """Delete all events of a user.

        Args:
            user: The user's token.

        Returns:
            Number of deleted events.

        Raises:
            DataError: The store is read-only or closed.
            StoreUnavailable: The server does not answer.
        """  # raised by _calling
        if not is_storable(user):
            return 0
        statement = "DELETE FROM sasrec_events WHERE user_id = %s"
        return self._calling(lambda c: c.execute(statement, (user,)).rowcount)

    def prune(self, before: float) -> int:
        """Delete all events before a time; see ``HistoryStore.prune``.

        Args:
            before: In the unit of the times of the events.

        Returns:
            Number of deleted events.

        Raises:
            DataError: The store is read-only or closed, or ``before`` is not finite.
            StoreUnavailable: The server does not answer.
        """  # raised by check_moment and _calling
        check_moment(before)
        return self._calling(partial(_prune, before=float(before)))

    def describe(self) -> StoreInfo:
        """Return the URL, and how durable the server's settings are.

        Returns:
            The description.

        Raises:
            DataError: The store is closed.
            StoreUnavailable: The server does not answer.
        """  # raised by _calling
        return StoreInfo(
            "postgresql",
            masked(self._url),
            read_only=self._calling(is_standby),
            keep=self._keep,
            weakness=self._calling(weakness_of),
        )

    def close(self) -> None:
        """Close the connections; may be called again."""
        self._lending.close()

    def _calling(
        self, call: Callable[[psycopg.Connection], Answer], *, repeatable: bool = True
    ) -> Answer:
        """Call the server, and once more if the connection was lost and that is safe.

        Args:
            call: Gets a connection.
            repeatable: Whether calling twice has the same effect as calling once.

        Returns:
            What ``call`` returns.

        Raises:
            StoreUnavailable: The server does not answer.
        """  # raised by translating

        def lent() -> Answer:
            with self._connection() as connection:
                return call(connection)

        return with_repetition(lent, repeatable=repeatable)

    @contextmanager
    def _connection(self) -> Iterator[psycopg.Connection]:
        """Lend a connection that the server has not closed."""
        with translating(self._url):
            while True:
                with self._lending.lent() as connection:
                    if is_alive(connection):
                        yield connection
                        return
                    connection.close()
                self._lending.drop_idle()


def _pieces(events: Sequence[Event]) -> Iterator[Sequence[Event]]:
    for start in range(0, len(events), AT_ONCE):
        yield events[start : start + AT_ONCE]


def _append(connection: psycopg.Connection, events: Sequence[Event]) -> int:
    return connection.execute(APPEND, _columns(events)).rowcount


def _merge(connection: psycopg.Connection, events: Sequence[Event]) -> int:
    # Only one process merges at a time, so that two imports of a log do not double it.
    with connection.transaction():
        connection.execute("SELECT pg_advisory_xact_lock(%s)", (LOCK,))
        return connection.execute(MERGE, _columns(events)).rowcount


def _columns(events: Sequence[Event]) -> tuple[list[Any], ...]:
    return (
        [event.user for event in events],
        [stored_time(event.time) for event in events],
        [event.item for event in events],
        [event.type for event in events],
        [event.id for event in events],
    )


def _prune(connection: psycopg.Connection, before: float) -> int:
    # In pieces, so that each transaction is shorter than the time limit.
    count, last = 0, ""
    while True:
        row = connection.execute(NTH, (last, PRUNE_ROWS)).fetchone()
        end = None if row is None else row[0]
        count += connection.execute(PRUNE, (last, end, end, before)).rowcount
        if end is None:
            return count
        last = end
