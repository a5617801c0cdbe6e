"""Doubtful times: mixed units, dates written as numbers, and timestamps far from all others."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial

import numpy as np

from sasrec.errors import DataError
from sasrec.remarks import Remark

BLOCK = 2**16
UNITS = {"seconds": 1.0, "milliseconds": 1e3, "microseconds": 1e6, "nanoseconds": 1e9}
EARLIEST = 1e8
"""Seconds since 1970; this is in 1973. Smaller numbers are not taken for timestamps: they are
counters, or zeros that stand for a missing time."""
A_DAY = 86_400
NEAR_SECONDS = 20 * 365 * A_DAY
"""A time counts as one in another unit if, converted, it is this many seconds at most before the
first or after the last of the other times."""
MIN_TIMESTAMPS = 0.5
"""At least this share of times must look like timestamps; otherwise nothing is reported."""
MIN_DATES = 0.9
"""At least this share of times must look like dates written as numbers to be reported as such."""
MAX_MIXED = 0.01
"""Above this share of times in another unit, the order of events is wrong and an error is raised;
below it, there is only a remark."""


def time_remarks(times: np.ndarray, column: str, where: str) -> tuple[Remark, ...]:
    """Return remarks on what is doubtful about a column of times.

    Args:
        times: float64 [n], finite; n at least 1.
        column: Name of the column.
        where: Name of the data source, for error messages.

    Returns:
        The remarks; none if all times are timestamps in seconds, or do not look like timestamps.

    Raises:
        DataError: Sorting the numbers would put events in the wrong order: units are mixed, or
            dates begin with the day or the month.
    """
    latest = time.time() + 2 * A_DAY
    bounds = [(EARLIEST * scale, latest * scale) for scale in UNITS.values()]
    low, high = float(times.min()), float(times.max())
    if bounds[0][0] <= low and high <= bounds[0][1]:
        return ()
    if found := _compact_date_remarks(times, column, where):
        return found
    for unit, (first, last) in zip(UNITS, bounds, strict=True):
        if first <= low and high <= last:
            return (_unit_remark(times, unit, column),)
    counts = [_count(times, partial(_within, low=first, high=last)) for first, last in bounds]
    main = int(np.argmax(counts))
    if sum(counts) < MIN_TIMESTAMPS * len(times):
        return ()
    return _outlier_remarks(times, bounds[main], list(UNITS)[main], column=column, where=where)


def _unit_remark(times: np.ndarray, unit: str, column: str) -> Remark:
    """Return the remark that all times are timestamps in a unit other than seconds.

    Args:
        times: float64 [n].
        unit: The unit.
        column: Name of the column.
    """
    first, last = (_date(float(each) / UNITS[unit]) for each in (times.min(), times.max()))
    text = f"times in {column!r} are read as {unit} since 1970, from {first} to {last}"
    return Remark("time_unit", len(times), text)


def _outlier_remarks(
    times: np.ndarray, bounds: tuple[float, float], unit: str, *, column: str, where: str
) -> tuple[Remark, ...]:
    """Return remarks on times that are not plausible timestamps in the unit of most of them.

    Args:
        times: float64 [n].
        bounds: Lowest and highest plausible timestamp.
        unit: The unit in which most times are plausible.
        column: Name of the column.
        where: Name of the data source, for error messages.

    Raises:
        DataError: Too many times are in another unit.
    """
    remarks = []
    is_plausible = partial(_within, low=bounds[0], high=bounds[1])
    plausible = _count(times, is_plausible)
    earliest, latest = _range_within(times, bounds)
    known, mixed = [is_plausible], 0
    for other, scale in UNITS.items():
        factor = scale / UNITS[unit]
        near = partial(
            _within,  # the lower bound keeps counters that start at 0 from matching two units
            low=max((earliest - NEAR_SECONDS * UNITS[unit]) * factor, EARLIEST * scale),
            high=(latest + NEAR_SECONDS * UNITS[unit]) * factor,
        )
        if other == unit or not (count := _count(times, near)):
            continue
        known.append(near)
        mixed += count
        verb = "looks" if count == 1 else "look"
        text = (
            f"{plausible:,} times in {column!r} look like {unit} since 1970, such as "
            f"{_first_match(times, is_plausible)}, and {count:,} {verb} like {other}, such as "
            f"{_first_match(times, near)}"
        )
        if count > MAX_MIXED * len(times):
            raise DataError(
                f"{where}: {text}, so events cannot be sorted; convert all times to one unit"
            )
        remarks.append(Remark("mixed_time_units", count, f"{text}; convert all times to one unit"))
    if outliers := len(times) - plausible - mixed:
        value = _first_without_match(times, known)
        verb = "is" if outliers == 1 else "are"
        remarks.append(
            Remark(
                "implausible_times",
                outliers,
                f"{outliers:,} of {len(times):,} times in {column!r} {verb} before 1973 or in the "
                f"future, such as {value:.15g} ({_date(value / UNITS[unit])}), and the others are "
                "not; correct these rows, or exclude them with a filter (value_intervals)",
            )
        )
    return tuple(remarks)


def _range_within(times: np.ndarray, bounds: tuple[float, float]) -> tuple[float, float]:
    """Return the lowest and the highest time within bounds; there is at least one."""
    low, high = math.inf, -math.inf
    for block in _blocks(times):
        inside = block[_within(block, *bounds)]
        if len(inside):
            low, high = min(low, float(inside.min())), max(high, float(inside.max()))
    return low, high


def _compact_date_remarks(times: np.ndarray, column: str, where: str) -> tuple[Remark, ...]:
    for letters, form, rule in (
        ("%Y%m%d", "YYYYMMDD", lambda block: _is_date(block // 10_000, block // 100, block)),
        ("%Y%m%d%H%M", "YYYYMMDDhhmm", lambda block: _is_long_date(block, 10**4)),
        ("%Y%m%d%H%M%S", "YYYYMMDDhhmmss", lambda block: _is_long_date(block, 10**6)),
        ("", "DDMMYYYY or MMDDYYYY", _is_date_year_last),  # 1122022 may be two dates
    ):
        count = _count_if_most(times, rule)
        if not count:
            continue
        text = (
            f"{count:,} of {len(times):,} times in {column!r} look like dates written as numbers "
            f"({form}), such as {_first_match(times, rule)}"
        )
        if not letters and times.min() < times.max():
            raise DataError(
                f"{where}: {text}, and sorting such numbers does not sort the dates; write dates "
                "such as 2024-05-31"
            )
        text += "; they sort correctly, but differences between them are not durations; " + (
            f"time_format={letters} reads them as dates" if letters else "write 2024-05-31"
        )
        return (Remark("compact_dates", count, text),)
    return ()


def _within(values: np.ndarray, low: float, high: float) -> np.ndarray:
    is_within: np.ndarray = (values >= low) & (values <= high)
    return is_within


def compact_form(value: float) -> str | None:
    """Return the ``time_format`` of a date written as a number; None if it is none.

    Args:
        value: A time, such as 20240531, 202405311830 or 20240531183000.
    """
    found = np.array([value])
    if bool(_is_date(found // 10_000, found // 100, found)[0]):
        return "%Y%m%d"
    for clock, form in ((10**4, "%Y%m%d%H%M"), (10**6, "%Y%m%d%H%M%S")):
        if bool(_is_long_date(found, clock)[0]):
            return form
    return None


def _and(*masks: np.ndarray) -> np.ndarray:
    combined: np.ndarray = np.logical_and.reduce(masks)
    return combined


def _is_date(years: np.ndarray, months: np.ndarray, days: np.ndarray) -> np.ndarray:
    month, day = months % 100, days % 100
    return _and(
        _within(years, 1900, 2100), _within(month, 1, 12), _within(day, 1, 31), days % 1 == 0
    )


def _is_long_date(values: np.ndarray, clock: int) -> np.ndarray:
    dates = values // clock
    hours = values // (clock // 100) % 100
    return _and(_is_date(dates // 10_000, dates // 100, dates), hours < 24, values % 1 == 0)


def _is_date_year_last(values: np.ndarray) -> np.ndarray:
    years, front = values % 10_000, values // 10_000
    first, second = front // 100, front % 100
    is_day_first = _within(first, 1, 31) & _within(second, 1, 12)
    is_month_first = _within(first, 1, 12) & _within(second, 1, 31)
    return _and(_within(years, 1970, 2100), is_day_first | is_month_first, values % 1 == 0)


def _blocks(times: np.ndarray) -> Iterator[np.ndarray]:
    for begin in range(0, len(times), BLOCK):
        yield times[begin : begin + BLOCK]


def _count(times: np.ndarray, rule: Callable[[np.ndarray], np.ndarray]) -> int:
    return sum(int(rule(block).sum()) for block in _blocks(times))


def _count_if_most(times: np.ndarray, rule: Callable[[np.ndarray], np.ndarray]) -> int:
    """Return how many times match a rule, or 0 if in some block less than ``MIN_DATES`` do."""
    count = seen = 0
    for block in _blocks(times):
        count, seen = count + int(rule(block).sum()), seen + len(block)
        if count < MIN_DATES * seen:
            return 0
    return count


def _first_match(times: np.ndarray, rule: Callable[[np.ndarray], np.ndarray]) -> str:
    value = next(block[rule(block)][0] for block in _blocks(times) if rule(block).any())
    return f"{value:.15g}"


def _first_without_match(
    times: np.ndarray, rules: Sequence[Callable[[np.ndarray], np.ndarray]]
) -> float:
    """Return the first time that matches none of the rules."""
    for block in _blocks(times):
        others = block[~np.logical_or.reduce([rule(block) for rule in rules])]
        if len(others):
            return float(others[0])
    return math.nan


def _date(seconds: float) -> str:
    """Return the date of a timestamp in seconds since 1970, such as ``2024-05-31``."""
    try:
        date = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)
    except OverflowError:
        return "after the year 9999"
    return f"{date:%Y-%m-%d}"
