"""The profile of the training data in a model folder: a part of ``metrics.json``."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any

import numpy as np

from sasrec.data.drift.days import Days, Gap, TypicalDay, Usual
from sasrec.data.drift.people import people_from_json
from sasrec.data.drift.profile import MEASURED, Lengths, Profile
from sasrec.data.vocabulary import Vocabulary

KEY = "profile"
"""Key in ``metrics.json``."""
MOST = 10**12
"""No count in a profile is above this."""
LARGEST, SMALLEST = 1e20, 1e-20
"""Other numbers in a profile are 0 or between these, with a sign; times in nanoseconds are, too."""
INVALID = (KeyError, TypeError, ValueError, AttributeError, OverflowError)
"""Exceptions that an edited profile may cause."""


def profile_as_json(profile: Profile) -> dict[str, Any]:
    """Return a profile in types JSON has, without items and their counts.

    Args:
        profile: Of a data set.
    """
    days = profile.days
    return {
        "events": profile.events,
        "users": profile.users,
        "fingerprint": profile.fingerprint,
        "has_times": profile.has_times,
        "first": profile.first,
        "last": profile.last,
        "days": None
        if days is None
        else {
            "first": days.first,
            "events": _as_text(days.events),
            "people": _as_text(days.people),
        },
        "typical_day": None if profile.typical is None else asdict(profile.typical),
        "gap": None if profile.gap is None else asdict(profile.gap),
        "by_day": _lengths_as_json(profile.by_day),
        "lengths": _lengths_as_json(profile.lengths),
        "exact_duplicates": profile.exact,
        "consecutive_repeats": profile.consecutive,
        "types": dict(profile.types),
        "people": None if profile.people is None else profile.people.sampled().as_json(),
    }


def profile_from_json(
    content: object, name: str, items: Vocabulary, counts: np.ndarray
) -> Profile | None:
    """Return a profile from its JSON; None if it is missing or invalid.

    Args:
        content: What ``profile_as_json`` returned.
        name: Name of the model.
        items: The items of the model.
        counts: int64 [V], training events of each item.
    """
    if not isinstance(content, dict):
        return None
    try:
        json.dumps(content, allow_nan=False)  # raises for NaN and infinity
        return replace(_parsed(content), name=name, items=items, counts=counts)
    except INVALID:
        return None


def profile_without_facts(
    name: str, items: Vocabulary, counts: np.ndarray, dataset: Mapping[str, Any]
) -> Profile:
    """Return what an older model folder tells about its training data.

    Args:
        name: Name of the model.
        items: The items of the model.
        counts: int64 [V], training events of each item.
        dataset: Sizes of the training data, from the model's reports; may be empty.
    """
    numbers = {key: dataset.get(key) for key in ("interactions", "users")}
    events, users = (value if type(value) is int else None for value in numbers.values())
    mark = dataset.get("fingerprint")
    return Profile(
        name, items, counts, events, users, fingerprint=mark if isinstance(mark, str) else ""
    )


def _parsed(content: dict[str, Any]) -> Profile:
    """Return a profile without items.

    Raises:
        ValueError: A value is not valid; likewise the others of ``INVALID``.
    """
    days, people, types = content["days"], content["people"], content["types"]
    return Profile(
        name="",
        items=Vocabulary([]),
        counts=np.zeros(1, dtype=np.int64),
        events=_count(content["events"]),
        users=_count(content["users"]),
        fingerprint=str(content["fingerprint"]),
        has_times=bool(content["has_times"]),
        first=_optional(content["first"]),
        last=_optional(content["last"]),
        days=None if days is None else _days(days),
        typical=_typical(content["typical_day"]),
        gap=_gap(content["gap"]),
        by_day=_lengths(content["by_day"]),
        lengths=_lengths(content["lengths"]),
        exact=None if content["exact_duplicates"] is None else _count(content["exact_duplicates"]),
        consecutive=_count(content["consecutive_repeats"]),
        types={str(key): _count(value) for key, value in types.items()},
        people=None if people is None else people_from_json(people),
    )


def _days(content: dict[str, Any]) -> Days:
    days = Days(
        _count(content["first"]), _from_text(content["events"]), _from_text(content["people"])
    )
    if not len(days.events) == len(days.people) > 0 or not days.events[-1] > 0:
        raise ValueError("days")
    return days


def _count(value: object) -> int:
    """Return a whole number from 0 to a trillion.

    Raises:
        ValueError: It is none.
    """
    if type(value) is not int or not 0 <= value <= MOST:
        raise ValueError(value)
    return value


def _lengths_as_json(lengths: Lengths | None) -> dict[str, Any] | None:
    if lengths is None:
        return None
    return {**asdict(lengths), "percentiles": list(lengths.percentiles)}


def _typical(content: dict[str, Any] | None) -> TypicalDay | None:
    if content is None:
        return None
    events, people, items = (
        Usual(*(_number(content[unit][key]) for key in ("low", "median", "high")))
        for unit in ("events", "people", "items")
    )
    return TypicalDay(events, people, items, _count(content["days"]))


def _gap(content: dict[str, Any] | None) -> Gap | None:
    return None if content is None else Gap(_number(content["days"]), _number(content["begins"]))


def _lengths(content: dict[str, Any] | None) -> Lengths | None:
    if content is None:
        return None
    percentiles = tuple(map(_number, content["percentiles"]))
    if len(percentiles) != len(MEASURED):
        raise ValueError("percentiles")
    return Lengths(_count(content["count"]), _number(content["mean"]), percentiles)


def _number(value: object) -> float:
    """Return a number; a text is none, although ``float`` would read ``"inf"``.

    Raises:
        ValueError: It is none, or so large or small that a sum or a ratio could be infinite.
    """
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise ValueError(value)
    if value and not SMALLEST <= abs(value) <= LARGEST:
        raise ValueError(value)
    return float(value)


def _optional(value: object) -> float | None:
    return None if value is None else _number(value)


def _as_text(counts: np.ndarray) -> str:
    """Return counts as numbers with spaces between them, which stay on one line of the file."""
    return " ".join(map(str, counts.tolist()))


def _from_text(text: str) -> np.ndarray:
    counts = np.array([int(each) for each in text.split()], dtype=np.int64)
    if (counts < 0).any():
        raise ValueError("counts")
    return counts
