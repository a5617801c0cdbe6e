"""Checks of times: events that are not newer than the old ones, and gaps."""

from __future__ import annotations

from collections.abc import Mapping

from sasrec.data.drift.amounts import SLACK, in_days, percent, why_no_dates
from sasrec.data.drift.check import Check, checked, not_checked
from sasrec.data.drift.days import DAY
from sasrec.data.drift.limits import Limit
from sasrec.data.drift.profile import Profile
from sasrec.errors import counted


def late_events_check(
    late: int | None, old: Profile, new: Profile, limits: Mapping[str, Limit]
) -> Check:
    """Return the check of new events that are not later than the last old one.

    Args:
        late: Number of these events; None without dates.
        old: The older data.
        new: The newer data.
        limits: The limits of all checks.
    """
    if old.has_times and not new.has_times:
        text = "the new data have no dates, as the old ones have, so nothing about time was checked"
        return Check("late_events", "warn", text, None, limits["late_events"])
    if late is None or old.last is None or not new.events:
        return not_checked("late_events", why_no_dates(old, new), limits)
    if late == new.events:
        text = (
            f"none of the {counted(new.events, 'event')} is later than the last old one, of "
            f"{in_days(old.last)}"
        )
    else:
        text = (
            f"{late:,} of {counted(new.events, 'event')} ({percent(late / new.events)}) are not "
            f"later than the last old one, of {in_days(old.last)}"
        )
    return checked("late_events", late / new.events, text, limits)


def gap_check(old: Profile, new: Profile, limits: Mapping[str, Limit]) -> Check:
    """Return the check of times without any event, in the new data and before them.

    Args:
        old: The older data.
        new: The newer data.
        limits: The limits of all checks.
    """
    if old.last is None or new.first is None:
        return not_checked("gap", why_no_dates(old, new), limits)
    days, begins = (0.0, new.first) if new.gap is None else (new.gap.days, new.gap.begins)
    between = (new.first - old.last) / DAY
    if between > days:
        days, begins = between, old.last
    usual = 0.0 if old.gap is None else old.gap.days
    text = (
        f"no event for {_length(days)} from {in_days(begins)}; the longest such time before was "
        f"{_length(usual)}"
    )
    return checked("gap", days if days > SLACK * usual else 0.0, text, limits)


def _length(days: float) -> str:
    return f"{days:,.1f} days" if days >= 2 else f"{24 * days:,.0f} hours"
