"""Points in time as users write them: a date, a number, or a period before the last event."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any, Literal

SECONDS = {"s": 1, "min": 60, "h": 3600, "d": 86_400, "w": 604_800}
"""Length of each unit of a period, in seconds."""
_PERIOD = re.compile(r"([0-9]+(?:\.[0-9]+)?) ?(s|min|h|d|w)")
_NUMBER = re.compile(r"[+-]?[0-9]+(?:\.[0-9]*)?(?:e[+-]?[0-9]+)?", re.IGNORECASE)
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}(?:[ T].+)?")


@dataclass(frozen=True, slots=True)
class TimePoint:
    """A point in time.

    Attributes:
        kind: What the user wrote.
        value: Of a date, seconds since 1970-01-01 in UTC; of a number, the number, in the unit of
            the data; of a period, its length in seconds, which ends at the last event.
    """

    kind: Literal["date", "number", "period"]
    value: float


def time_point(text: str) -> TimePoint:
    """Read a point in time.

    Args:
        text: Such as ``2024-05-31``, ``2024-05-31 18:30``, ``2024-05-31T18:30:00+02:00``,
            ``1717113600`` or ``7d``. A date without a time zone is in UTC.

    Returns:
        The point in time.

    Raises:
        ValueError: The text is none of these.
    """
    if found := _PERIOD.fullmatch(text):
        length = float(found[1]) * SECONDS[found[2]]
        if length:
            return TimePoint("period", length)
    if _NUMBER.fullmatch(text):
        return TimePoint("number", float(text))
    if _DATE.fullmatch(text):
        try:
            found_date = datetime.fromisoformat(text)
        except ValueError as error:
            raise ValueError(f"this is not a date ({error})") from error
        if found_date.tzinfo is None:
            found_date = found_date.replace(tzinfo=UTC)
        return TimePoint("date", found_date.timestamp())
    raise ValueError(
        "this is not a point in time; write a date such as 2024-05-31 or "
        "'2024-05-31 18:30', a number in the unit of the times, or a period before the last event, "
        "such as 7d (units: s, min, h, d, w)"
    )


def time_text(value: Any) -> Any:
    """Return a point in time as checked text; None, and values of other types, are unchanged.

    Args:
        value: Text, a number, or a date that YAML or Python has parsed already.

    Returns:
        The text.

    Raises:
        ValueError: The text is not a point in time.
    """
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, date):  # a datetime is a date too
        value = value.isoformat()
    if isinstance(value, int | float):
        value = repr(value)
    if isinstance(value, str):
        value = value.strip()
        time_point(value)
    return value
