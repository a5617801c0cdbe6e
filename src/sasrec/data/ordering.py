"""Ordering: events lined up by user and time, in little more memory than the answer takes."""

from __future__ import annotations

import numpy as np

from sasrec.data.values.numbering import taken

BLOCK = 2**15
"""Events sorted by time at once: few enough to stay in a cache, many enough to be few blocks."""


def by_user_then_time(
    users: np.ndarray, offsets: np.ndarray, times: np.ndarray | None
) -> np.ndarray:
    """Return the places of events in the order of users, then of time, then of the source.

    Events are sorted by user alone first; blocks of whole users are then sorted by time where one
    of them is out of order, which files that were written in order never need.

    Args:
        users: int32 [N], user numbers from 1, each of which occurs; N below 2^31.
        offsets: int64 [U + 1], user u has the events from ``offsets[u - 1]`` to ``offsets[u]``.
        times: float [N], or None for the order of the source alone.

    Returns:
        int32 [N].
    """
    places = _by_user(users, offsets)
    if times is None or not len(users):
        return places
    first = 0
    while offsets[first] < len(users):
        last = max(first + 1, int(offsets.searchsorted(offsets[first] + BLOCK, side="right")) - 1)
        block = slice(int(offsets[first]), int(offsets[last]))
        moments = taken(times, places[block])
        falls = moments[1:] < moments[:-1]
        falls[offsets[first + 1 : last] - offsets[first] - 1] = False  # another user's begin there
        if falls.any():
            kept = places[block]
            if last == first + 1:
                places[block] = taken(kept, np.argsort(moments, kind="stable"))
            else:
                places[block] = kept[_by_both(users[kept], moments)]
        first = last
    return places


def _by_user(users: np.ndarray, offsets: np.ndarray) -> np.ndarray:
    """Return the places of events by user, then of the source: a counting sort, block by block."""
    if (users[1:] >= users[:-1]).all():
        return np.arange(len(users), dtype=np.int32)
    places = np.empty(len(users), dtype=np.int32)
    free = offsets[:-1].copy()  # where the next event of each user goes
    for begin in range(0, len(users), BLOCK):
        # User and place in one number: sorting these in place is the fastest stable sort there is.
        keys = users[begin : begin + BLOCK].astype(np.int64)
        keys <<= 32
        keys |= np.arange(len(keys))
        keys.sort()
        owners = (keys >> 32) - 1
        starts = np.flatnonzero(np.concatenate(([True], owners[1:] != owners[:-1])))
        counts = np.diff(starts, append=len(keys))
        places[np.repeat(free[owners[starts]] - starts, counts) + np.arange(len(keys))] = (
            keys.astype(np.int32) + begin  # the lower half
        )
        free[owners[starts]] += counts
    return places


def _by_both(users: np.ndarray, times: np.ndarray) -> np.ndarray:
    """Return the order of a block of events by user, then time, then place; integers [n]."""
    low = float(times.min())
    span = float(times.max()) - low + 1
    owners = int(users[-1]) - int(users[0]) + 1
    if span >= 2**53 or span * owners * len(users) >= 2**63 or (times % 1).any():
        return np.lexsort((times, users))
    keys: np.ndarray = np.subtract(times, low, dtype=np.float64).astype(np.int64)
    keys += (users - users[0]) * np.int64(span)
    keys *= len(users)
    keys += np.arange(len(users))
    keys.sort()
    keys %= len(users)
    return keys
