"""What each kind of cleaning would remove from a data set."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from sasrec.data.checks.repetition import repetition
from sasrec.data.corpus import Corpus, by_item_and_type
from sasrec.data.count_filters import within_counts, without_active_users
from sasrec.data.date_splits import unit_seconds
from sasrec.data.removals import Sizes, share, sizes
from sasrec.data.sequences import Sequences
from sasrec.data.values.intervals import parse_intervals

FEWEST = 5
"""Users and items with fewer events are often left out of published experiments."""
YEAR = 365 * 86_400
BOT_FACTOR, MOST_USERS = 10, 95
"""A user with more than 10 times as many events as 95% of the users may be a bot."""


@dataclass(frozen=True, slots=True)
class Cleaning:
    """What a setting would remove.

    Attributes:
        what: What is removed, in words.
        setting: The setting, as ``key=value``.
        of: Number of events, users and items before; of incomplete rows, ``events`` counts rows.
        events: Events or rows that it would remove.
        users: Users without an event then; None if it is not known.
        items: Items likewise.
    """

    what: str
    setting: str
    of: Sizes
    events: int
    users: int | None = 0
    items: int | None = 0

    def as_json(self) -> dict[str, Any]:
        """Return the numbers as a JSON object."""
        return {
            "what": self.what,
            "setting": self.setting,
            "events": self.events,
            "of_events": self.of.events,
            "users": self.users,
            "items": self.items,
        }

    def in_words(self) -> tuple[str, str, str]:
        """Return removed events, users and items, such as ``135,080 (24.9%)``."""
        return (
            _with_share(self.events, self.of.events),
            _with_share(self.users, self.of.users),
            _with_share(self.items, self.of.items),
        )


def possible_cleanings(corpus: Corpus) -> tuple[Cleaning, ...]:
    """Return what each kind of cleaning would remove from a data set, one at a time.

    Args:
        corpus: The data set, after the filters that the user has set.

    Returns:
        One entry for each kind.
    """
    frame = pl.DataFrame({"user": _owners(corpus.sequences), "item": corpus.sequences.items})
    whole = sizes(frame)
    # As for the setting duplicates, an event of another type is no repetition.
    repeated = _repetitions(by_item_and_type(corpus.sequences), whole)
    found = [*_incomplete(corpus, whole), *repeated]
    most = _bot_limit(corpus.sequences.lengths())
    least = parse_intervals(f"[{FEWEST},inf)", "")
    for what, setting, rest in (
        (
            f"users with over {most:,} events",
            f"max_user_events={most}",
            without_active_users(frame, most),
        ),
        (
            f"users with under {FEWEST} events",
            f"user_interactions=[{FEWEST},inf)",
            within_counts(frame, users=least, items=()),
        ),
        (
            f"items with under {FEWEST} events",
            f"item_interactions=[{FEWEST},inf)",
            within_counts(frame, users=(), items=least),
        ),
    ):
        found.append(_between(whole, sizes(rest), what, setting))
    return (*found, *_old(corpus, frame, whole))


def _incomplete(corpus: Corpus, whole: Sizes) -> list[Cleaning]:
    """Return the incomplete rows, which were dropped already."""
    count = sum(each.count for each in corpus.remarks if each.kind == "incomplete_rows")
    rows = Sizes(count + whole.events, whole.users, whole.items)
    return [Cleaning("incomplete rows", "incomplete=drop", rows, count, None, None)]


def _repetitions(sequences: Sequences, whole: Sizes) -> list[Cleaning]:
    """Return repeated events; of each, one with the same user and item remains."""
    found = repetition(sequences)
    follows = _owners(sequences)
    is_same = (follows[1:] == follows[:-1]) & (sequences.items[1:] == sequences.items[:-1])
    counts = {
        ("consecutive repeats of an item", "duplicates=consecutive"): int(is_same.sum()),
        ("all but the first with an item", "duplicates=first"): found.repeats + (found.exact or 0),
    }
    if found.exact is not None:
        counts = {("exact duplicates", "duplicates=exact"): found.exact, **counts}
    return [Cleaning(what, setting, whole, count) for (what, setting), count in counts.items()]


def _old(corpus: Corpus, frame: pl.DataFrame, whole: Sizes) -> list[Cleaning]:
    """Return the events more than a year before the last one, if there are dates so far apart."""
    times = corpus.sequences.times
    if times is None:
        return []
    latest = float(times.max())
    unit = unit_seconds(latest)
    if unit is None or (latest - times.min()) * unit <= YEAR:
        return []
    rest = frame.filter(pl.Series(times > latest - YEAR / unit))
    return [_between(whole, sizes(rest), "events older than a year", "since=365d")]


def _between(whole: Sizes, rest: Sizes, what: str, setting: str) -> Cleaning:
    """Return a cleaning that leaves some of the events."""
    lost = whole.without(rest)
    return Cleaning(what, setting, whole, lost.events, lost.users, lost.items)


def _bot_limit(lengths: np.ndarray) -> int:
    """Return a number of events that a person hardly has: 1, 2 or 5 times a power of ten."""
    least = BOT_FACTOR * max(1.0, float(np.percentile(lengths, MOST_USERS)))
    power = 10 ** int(np.floor(np.log10(least)))
    return int(next(step * power for step in (1, 2, 5, 10) if step * power >= least))


def _owners(sequences: Sequences) -> np.ndarray:
    """Return the user number of each event, int32 [N]."""
    return np.repeat(np.arange(1, sequences.n_users + 1, dtype=np.int32), sequences.lengths())


def _with_share(part: int | None, whole: int) -> str:
    if part is None:
        return "-"
    return f"{part:,} ({share(part, whole)})" if part else "0"
