"""What a filter removes: events, and the users and items that have no event left."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from sasrec.remarks import Remark

REMOVED = "removed_by_"
"""Beginning of the kinds of these remarks; the setting follows."""


@dataclass(frozen=True, slots=True)
class Sizes:
    """How large a set of events is.

    Attributes:
        events: Number of events.
        users: Number of users with an event.
        items: Number of items with an event.
    """

    events: int
    users: int
    items: int

    def without(self, rest: Sizes) -> Sizes:
        """Return how many of each are lost.

        Args:
            rest: What remains.
        """
        return Sizes(self.events - rest.events, self.users - rest.users, self.items - rest.items)


def sizes(frame: pl.DataFrame) -> Sizes:
    """Return the size of a set of events.

    Args:
        frame: Columns ``user`` and ``item``, Int32, none negative.
    """
    return Sizes(frame.height, _distinct(frame["user"]), _distinct(frame["item"]))


def _distinct(numbers: pl.Series) -> int:
    values = numbers.to_numpy()
    if not len(values):
        return 0
    occurs = np.zeros(int(values.max()) + 1, dtype=bool)
    occurs[values] = True
    return int(occurs.sum())


def removed(
    setting: str, text: str, before: pl.DataFrame, after: pl.DataFrame, more: str = ""
) -> tuple[Remark, ...]:
    """Return a remark that says what a setting has removed, or nothing if it has removed nothing.

    Args:
        setting: Name of the setting.
        text: The setting with its value, as the user may write it.
        before: The events before.
        after: Those that remain.
        more: What to add to the sentence.

    Returns:
        At most one remark, whose count is the number of removed events.
    """
    if before.height == after.height:
        return ()
    whole, rest = sizes(before), sizes(after)
    lost = whole.without(rest)
    gone = [
        f"{many:,} of {of:,} {what}"
        for many, of, what in (
            (lost.users, whole.users, "users"),
            (lost.items, whole.items, "items"),
        )
        if many
    ]
    events = f"{lost.events:,} of {whole.events:,} events ({share(lost.events, whole.events)})"
    of_all = f", among them all events of {' and '.join(gone)}" if gone else ""
    return (Remark(REMOVED + setting, lost.events, f"{text} removed {events}{of_all}{more}"),)


def share(part: int, whole: int) -> str:
    """Return a share in percent, such as ``24.9%``; a share above 0 is never shown as 0.

    Args:
        part: The part.
        whole: The whole, above 0.
    """
    if 0 < part < 0.0005 * whole:
        return "under 0.1%"
    if 0.9995 * whole <= part < whole:
        return "over 99.9%"
    return f"{part / whole:.1%}"
