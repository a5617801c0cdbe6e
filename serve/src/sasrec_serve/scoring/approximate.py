"""An approximate search for the items with the highest scores, with a graph index of USearch.

The index compares by cosine. To find dot products with it, each vector v gets one more number,
sqrt(M^2 - |v|^2) with M the norm of the longest vector, so that all have the same norm M, and each
state gets a zero there; the cosine is then s.v / (|s| M) (Bachrach et al. 2014, Speeding up the
Xbox recommender system, section 3). What the index finds is scored exactly.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from sasrec_serve.errors import SettingsError
from sasrec_serve.scoring.item_vectors import ItemVectors
from sasrec_serve.scoring.kernel_scan import Best

if TYPE_CHECKING:
    from usearch.index import Index

logger = logging.getLogger(__name__)

EXPANSIONS = (64, 128, 256, 512, 1024)
"""Candidates that USearch keeps while it searches; the first that reaches ``WANTED`` is used."""
EXPANSION_ADD = 128
"""Candidates that it keeps while it builds the index."""
WANTED, LIST = 0.99, 10
"""Share of the true best ten items that should be found."""
SPARE = 8
"""Items that are searched beyond those needed if nothing found is left out."""


@dataclass(frozen=True, slots=True)
class ApproximateVectors:
    """Item vectors with an index; in place of ``ItemVectors``.

    Attributes:
        exact: The vectors.
        index: The index of the learned items.
        trained: bool [V], the learned items; lists of other items are searched exactly.
        recall: Share of the true best ten items that the index finds.
    """

    exact: ItemVectors
    index: Index
    trained: np.ndarray
    recall: float

    @classmethod
    def of(cls, exact: ItemVectors, trained: np.ndarray, states: np.ndarray) -> ApproximateVectors:
        """Build an index, and measure how many of the true best items it finds.

        Args:
            exact: The vectors.
            trained: bool [V], the learned items.
            states: float32 [n, d], typical states, to measure with.

        Returns:
            The vectors with the index.

        Raises:
            SettingsError: USearch is not installed.
        """  # raised by _built
        found = cls(exact, _built(exact, trained), trained, 0.0)
        recalls: dict[int, float] = {}
        for expansion in EXPANSIONS:
            found.index.expansion_search = expansion
            recalls[expansion] = found.measured(states)
            if recalls[expansion] >= WANTED:
                break
        recall = recalls[expansion]
        log = logger.info if recall >= WANTED else logger.warning
        log(
            "approximate search finds %.1f%% of the best %d items (measured on %d histories, with "
            "%d candidates)",
            100 * recall,
            LIST,
            len(states),
            expansion,
        )
        return cls(exact, found.index, trained, recall)

    @property
    def values(self) -> np.ndarray:
        """The vectors, float32 [V, d]."""
        return self.exact.values

    @property
    def largest_norm(self) -> float:
        """Norm of the longest vector."""
        return self.exact.largest_norm

    def measured(self, states: np.ndarray) -> float:
        """Return the share of the true best ten items that the index finds.

        Args:
            states: float32 [n, d].
        """
        none = [np.zeros(0, np.int64)] * len(states)
        truth = self.exact.best(states, LIST, allowed=self.trained, seen=none)
        found = self.best(states, LIST, allowed=self.trained, seen=none)
        shared = sum(
            len(np.intersect1d(one, two)) for (one, _), (two, _) in zip(truth, found, strict=True)
        )
        return shared / max(1, sum(len(items) for items, _ in truth))

    def best(
        self, states: np.ndarray, k: int, *, allowed: np.ndarray, seen: Sequence[np.ndarray]
    ) -> list[Best]:
        """Return the best items that the index finds for each state, with exact scores.

        If other items than the learned ones are allowed, or too few of those found are left, the
        search is exact.

        Args:
            states: float32 [b, d], finite.
            k: Number of items, from 1.
            allowed: bool [V], items that a list may contain.
            seen: int64 arrays, ascending, items that the list of each state leaves out.

        Returns:
            Items and scores for each state.
        """
        if allowed is not self.trained:
            return self.exact.best(states, k, allowed=allowed, seen=seen)
        found = []
        for state, own in zip(states, seen, strict=True):
            numbers = self._searched(state, k + len(own) + SPARE)
            numbers = numbers[~np.isin(numbers, own)]
            if len(numbers) < k:
                found += self.exact.best(state[None], k, allowed=allowed, seen=[own])
            else:
                found.append(self.exact.best_of(state, numbers, k))
        return found

    def _searched(self, state: np.ndarray, count: int) -> np.ndarray:
        """Return the numbers of about the ``count`` best items, int64."""
        norm = float(np.abs(state).max(initial=0.0)) or 1.0
        query = np.append(state / norm, 0).astype(np.float32)
        matches: Any = self.index.search(query, min(count, len(self.index)), threads=1)
        return np.asarray(matches.keys).astype(np.int64)


def _built(exact: ItemVectors, trained: np.ndarray) -> Index:
    """Return the index of the learned items.

    Raises:
        SettingsError: USearch is not installed.
    """
    try:
        from usearch.index import Index
    except ImportError as error:
        raise SettingsError(
            f"the approximate search needs USearch, which cannot be imported ({error}); install "
            "it with: pip install 'sasrec-serve[approximate]'"
        ) from error
    numbers = np.flatnonzero(trained)
    longest = exact.largest_norm or 1.0
    vectors = exact.values[numbers].astype(np.float64) / longest
    rest = np.sqrt(np.maximum(0.0, 1.0 - np.einsum("ij,ij->i", vectors, vectors)))
    index = Index(
        ndim=vectors.shape[1] + 1,
        metric="cos",
        dtype="f32",
        expansion_add=EXPANSION_ADD,
        expansion_search=EXPANSIONS[0],
    )
    index.add(numbers, np.column_stack([vectors, rest]).astype(np.float32))
    return index
