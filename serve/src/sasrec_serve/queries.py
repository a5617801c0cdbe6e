"""Histories as the network reads them: item numbers, times, users and types."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

DTYPES = {
    "items": np.int64,
    "lengths": np.int64,
    "times": np.float64,
    "users": np.int64,
    "types": np.int64,
    "next_type": np.int64,
}
"""Type of each input that a network can have."""


@dataclass(frozen=True, slots=True)
class Queries:
    """Histories of item numbers that the model can use.

    Attributes:
        items: int64 arrays, item numbers of each history, oldest first; at least one each.
        times: float64 arrays, times of the events of each history; None if unknown.
        users: int64 [n], user number of each history; 0 for an unknown user.
        types: int64 arrays, types of the events of each history, 0 for an unknown type; None if the
            model uses no types.
    """

    items: list[np.ndarray]
    times: list[np.ndarray | None]
    users: np.ndarray
    types: list[np.ndarray] | None = None

    def __len__(self) -> int:
        """Return the number of histories."""
        return len(self.items)

    def of(self, indices: Sequence[int] | np.ndarray) -> Queries:
        """Return some of the histories.

        Args:
            indices: Which ones.

        Returns:
            The histories, in the order of the indices.
        """
        return Queries(
            [self.items[index] for index in indices],
            [self.times[index] for index in indices],
            self.users[np.asarray(indices, dtype=np.int64)],
            None if self.types is None else [self.types[index] for index in indices],
        )

    def inputs(self, names: Sequence[str], longest: int, asked_type: int) -> dict[str, np.ndarray]:
        """Return the inputs of the network.

        Args:
            names: Which inputs it has.
            longest: Number of latest events that it reads.
            asked_type: Number of the type of the event to be predicted; 0 for any type.

        Returns:
            Name to values, [B] or [B, L]; positions after the last event are 0.
        """
        items = [each[-longest:] for each in self.items]
        lengths = [len(each) for each in items]
        values: dict[str, Any] = {"items": _rectangle(items, lengths, "items"), "lengths": lengths}
        if "times" in names:
            # Times of a history without them are NaN.
            times = [
                np.full(length, np.nan) if each is None else each[-longest:]
                for each, length in zip(self.times, lengths, strict=True)
            ]
            values["times"] = _rectangle(times, lengths, "times")
        if "types" in names:
            types = self.types or [np.zeros(length, np.int64) for length in lengths]
            values["types"] = _rectangle([each[-longest:] for each in types], lengths, "types")
        if "users" in names:
            values["users"] = self.users
        if "next_type" in names:
            values["next_type"] = np.full(len(items), asked_type)
        return {name: np.asarray(values[name], DTYPES[name]) for name in names}


def _rectangle(rows: Sequence[np.ndarray], lengths: Sequence[int], name: str) -> np.ndarray:
    """Return rows of different lengths as an array, with zeros after each."""
    filled = np.zeros((len(rows), max(lengths)), DTYPES[name])
    for place, row in zip(filled, rows, strict=True):
        place[: len(row)] = row
    return filled
