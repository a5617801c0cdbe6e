"""Settings of cleaning by date, by value and by activity: which rows of the events to keep."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BeforeValidator, Field, StrictInt

from sasrec.settings.fields import Word
from sasrec.settings.text_tables import TextSettings
from sasrec.settings.time_point import time_text


def _conditions(value: Any) -> Any:
    """Return a single condition as a tuple; values of other types are checked by pydantic."""
    if value is None:
        return ()
    return (value,) if isinstance(value, str) else value


PointInTime = Annotated[str | None, BeforeValidator(time_text)]


class CleaningSettings(TextSettings):
    """Which events to keep, by date, by value and by the number of events of their user."""

    since: PointInTime = None
    """Keep only events from this point in time on: a date such as 2024-05-31, a number in the unit
    of the times, or a period before the last event, such as 365d."""
    until: PointInTime = None
    """Keep only events before this point in time, which is written like since; an event at exactly
    this time is dropped, as are all events of a day given as a date."""
    where: Annotated[tuple[Word, ...], BeforeValidator(_conditions)] = ()
    """Keep only rows that meet all these conditions, such as Quantity>0, event=purchase, or
    \"event in ('cart', 'purchase') and price < 100\" (SQL). Any column of the events can be used.
    On a command line, repeat --where for several conditions."""
    max_user_events: StrictInt | None = Field(None, ge=1)
    """Drop users with more events than this, such as bots and test accounts; counted once, after
    duplicates and other rows are dropped."""
