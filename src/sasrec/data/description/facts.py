"""Sizes and statistics of a data set."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import numpy as np

from sasrec.data.checks.repetition import repetition
from sasrec.data.corpus import Corpus, by_item_and_type
from sasrec.data.date_splits import unit_seconds


def describe_facts(corpus: Corpus) -> dict[str, Any]:
    """Return sizes and statistics of a data set.

    Args:
        corpus: The data set.

    Returns:
        Name to number or text. Times are dates if they look like seconds, milliseconds,
        microseconds or nanoseconds since 1970, and otherwise numbers in the unit of the source.
        Without times, what needs them is None.
    """
    lengths = corpus.sequences.lengths()
    users, items, events = len(corpus.users), len(corpus.items), corpus.sequences.n_events
    counts = item_counts(corpus)
    times = corpus.sequences.times
    top = np.sort(counts)[::-1][: max(1, items // 10)].sum()
    return {
        "name": corpus.name,
        "users": users,
        "items": items,
        "interactions": events,
        "density": round(events / (users * items), 6),
        "shortest_history": int(lengths.min()),
        "median_history": float(np.median(lengths)),
        "mean_history": round(float(lengths.mean()), 2),
        "longest_history": int(lengths.max()),
        **repetition(by_item_and_type(corpus.sequences)).as_json(),
        "share_of_top_tenth": round(float(top / events), 4),
        "first_event": None if times is None else _date_or_number(times.min(), times.max()),
        "last_event": None if times is None else _date_or_number(times.max(), times.max()),
        "titles": len(corpus.item_titles()),
        "fingerprint": corpus.sequences.fingerprint(),
        "remarks": [remark.as_json() for remark in corpus.remarks],
    }


def item_counts(corpus: Corpus) -> np.ndarray:
    """Return the number of events of each item.

    Args:
        corpus: The data set.

    Returns:
        int64 [n_items].
    """
    return np.bincount(corpus.sequences.items, minlength=len(corpus.items) + 1)[1:]


def _date_or_number(time: float, latest: float) -> str | float:
    """Return a time as a date if it is probably one, otherwise as it is.

    Args:
        time: In the unit of the source.
        latest: The latest time of the source, which tells the unit.
    """
    seconds = float(time) * (unit_seconds(float(latest)) or 1.0)
    is_unix_time = 3e8 < seconds < 5e9  # 1979 to 2128 as seconds since 1970
    return datetime.fromtimestamp(seconds, UTC).isoformat(" ")[:16] if is_unix_time else float(time)
