"""Checks of events before any store writes them, so that all stores accept the same."""

from __future__ import annotations

import math
from collections.abc import Sequence

from sasrec_serve.errors import DataError
from sasrec_serve.stores.contract import Event

LONGEST = 1024
"""Bytes of a token in UTF-8; PostgreSQL's indexes hold two of these."""


def check_events(events: Sequence[Event]) -> None:
    """Check that every store can keep events.

    Args:
        events: The events.

    Raises:
        DataError: A token is empty, too long or not valid text, or a time is not finite.
    """
    for number, event in enumerate(events, 1):
        if event.time is not None and not _is_finite(event.time):
            raise DataError(
                f"event {number}: the time is {event.time!r}; it must be a finite number, or None "
                "if unknown"
            )
        for name in ("user", "item", "type", "id"):
            token = getattr(event, name)
            if token is None and name in ("type", "id"):
                continue
            if not isinstance(token, str) or not is_storable(token):
                raise DataError(
                    f"event {number}: the {name} is {_shortened(token)}; it must be a text of 1 to "
                    f"{LONGEST:,} bytes in UTF-8, without NUL characters"
                )


def is_storable(token: str) -> bool:
    """Return whether a token can be in a store.

    Args:
        token: Any text, also with lone surrogates.
    """
    if not token or "\0" in token or len(token) > LONGEST:
        return False
    try:
        return len(token.encode()) <= LONGEST
    except UnicodeEncodeError:
        return False


def check_moment(before: float) -> None:
    """Check the time that ``prune`` is given.

    Args:
        before: The time.

    Raises:
        DataError: It is not a finite number.
    """
    if not _is_finite(before):
        raise DataError(f"events before {before!r} cannot be deleted; give a finite number")


def check_keep(keep: int | None) -> None:
    """Check the most events to return of one user.

    Args:
        keep: The number; None for all.

    Raises:
        DataError: It is below 1.
    """
    if keep is not None and keep < 1:
        raise DataError(f"a store cannot keep {keep} events of a user; choose at least 1, or None")


def _is_finite(value: object) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    try:
        return math.isfinite(value)
    except OverflowError:  # an integer beyond the largest float
        return False


def _shortened(token: object) -> str:
    text = ascii(token)
    return text if len(text) <= 60 else f"{text[:57]}..."
