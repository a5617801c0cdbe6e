"""Splits at dates: test on what happened from a point in time on, as in production."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import numpy as np

from sasrec.data.checks.doubtful_times import compact_form
from sasrec.data.sequences import Sequences
from sasrec.data.splits import Cases, Split
from sasrec.data.time_splits import split_at
from sasrec.errors import DataError, counted
from sasrec.remarks import Remark
from sasrec.settings.evaluation import EvaluationSettings
from sasrec.settings.time_point import time_point

UNITS = ((1e8, 1.0), (1e11, 1e-3), (1e14, 1e-6), (1e17, 1e-9))
"""Smallest latest time of a data set, and the length of the unit in seconds that it suggests: from
1973 on, Unix timestamps in seconds, milliseconds, microseconds and nanoseconds do not overlap."""
UNIT_NAMES = {1.0: "seconds", 1e-3: "milliseconds", 1e-6: "microseconds", 1e-9: "nanoseconds"}
LARGEST = 1e20


def split_by_dates(
    sequences: Sequences, settings: EvaluationSettings, wanted: np.ndarray | None = None
) -> Split:
    """Split all histories at the points in time that the settings name.

    Args:
        sequences: All histories, each sorted by time.
        settings: ``test_from``, ``valid_from`` and ``period_targets``.
        wanted: bool [N], the events that may be targets; None for all.

    Returns:
        The split.

    Raises:
        DataError: The data have no times, or times that are rounded or not Unix timestamps although
            a date or a period is given; or a part of the split has no target.
    """
    times = sequences.times
    if times is None:
        raise DataError("a split by time needs times; set time_column to the column with times")
    if sequences.rounded is not None:
        raise DataError("test_from and valid_from need exact times; remove rounded_times")
    test = time_of("test_from", settings.test_from, times)
    validation = time_of("valid_from", settings.valid_from, times)
    if np.isinf(test):
        _check_reached(times, validation, "validate")
    else:
        _check_reached(times, test, "test")
    if np.isinf(validation):  # as long as the test
        validation = 2 * test - float(times.max())
    if validation > test:
        raise DataError(
            f"valid_from ({settings.valid_from}) is after test_from ({settings.test_from}); "
            "validation comes before the test"
        )
    if not (times < validation).any():
        raise DataError(
            "no event is before the validation period, which begins at "
            f"{time_in_words(validation, float(times.max()))}; {span_of(times)}"
        )
    split = split_at(sequences, validation, test)
    return replace(
        split,
        validation=_chosen(split.validation.where(wanted), settings.period_targets),
        test=_chosen(split.test.where(wanted), settings.period_targets),
    )


def time_of(key: str, text: str | None, times: np.ndarray) -> float:
    """Return a point in time in the unit of the data; infinity if the setting is not given.

    Args:
        key: Name of the setting.
        text: Its value.
        times: float64 [n], all times of the data; n at least 1.

    Returns:
        The time from which on events are later than a period before the last one, or not before a
        date.

    Raises:
        DataError: The times are not Unix timestamps, although a date or a period is given.
    """
    if text is None:
        return np.inf
    point = time_point(text)
    latest = float(times.max())
    seconds = unit_seconds(latest)
    if point.kind == "number":
        _check_unit(key, point.value, times, seconds)
        return point.value
    if seconds is None:
        hint = f"give {key} as a number in the unit of the times"
        if form := compact_form(latest):
            hint = f"they look like dates written as numbers, so add --time-format={form}"
        raise DataError(
            f"{key} is {text!r}, but the times of the data, {times.min():.15g} to {latest:.15g}, "
            f"are not Unix timestamps; {hint}"
        )
    if point.kind == "date":
        return point.value / seconds
    return float(np.nextafter(latest - point.value / seconds, np.inf))


def _check_unit(key: str, value: float, times: np.ndarray, seconds: float | None) -> None:
    """Refuse a number that is in another unit than the Unix timestamps of the data.

    Raises:
        DataError: It is outside the times of the data, and not in their unit.
    """
    if seconds is None or times.min() <= value <= times.max() or unit_seconds(value) == seconds:
        return
    raise DataError(
        f"{key} is {value:.15g}, but the times of the data are {UNIT_NAMES[seconds]} since 1970, "
        f"from {times.min():.15g} to {times.max():.15g}; give {key} in this unit, or as a date "
        "such as 2024-05-31"
    )


def unit_seconds(latest: float) -> float | None:
    """Return the unit of Unix timestamps, in seconds, or None if they are not Unix timestamps.

    Args:
        latest: The latest time of a data set; a date written as a number, such as 20240531183000,
            is no timestamp.
    """
    if not UNITS[0][0] <= latest < LARGEST or compact_form(latest):
        return None
    return next(unit for begin, unit in reversed(UNITS) if latest >= begin)


def time_in_words(time: float, latest: float) -> str:
    """Return a time as a date in UTC if the data have Unix timestamps, otherwise as a number.

    Args:
        time: In the unit of the data.
        latest: The latest time of the data.
    """
    unit = unit_seconds(latest)
    if unit is None or not -6e10 < time * unit < 2e11:
        return f"{time:g}"
    return datetime.fromtimestamp(time * unit, UTC).strftime("%Y-%m-%d %H:%M:%S")


def span_of(times: np.ndarray) -> str:
    """Return the first and the last time, as the end of a sentence.

    Args:
        times: float64 [n], all times of the data; n at least 1.
    """
    latest = float(times.max())
    first, last = (time_in_words(float(each), latest) for each in (times.min(), latest))
    return f"the events are from {first} to {last} (UTC)"


def _check_reached(times: np.ndarray, begin: float, purpose: str) -> None:
    """Refuse a point in time after the last event.

    Raises:
        DataError: There is no event from ``begin`` on.
    """
    latest = float(times.max())
    if np.isfinite(begin) and begin > latest:
        raise DataError(
            f"no event is at or after {time_in_words(begin, latest)}, so there is nothing to "
            f"{purpose} on; {span_of(times)}"
        )


def _chosen(cases: Cases, targets: str) -> Cases:
    """Return all cases of each user, or the first, or the last."""
    if targets == "all" or not len(cases):
        return cases
    changes = cases.users[1:] != cases.users[:-1]
    kept = np.append(True, changes) if targets == "first" else np.append(changes, True)
    return Cases(cases.users[kept], cases.stops[kept])


def unpredictable(split: Split) -> tuple[Remark, ...]:
    """Return a remark on events that no model can predict, or nothing.

    Args:
        split: By dates.

    Returns:
        A remark that counts test events without a history, and test targets whose item is new.
    """
    sequences = split.sequences
    begins = sequences.offsets[:-1]
    new_users = int((~_trains_first(split) & (sequences.lengths() > 0)).sum())
    trained = np.zeros(int(sequences.items.max()) + 1, dtype=bool)
    trained[split.train_items()] = True
    targets = sequences.items[split.test.stops if len(split.test) else split.validation.stops]
    new_items = int((~trained[targets]).sum())
    if not new_users and not new_items:
        return ()
    part = "test" if len(split.test) else "validation"
    told = []
    if new_users:
        appear = "appears" if new_users == 1 else "appear"
        told.append(
            f"{counted(new_users, 'user')} of {len(begins):,} {appear} only after the training "
            "period (the first event of a user is not a target, as it has no history)"
        )
    if new_items:
        count = "is an item" if new_items == 1 else "are items"
        told.append(
            f"{new_items:,} of {counted(len(targets), f'{part} target')} {count} without a "
            f"training event, which {'counts' if new_items == 1 else 'count'} as not found"
        )
    return (Remark("unpredictable", new_users + new_items, ", and ".join(told)),)


def _trains_first(split: Split) -> np.ndarray:
    """Return for which users the first event is before the validation period, bool [U]."""
    if split.first_trains is None:
        return np.ones(split.sequences.n_users, dtype=bool)
    return split.first_trains
