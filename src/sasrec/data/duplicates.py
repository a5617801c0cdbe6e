"""Duplicates: removes events that repeat others, in one of four ways."""

from __future__ import annotations

import numpy as np
import polars as pl

from sasrec.data.values.numbering import take_in_blocks
from sasrec.errors import DataError


def without_duplicates(frame: pl.DataFrame, keep: str) -> pl.DataFrame:
    """Return the events that remain after duplicates are removed.

    Args:
        frame: Columns ``user`` and ``item``, Int32, and optionally ``time``; at least one row and
            fewer than 2^31.
        keep: ``first`` or ``last``: that event of each user with each item, by time, or by the
            order of the rows without times. ``exact``: one event for each user, item and time.
            ``consecutive``: the first event of each run of a user's events with the same item.

    Returns:
        The remaining rows: with ``first`` or ``last`` sorted by time if there are times, as in
        RecBole; otherwise in their order.

    Raises:
        DataError: ``keep`` is ``exact`` and there are no times.
    """
    if keep == "exact":
        return _without_exact(frame)
    if keep == "consecutive":
        return _without_consecutive(frame)
    order = _by_time(frame)
    pairs = take_in_blocks(frame["user"].to_numpy(), order).astype(np.int64)
    pairs <<= 32
    pairs |= take_in_blocks(frame["item"].to_numpy(), order)
    by_pair = np.argsort(pairs, kind="stable").astype(np.int32)
    pairs.sort()
    differs = pairs[1:] != pairs[:-1]
    del pairs
    is_kept = np.concatenate(([True], differs) if keep == "first" else (differs, [True]))
    kept = by_pair[is_kept]
    del by_pair
    kept.sort()
    return frame[take_in_blocks(order, kept)]


def _by_time(frame: pl.DataFrame) -> np.ndarray:
    """Return the indices of events sorted by time; ties keep the order of the rows; int32 [n]."""
    if "time" not in frame.columns:
        return np.arange(frame.height, dtype=np.int32)
    return np.argsort(frame["time"].to_numpy(), kind="stable").astype(np.int32)


def _without_exact(frame: pl.DataFrame) -> pl.DataFrame:
    if "time" not in frame.columns:
        raise DataError(
            "duplicates=exact needs times; without them, buying an item again looks the same as a "
            "duplicate row; choose consecutive, first or last, or set time_column"
        )
    pairs = frame["user"].to_numpy().astype(np.int64)
    pairs <<= 32
    pairs |= frame["item"].to_numpy()
    order = _by_time(frame)
    order = take_in_blocks(
        order, np.argsort(take_in_blocks(pairs, order), kind="stable").astype(np.int32)
    )
    times = take_in_blocks(frame["time"].to_numpy(), order)
    pairs = take_in_blocks(pairs, order)
    is_kept = np.ones(frame.height, dtype=bool)
    is_kept[order[1:]] = (pairs[1:] != pairs[:-1]) | (times[1:] != times[:-1])
    return frame.filter(pl.Series(is_kept))


def _without_consecutive(frame: pl.DataFrame) -> pl.DataFrame:
    order = _by_time(frame)
    by_user = np.argsort(take_in_blocks(frame["user"].to_numpy(), order), kind="stable").astype(
        np.int32
    )
    order = take_in_blocks(order, by_user)
    users, items = (take_in_blocks(frame[name].to_numpy(), order) for name in ("user", "item"))
    is_kept = np.ones(frame.height, dtype=bool)
    is_kept[order[1:]] = (users[1:] != users[:-1]) | (items[1:] != items[:-1])
    return frame.filter(pl.Series(is_kept))
