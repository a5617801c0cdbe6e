"""Sequences: every user's history, oldest event first, as flat arrays and offsets.

Five events of two users, ``a: 3 1 2`` and ``b: 2 3``, are stored as
``items = [3 1 2 2 3]`` and ``offsets = [0 3 5]``; user number 1 (``a``) owns
``items[offsets[0]:offsets[1]]``. Batches and hidden states have the same layout.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np

from sasrec.data.ordering import by_user_then_time
from sasrec.data.values.numbering import occurrences, take_in_blocks


@dataclass(frozen=True, slots=True)
class Sequences:
    """All histories as numbers.

    Attributes:
        items: int32 [N], item numbers from 1.
        times: float64 [N], or None if the source has no times.
        offsets: int64 [U + 1]; user number u owns events ``offsets[u - 1]`` to ``offsets[u]``.
        model_users: int64 [U], number of each user in the vocabulary of a model, 0 for users it
            does not know; None if the model uses the numbers of these sequences.
        rounded: float32 [N], rounded times to use in comparisons instead of ``times``; None if
            times are not rounded.
        types: uint8 [N], number of the type of each event, 0 for an unknown type; None if types
            are not used.
    """

    items: np.ndarray
    times: np.ndarray | None
    offsets: np.ndarray
    model_users: np.ndarray | None = None
    rounded: np.ndarray | None = None
    types: np.ndarray | None = None

    @property
    def compared(self) -> np.ndarray | None:
        """Times to compare events by, float [N]; None without times."""
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
        """Return 16 hex digits that change with any event, its order, time, type or user."""
        digest = hashlib.sha256(self.offsets.tobytes())
        digest.update(self.items.tobytes())
        if self.times is not None:
            digest.update(self.times.tobytes())
        if self.types is not None:
            digest.update(self.types.tobytes())
        return digest.hexdigest()[:16]


def build_sequences(
    columns: dict[str, np.ndarray], compared: np.ndarray | None = None
) -> Sequences:
    """Return the histories: events sorted by user and time.

    Args:
        columns: ``user`` and ``item`` of each event, int32 [N], users numbered from 1 without
            gaps, and optionally ``time``, float64 [N], and ``type``, uint8 [N]; N from 1 to
            2^31 - 1. Columns are removed from the dictionary, so that their memory can be freed on
            the way.
        compared: float [N], times to sort each user's events by; None keeps their order.
    """
    users = columns.pop("user")
    offsets = occurrences(users, int(users.max()))
    np.cumsum(offsets, out=offsets)
    order = by_user_then_time(users, offsets, compared)
    del users
    items = take_in_blocks(columns.pop("item"), order)
    rounded = None
    if compared is not None and compared.dtype == np.float32:
        rounded = take_in_blocks(compared, order)
    times = take_in_blocks(columns.pop("time"), order) if "time" in columns else None
    types = take_in_blocks(columns.pop("type"), order) if "type" in columns else None
    return Sequences(items, times, offsets, rounded=rounded, types=types)
