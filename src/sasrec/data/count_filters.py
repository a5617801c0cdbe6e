"""Filters by the number of events of users and items."""

from __future__ import annotations

from collections.abc import Iterable

import polars as pl

from sasrec.data.values.intervals import Interval
from sasrec.data.values.numbering import occurrences


def within_counts(
    frame: pl.DataFrame, *, users: tuple[Interval, ...], items: tuple[Interval, ...]
) -> pl.DataFrame:
    """Return the events of users and items whose number of events is in the given intervals.

    Removing events changes the numbers, so this is repeated until nothing changes (with only lower
    limits, the result is the k-core). In each round, users and items are counted before either
    filter is applied.

    Args:
        frame: Columns ``user`` and ``item``, Int32, none negative.
        users: Allowed numbers of events per user; empty allows all.
        items: Allowed numbers of events per item; empty allows all.

    Returns:
        The remaining rows, in their order.
    """
    rules = [(name, rule) for name, rule in (("user", users), ("item", items)) if rule]
    while rules and frame.height:
        kept = [_is_count_allowed(frame[name], rule) for name, rule in rules]
        fewer = frame.filter(*kept)
        if fewer.height == frame.height:
            break
        frame = fewer
    return frame


def without_active_users(frame: pl.DataFrame, most: int) -> pl.DataFrame:
    """Return the events of users with at most some number of events.

    Args:
        frame: Column ``user``, Int32, none negative.
        most: The largest number of events of a user who is kept.

    Returns:
        The remaining rows, in their order.
    """
    users = frame["user"].to_numpy()
    counts = occurrences(users, int(users.max()))
    return frame.filter(pl.Series(counts <= most).gather(frame["user"]))


def in_any(intervals: Iterable[Interval], values: pl.Expr) -> pl.Expr:
    """Return whether each value is in one of some intervals.

    Args:
        intervals: The intervals.
        values: Numbers.
    """
    return pl.any_horizontal(interval.contains(values) for interval in intervals)


def _is_count_allowed(numbers: pl.Series, rule: tuple[Interval, ...]) -> pl.Series:
    """Return for each row whether its number occurs as often as the rule allows; Boolean [n]."""
    values = numbers.to_numpy()
    counts = pl.Series("count", occurrences(values, int(values.max())))
    allowed = counts.to_frame().select(in_any(rule, pl.col("count"))).to_series()
    return allowed.gather(numbers)
