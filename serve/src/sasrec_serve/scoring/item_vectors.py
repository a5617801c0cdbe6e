"""Item vectors, prepared to find those with the highest scores."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from sasrec_serve.scoring.exact import exact_scores, ranked
from sasrec_serve.scoring.kernel_scan import Best, Codes
from sasrec_serve.scoring.library import level
from sasrec_serve.scoring.plain_scan import best_by_products, largest_norm

FEW = 2048
"""Up to this many allowed items are all scored exactly, without a scan."""


@dataclass(frozen=True, slots=True)
class ItemVectors:
    """The vectors of all items.

    Attributes:
        values: float32 [V, d], finite.
        largest_norm: Norm of the longest vector.
        codes: The vectors as bytes, for the compiled scan; None uses NumPy.
        threads: Threads that share a scan of many items.
    """

    values: np.ndarray
    largest_norm: float
    codes: Codes | None
    threads: int = 1

    @classmethod
    def of(cls, values: np.ndarray, threads: int = 1) -> ItemVectors:
        """Prepare item vectors.

        Args:
            values: float32 [V, d].
            threads: Threads that share a scan of many items, 1 or 2.

        Returns:
            The prepared vectors.

        Raises:
            ValueError: A number is NaN or infinite.
        """  # raised by the parts
        values = np.ascontiguousarray(values, np.float32)
        instructions = level()
        codes = None if instructions is None else Codes.of(values, instructions)
        norm = largest_norm(values) if codes is None else codes.largest_norm
        return cls(values, norm, codes, threads)

    def best(
        self, states: np.ndarray, k: int, *, allowed: np.ndarray, seen: Sequence[np.ndarray]
    ) -> list[Best]:
        """Return the k items with the highest scores for each state, exactly.

        Args:
            states: float32 [b, d], finite.
            k: Number of items, from 1.
            allowed: bool [V], items that a list may contain.
            seen: int64 arrays, ascending, items that the list of each state leaves out.

        Returns:
            Items and scores for each state.

        Raises:
            ValueError: The shapes do not fit.
        """
        # The compiled scan could not notice, and would read other memory.
        if (len(allowed), states.shape[1]) != self.values.shape:
            raise ValueError(
                f"vectors {self.values.shape} do not fit states {states.shape} and "
                f"allowed {allowed.shape}"
            )
        count = int(np.count_nonzero(allowed))
        k = max(1, min(k, count))
        if count <= FEW < len(self.values):
            numbers = np.flatnonzero(allowed)
            return [
                self.best_of(state, numbers[~np.isin(numbers, items)], k)
                for state, items in zip(states, seen, strict=True)
            ]
        if self.codes is None:
            arguments = (self.values, self.largest_norm, k)
            return best_by_products(states, *arguments, allowed=allowed, seen=seen)
        if self.threads > 1:
            return self.codes.best_in_halves(states, k, allowed=allowed, seen=seen)
        return self.codes.best(states, k, allowed=allowed, seen=seen)

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
