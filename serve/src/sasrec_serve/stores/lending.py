"""A pool of connections, lent to one thread at a time."""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Generic, Protocol, TypeVar

from sasrec_serve.errors import DataError, StoreUnavailable


class Closable(Protocol):
    """What is lent: a connection that can be closed."""

    def close(self) -> object:
        """Close the connection."""
        ...


Connection = TypeVar("Connection", bound=Closable)


class _Slots:
    """A semaphore that serves threads in order of arrival; that of Python lets some starve."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._lock = threading.Lock()
        self._waiting: deque[threading.Event] = deque()

    def acquire(self, seconds: float) -> bool:
        # Returns whether a slot was got in time.
        with self._lock:
            if self._count:
                self._count -= 1
                return True
            mine = threading.Event()
            self._waiting.append(mine)
        try:
            if mine.wait(seconds):
                return True
        except BaseException:  # such as Ctrl-C
            if not self._left(mine):
                self.release()
            raise
        return not self._left(mine)

    def release(self) -> None:
        """Give a slot to the thread that has waited longest."""
        with self._lock:
            if self._waiting:
                self._waiting.popleft().set()
            else:
                self._count += 1

    def _left(self, mine: threading.Event) -> bool:
        # Returns whether that was in time not to get a slot.
        with self._lock:
            if mine in self._waiting:
                self._waiting.remove(mine)
                return True
            return False


class Lending(Generic[Connection]):
    """Lends connections, opens them when needed, and keeps them for later.

    Unlike psycopg_pool, it has no threads, and says at once why a connection cannot be opened.
    """

    def __init__(
        self, connect: Callable[[], Connection], *, place: str, limit: int, seconds: float
    ) -> None:
        """Create it, without any connection.

        Args:
            connect: Opens a connection.
            place: The store, for messages.
            limit: The most connections at a time.
            seconds: How long to wait for another thread to give one back.
        """
        self._connect = connect
        self._place = place
        self._limit = limit
        self._seconds = seconds
        self._lock = threading.Lock()
        self._free = _Slots(limit)
        self._idle: list[Connection] = []
        self._closed = False
        self._process = os.getpid()

    @contextmanager
    def lent(self) -> Iterator[Connection]:
        """Lend a connection, and close it if there is an error.

        Yields:
            A connection that no other thread uses meanwhile.

        Raises:
            DataError: The store is closed.
            StoreUnavailable: All connections are in use for too long.
        """  # DataError is raised by _take
        if not self._free.acquire(self._seconds):
            raise StoreUnavailable(
                f"{self._place}: all {self._limit} connections are in use; try again"
            )
        try:
            connection = self._take()
            try:
                yield connection
            except BaseException:
                connection.close()
                raise
            self._give_back(connection)
        finally:
            self._free.release()

    def drop_idle(self) -> None:
        """Close the connections that nobody uses, because their server went away."""
        with self._lock:
            idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()

    def close(self) -> None:
        """Close all connections, those in use when they are given back; may be called again."""
        with self._lock:
            self._closed = True
        self.drop_idle()

    def _take(self) -> Connection:
        with self._lock:
            if self._closed:
                raise DataError(f"the store {self._place} is closed; open it again")
            if self._process != os.getpid():
                raise DataError(
                    f"the store {self._place} was opened before this process was forked; open it "
                    "in each process"
                )
            if self._idle:
                return self._idle.pop()
        return self._connect()

    def _give_back(self, connection: Connection) -> None:
        with self._lock:
            if not self._closed:
                self._idle.append(connection)
                return
        connection.close()
