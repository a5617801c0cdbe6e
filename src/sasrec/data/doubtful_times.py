"""Doubtful times: units that are mixed, dates written as numbers, moments far from all others."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import partial

import numpy as np

from sasrec.data.remarks import Remark
from sasrec.errors import DataError

BLOCK = 2**16
UNITS = {"seconds": 1.0, "milliseconds": 1e3, "microseconds": 1e6, "nanoseconds": 1e9}
EARLIEST = 1e8
"""Seconds since 1970 (in 1973). Below it, numbers are no moments, but counters, or zeros that
stand for a missing moment."""
A_DAY = 86_400
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
    if any(first <= low and high <= last for first, last in bounds):
        return ()
    counts = [_count(times, partial(_within, low=first, high=last)) for first, last in bounds]
    if sum(counts) >= MOST * len(times):
        return _of_moments(times, bounds, counts, column=column, where=where)
    return _of_compact_dates(times, column, where)


def _of_moments(
    times: np.ndarray,
    bounds: list[tuple[float, float]],
    counts: list[int],
    *,
    column: str,
    where: str,
) -> tuple[Remark, ...]:
    units = list(UNITS)
    main = int(np.argmax(counts))
    remarks = []
    other = max((n for n in range(len(units)) if n != main), key=counts.__getitem__)
    if counts[other]:
        mixed = sum(counts) - counts[main]
        text = (
            f"{counts[main]:,} times of {column!r} look like {units[main]} since 1970, such as "
            f"{_first(times, *bounds[main])}, and {mixed:,} like {units[other]}, such as "
            f"{_first(times, *bounds[other])}"
        )
        if mixed > MOST_MIXED * len(times):
            raise DataError(
                f"{where}: {text}, so that they cannot be put in order; bring all to one unit"
            )
        remarks.append(Remark("mixed_time_units", mixed, f"{text}; bring all to one unit"))
    odd = len(times) - sum(counts)
    if odd:
        value = _odd_one(times, bounds)
        remarks.append(
            Remark(
                "implausible_times",
                odd,
                f"{odd:,} of {len(times):,} times of {column!r} lie before 1973 or in the future, "
                f"such as {value:.15g} ({_moment(value / UNITS[units[main]])}), and the others do "
                "not; mend these rows, or leave them out with a filter (val_interval)",
            )
        )
    return tuple(remarks)


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


def _first(times: np.ndarray, low: float, high: float) -> str:
    return _shown(times, partial(_within, low=low, high=high))


def _odd_one(times: np.ndarray, bounds: list[tuple[float, float]]) -> float:
    for some in _blocks(times):
        is_odd = ~np.logical_or.reduce([_within(some, *ends) for ends in bounds])
        if is_odd.any():
            return float(some[is_odd][0])
    raise AssertionError("there is one")


def _moment(seconds: float) -> str:
    try:
        moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)
    except OverflowError:
        return "beyond the year 9999"
    return f"{moment:%Y-%m-%d}"
