"""Repetition: duplicate events, repeated items, and events at the same time.

Repeated rows make the next item easy to predict. Events with the same time keep the order of the
file, which may give away the item to predict. Both are only counted here, never changed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import polars as pl

from sasrec.data.sequences import Sequences
from sasrec.remarks import Remark

BLOCK = 2**15
"""Events processed at once: few enough to stay in the CPU cache, and few blocks in all."""
MIN_EXACT = 0.001
"""Exact duplicates are reported from this share of the events on."""
MIN_SHARE = 0.1
"""Consecutive repeats, and simultaneous events sorted by item, are reported from this share of the
events on; doubled histories from this share of the users on."""
MIN_CONSECUTIVE = 5
"""Consecutive repeats are reported only if there are at least this many."""
MIN_SIMULTANEOUS = 0.9
"""Simultaneous events are reported from this share of the events on."""
MIN_SORTED = 0.8
"""Simultaneous events count as sorted by item if at least this share of neighbours is in order; by
chance it is half."""
SAMPLE = 50_000
"""Number of pairs of simultaneous neighbours whose items are compared."""
BLOCK_SAMPLE = 1_000
"""At most about this many of these pairs are taken from one block."""
MIN_PAIRS = 100
"""With fewer pairs, the share of sorted neighbours is too noisy to report."""


@dataclass(frozen=True, slots=True)
class Repetition:
    """How often events repeat others.

    Attributes:
        exact: Events with the same user, item and time as an earlier one; None without times.
        repeats: Other events with the same user and item as an earlier one.
        consecutive: Those of ``repeats`` whose item is also that of the user's previous event.
        simultaneous: Events with the same user and time as a neighbour with another item; None
            without times.
        doubled: Histories of four events or more whose second half repeats the first.
        tied: int64 [n], index in the sequences of events that have the same user and time as the
            next event but another item; a sample where there are many.
    """

    exact: int | None
    repeats: int
    consecutive: int
    simultaneous: int | None
    doubled: int
    tied: np.ndarray

    def as_json(self) -> dict[str, int | None]:
        """Return the counts by name."""
        return {
            "exact_duplicates": self.exact,
            "repeated_items": self.repeats,
            "consecutive_repeats": self.consecutive,
            "simultaneous_events": self.simultaneous,
        }


def repetition(sequences: Sequences) -> Repetition:
    """Count repetitions in histories, block by block to save memory.

    Args:
        sequences: All histories, each in the order of its times.

    Returns:
        The counts.
    """
    items, times = sequences.items, sequences.times
    exact = pairs = consecutive = simultaneous = 0
    tied = []
    for begin, owners, pair, order in blocks(sequences):
        block = slice(begin, begin + len(owners))
        is_again = pair[1:] == pair[:-1]
        pairs += int(is_again.sum())
        is_own = owners[1:] == owners[:-1]
        is_same = is_own & (items[block][1:] == items[block][:-1])
        if times is None:
            consecutive += int(is_same.sum())
            continue
        block_times = times[block]
        by_pair = block_times[order]
        exact += int((is_again & (by_pair[1:] == by_pair[:-1])).sum())
        is_tied = block_times[1:] == block_times[:-1]
        consecutive += int((is_same & ~is_tied).sum())
        is_tied &= is_own & ~is_same
        touched = np.zeros(len(owners), dtype=bool)
        touched[1:] |= is_tied
        touched[:-1] |= is_tied
        simultaneous += int(touched.sum())
        indices = np.flatnonzero(is_tied) + begin
        tied.append(indices[:: max(1, len(indices) // BLOCK_SAMPLE)])
    none = np.zeros(0, dtype=np.int64)
    return Repetition(
        exact=None if times is None else exact,
        repeats=pairs - exact,
        consecutive=consecutive,
        simultaneous=None if times is None else simultaneous,
        doubled=_doubled(sequences),
        tied=np.concatenate([none, *tied]),
    )


def blocks(sequences: Sequences) -> Iterator[tuple[int, np.ndarray, np.ndarray, np.ndarray]]:
    """Yield blocks of events, each with all events of some users, sorted by user and item.

    Args:
        sequences: All histories.

    Yields:
        Index of the block's first event; the user of each event, from 0 in each block; a key for
        the user and item of each event, ascending; and the event's index in the block for each
        key, where equal keys keep their order. [n] each.
    """
    offsets = sequences.offsets
    first = 0
    while first < sequences.n_users:
        begin = int(offsets[first])
        last = max(first + 1, int(offsets.searchsorted(begin + BLOCK, side="right")) - 1)
        lengths = np.diff(offsets[first : last + 1])
        owners = np.repeat(np.arange(last - first, dtype=np.int32), lengths)
        # User, item and index in one number: sorting these numbers is the fastest stable sort.
        bits = max(1, len(owners)).bit_length()
        keys = owners.astype(np.int64)
        keys <<= 31
        keys |= sequences.items[begin : begin + len(owners)]
        keys <<= bits
        keys |= np.arange(len(owners), dtype=np.int32)
        keys.sort()
        order = np.empty(len(keys), dtype=np.int32)
        np.bitwise_and(keys, (1 << bits) - 1, out=order, casting="same_kind")
        keys >>= bits
        if len(keys):
            yield begin, owners, keys, order
        first = last


def _doubled(sequences: Sequences) -> int:
    """Return how many histories of four events or more have two equal halves."""
    lengths = sequences.lengths()
    users = np.flatnonzero((lengths >= 4) & (lengths % 2 == 0))
    halves, starts = lengths[users] // 2, sequences.offsets[users]
    differs = np.zeros(len(users), dtype=bool)
    first = 0
    while first < len(users):
        ends = np.cumsum(halves[first : first + BLOCK])
        last = first + max(1, int(ends.searchsorted(BLOCK, side="right")))
        if last == first + 1:  # a single history may be longer than a block
            begin, middle = int(starts[first]), int(starts[first] + halves[first])
            end = middle + int(halves[first])
            differs[first] = (sequences.items[begin:middle] != sequences.items[middle:end]).any()
            first = last
            continue
        half = halves[first:last]
        owner = np.repeat(np.arange(last - first), half)
        within = np.arange(len(owner)) - np.repeat(np.cumsum(half) - half, half)
        index = starts[first:last][owner] + within
        is_different = sequences.items[index] != sequences.items[index + half[owner]]
        differs[first + owner[is_different]] = True
        first = last
    return int((~differs).sum())


def repetition_remarks(
    found: Repetition, sequences: Sequences, entries: pl.Series, *, by_item: bool
) -> tuple[Remark, ...]:
    """Return remarks on repetition that is frequent enough to change the metrics.

    Args:
        found: The counts.
        sequences: The histories that were counted.
        entries: Token of each item number, String.
        by_item: Whether the source is grouped by item: all events of an item are adjacent.

    Returns:
        At most one remark of each kind.
    """
    events = sequences.n_events
    remarks = []
    if found.exact and found.exact >= MIN_EXACT * events:
        remarks.append(
            Remark(
                "exact_duplicates",
                found.exact,
                f"{found.exact:,} of {events:,} events have the same user, item and time as "
                "another; repeated events are easy to predict and inflate the metrics; "
                "duplicates=exact keeps one of each",
            )
        )
    if found.consecutive >= max(MIN_SHARE * events, MIN_CONSECUTIVE):
        remarks.append(
            Remark(
                "consecutive_repeats",
                found.consecutive,
                f"{found.consecutive:,} of {events:,} events have the same item as the user's "
                "previous event, which is easy to predict; duplicates=consecutive keeps the first "
                "event of each run",
            )
        )
    if found.doubled >= max(MIN_SHARE * sequences.n_users, 2):
        remarks.append(_doubled_remark(found))
    if found.simultaneous:
        remarks += _simultaneous_remarks(found, sequences, entries, by_item=by_item)
    return tuple(remarks)


def _doubled_remark(found: Repetition) -> Remark:
    return Remark(
        "doubled_histories",
        found.doubled,
        f"in {found.doubled:,} histories the second half repeats the first, item by item, as if "
        "the file contained all rows twice; delete the duplicate rows",
    )


def _simultaneous_remarks(
    found: Repetition, sequences: Sequences, entries: pl.Series, *, by_item: bool
) -> list[Remark]:
    events, count = sequences.n_events, found.simultaneous or 0
    if sequences.times is not None and (sequences.times == sequences.times[0]).all():
        what = f"all {events:,} events have the same time"
    else:
        what = (
            f"{count:,} of {events:,} events have the same time as another event of the same user"
        )
    share = 1.0 if by_item else _sorted_share(found.tied, sequences, entries)
    if share >= MIN_SORTED and count >= MIN_SHARE * events and len(found.tied) >= MIN_PAIRS:
        return [
            Remark(
                "ties_sorted_by_item",
                count,
                f"{what}, and in the file such events are sorted by item ({share:.0%} of "
                "neighbours), which makes the next item easy to predict; use a more precise time "
                "column, or shuffle the rows",
            )
        ]
    if count < MIN_SIMULTANEOUS * events:
        return []
    return [
        Remark(
            "simultaneous_events",
            count,
            f"{what}, so they keep the order of the file; use a more precise time column if you "
            "have one",
        )
    ]


def _sorted_share(tied: np.ndarray, sequences: Sequences, entries: pl.Series) -> float:
    """Return the share of simultaneous neighbours whose items ascend, or descend if more do.

    Items are compared as text, and also as numbers if all of them are numbers.

    Args:
        tied: Index of each event that is simultaneous with the next one.
        sequences: All histories.
        entries: Token of each item number.
    """
    sample = tied[:: max(1, len(tied) // SAMPLE)]
    if not len(sample):
        return 0.0
    item, following = (entries.gather(sequences.items[sample + step] - 1) for step in (0, 1))
    shares = [(item < following).mean()]
    numbers = [tokens.cast(pl.Float64, strict=False) for tokens in (item, following)]
    if not any(each.null_count() for each in numbers):
        shares.append((numbers[0] < numbers[1]).mean())
    return max(max(float(share), 1 - float(share)) for share in shares)  # type: ignore[arg-type]
