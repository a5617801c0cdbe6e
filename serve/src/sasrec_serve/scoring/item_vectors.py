"""Item vectors, prepared to find those with the highest scores."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from sasrec_serve.scoring.exact import exact_scores, ranked
from sasrec_serve.scoring.plain_scan import leaders

Best = tuple[np.ndarray, np.ndarray]
"""Item numbers, best first, and their scores."""


@dataclass(frozen=True, slots=True)
class ItemVectors:
    """The vectors of all items.

    Attributes:
        values: float32 [V, d], finite.
        largest_norm: Norm of the longest vector.
    """

    values: np.ndarray
    largest_norm: float

    @classmethod
    def of(cls, values: np.ndarray) -> ItemVectors:
        """Prepare item vectors.

        Args:
            values: float32 [V, d].

        Returns:
            The prepared vectors.

        Raises:
            ValueError: A number is NaN or infinite.
        """
        squares = np.einsum("ij,ij->i", values, values, dtype=np.float64)
        if not np.isfinite(squares).all():
            raise ValueError("an item vector contains NaN or infinity")
        return cls(values, float(np.sqrt(squares.max(initial=0.0))))

    def best(
        self, states: np.ndarray, k: int, *, allowed: np.ndarray, seen: Sequence[np.ndarray]
    ) -> list[Best]:
        """Return the k items with the highest scores for each state, exactly.

        Args:
            states: float32 [b, d].
            k: Number of items, from 1.
            allowed: bool [V], items that a list may contain.
            seen: int64 arrays, items that the list of each state leaves out.

        Returns:
            Items and scores for each state.
        """
        excluded = np.tile(~allowed, (len(states), 1))
        for row, items in zip(excluded, seen, strict=True):
            row[items] = True
        found = leaders(states, self.values, self.largest_norm, k, excluded)
        return [self.best_of(state, items, k) for state, items in zip(states, found, strict=True)]

    def best_of(self, state: np.ndarray, items: np.ndarray, k: int) -> Best:
        """Return those of some items that have the highest scores.

        Args:
            state: float32 [d].
            items: int64 [n], item numbers.
            k: Number of items, from 1.

        Returns:
            Items and scores.
        """
        return ranked(items, exact_scores(state, self.values, items), k)
