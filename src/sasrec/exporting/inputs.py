"""The inputs of an exported network: their names, types, shapes, and examples."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from sasrec.models.contract import NextItemModel
from sasrec.recommender.serving import Queries

TYPES = {
    "items": np.int64,
    "lengths": np.int64,
    "times": np.float64,
    "users": np.int64,
    "types": np.int64,
    "next_type": np.int64,
}
"""Type of each input a network can have, in their order."""
BY_EVENT = ("items", "times", "types")
"""Inputs with a value for each event, [B, L]; the others have one for each history, [B]."""


@dataclass(frozen=True, slots=True)
class Inputs:
    """The inputs of a network.

    Attributes:
        names: In the order of the network's arguments.
        longest: Length of the longest history that the network takes.
    """

    names: tuple[str, ...]
    longest: int

    @classmethod
    def of(cls, model: NextItemModel, event_types: Sequence[str], longest: int) -> Inputs:
        """Return the inputs that a model uses.

        Args:
            model: The model.
            event_types: Names of the event types that the model knows.
            longest: Length of the longest history.

        Returns:
            The inputs.
        """
        names = ["items", "lengths"]
        if model.needs_times:
            names.append("times")
        if model.uses_users:
            names.append("users")
        if event_types:
            names += ["types", "next_type"]
        return cls(tuple(names), longest)

    def examples(self) -> dict[str, Tensor]:
        """Return values to trace the network with: three histories of different lengths."""
        length = min(self.longest, 3)
        lengths = np.array([length, max(1, length - 1), 1])
        items = [np.ones(each, dtype=np.int64) for each in lengths]
        times = [np.arange(len(each), dtype=np.float64) for each in items]
        none = [np.zeros(len(each), dtype=np.uint8) for each in items]
        queries = Queries(items, list(times), np.zeros(3, dtype=np.int64), none)
        arrays = self.arrays(queries)
        return {name: torch.from_numpy(value) for name, value in arrays.items()}

    def dynamic(self) -> dict[str, dict[int, Any]]:
        """Return which dimensions of each input may have any size."""
        rows = torch.export.Dim("batch", min=1)
        columns = torch.export.Dim("length", min=1, max=self.longest) if self.longest > 1 else None
        return {
            name: {0: rows, 1: columns} if name in BY_EVENT and columns is not None else {0: rows}
            for name in self.names
        }

    def arrays(self, queries: Queries, asked_type: int = 0) -> dict[str, np.ndarray]:
        """Return histories as the inputs of the network.

        Args:
            queries: At least one history; only the latest events of each are used.
            asked_type: Number of the type of the event to be predicted; 0 for any type.

        Returns:
            Name to values; positions after the last event are 0, and times NaN if unknown.
        """
        lengths = np.array([min(len(each), self.longest) for each in queries.items])
        unknown = [np.zeros(length, dtype=np.int64) for length in lengths]
        times = [
            np.full(length, np.nan) if given is None else given
            for given, length in zip(queries.times, lengths, strict=True)
        ]
        values: dict[str, Any] = {
            "items": self._rectangle(queries.items),
            "lengths": lengths,
            "times": self._rectangle(times),
            "users": queries.users,
            "types": self._rectangle(queries.types or unknown),
            "next_type": np.full(len(lengths), asked_type),
        }
        return {name: values[name].astype(TYPES[name]) for name in self.names}

    def _rectangle(self, rows: Sequence[np.ndarray]) -> np.ndarray:
        """Return the latest values of each row, with zeros after them."""
        latest = [row[-self.longest :] for row in rows]
        filled = np.zeros((len(rows), max(map(len, latest))), dtype=np.float64)
        for index, row in enumerate(latest):
            filled[index, : len(row)] = row
        return filled
