"""Rows of a store as a history, and the time under which events without one are stored."""

from __future__ import annotations

import math
from collections.abc import Sequence

from sasrec_serve.histories import History
from sasrec_serve.stores.contract import Event

UNTIMED = math.inf
"""Stored in place of an unknown time, so that such events come last."""

Row = tuple[str, float, str | None]
"""Item, stored time, and type of an event."""


def stored_time(time: float | None) -> float:
    """Return the number under which a time is stored.

    Args:
        time: The time of an event; None if unknown.
    """
    return UNTIMED if time is None else float(time) + 0.0  # + 0.0: -0.0 and 0.0 are one time


def distinct(events: Sequence[Event]) -> list[Event]:
    """Return events without those that have the user, item, time and type of an earlier one.

    Args:
        events: The events; those without a time are all kept.
    """
    first: dict[object, Event] = {}
    for number, event in enumerate(events):
        key = (event.user, event.item, event.time, event.type)
        first.setdefault(number if event.time is None else key, event)
    return list(first.values())


def history_of(user: str, latest: Sequence[Row]) -> History:
    """Return a history.

    Args:
        user: The user's token.
        latest: The rows, latest first.

    Returns:
        The history, oldest first; with times only if all events have one, and with types only if
        at least one event has one.
    """
    rows = latest[::-1]
    timed = bool(rows) and rows[-1][1] < UNTIMED  # events without a time come last
    typed = any(row[2] is not None for row in rows)
    return History(
        items=[row[0] for row in rows],
        times=[row[1] for row in rows] if timed else None,
        types=[row[2] for row in rows] if typed else None,
        user=user,
    )
