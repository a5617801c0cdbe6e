"""Events, people and items by day, and the longest time without an event."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sasrec.data.sequences import Sequences

DAY, HOUR = 86_400, 3_600
"""In seconds."""
BLOCK = 2**20
"""Events processed at once, to save memory."""
FURTHEST = 2**31 - 2
"""Periods further from 1970 count as this one."""
MOST_DAYS = 1_000
"""Only the last days are counted one by one."""
TYPICAL_DAYS = 28
"""A typical day is the median of the last days with events; this many of them."""


@dataclass(frozen=True, slots=True)
class Days:
    """Counts of each of the last days, with zeros for days without events.

    Attributes:
        first: Number of the first day, in days since 1970.
        events: int64 [D], events of each day.
        people: int64 [D], users with an event on that day.
    """

    first: int
    events: np.ndarray
    people: np.ndarray

    @property
    def active(self) -> np.ndarray:
        """Which days have events, bool [D]."""
        has_events: np.ndarray = self.events > 0
        return has_events

    def busiest(self) -> tuple[int, float]:
        """Return the day with most events, in days since 1970, and how many typical days it has."""
        at = int(self.events.argmax())
        return self.first + at, float(self.events[at] / np.median(self.events[self.active]))


@dataclass(frozen=True, slots=True)
class Usual:
    """A number of the last days with events.

    Attributes:
        low: Its 5th percentile.
        median: Its median.
        high: Its 95th percentile.
    """

    low: float
    median: float
    high: float


@dataclass(frozen=True, slots=True)
class TypicalDay:
    """What is usual on a day, from the last days with events.

    Attributes:
        events: Events.
        people: Users with an event.
        items: Items with an event.
        days: Number of days.
    """

    events: Usual
    people: Usual
    items: Usual
    days: int


@dataclass(frozen=True, slots=True)
class Gap:
    """The longest time without an event.

    Attributes:
        days: Its length, within an hour or two.
        begins: Time of its beginning, in seconds since 1970.
    """

    days: float
    begins: float


def day_of(times: np.ndarray, unit: float) -> np.ndarray:
    """Return the day of each time in UTC, in days since 1970, int32 [N].

    Args:
        times: float64 [N].
        unit: Length of their unit in seconds.
    """
    day = np.empty(len(times), dtype=np.int32)
    for begin in range(0, len(times), BLOCK):
        day[begin : begin + BLOCK] = _periods(times[begin : begin + BLOCK], unit / DAY)
    return day


def _periods(times: np.ndarray, factor: float) -> np.ndarray:
    """Return the period of each time, such as its day, int32 [n]."""
    whole = np.floor(times * factor)
    return np.clip(whole, -FURTHEST, FURTHEST).astype(np.int32)


def first_of_day(sequences: Sequences, day: np.ndarray) -> np.ndarray:
    """Return which events are the first of their user on their day, bool [N].

    Args:
        sequences: All histories.
        day: int32 [N], day of each event.
    """
    starts = np.append(True, day[1:] != day[:-1])
    begins = sequences.offsets[:-1]
    starts[begins[begins < len(day)]] = True
    return starts


def counted_days(day: np.ndarray, starts: np.ndarray) -> Days:
    """Return the counts of the last days.

    Args:
        day: int32 [N], day of each event.
        starts: bool [N], from ``first_of_day``.
    """
    last = int(day.max())
    first = max(int(day.min()), last - MOST_DAYS + 1)
    events, people = np.zeros((2, last - first + 1), dtype=np.int64)
    for begin in range(0, len(day), BLOCK):
        places = day[begin : begin + BLOCK] - first
        own = starts[begin : begin + BLOCK] & (places >= 0)
        events += np.bincount(places[places >= 0], minlength=len(events))
        people += np.bincount(places[own], minlength=len(people))
    return Days(first, events, people)


def typical_day(days: Days, day: np.ndarray, items: np.ndarray) -> TypicalDay:
    """Return what is usual on a day, from the last days with events.

    Args:
        days: From ``counted_days``.
        day: int32 [N], day of each event.
        items: int32 [N], item of each event.
    """
    last = np.flatnonzero(days.active)[-TYPICAL_DAYS:]
    recent = day >= days.first + int(last[0])
    pairs = np.unique(day[recent].astype(np.int64) << 32 | items[recent])
    _, n_items = np.unique(pairs >> 32, return_counts=True)
    events, people = _usual(days.events[last]), _usual(days.people[last])
    return TypicalDay(events, people, _usual(n_items), len(last))


def _usual(numbers: np.ndarray) -> Usual:
    return Usual(*(float(each) for each in np.percentile(numbers, (5, 50, 95))))


def longest_gap(times: np.ndarray, unit: float) -> Gap | None:
    """Return the longest time without an event in the last days; None without two busy hours.

    Args:
        times: float64 [N], times of all events.
        unit: Length of their unit in seconds.
    """
    last = int(_periods(times.max(keepdims=True), unit / HOUR)[0])
    first = last - MOST_DAYS * DAY // HOUR + 1
    is_busy = np.zeros(last - first + 1, dtype=bool)
    for begin in range(0, len(times), BLOCK):
        hour = _periods(times[begin : begin + BLOCK], unit / HOUR)
        is_busy[hour[hour >= first] - first] = True
    busy = np.flatnonzero(is_busy)
    if len(busy) < 2:
        return None
    steps = np.diff(busy)
    at = int(steps.argmax())
    begins = float((first + int(busy[at])) * HOUR)
    return Gap(round(int(steps[at]) * HOUR / DAY, 2), begins)
