"""Targets that the event before gives away, as a purchase directly after the item's own cart."""

from __future__ import annotations

import numpy as np

from sasrec.data.splits import Split
from sasrec.errors import counted
from sasrec.remarks import Remark

MIN_SHARE = 0.5
"""Such targets are reported from this share of the targets on."""
MIN_TARGETS = 5
"""They are reported only if there are at least this many."""


def given_away(split: Split, event_types: tuple[str, ...]) -> tuple[Remark, ...]:
    """Return a remark if most targets are the item of the user's previous event, or nothing.

    Metrics then mostly measure whether a model repeats the last item.

    Args:
        split: Test targets, or without any, validation targets; its histories have types.
        event_types: Names of the types of events, number 1 first.
    """
    sequences = split.sequences
    part, cases = ("test", split.test) if len(split.test) else ("validation", split.validation)
    targets = cases.stops[cases.stops > sequences.offsets[cases.users - 1]]
    repeated = targets[sequences.items[targets] == sequences.items[targets - 1]]
    if len(repeated) < max(MIN_TARGETS, MIN_SHARE * len(cases)):
        return ()
    name = ""
    if sequences.types is not None and sequences.types[repeated - 1].any():
        before = np.bincount(sequences.types[repeated - 1], minlength=len(event_types) + 1)
        name = event_types[int(before[1:].argmax())]
    told = f", mostly of type {name!r}" if name else ""
    text = (
        f"{len(repeated):,} of {counted(len(cases), f'{part} target')} are the item of the event "
        f"directly before{told}, so the metrics mostly measure whether a model repeats the last "
        "item; to measure more, leave the events before out with where"
    )
    return (Remark("given_away", len(repeated), text),)
