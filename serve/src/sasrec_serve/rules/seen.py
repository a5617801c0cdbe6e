"""When items of the history may be recommended again: never, always, or after some time."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time

import numpy as np

from sasrec_serve.errors import DataError, SettingsError
from sasrec_serve.rules.wording import did_you_mean
from sasrec_serve.times import unit_name

SECONDS = {"s": 1, "min": 60, "h": 3600, "d": 86_400, "w": 604_800}
"""Units of an age."""
PER_SECOND = {
    "seconds": 1,
    "milliseconds": 1_000,
    "microseconds": 1_000_000,
    "nanoseconds": 1_000_000_000,
}
"""Units of times."""
AGE = re.compile(r"older\s+than\s+(\d+(?:\.\d+)?)\s*(s|min|h|d|w)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class SeenRule:
    """When items of the history may be recommended.

    Attributes:
        after_seconds: Age from which a seen item is allowed again: 0 always, infinity never.
    """

    after_seconds: float

    @property
    def needs_times(self) -> bool:
        """Whether it depends on the times of events."""
        return 0 < self.after_seconds < math.inf


def seen_rule(text: str | None) -> SeenRule | None:
    """Return a rule from its text.

    Args:
        text: ``never``, ``always``, or ``older than`` and a number with a unit (s, min, h, d, w).

    Returns:
        The rule; None for None.

    Raises:
        SettingsError: The text is none of these.
    """
    if text is None:
        return None
    word = text.strip().lower() if isinstance(text, str) else ""
    if word in ("never", "always"):
        return SeenRule(math.inf if word == "never" else 0.0)
    found = AGE.fullmatch(word)
    if found is None:
        meant = did_you_mean(word, ["never", "always"])
        raise SettingsError(
            f"seen is {text!r}{meant}; write never, always, or such as 'older than 30d' (units: "
            "s, min, h, d, w)"
        )
    return SeenRule(float(found[1]) * SECONDS[found[2]])


def moment(given: object) -> float | None:
    """Return a moment in seconds since 1970.

    Args:
        given: A number, a date or datetime, or an ISO text; without a zone, it is UTC.

    Returns:
        The seconds; None for None.

    Raises:
        SettingsError: It is no moment.
    """
    if given is None:
        return None
    if isinstance(given, int | float) and not isinstance(given, bool) and math.isfinite(given):
        return float(given)
    try:
        found = datetime.fromisoformat(given.strip()) if isinstance(given, str) else given
    except ValueError:
        found = None
    if isinstance(found, date) and not isinstance(found, datetime):
        found = datetime.combine(found, time())
    if not isinstance(found, datetime):
        raise SettingsError(
            f"now is {given!r}; write a date such as 2026-11-29 or 2026-11-29T12:00"
        )
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()


def still_blocked(
    items: np.ndarray, times: np.ndarray | None, rule: SeenRule, *, now: float
) -> np.ndarray:
    """Return the items of a history that must not be recommended.

    Args:
        items: int64 [n], item number of each event, oldest first; 0 for unknown items.
        times: float64 [n], times of the events since 1970, in s, ms, us or ns.
        rule: When an item may be recommended again; its last event counts.
        now: The moment to compare with, in seconds since 1970.

    Returns:
        int64, distinct item numbers.

    Raises:
        DataError: The rule needs times, and there are none or they are not times since 1970.
    """
    if not rule.needs_times or not len(items):
        return np.unique(items) if rule.after_seconds else items[:0]
    if times is None:
        raise DataError(
            "seen='older than …' needs the time of each event of a history, and one has no times; "
            "give times (in Python: times=), or write never or always"
        )
    latest = float(times.max())
    unit = unit_name(latest)
    if unit is None:
        raise DataError(
            "seen='older than …' needs times in seconds or milliseconds since 1970, but the latest "
            f"of a history is {latest:.15g}; write never or always"
        )
    recent = now - times / PER_SECOND[unit] <= rule.after_seconds
    return np.unique(items[recent])


def of_types(types: Sequence[str | None] | None, length: int, wanted: Sequence[str]) -> np.ndarray:
    """Return which events of a history have one of some types.

    Args:
        types: Type of each event, None where it is unknown; None if all are.
        length: Number of events.
        wanted: Names of types.

    Returns:
        bool [length].

    Raises:
        DataError: The history has events and no types.
    """
    if not length:
        return np.zeros(0, dtype=bool)
    if types is None:
        raise DataError(
            "seen_types needs the type of each event of a history, and one has no types; give "
            "types (in Python: types=), or remove seen_types"
        )
    return np.array([name in wanted for name in types], dtype=bool)
