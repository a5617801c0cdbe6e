"""Overlaps: events that are in two parts of a data set that is split already.

A test event that is in the training part too is in its own history, so metrics computed from it
are meaningless.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl

from sasrec.data.checks.repetition import BLOCK, blocks
from sasrec.data.sequences import Sequences
from sasrec.data.values.numbering import take_in_blocks
from sasrec.remarks import Remark

MIN_SHARED = 0.9
"""Without times, shared events are reported from this share of a part on; fewer of them are likely
to be users who buy an item again."""
MIN_OUT_OF_ORDER = 0.01
"""Events out of order are reported from this share of the users on."""


def overlaps_of_events(
    sequences: Sequences, sizes: np.ndarray, names: Sequence[str]
) -> tuple[Remark, ...]:
    """Return a remark for each pair of parts that share events.

    Args:
        sequences: All histories; a user's history continues from one part to the next.
        sizes: Integers [U, 3], events of each user in the parts for training, validation and test.
        names: Names of the two or three parts.

    Returns:
        The remarks. Without times, events are equal if user and item are, and a part must share
        ``MIN_SHARED`` of its events to be reported.
    """
    shared = np.zeros((3, 3), dtype=np.int64)
    users_before = 0
    for begin, owners, pair, order in blocks(sequences):
        users = int(owners[-1]) + 1
        own = sizes[users_before : users_before + users]
        kinds = np.repeat(np.tile(np.arange(3, dtype=np.int8), users), own.ravel())
        users_before += users
        times = None
        if sequences.times is not None:
            times = take_in_blocks(sequences.times[begin : begin + len(order)], order)
        _add_shared(shared, pair, times, take_in_blocks(kinds, order))
    min_share = 1 / max(1, sequences.n_events) if sequences.times is not None else MIN_SHARED
    return _remarks(shared, sizes.sum(axis=0, dtype=np.int64), names, min_share)


def out_of_order(
    sequences: Sequences, sizes: np.ndarray, names: Sequence[str]
) -> tuple[Remark, ...]:
    """Return a remark if users have events in a later part that precede those in an earlier part.

    Args:
        sequences: All histories; a user's history continues from one part to the next, and is
            sorted by time within each part.
        sizes: Integers [U, 3], events of each user in the parts for training, validation and test.
        names: Names of the two or three parts.

    Returns:
        The remark, or nothing if there are few such users or no times.
    """
    times = sequences.times
    if times is None or len(times) < 2:
        return ()
    falls = times[1:] < times[:-1]
    falls[sequences.offsets[1:-1] - 1] = False  # another user's events begin there
    users = np.searchsorted(sequences.offsets, np.flatnonzero(falls), side="right") - 1
    count, several = len(np.unique(users)), int(((sizes > 0).sum(axis=1) > 1).sum())
    if not count or count < MIN_OUT_OF_ORDER * several:
        return ()
    return (
        Remark(
            "parts_out_of_order",
            count,
            f"{count:,} of {several:,} users in several parts have events in a later part that are "
            "earlier than their events in an earlier part, so the model would predict the past "
            "from the future; split_files must name the parts in the order training, validation, "
            f"test, but is {list(names)!r}",
        ),
    )


def _add_shared(
    shared: np.ndarray, pair: np.ndarray, times: np.ndarray | None, kinds: np.ndarray
) -> None:
    """Add the number of events of one part that are also in an earlier part.

    Args:
        shared: int64 [3, 3], earlier part by later part; is added to.
        pair: Key of the user and item of each event, ascending.
        times: Time of each event; None to compare users and items only.
        kinds: Part of each event, from 0, ascending for each user and item; within a part, times
            ascend too.
    """
    begins = np.ones(len(pair), dtype=bool)
    begins[1:] = (pair[1:] != pair[:-1]) | (kinds[1:] != kinds[:-1])
    if times is not None:
        begins[1:] |= times[1:] != times[:-1]
    starts = np.flatnonzero(begins)  # below, equal events of a part are one entry with a weight
    weights = np.diff(starts, append=len(pair))
    pair, kinds = pair[starts], kinds[starts]
    is_again = pair[1:] == pair[:-1]
    is_shared = np.append(is_again, False) | np.append(False, is_again)
    pair, kinds, weights = pair[is_shared], kinds[is_shared], weights[is_shared]
    if not len(pair):
        return
    differs = pair[1:] != pair[:-1]
    if times is not None:
        times = times[starts][is_shared]
        by_time = np.lexsort((kinds, times, pair))
        pair, times = pair[by_time], times[by_time]
        kinds, weights = kinds[by_time], weights[by_time]
        differs = (pair[1:] != pair[:-1]) | (times[1:] != times[:-1])
    groups = np.append(0, np.flatnonzero(differs) + 1)
    first = np.repeat(kinds[groups], np.diff(groups, append=len(kinds)))
    np.add.at(shared, (first, kinds), weights)


def overlaps_of_histories(
    sequences: Sequences, owners: Sequence[tuple[pl.Series, pl.Series]], names: Sequence[str]
) -> tuple[Remark, ...]:
    """Return a remark for each pair of parts that share rows: the same user, history and target.

    Args:
        sequences: Histories of all parts, one part after the other; each history is one row.
        owners: For each part, the user number of each row, and the tokens of these users.
        names: Names of the parts.

    Returns:
        The remarks.
    """
    hashes = _row_hashes(sequences)
    sizes = np.array([len(numbers) for numbers, _ in owners])
    parts = np.split(hashes, np.cumsum(sizes)[:-1])
    for part, (numbers, tokens) in zip(parts, owners, strict=True):
        part ^= tokens.hash(7).to_numpy()[numbers.to_numpy() - 1]
        part.sort()
    part_kinds = (0, 2) if len(parts) == 2 else (0, 1, 2)
    shared, heights = np.zeros((3, 3), dtype=np.int64), np.zeros(3, dtype=np.int64)
    heights[list(part_kinds)] = sizes
    for later in range(1, len(parts)):
        for earlier in range(later):
            if len(parts[earlier]):
                index = parts[earlier].searchsorted(parts[later])
                found = parts[earlier][np.minimum(index, len(parts[earlier]) - 1)] == parts[later]
                shared[part_kinds[earlier], part_kinds[later]] = int(found.sum())
    return _remarks(shared, heights, names, 1 / max(1, len(hashes)))


def _row_hashes(sequences: Sequences) -> np.ndarray:
    """Return a hash of the items of each history, which depends on their order, uint64 [U]."""
    hashes = np.empty(sequences.n_users, dtype=np.uint64)
    first = 0
    while first < sequences.n_users:
        begin = int(sequences.offsets[first])
        ends = sequences.offsets.searchsorted(begin + BLOCK, side="right")
        last = max(first + 1, int(ends) - 1)
        starts = sequences.offsets[first:last] - begin
        items = sequences.items[begin : int(sequences.offsets[last])].astype(np.uint64)
        lengths = np.diff(sequences.offsets[first : last + 1])
        within = (np.arange(len(items)) - np.repeat(starts, lengths)).astype(np.uint64)
        mixed = (items + within * np.uint64(0x9E3779B97F4A7C15)) * np.uint64(0xBF58476D1CE4E5B9)
        mixed ^= mixed >> np.uint64(29)
        mixed *= np.uint64(0x94D049BB133111EB)
        hashes[first:last] = np.add.reduceat(mixed, starts)  # no history is empty
        first = last
    return hashes


def _remarks(
    shared: np.ndarray, heights: np.ndarray, names: Sequence[str], min_share: float
) -> tuple[Remark, ...]:
    named = dict(zip((0, 2) if len(names) == 2 else (0, 1, 2), names, strict=True))
    return tuple(
        Remark(
            "parts_overlap",
            int(shared[earlier, later]),
            f"{shared[earlier, later]:,} of {heights[later]:,} events in part {named[later]!r} "
            f"are also in part {named[earlier]!r}, so they are in their own history and the "
            "metrics are inflated; remove them from one of the two parts",
        )
        for later in named
        for earlier in named
        if earlier < later and shared[earlier, later] >= max(1, min_share * heights[later])
    )
