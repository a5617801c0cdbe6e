"""Repetition: events that stand there twice, items met again, and events at the same time.

Repeated rows make the next item easy to guess, and where events share a time their order is that
of the file, which may tell what should be guessed. Both are counted, never changed, here.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import polars as pl

from sasrec.data.checks.remarks import Remark
from sasrec.data.sequences import Sequences

BLOCK = 2**15
"""Events looked at at once: few enough to stay in a cache, many enough to be few blocks."""
FEW = 0.001
"""Share of events that stand there twice from which on it is told."""
SOME = 0.1
"""Share of events with the item of the event before, or at the time of another where these are
sorted, from which on it is told."""
LEAST = 5
"""Events of which any kind must have so many to be told."""
MANY = 0.9
"""Share of events that share user and time with another from which on it is told."""
SORTED = 0.8
"""Share of simultaneous neighbours in the order of their names from which on it is told; by chance
it is half of them."""
SAMPLE = 50_000
"""Simultaneous neighbours whose names are compared."""
BLOCK_SAMPLE = 1_000
"""Of these at most about so many come from one block."""
FEWEST = 100
"""With fewer of them the share says little."""


@dataclass(frozen=True, slots=True)
class Repetition:
    """How often events repeat others.

    Attributes:
        exact: Events whose user, item and time another event before them has; None without times.
        repeats: Further events whose user and item another event before them has.
        consecutive: Those of the further ones that follow an event of the same item directly.
        simultaneous: Events that share user and time with a neighbour of another item; None
            without times.
        doubled: Histories of four events or more whose second half repeats the first.
        tied: int64 [n], places in the sequences of events that are simultaneous with the next one
            of the user and of another item; some of them, where there are many.
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
    """Count what repeats in histories, in little memory beside them.

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
        moments = times[block]
        by_pair = moments[order]
        exact += int((is_again & (by_pair[1:] == by_pair[:-1])).sum())
        is_tied = moments[1:] == moments[:-1]
        consecutive += int((is_same & ~is_tied).sum())
        is_tied &= is_own & ~is_same
        touched = np.zeros(len(owners), dtype=bool)
        touched[1:] |= is_tied
        touched[:-1] |= is_tied
        simultaneous += int(touched.sum())
        places = np.flatnonzero(is_tied) + begin
        tied.append(places[:: max(1, len(places) // BLOCK_SAMPLE)])
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
    """Yield events of whole users, some at a time, sorted by user and item.

    Args:
        sequences: All histories.

    Yields:
        Where the events begin; the user of each, from 0 in each block; a number for the user and
        item of each in ascending order; and the places of these in the block, in which equal ones
        keep their order. [n] each.
    """
    offsets = sequences.offsets
    first = 0
    while first < sequences.n_users:
        begin = int(offsets[first])
        last = max(first + 1, int(offsets.searchsorted(begin + BLOCK, side="right")) - 1)
        lengths = np.diff(offsets[first : last + 1])
        owners = np.repeat(np.arange(last - first, dtype=np.int32), lengths)
        # User, item and place in one number: sorting these is the fastest stable sort there is.
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
    """Return how many histories of four events or more hold the same events twice."""
    lengths = sequences.lengths()
    users = np.flatnonzero((lengths >= 4) & (lengths % 2 == 0))
    halves, starts = lengths[users] // 2, sequences.offsets[users]
    differs = np.zeros(len(users), dtype=bool)
    first = 0
    while first < len(users):
        ends = np.cumsum(halves[first : first + BLOCK])
        last = first + max(1, int(ends.searchsorted(BLOCK, side="right")))
        if last == first + 1:  # which may be longer than a block
            begin, middle = int(starts[first]), int(starts[first] + halves[first])
            end = middle + int(halves[first])
            differs[first] = (sequences.items[begin:middle] != sequences.items[middle:end]).any()
            first = last
            continue
        half = halves[first:last]
        owner = np.repeat(np.arange(last - first), half)
        within = np.arange(len(owner)) - np.repeat(np.cumsum(half) - half, half)
        place = starts[first:last][owner] + within
        odd = sequences.items[place] != sequences.items[place + half[owner]]
        differs[first + owner[odd]] = True
        first = last
    return int((~differs).sum())


def repetition_remarks(
    found: Repetition, sequences: Sequences, entries: pl.Series, *, by_item: bool
) -> tuple[Remark, ...]:
    """Return what of the repetition decides figures, if anything does.

    Args:
        found: The counts.
        sequences: Of these histories.
        entries: Token of each item number, String.
        by_item: Whether the source has all events of an item one after the other.

    Returns:
        A remark a kind.
    """
    events = sequences.n_events
    remarks = []
    if found.exact and found.exact >= FEW * events:
        remarks.append(
            Remark(
                "exact_duplicates",
                found.exact,
                f"{found.exact:,} of {events:,} events repeat user, item and time of another, and "
                "repeated events are easy to predict and inflate the metrics; duplicates=exact "
                "keeps one of each",
            )
        )
    if found.consecutive >= max(SOME * events, LEAST):
        remarks.append(
            Remark(
                "consecutive_repeats",
                found.consecutive,
                f"{found.consecutive:,} of {events:,} events have the item of the event before "
                "them, which is easy to guess; duplicates=consecutive keeps the first of each run",
            )
        )
    if found.doubled >= max(0.1 * sequences.n_users, 2):
        remarks.append(_doubled_remark(found))
    if found.simultaneous:
        remarks += _of_ties(found, sequences, entries, by_item=by_item)
    return tuple(remarks)


def _doubled_remark(found: Repetition) -> Remark:
    return Remark(
        "doubled_histories",
        found.doubled,
        f"the second half of {found.doubled:,} histories repeats the first, item by item, as if "
        "the data stood there twice; drop the rows that do",
    )


def _of_ties(
    found: Repetition, sequences: Sequences, entries: pl.Series, *, by_item: bool
) -> list[Remark]:
    events, count = sequences.n_events, found.simultaneous or 0
    if sequences.times is not None and (sequences.times == sequences.times[0]).all():
        what = f"all {events:,} events have the same time"
    else:
        what = f"{count:,} of {events:,} events have the same time as another event of that user"
    share = 1.0 if by_item else _in_order(found.tied, sequences, entries)
    if share >= SORTED and count >= SOME * events and len(found.tied) >= FEWEST:
        return [
            Remark(
                "ties_sorted_by_item",
                count,
                f"{what}, and in the file such events are sorted by item ({share:.0%} of "
                "neighbours), which makes the next item easy to guess; use a more precise time "
                "column, or shuffle the rows",
            )
        ]
    if count < MANY * events:
        return []
    return [
        Remark(
            "simultaneous_events",
            count,
            f"{what}, so they keep the order of the file; use a more precise time column if you "
            "have one",
        )
    ]


def _in_order(tied: np.ndarray, sequences: Sequences, entries: pl.Series) -> float:
    """Return which share of simultaneous neighbours has names that rise, or fall if more do.

    Names are compared as texts, and as numbers if they are some.

    Args:
        tied: Places of events whose next one is simultaneous.
        sequences: All histories.
        entries: Token of each item number.
    """
    chosen = tied[:: max(1, len(tied) // SAMPLE)]
    if not len(chosen):
        return 0.0
    one, other = (entries.gather(sequences.items[chosen + step] - 1) for step in (0, 1))
    rises = [(one < other).mean()]
    numbers = [names.cast(pl.Float64, strict=False) for names in (one, other)]
    if not any(each.null_count() for each in numbers):
        rises.append((numbers[0] < numbers[1]).mean())
    return max(max(float(share), 1 - float(share)) for share in rises)  # type: ignore[arg-type]
