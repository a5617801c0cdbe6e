"""Doubtful times: units that are mixed, dates written as numbers, moments far from all others."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial

import numpy as np

from sasrec.data.checks.remarks import Remark
from sasrec.errors import DataError

BLOCK = 2**16
UNITS = {"seconds": 1.0, "milliseconds": 1e3, "microseconds": 1e6, "nanoseconds": 1e9}
EARLIEST = 1e8
"""Seconds since 1970 (in 1973). Below it, numbers are no moments, but counters, or zeros that
stand for a missing moment."""
A_DAY = 86_400
NEAR = 20 * 365 * A_DAY
"""Seconds about the other times within which a time must lie if it is in another unit."""
MOST = 0.5
"""Share of times that look like moments before the others are said to be odd."""
MOST_DATES = 0.9
"""Share of times that look like dates before they are said to be dates."""
MOST_MIXED = 0.01
"""Share of another unit from which on the order of events is wrong, not that of an odd one."""


def time_remarks(times: np.ndarray, column: str, where: str) -> tuple[Remark, ...]:
    """Return what is doubtful about a column of times.

    Args:
        times: float64 [n], finite; n at least 1.
        column: Name of the column.
        where: What to call the source in an error text.

    Returns:
        Remarks; none about times that are moments in one unit, or that look like no moments.

    Raises:
        DataError: Their order as numbers is certainly another one than that of the events: units
            are mixed, or dates have the day first.
    """
    latest = time.time() + 2 * A_DAY
    bounds = [(EARLIEST * scale, latest * scale) for scale in UNITS.values()]
    low, high = float(times.min()), float(times.max())
    if bounds[0][0] <= low and high <= bounds[0][1]:
        return ()
    if found := _of_compact_dates(times, column, where):
        return found
    if any(first <= low and high <= last for first, last in bounds):
        return ()
    counts = [_count(times, partial(_within, low=first, high=last)) for first, last in bounds]
    main = int(np.argmax(counts))
    if sum(counts) < MOST * len(times):
        return ()
    return _of_moments(times, bounds[main], list(UNITS)[main], column=column, where=where)


def _of_moments(
    times: np.ndarray, bounds: tuple[float, float], unit: str, *, column: str, where: str
) -> tuple[Remark, ...]:
    """Return what there is to say of times that are not the moments that most of them are.

    Args:
        times: float64 [n].
        bounds: Lowest and highest plausible moment.
        unit: In which most are plausible.
        column: Name of the column.
        where: What to call the source in an error text.

    Raises:
        DataError: Too many are of another unit.
    """
    remarks = []
    is_moment = partial(_within, low=bounds[0], high=bounds[1])
    moments = _count(times, is_moment)
    earliest, latest = _ends(times, bounds)
    known, mixed = [is_moment], 0
    for other, scale in UNITS.items():
        factor = scale / UNITS[unit]
        near = partial(
            _within,  # numbers that run from 0 are of no unit, and must not seem to be of two
            low=max((earliest - NEAR * UNITS[unit]) * factor, EARLIEST * scale),
            high=(latest + NEAR * UNITS[unit]) * factor,
        )
        if other == unit or not (count := _count(times, near)):
            continue
        known.append(near)
        mixed += count
        text = (
            f"{moments:,} times of {column!r} look like {unit} since 1970, such as "
            f"{_shown(times, is_moment)}, and {count:,} like {other}, such as "
            f"{_shown(times, near)}"
        )
        if count > MOST_MIXED * len(times):
            raise DataError(
                f"{where}: {text}, so that they cannot be put in order; bring all to one unit"
            )
        remarks.append(Remark("mixed_time_units", count, f"{text}; bring all to one unit"))
    if odd := len(times) - moments - mixed:
        value = _other_than(times, known)
        remarks.append(
            Remark(
                "implausible_times",
                odd,
                f"{odd:,} of {len(times):,} times of {column!r} lie before 1973 or in the future, "
                f"such as {value:.15g} ({_moment(value / UNITS[unit])}), and the others do not; "
                "mend these rows, or leave them out with a filter (val_interval)",
            )
        )
    return tuple(remarks)


def _ends(times: np.ndarray, bounds: tuple[float, float]) -> tuple[float, float]:
    """Return the lowest and the highest time within bounds; there is at least one."""
    low, high = math.inf, -math.inf
    for some in _blocks(times):
        inside = some[_within(some, *bounds)]
        if len(inside):
            low, high = min(low, float(inside.min())), max(high, float(inside.max()))
    return low, high


def _of_compact_dates(times: np.ndarray, column: str, where: str) -> tuple[Remark, ...]:
    for kind, said, rule in (
        ("year first", "YYYYMMDD", lambda some: _is_date(some // 10_000, some // 100, some)),
        ("year first", "YYYYMMDDhhmm", lambda some: _is_long_date(some, 10**4)),
        ("year first", "YYYYMMDDhhmmss", lambda some: _is_long_date(some, 10**6)),
        ("day first", "DDMMYYYY or MMDDYYYY", _is_date_backwards),
    ):
        count = _matching(times, rule)
        if not count:
            continue
        text = (
            f"{count:,} of {len(times):,} times of {column!r} look like dates written as numbers "
            f"({said}), such as {_shown(times, rule)}"
        )
        if kind == "day first" and times.min() < times.max():
            raise DataError(
                f"{where}: {text}, which have another order as numbers; write them as 2024-05-31"
            )
        text += "; they are in order, but differences between them mean nothing; write 2024-05-31"
        return (Remark("compact_dates", count, text),)
    return ()


def _within(some: np.ndarray, low: float, high: float) -> np.ndarray:
    is_within: np.ndarray = (some >= low) & (some <= high)
    return is_within


def _and(*masks: np.ndarray) -> np.ndarray:
    both: np.ndarray = np.logical_and.reduce(masks)
    return both


def _is_date(years: np.ndarray, months: np.ndarray, days: np.ndarray) -> np.ndarray:
    month, day = months % 100, days % 100
    return _and(
        _within(years, 1900, 2100), _within(month, 1, 12), _within(day, 1, 31), days % 1 == 0
    )


def _is_long_date(some: np.ndarray, clock: int) -> np.ndarray:
    dates = some // clock
    hours = some // (clock // 100) % 100
    return _and(_is_date(dates // 10_000, dates // 100, dates), hours < 24, some % 1 == 0)


def _is_date_backwards(some: np.ndarray) -> np.ndarray:
    years, front = some % 10_000, some // 10_000
    first, second = front // 100, front % 100
    is_day_first = _within(first, 1, 31) & _within(second, 1, 12)
    is_month_first = _within(first, 1, 12) & _within(second, 1, 31)
    return _and(_within(years, 1970, 2100), is_day_first | is_month_first, some % 1 == 0)


def _blocks(times: np.ndarray) -> Iterator[np.ndarray]:
    for begin in range(0, len(times), BLOCK):
        yield times[begin : begin + BLOCK]


def _count(times: np.ndarray, rule: Callable[[np.ndarray], np.ndarray]) -> int:
    return sum(int(rule(some).sum()) for some in _blocks(times))


def _matching(times: np.ndarray, rule: Callable[[np.ndarray], np.ndarray]) -> int:
    """Return how many times follow a rule, 0 unless most of them do."""
    count = seen = 0
    for some in _blocks(times):
        count, seen = count + int(rule(some).sum()), seen + len(some)
        if count < MOST_DATES * seen:
            return 0
    return count


def _shown(times: np.ndarray, rule: Callable[[np.ndarray], np.ndarray]) -> str:
    value = next(some[rule(some)][0] for some in _blocks(times) if rule(some).any())
    return f"{value:.15g}"


def _other_than(times: np.ndarray, rules: Sequence[Callable[[np.ndarray], np.ndarray]]) -> float:
    """Return the first time that follows none of some rules."""
    for some in _blocks(times):
        others = some[~np.logical_or.reduce([rule(some) for rule in rules])]
        if len(others):
            return float(others[0])
    return math.nan


def _moment(seconds: float) -> str:
    try:
        moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)
    except OverflowError:
        return "beyond the year 9999"
    return f"{moment:%Y-%m-%d}"
