"""Sequences: every user's history, oldest event first, as flat arrays and offsets.

Five events of two users, ``a: 3 1 2`` and ``b: 2 3``, are stored as
``items = [3 1 2 2 3]`` and ``offsets = [0 3 5]``; user number 1 (``a``) owns
``items[offsets[0]:offsets[1]]``. All users, a batch, and the hidden states have this one form.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np

from sasrec.data.ordering import by_user_then_time
from sasrec.data.values.numbering import occurrences, taken


@dataclass(frozen=True, slots=True)
class Sequences:
    """All histories in numbers.

    Attributes:
        items: int32 [N], item numbers from 1.
        times: float64 [N], or None where the source has only an order.
        offsets: int64 [U + 1]; user number u owns events ``offsets[u - 1]`` to ``offsets[u]``.
        known_as: int64 [U], the number by which a model knows each user, 0 for those it does not
            know; None where it knows them by these numbers.
        rounded: float32 [N], the times by which events are compared where these are not ``times``.
    """

    items: np.ndarray
    times: np.ndarray | None
    offsets: np.ndarray
    known_as: np.ndarray | None = None
    rounded: np.ndarray | None = None

    @property
    def compared(self) -> np.ndarray | None:
        """Times by which events are before or after each other, float [N]; None without times."""
        return self.times if self.rounded is None else self.rounded

    @property
    def n_users(self) -> int:
        """Number of users, padding not counted."""
        return len(self.offsets) - 1

    @property
    def n_events(self) -> int:
        """Number of events of all users."""
        return len(self.items)

    def lengths(self) -> np.ndarray:
        """Return the number of events of each user, int64 [U]."""
        return np.diff(self.offsets)

    def fingerprint(self) -> str:
        """Return 16 hex digits that change when any event, order or owner changes."""
        digest = hashlib.sha256(self.offsets.tobytes())
        digest.update(self.items.tobytes())
        if self.times is not None:
            digest.update(self.times.tobytes())
        return digest.hexdigest()[:16]


def line_up(columns: dict[str, np.ndarray], compared: np.ndarray | None = None) -> Sequences:
    """Return the history of each user.

    Args:
        columns: ``user`` and ``item`` of each event, int32 [N], users numbered from 1, each of
            whom occurs, and maybe ``time``, float64 [N]; N from 1 to 2^31 - 1. They are taken
            out, so that what nobody else holds is let go of on the way.
        compared: float [N], what to order each user's events by; None for the order they stand in.
    """
    users = columns.pop("user")
    offsets = occurrences(users, int(users.max()))
    np.cumsum(offsets, out=offsets)
    order = by_user_then_time(users, offsets, compared)
    del users
    items = taken(columns.pop("item"), order)
    rounded = None
    if compared is not None and compared.dtype == np.float32:
        rounded = taken(compared, order)
    times = taken(columns.pop("time"), order) if "time" in columns else None
    return Sequences(items, times, offsets, rounded=rounded)
