"""Sizes and statistics of a data set."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import numpy as np

from sasrec.data.checks.repetition import repetition
from sasrec.data.corpus import Corpus


def describe_facts(corpus: Corpus) -> dict[str, Any]:
    """Return sizes and statistics of a data set.

    Args:
        corpus: The data set.

    Returns:
        Name to number or text. Timestamps are dates if they look like seconds since 1970, and
        otherwise numbers in the unit of the source.
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
        **repetition(corpus.sequences).as_json(),
        "share_of_top_tenth": round(float(top / events), 4),
        "first_event": None if times is None else _date_or_number(float(times.min())),
        "last_event": None if times is None else _date_or_number(float(times.max())),
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


def _date_or_number(value: float) -> str | float:
    is_unix_time = 3e8 < value < 5e9  # 1979 to 2128 as seconds since 1970
    return datetime.fromtimestamp(value, UTC).isoformat(" ")[:16] if is_unix_time else value
