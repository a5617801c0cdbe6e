"""The connection to a PostgreSQL server, its tables, and what its settings mean for durability."""

from __future__ import annotations

import logging
import select
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from typing import TYPE_CHECKING, Any

from sasrec_serve.errors import DataError, StoreUnavailable
from sasrec_serve.stores.addresses import masked, scrubbed

if TYPE_CHECKING:
    import psycopg

TABLES = 1
"""Version of the tables."""
LOCK = int.from_bytes(b"sasrec", "big")
"""Key of the advisory lock under which tables are created and events merged."""
CONNECT_SECONDS = 3
STATEMENT_SECONDS = 5
ANSWER_SECONDS = 6.0
"""How long to wait for an answer; longer than the server's own limit, whose errors say more."""
LOG = logging.getLogger(__name__)

SCHEMA = (
    """CREATE TABLE sasrec_events (
        user_id text COLLATE "C" NOT NULL, time double precision NOT NULL,
        number bigint GENERATED ALWAYS AS IDENTITY, item text COLLATE "C" NOT NULL,
        type text COLLATE "C", id text COLLATE "C", PRIMARY KEY (user_id, time, number))""",
    """CREATE UNIQUE INDEX sasrec_event_ids ON sasrec_events (user_id, id)
        WHERE id IS NOT NULL""",
    "CREATE TABLE sasrec_version (version integer NOT NULL)",
    f"INSERT INTO sasrec_version VALUES ({TABLES})",  # noqa: S608 - a constant
)
SESSION = (
    f"SET statement_timeout = '{STATEMENT_SECONDS}s'",
    f"SET lock_timeout = '{STATEMENT_SECONDS}s'",
    # A commit must wait for the disk, whatever the defaults of the server or the user are.
    "SELECT set_config('synchronous_commit', 'on', false) "
    "WHERE current_setting('synchronous_commit') = 'off'",
)


def connect(url: str) -> psycopg.Connection:
    """Return a connection in which each statement is a transaction.

    Args:
        url: ``postgresql://…``.

    Returns:
        The connection; no call waits longer than ``ANSWER_SECONDS``.
    """
    connection = _bounded().connect(
        url,
        autocommit=True,
        application_name="sasrec-serve",
        connect_timeout=CONNECT_SECONDS,
        keepalives_idle=5,
        keepalives_interval=2,
        keepalives_count=3,
        tcp_user_timeout=int(ANSWER_SECONDS * 1000),
    )
    try:
        for statement in SESSION:
            connection.execute(statement)
    except BaseException:
        connection.close()
        raise
    return connection


@cache
def _bounded() -> type[psycopg.Connection]:
    """Return a class of connections that give up a server that does not answer."""
    import psycopg

    class Bounded(psycopg.Connection):
        """A connection that waits for at most ``ANSWER_SECONDS``.

        ``statement_timeout`` is not enough: the server keeps it, and may hang.
        """

        def wait(self, gen: Any, *arguments: Any, **options: Any) -> Any:
            """Wait for an answer.

            Args:
                gen: What asks for it.
                arguments: As for psycopg.
                options: As for psycopg.

            Returns:
                The answer.
            """
            deadline = time.monotonic() + ANSWER_SECONDS
            return super().wait(self._until(deadline, gen), *arguments, **options)

        def _until(self, deadline: float, gen: Any) -> Any:
            try:
                wanted = next(gen)
                while True:
                    ready = yield wanted  # 0 after each tenth of a second without an answer
                    if not ready and time.monotonic() > deadline:
                        self.pgconn.finish()
                        raise psycopg.OperationalError(f"no answer in {ANSWER_SECONDS:g} seconds")
                    wanted = gen.send(ready)
            except StopIteration as end:
                return end.value

    return Bounded


def prepare(connection: psycopg.Connection, url: str) -> None:
    """Create the tables where they are missing, and check their version.

    Args:
        connection: A connection.
        url: The server, for messages.

    Raises:
        DataError: The tables are of another program or version.
    """
    if not _is_there(connection, "sasrec_version"):
        with connection.transaction():
            connection.execute("SELECT pg_advisory_xact_lock(%s)", (LOCK,))
            if not _is_there(connection, "sasrec_version"):
                if _is_there(connection, "sasrec_events"):
                    raise DataError(
                        f"{masked(url)} has a table sasrec_events of another program; use another "
                        "database or schema"
                    )
                for statement in SCHEMA:
                    connection.execute(statement)
    found = connection.execute("SELECT version FROM sasrec_version").fetchone()
    if found != (TABLES,):
        raise DataError(
            f"{masked(url)} has version {found[0] if found else 'none'} of the store's tables, and "
            f"this sasrec-serve knows version {TABLES}; install the sasrec-serve that wrote it"
        )


def _is_there(connection: psycopg.Connection, table: str) -> bool:
    return connection.execute("SELECT to_regclass(%s)", (table,)).fetchone() != (None,)


def is_alive(connection: psycopg.Connection) -> bool:
    """Return whether the server has not closed an idle connection.

    Args:
        connection: The connection.
    """
    if connection.closed:
        return False
    waiting = select.poll()
    waiting.register(connection.pgconn.socket, select.POLLIN)
    if waiting.poll(0):  # an idle connection gets nothing but the news that it was closed
        with suppress(Exception):
            connection.pgconn.consume_input()
            return not waiting.poll(0)
        return False
    return True


def is_standby(connection: psycopg.Connection) -> bool:
    """Return whether a server refuses writing because it copies another server.

    Args:
        connection: A connection.
    """
    return connection.execute("SELECT pg_is_in_recovery()").fetchone() == (True,)


def weakness_of(connection: psycopg.Connection) -> str | None:
    """Return how acknowledged events can be lost with a server's settings.

    Args:
        connection: A connection.

    Returns:
        A sentence; None if they survive a power failure.
    """
    row = connection.execute(
        "SELECT current_setting('fsync'), current_setting('full_page_writes')"
    ).fetchone()
    if row == ("on", "on"):
        return None
    return "events can be lost in a power failure, because fsync or full_page_writes is off"


@contextmanager
def translating(url: str) -> Iterator[None]:
    """Turn errors of psycopg into those of this package, without the password.

    Args:
        url: The server.

    Yields:
        Nothing.

    Raises:
        DataError: The server refuses.
        StoreUnavailable: The server does not answer, or cannot store now.
    """  # raised by _translated
    import psycopg

    try:
        yield
    except psycopg.Error as error:
        failure = _translated(error, url)
        raise failure from error


def _translated(error: psycopg.Error, url: str) -> DataError:
    import psycopg

    place, text, errors = masked(url), scrubbed(str(error), url), psycopg.errors
    if isinstance(error, errors.ReadOnlySqlTransaction):
        return DataError(f"{place} is read-only ({text}); give the URL of the primary server")
    if isinstance(error, errors.InsufficientPrivilege):
        return DataError(f"{place} lacks a right ({text}); grant it to this user")
    if isinstance(error, errors.UndefinedTable | errors.UndefinedColumn):
        return DataError(f"{place} has lost its tables ({text}); restart the server")
    if any(word in text for word in ("password", "authentication", "does not exist", "pg_hba")):
        return DataError(f"{place} refuses the connection ({text}); correct the URL")
    if isinstance(error, psycopg.OperationalError):  # also timeouts, deadlocks and a full disk
        return StoreUnavailable(
            f"{place} does not answer or cannot answer now ({text}); check that the server runs, "
            "then try again"
        )
    if isinstance(error, psycopg.ProgrammingError) and error.sqlstate is None:
        return DataError(
            f"{place} is no URL of a PostgreSQL server ({text}); write "
            "postgresql://user:password@host:5432/database"
        )
    return DataError(f"{place} refuses: {text}")
