"""What every store of histories can do, and the types that it takes and returns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from sasrec_serve.histories import History

KEEP = 1000
"""Default of the most events that a store returns of one user, the latest ones."""
SECONDS = 7.0
"""The longest time that a call waits for a lock of a file."""

Kind = Literal["none", "parquet", "sqlite", "redis", "postgresql"]


@dataclass(frozen=True, slots=True)
class Event:
    """One interaction of one user.

    Attributes:
        user: The user's token.
        item: The item's token.
        time: In the unit of the training data; None if unknown.
        type: Such as ``purchase``; None if unknown.
        id: A name of this event, unique among those of the user. A second event with the same user
            and id is ignored, so sending an event again after an error does not double it.
    """

    user: str
    item: str
    time: float | None = None
    type: str | None = None
    id: str | None = None


@dataclass(frozen=True, slots=True)
class StoreInfo:
    """What is known about a store without reading all of it.

    Attributes:
        kind: The kind of store.
        place: Where it is: a path, or a URL without its password.
        read_only: Whether ``append`` is refused.
        keep: The most events returned of one user; None for all.
        n_events: Number of events; None if it would have to be counted.
        n_users: Number of users; None if it would have to be counted.
        weakness: How acknowledged events can be lost, such as settings of the server; None if an
            acknowledged event survives the end of the process, of the server and a power failure.
    """

    kind: Kind
    place: str
    read_only: bool
    keep: int | None
    n_events: int | None = None
    n_users: int | None = None
    weakness: str | None = None


class HistoryStore(Protocol):
    """A store of users' histories.

    ``DataError`` is the caller's mistake. ``StoreUnavailable``, a kind of it, is not: the server
    does not answer, a lock is held for too long, the disk is full, or the file is damaged.

    All methods may be called by several threads at once, and several processes may have the same
    store open. A store must be opened after a process was forked, not before.
    """

    def histories(self, users: Sequence[str]) -> list[History]:
        """Return the latest events of users, oldest first.

        Events are in order of time; events with equal times, in order of arrival; events without a
        time come after all others, in order of arrival. ``times`` is None unless all returned
        events of the user have one, and ``types`` is None if none has one.

        Args:
            users: Tokens; the same may occur several times.

        Returns:
            One history per user, in the order of ``users``; empty for unknown users.

        Raises:
            DataError: The store is closed.
            StoreUnavailable: The store fails.
        """
        ...

    def append(self, events: Sequence[Event]) -> int:
        """Store events; when this returns, they survive the end of this process.

        Each call, up to ``AT_ONCE`` events, is stored completely or not at all.

        Args:
            events: In order of arrival.

        Returns:
            Number of new events: all except those whose user and id are in the store already.

        Raises:
            DataError: An event is invalid, or the store is read-only or closed; nothing
                is stored.
            StoreUnavailable: The store fails. Events may have been stored or not; sending them
                again is safe if they have ids.
        """
        ...

    def merge(self, events: Sequence[Event]) -> int:
        """Store the events that are not in the store, as ``append`` does.

        An event with a time is in the store if one with the same user, item, time and type is; an
        event with an id, also if one with the same user and id is.

        Args:
            events: In order of arrival.

        Returns:
            Number of new events.

        Raises:
            DataError: As for ``append``.
            StoreUnavailable: As for ``append``; merging again is safe for events with a time or id.
        """
        ...

    def forget(self, user: str) -> int:
        """Delete all events of a user.

        Args:
            user: The user's token.

        Returns:
            Number of deleted events.

        Raises:
            DataError: The store is read-only or closed.
            StoreUnavailable: The store fails.
        """
        ...

    def prune(self, before: float) -> int:
        """Delete all events before a time; events without a time stay.

        Args:
            before: In the unit of the times of the events.

        Returns:
            Number of deleted events.

        Raises:
            DataError: The store is read-only or closed, or ``before`` is not finite.
            StoreUnavailable: The store fails; events of some users may have been deleted.
        """
        ...

    def describe(self) -> StoreInfo:
        """Return what is known about the store.

        Returns:
            Kind, place and sizes.

        Raises:
            DataError: The store is closed.
            StoreUnavailable: The store fails.
        """
        ...

    def close(self) -> None:
        """Close files and connections; may be called again."""
        ...


AT_ONCE = 1000
"""Events that a store writes in one step."""
