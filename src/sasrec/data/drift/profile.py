"""Profile of a data set: the numbers by which new data are compared with it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from sasrec.data.checks.repetition import repetition
from sasrec.data.corpus import Corpus, by_item_and_type
from sasrec.data.date_splits import unit_seconds
from sasrec.data.drift.days import (
    Days,
    Gap,
    TypicalDay,
    counted_days,
    day_of,
    first_of_day,
    longest_gap,
    typical_day,
)
from sasrec.data.drift.people import People, people_of
from sasrec.data.vocabulary import Vocabulary

MEASURED = (0, 25, 50, 75, 95, 100)
"""Percentiles that are kept of the lengths of histories."""


@dataclass(frozen=True, slots=True)
class Lengths:
    """How long histories are.

    Attributes:
        count: Number of histories.
        mean: Mean number of events.
        percentiles: Number of events at each of ``MEASURED``.
    """

    count: int
    mean: float
    percentiles: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Profile:
    """What is known about a data set.

    Attributes:
        name: Name of the data set, or of the model that was trained on it.
        items: Its items.
        counts: int64 [V], events of each item, 0 for padding; of a model, its training events.
        events: Number of events; None if it is not known.
        users: Number of users; None if it is not known.
        fingerprint: Hash of the events; empty if it is not known.
        has_times: Whether it has times that are dates; None if it is not known.
        first: Time of the first event in seconds since 1970; None if times are no dates.
        last: Time of the last event, likewise.
        days: Counts of each day; None likewise.
        typical: A typical day; None likewise.
        gap: The longest time without an event; None likewise.
        by_day: Events of a user on a day; None likewise.
        lengths: Events of a user; None if they are not known.
        exact: Exact duplicates; None if they are not known, as without times.
        consecutive: Events with the item of the user's event before; None if they are not known.
        types: Type to its number of events; empty if types are not used.
        people: Hashes of the users; None if they are not known.
    """

    name: str
    items: Vocabulary
    counts: np.ndarray
    events: int | None = None
    users: int | None = None
    fingerprint: str = ""
    has_times: bool | None = None
    first: float | None = None
    last: float | None = None
    days: Days | None = None
    typical: TypicalDay | None = None
    gap: Gap | None = None
    by_day: Lengths | None = None
    lengths: Lengths | None = None
    exact: int | None = None
    consecutive: int | None = None
    types: Mapping[str, int] = field(default_factory=dict)
    people: People | None = None


@dataclass(frozen=True, slots=True)
class _Dated:
    """The part of a profile that needs dates."""

    has_times: bool = False
    first: float | None = None
    last: float | None = None
    days: Days | None = None
    typical: TypicalDay | None = None
    gap: Gap | None = None
    by_day: Lengths | None = None


def profile_of(corpus: Corpus) -> Profile:
    """Return the profile of a data set.

    Args:
        corpus: The data set, with at least one event.
    """
    sequences = corpus.sequences
    repeated = repetition(by_item_and_type(sequences))
    dated = _dated(corpus)
    return Profile(
        name=corpus.name,
        items=corpus.items,
        counts=np.bincount(sequences.items, minlength=len(corpus.items) + 1),
        events=sequences.n_events,
        users=sequences.n_users,
        fingerprint=sequences.fingerprint(),
        has_times=dated.has_times,
        first=dated.first,
        last=dated.last,
        days=dated.days,
        typical=dated.typical,
        gap=dated.gap,
        by_day=dated.by_day,
        lengths=_lengths(sequences.lengths()),
        exact=repeated.exact,
        consecutive=repeated.consecutive,
        types=_types(corpus),
        people=people_of(corpus.users.entries),
    )


def _dated(corpus: Corpus) -> _Dated:
    """Return what times tell, if they are Unix timestamps."""
    sequences = corpus.sequences
    times = sequences.times
    unit = None if times is None else unit_seconds(float(times.max()))
    if times is None or unit is None:
        return _Dated()
    day = day_of(times, unit)
    starts = first_of_day(sequences, day)
    days = counted_days(day, starts)
    per_day = np.diff(np.append(np.flatnonzero(starts), len(day)))
    return _Dated(
        has_times=True,
        first=float(times.min() * unit),
        last=float(times.max() * unit),
        days=days,
        typical=typical_day(days, day, sequences.items),
        gap=longest_gap(times, unit),
        by_day=_lengths(per_day),
    )


def _lengths(lengths: np.ndarray) -> Lengths:
    found = np.percentile(lengths, MEASURED)
    return Lengths(
        len(lengths), round(float(lengths.mean()), 4), tuple(float(each) for each in found)
    )


def _types(corpus: Corpus) -> dict[str, int]:
    types = corpus.sequences.types
    if types is None:
        return {}
    counts = np.bincount(types, minlength=len(corpus.event_types) + 1)[1:]
    return {name: int(count) for name, count in zip(corpus.event_types, counts, strict=True)}
