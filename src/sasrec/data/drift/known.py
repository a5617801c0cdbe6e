"""Checks of what is known already: items, people, events, and the popularity of items."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from sasrec.data.drift.amounts import percent, why_no_dates
from sasrec.data.drift.check import Check, checked, not_checked
from sasrec.data.drift.limits import Limit
from sasrec.data.drift.popularity import FEWEST_EVENTS, popularity_shift
from sasrec.data.drift.profile import Profile
from sasrec.errors import counted, printable


def known_checks(old: Profile, new: Profile, limits: Mapping[str, Limit]) -> list[Check]:
    """Return the checks of items, people and popularity.

    Args:
        old: The older data, or those of a model.
        new: The newer data.
        limits: The limits of all checks.
    """
    numbers = old.items.numbers(new.items.entries)
    return [
        _unknown_items(new, numbers, limits),
        _unknown_people(old, new, limits),
        _popularity(old, new, numbers, limits),
    ]


def known_events_check(
    share: float | None, old: Profile, new: Profile, limits: Mapping[str, Limit]
) -> Check:
    """Return the check of events that the old data have too.

    Args:
        share: Their share, about; None if the old events are not known.
        old: The older data.
        new: The newer data.
        limits: The limits of all checks.
    """
    if share is None or new.events is None:
        why = f"{printable(old.name)} was saved without hashes of its training events"
        return not_checked("known_events", why, limits)
    count = f"about {percent(share)} of" if 0 < share < 1 else "all of" if share else "none of"
    text = f"{count} the {counted(new.events, 'event')} are in the old data too"
    return checked("known_events", share, text, limits)


def _unknown_items(new: Profile, numbers: np.ndarray, limits: Mapping[str, Limit]) -> Check:
    counts = new.counts[1:]
    unknown = numbers == 0
    events, total = int(counts[unknown].sum()), int(counts.sum())
    text = (
        f"{events:,} of {counted(total, 'event')} ({percent(events / total)}) are of unknown "
        f"items; unknown: {int(unknown.sum()):,} of {counted(len(numbers), 'item')}"
    )
    if events:
        token = new.items.entries[int(np.where(unknown, counts, 0).argmax())]
        text += f", such as {printable(str(token))!r}"
    return checked("unknown_items", events / total, text, limits)


def _unknown_people(old: Profile, new: Profile, limits: Mapping[str, Limit]) -> Check:
    if old.people is None or new.people is None:
        return not_checked("unknown_people", why_no_dates(old, new), limits)
    unknown, compared = old.people.unknown(new.people)
    if not compared:
        return not_checked("unknown_people", "too few people to compare with a sample", limits)
    sample = "" if compared == len(new.people.hashes) else " in a sample"
    text = f"{unknown:,} of {compared:,} people{sample} ({percent(unknown / compared)}) are unknown"
    return checked("unknown_people", unknown / compared, text, limits)


def _popularity(
    old: Profile, new: Profile, numbers: np.ndarray, limits: Mapping[str, Limit]
) -> Check:
    """Return the check of the shares of known items."""
    after = np.bincount(numbers, weights=new.counts[1:], minlength=len(old.items) + 1)[1:]
    shift = popularity_shift(old.counts[1:], after)
    if shift is None:
        least = 2 * FEWEST_EVENTS
        why = f"it needs {least:,} events of known items, and there are {int(after.sum()):,}"
        return not_checked("popularity", why, limits)
    item = printable(str(old.items.entries[shift.item - 1]))
    text = (
        f"population stability index {shift.index:.2f} over {shift.groups:,} groups of known items "
        f"(about {shift.by_chance:.2f} by chance); item {item!r} went from "
        f"{percent(shift.before)} to {percent(shift.after)} of the events"
    )
    return checked("popularity", shift.index, text, limits)
