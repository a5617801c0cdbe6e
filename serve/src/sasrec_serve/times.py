"""Times of events: numbers and dates of any type as float64, in the unit of the training data."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date

import numpy as np

from sasrec_serve.dates import seconds_of_texts
from sasrec_serve.errors import DataError

UNITS = ((1e8, "seconds"), (1e11, "milliseconds"), (1e14, "microseconds"), (1e17, "nanoseconds"))
"""Smallest latest time that suggests each unit of Unix timestamps: from 1973 on, they do not
overlap."""
LARGEST = 1e20


def time_arrays(
    times: Sequence[Sequence[float] | None], lengths: list[int]
) -> list[np.ndarray | None]:
    """Return the times of each history as a float64 array.

    Args:
        times: Numbers; dates or datetimes of any type; or numbers or ISO dates as text. None if
            unknown.
        lengths: Events in each history.

    Returns:
        The arrays; dates and datetimes become seconds since 1970.

    Raises:
        DataError: Times are not numbers or dates, are not finite, or do not match the histories.
    """
    found: list[np.ndarray | None] = []
    for each, length in zip(times, lengths, strict=True):
        if each is None:
            found.append(None)
            continue
        try:
            seconds = _seconds(np.asarray(each)).astype(np.float64)
        except (TypeError, ValueError, OverflowError) as error:
            raise DataError(
                f"times must be a list of lists of numbers or dates: {error}"
            ) from error
        if seconds.shape != (length,):
            raise DataError("times do not match the histories; give one time for each event")
        if not np.isfinite(seconds).all():
            raise DataError("times contain NaN, infinity or NaT; give a finite number or a date")
        found.append(seconds)
    return found


def _seconds(times: np.ndarray) -> np.ndarray:
    """Return dates and times as seconds since 1970, and numbers unchanged.

    As in data sets, a time without a time zone is UTC.

    Raises:
        TypeError: The values are booleans, bytes, complex numbers or durations, or text that is
            neither all numbers nor all dates.
    """
    if times.dtype.kind == "U":
        return np.array(seconds_of_texts(times.ravel().tolist())).reshape(times.shape)
    if times.dtype.kind == "O" and len(times) and all(hasattr(each, "timestamp") for each in times):
        zoned = [each if each.tzinfo else each.replace(tzinfo=UTC) for each in times]
        return np.array([each.timestamp() for each in zoned])
    if times.dtype.kind == "O" and len(times) and all(type(each) is date for each in times):
        times = times.astype("datetime64[D]")
    if times.dtype.kind == "M":
        seconds = times.astype("datetime64[us]").astype(np.int64) / 1e6
        return np.where(np.isnat(times), np.nan, seconds)
    if times.dtype.kind in "Sbcm":
        raise TypeError(f"{times.flat[0].item()!r} is not a number or a date")
    return times


def check_unit(times: Sequence[np.ndarray | None], trained: str | None) -> None:
    """Raise an error if times are in another unit than those of the training.

    Small numbers are accepted, as only differences between times matter.

    Args:
        times: Times of histories, float64 each; None for a history without times.
        trained: Unit of the times of the training, such as ``seconds``; None allows all.

    Raises:
        DataError: They are in another unit, or dates written as numbers.
    """
    if trained is None:
        return
    latest = max((float(each.max()) for each in times if each is not None and len(each)), default=0)
    is_date = _is_date_as_number(latest)
    unit = None if is_date else _unit(latest)
    if unit == trained or (unit is None and not is_date):
        return
    shown = "dates written as numbers" if unit is None else f"{unit} since 1970"
    raise DataError(
        f"times of histories: times such as {latest:.15g} are {shown}, but the model was trained "
        f"with times in {trained} since 1970 and uses the time between events; convert them"
    )


def _unit(latest: float) -> str | None:
    if not UNITS[0][0] <= latest < LARGEST:
        return None
    return next(name for begin, name in reversed(UNITS) if latest >= begin)


def unit_name(latest: float) -> str | None:
    """Return the unit of Unix timestamps, such as ``seconds``; None if they are not timestamps.

    Args:
        latest: The latest time; a date written as a number, such as 20240531, is no timestamp.
    """
    return None if _is_date_as_number(latest) else _unit(latest)


def _is_date_as_number(value: float) -> bool:
    """Return whether a number is a date such as 20240531, 202405311830 or 20240531183000."""
    if value % 1:
        return False
    return _is_day(value) or any(
        _is_day(value // clock) and value // (clock // 100) % 100 < 24 for clock in (10**4, 10**6)
    )


def _is_day(value: float) -> bool:
    year, month, day = value // 10_000, value // 100 % 100, value % 100
    return 1900 <= year <= 2100 and 1 <= month <= 12 and 1 <= day <= 31
