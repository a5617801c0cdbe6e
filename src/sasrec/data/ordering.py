"""Ordering: sorts events by user and time, in little more memory than the result takes."""

from __future__ import annotations

import numpy as np

from sasrec.data.values.numbering import take_in_blocks

BLOCK = 2**15
"""Events sorted by time at once: few enough to stay in the CPU cache, and few blocks in all."""


def by_user_then_time(
    users: np.ndarray, offsets: np.ndarray, times: np.ndarray | None
) -> np.ndarray:
    """Return the indices of events sorted by user, then by time, then by position in the source.

    Events are first sorted by user only. Then blocks of whole users are sorted by time if any of
    their events are out of order; files that are sorted by time never need this.

    Args:
        users: int32 [N], user numbers from 1 without gaps; N below 2^31.
        offsets: int64 [U + 1]; after sorting, user u has the events from ``offsets[u - 1]`` to
            ``offsets[u]``.
        times: float [N], or None to keep the order of the source for each user.

    Returns:
        int32 [N].
    """
    indices = _by_user(users, offsets)
    if times is None or not len(users):
        return indices
    first = 0
    while offsets[first] < len(users):
        last = max(first + 1, int(offsets.searchsorted(offsets[first] + BLOCK, side="right")) - 1)
        block = slice(int(offsets[first]), int(offsets[last]))
        block_times = take_in_blocks(times, indices[block])
        falls = block_times[1:] < block_times[:-1]
        falls[offsets[first + 1 : last] - offsets[first] - 1] = False  # the next user begins there
        if falls.any():
            unsorted = indices[block]
            if last == first + 1:
                indices[block] = take_in_blocks(unsorted, np.argsort(block_times, kind="stable"))
            else:
                indices[block] = unsorted[_by_both(users[unsorted], block_times)]
        first = last
    return indices


def _by_user(users: np.ndarray, offsets: np.ndarray) -> np.ndarray:
    """Return the indices of events sorted by user, stable: a counting sort, block by block."""
    if (users[1:] >= users[:-1]).all():
        return np.arange(len(users), dtype=np.int32)
    indices = np.empty(len(users), dtype=np.int32)
    free = offsets[:-1].copy()  # where the next event of each user goes
    for begin in range(0, len(users), BLOCK):
        # User and index in one number: sorting these numbers is the fastest stable sort.
        keys = users[begin : begin + BLOCK].astype(np.int64)
        keys <<= 32
        keys |= np.arange(len(keys))
        keys.sort()
        owners = (keys >> 32) - 1
        starts = np.flatnonzero(np.concatenate(([True], owners[1:] != owners[:-1])))
        counts = np.diff(starts, append=len(keys))
        indices[np.repeat(free[owners[starts]] - starts, counts) + np.arange(len(keys))] = (
            keys.astype(np.int32) + begin  # the lower 32 bits are the index
        )
        free[owners[starts]] += counts
    return indices


def _by_both(users: np.ndarray, times: np.ndarray) -> np.ndarray:
    """Return the indices that sort a block of events by user and time, stable; integers [n]."""
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
