"""Checks of amounts: a typical day, the busiest day, lengths of histories, repetition, types."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Literal

from sasrec.data.drift.check import Check, checked, not_checked
from sasrec.data.drift.days import DAY, Usual
from sasrec.data.drift.limits import Limit
from sasrec.data.drift.profile import Lengths, Profile
from sasrec.errors import counted, printable

SLACK = 1.5
"""What the old data had themselves is no reason to warn, nor is this many times as much."""
FEWEST_HISTORIES = 30
"""With fewer histories, their mean length says little."""
Unit = Literal["events", "people", "items"]


def amount_checks(old: Profile, new: Profile, limits: Mapping[str, Limit]) -> list[Check]:
    """Return the checks of amounts.

    Args:
        old: The older data, or those of a model.
        new: The newer data.
        limits: The limits of all checks.
    """
    return [
        _typical(old, new, "events", limits),
        _typical(old, new, "people", limits),
        _typical(old, new, "items", limits),
        _busiest(old, new, limits),
        _lengths(old, new, limits),
        _repeated(old, new, "duplicates", limits),
        _repeated(old, new, "repeats", limits),
        _event_types(old, new, limits),
    ]


def why_no_dates(old: Profile, new: Profile) -> str:
    """Return why the data cannot be compared by dates.

    Args:
        old: The older data.
        new: The newer data.
    """
    if old.has_times is None:
        return f"{printable(old.name)} was saved without a profile of its training data"
    lacking = [printable(each.name) for each in (old, new) if not each.has_times]
    return f"{' and '.join(lacking)} {'has' if len(lacking) == 1 else 'have'} no dates"


def in_days(seconds: float) -> str:
    """Return a time as a date and a time of day in UTC.

    Args:
        seconds: Since 1970.
    """
    if not -6e10 < seconds < 2e11:  # before the year 70 or after 8300
        return f"{seconds:g}"
    return datetime.fromtimestamp(seconds, UTC).isoformat(" ")[:16]


def percent(share: float) -> str:
    """Return a share as text; what is not all or nothing is never shown as such.

    Args:
        share: From 0 to 1.
    """
    text = f"{share:.1%}"
    if text == "0.0%" and share:
        return "under 0.1%"
    return "over 99.9%" if text == "100.0%" and share < 1 else text


def _fold(old: float, new: float) -> float:
    """Return how many times as large or as small a number is; at least 1."""
    low, high = sorted((old, new))
    return high / low if low else 1e9


def _typical(old: Profile, new: Profile, unit: Unit, limits: Mapping[str, Limit]) -> Check:
    """Return the check of a typical day; the value is how far it is outside the usual range."""
    name = f"{unit}_per_day"
    if old.typical is None or new.typical is None:
        return not_checked(name, why_no_dates(old, new), limits)
    before: Usual = getattr(old.typical, unit)
    after = getattr(new.typical, unit).median
    days = (
        "on the day" if new.typical.days == 1 else f"on the median of {new.typical.days:.0f} days"
    )
    text = (
        f"{after:,.0f} {unit} {days}; usual before: {before.low:,.0f} to {before.high:,.0f} "
        f"(median {before.median:,.0f}, last {counted(old.typical.days, 'day')})"
    )
    return checked(name, _fold(min(max(after, before.low), before.high), after), text, limits)


def _busiest(old: Profile, new: Profile, limits: Mapping[str, Limit]) -> Check:
    if old.days is None or new.days is None:
        return not_checked("busiest_day", why_no_dates(old, new), limits)
    (_, before), (day, after) = old.days.busiest(), new.days.busiest()
    events = int(new.days.events[day - new.days.first])
    text = (
        f"the busiest day, {in_days(day * DAY)[:10]}, has {counted(events, 'event')}, "
        f"{after:.1f} times a typical day; before it was {before:.1f} times"
    )
    value = after if after > SLACK * before else min(after, 1.0)
    return checked("busiest_day", value, text, limits)


def _lengths(old: Profile, new: Profile, limits: Mapping[str, Limit]) -> Check:
    """Return the check of events of a user on a day; longer data have longer whole histories."""
    before, after = old.by_day, new.by_day
    if before is None or after is None:
        return not_checked("lengths", why_no_dates(old, new), limits)
    if after.count < FEWEST_HISTORIES:
        why = f"it needs {FEWEST_HISTORIES} histories, and there are {after.count:,}"
        return not_checked("lengths", why, limits)
    text = f"a person has {_length_words(after)} on a day; before, it was {_length_words(before)}"
    return checked("lengths", _fold(before.mean, after.mean), text, limits)


def _length_words(lengths: Lengths) -> str:
    return f"{lengths.mean:,.1f} events (at most {lengths.percentiles[-1]:,.0f})"


def _repeated(
    old: Profile,
    new: Profile,
    name: Literal["duplicates", "repeats"],
    limits: Mapping[str, Limit],
) -> Check:
    """Return the check of exact duplicates, or of consecutive repeats."""
    is_exact = name == "duplicates"
    before = old.exact if is_exact else old.consecutive
    after = new.exact if is_exact else new.consecutive
    if after is None or new.events is None:
        return not_checked(name, why_no_dates(old, new), limits)
    share = after / new.events
    what = "exact duplicates" if is_exact else "repeats of the item of the event before"
    text = f"{after:,} of {new.events:,} events ({percent(share)}) are {what}"
    earlier = 0.0
    if before is not None and old.events:
        earlier = before / old.events
        text += f", {percent(earlier)} before"
    return checked(name, max(0.0, share - earlier), text, limits)


def _event_types(old: Profile, new: Profile, limits: Mapping[str, Limit]) -> Check:
    """Return the check of the shares of event types."""
    if not old.types or not new.types:
        without = [each for each in (old, new) if not each.types]
        why = "event types are not used (type_column)" if len(without) == 2 else ""
        why = why or f"{printable(without[0].name)} has no event types"
        return not_checked("event_types", why, limits)
    before, after = (_shares(each.types) for each in (old, new))
    names = sorted({*before, *after})
    changes = {name: after.get(name, 0.0) - before.get(name, 0.0) for name in names}
    most = max(names, key=lambda name: abs(changes[name]))
    unknown = [name for name in names if new.types.get(name) and not old.types.get(name)]
    text = (
        f"type {printable(most)!r} has {percent(after.get(most, 0.0))} of the events, "
        f"{percent(before.get(most, 0.0))} before"
    )
    if unknown:
        text += f"; new types: {', '.join(map(repr, map(printable, unknown[:5])))}"
    return checked("event_types", abs(changes[most]), text, limits)


def _shares(counts: Mapping[str, int]) -> dict[str, float]:
    total = max(1, sum(counts.values()))
    return {name: count / total for name, count in counts.items()}
