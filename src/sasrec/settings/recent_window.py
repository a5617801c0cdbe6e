"""The setting of the baseline that recommends what was popular lately."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BeforeValidator

from sasrec.settings.fields import Settings
from sasrec.settings.time_point import time_point, time_text

NO_LENGTH = (
    "this is not a length of time; write a period such as 7d (units: s, min, h, d, w), or a number "
    "in the unit of the times"
)


def _window_text(value: Any) -> Any:
    """Return a length of time as checked text; None, and values of other types, are unchanged.

    Args:
        value: Text such as ``7d``, or a number in the unit of the times.

    Returns:
        The text.

    Raises:
        ValueError: It is no length of time.
    """
    try:
        text = time_text(value)
        point = time_point(text) if isinstance(text, str) else None
    except ValueError:
        raise ValueError(NO_LENGTH) from None
    if point is not None and (point.kind == "date" or point.value <= 0):
        raise ValueError(NO_LENGTH)
    return text


class RecentWindowSettings(Settings):
    """How long ago events still count for the baseline of recent popularity."""

    recent_window: Annotated[str | None, BeforeValidator(_window_text)] = None
    """Baseline of recent popularity: events of this long before the moment of a recommendation are
    counted, such as 7d, or a number in the unit of the times. None chooses on validation, from a
    day to a year."""
