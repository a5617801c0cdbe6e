"""The store in Redis or Valkey: shared by several machines."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, TypeVar, cast

from sasrec_serve.errors import DataError
from sasrec_serve.histories import History
from sasrec_serve.stores.addresses import masked
from sasrec_serve.stores.checks import check_events, check_moment, is_storable
from sasrec_serve.stores.contract import AT_ONCE, KEEP, Event, StoreInfo
from sasrec_serve.stores.redis_scripts import EVENTS, FORGET, LATEST, N_EVENTS, PRUNE, STORE
from sasrec_serve.stores.redis_server import connected, is_replica, translating, weakness_of
from sasrec_serve.stores.repeating import with_repetition
from sasrec_serve.stores.rows import Row, distinct, history_of, stored_time

Answer = TypeVar("Answer")
USERS_AT_ONCE = 200
"""Users that one script reads, so that other clients need not wait long."""
SCANNED = 500
"""Keys that ``prune`` asks for at once."""


class RedisStore:
    """Histories in a Redis or Valkey server.

    An append is one script, so it is stored completely or not at all. What survives the end of the
    server depends on its settings; ``describe().weakness`` tells.
    """

    def __init__(self, url: str, *, keep: int | None = KEEP) -> None:
        """Connect.

        Args:
            url: ``redis://``, ``rediss://`` (TLS) or ``unix://``.
            keep: The most events to return of one user, the latest ones; None for all.
        """
        self._url = url
        self._keep = keep
        self._closed = False
        self._client = connected(url)
        self._store = self._client.register_script(STORE)
        self._latest = self._client.register_script(LATEST)
        self._forget = self._client.register_script(FORGET)
        self._prune = self._client.register_script(PRUNE)

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
        found: dict[str, Sequence[Row]] = {}
        if known:
            last = -1 if self._keep is None else self._keep - 1
            for start in range(0, len(known), USERS_AT_ONCE):
                piece = known[start : start + USERS_AT_ONCE]
                call = partial(self._latest, args=[last, *piece])
                answers: list[bytes] = self._calling(call, repeatable=True)
                found |= zip(piece, map(_rows, answers), strict=True)
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
        return self._write("append", events, [event.id is not None for event in events])

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
        events = distinct(events)
        known = [event.id is not None or event.time is not None for event in events]
        return self._write("merge", events, known)

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
        return int(self._calling(lambda: self._forget(args=[user]), repeatable=True))

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
        count, cursor = 0, 0
        while True:
            cursor, users = self._calling(partial(self._users, cursor), repeatable=True)
            if users:
                counts = self._calling(partial(self._pruned, users, before), repeatable=True)
                count += sum(counts)
            if not cursor:
                return count

    def describe(self) -> StoreInfo:
        """Return URL, number of events, and how durable the server's settings are.

        Returns:
            The description.

        Raises:
            DataError: The store is closed.
            StoreUnavailable: The server does not answer.
        """  # raised by _calling
        client = self._client
        n_events = self._calling(lambda: client.get(N_EVENTS), repeatable=True)
        return StoreInfo(
            "redis",
            masked(self._url),
            read_only=self._calling(lambda: is_replica(client), repeatable=True),
            keep=self._keep,
            n_events=int(n_events or 0),
            weakness=self._calling(lambda: weakness_of(client), repeatable=True),
        )

    def close(self) -> None:
        """Close the connections; may be called again."""
        self._closed = True
        self._client.close()

    def _write(self, mode: str, events: Sequence[Event], repeatable: Sequence[bool]) -> int:
        """Store events, in several steps if they are many.

        Args:
            mode: ``append`` or ``merge``.
            events: The events.
            repeatable: Whether each event may be sent twice without being stored twice.

        Returns:
            Number of new events.
        """
        count = 0
        for start in range(0, len(events), AT_ONCE):
            end = start + AT_ONCE
            arguments = [mode, *(word for e in events[start:end] for word in _words(e))]
            count += int(
                self._calling(
                    partial(self._store, args=arguments),
                    repeatable=all(repeatable[start:end]),
                )
            )
        return count

    def _users(self, cursor: int) -> tuple[int, list[str]]:
        following, keys = self._client.scan(cursor, match=f"{EVENTS}*", count=SCANNED)
        return int(following), [cast(bytes, key).decode()[len(EVENTS) :] for key in keys]

    def _pruned(self, users: Sequence[str], before: float) -> list[int]:
        pipeline = self._client.pipeline(transaction=False)
        for user in users:
            self._prune(args=[user, repr(float(before))], client=pipeline)
        return pipeline.execute()

    def _calling(self, call: Callable[[], Answer], *, repeatable: bool) -> Answer:
        """Call the server, and once more if the connection was lost and that is safe.

        Args:
            call: The call.
            repeatable: Whether calling twice has the same effect as calling once.

        Returns:
            The answer.

        Raises:
            DataError: The store is closed, or the server refuses.
            StoreUnavailable: The server does not answer.
        """  # StoreUnavailable is raised by translating

        def translated() -> Answer:
            with translating(self._url):
                return call()

        if self._closed:
            raise DataError(f"the store {masked(self._url)} is closed; open it again")
        return with_repetition(translated, repeatable=repeatable)


def _words(event: Event) -> tuple[str, str, str, str]:
    """Return the arguments of the script for an event."""
    return (event.user, repr(stored_time(event.time)), _body(event), event.id or "")


def _body(event: Event) -> str:
    return json.dumps([event.item, event.type], ensure_ascii=False, separators=(",", ":"))


def _rows(answer: bytes) -> list[Row]:
    """Return the rows of an answer of the script."""
    parsed: list[Any] = json.loads(answer)
    return [
        (item, float(time), kind)
        for (item, kind), time in zip(parsed[::2], parsed[1::2], strict=True)
    ]
