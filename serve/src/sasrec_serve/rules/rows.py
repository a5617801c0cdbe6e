"""The scores of one history, from the network or from popularity, and its best items."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from sasrec_serve.rules.boosts import Boosts
from sasrec_serve.scoring.plain_scan import LARGEST, SMALLEST, UNIT
from sasrec_serve.scoring.scorer import ROUNDING, Scorer

FEW = 1 << 12
"""If at most so many items are allowed, their scores are computed one by one, without a scan."""
MOST_APART = 8
"""Boosted items are scored one by one if they are at most one of so many items."""
Best = tuple[np.ndarray, np.ndarray]
"""Item numbers, best first, and their scores as float64."""


class Scores(Protocol):
    """Scores of all items for one history.

    Attributes:
        margin: Largest difference of scores whose sign another rounding of the network's output
            could change.
        largest: Upper limit on the size of scores.
    """

    margin: float
    largest: float

    def of(self, items: np.ndarray) -> np.ndarray:
        """Return the scores of some items, float64 [n].

        Args:
            items: int64 [n].
        """
        ...

    def best(self, count: int, allowed: np.ndarray) -> Best:
        """Return the items with the highest scores, ties by number.

        Args:
            count: Number of items, from 1.
            allowed: bool [V], items that may be returned.
        """
        ...

    def rough(self) -> tuple[np.ndarray, float]:
        """Return scores of all items, float32 [V], and the largest error of a difference."""
        ...


class ModelScores:
    """Scores of a model."""

    def __init__(self, scorer: Scorer, output: np.ndarray) -> None:
        """Take the network's output for a history.

        Args:
            scorer: The model.
            output: float32 [d or V].
        """
        self._scorer, self._output = scorer, output
        self.margin, self._unit = 0.0, 0.0
        if scorer.vectors is None:
            self.largest = float(np.abs(output).max(initial=0.0))
        else:
            self._norm = float(np.linalg.norm(output.astype(np.float64)))
            self.largest = self._norm * scorer.vectors.largest_norm
            self.margin = self.largest * ROUNDING

    def of(self, items: np.ndarray) -> np.ndarray:
        """Return the exact scores of some items, float64 [n].

        Args:
            items: int64 [n].
        """
        return self._scorer.scores_of(self._output, items).astype(np.float64)

    def best(self, count: int, allowed: np.ndarray) -> Best:
        """Return the items with the highest scores, ties by number.

        Args:
            count: Number of items, from 1.
            allowed: bool [V], items that may be returned.
        """
        nothing = np.zeros(0, dtype=np.int64)
        [(items, scores)] = self._scorer.best(
            self._output[None], count - 1, allowed=allowed, seen=[nothing]
        )
        return items[:count], scores[:count].astype(np.float64)

    def rough(self) -> tuple[np.ndarray, float]:
        """Return scores of all items, float32 [V], and the largest error of a difference.

        ``plain_scan.leaders`` derives the error.
        """
        vectors = self._scorer.vectors
        if vectors is None:
            return self._output.astype(np.float32), 0.0
        ends = (self._norm or 1.0, vectors.largest_norm or 1.0)
        if min(ends) <= SMALLEST or max(ends) >= LARGEST:
            return self._scorer.scores_of(self._output, np.arange(len(vectors.values))), 0.0
        unit = UNIT * (len(self._output) + 1) * 1.01
        products: np.ndarray = vectors.values @ self._output
        return products, 4 * unit * self.largest


class PopularityScores:
    """Popularity as the score of each item."""

    def __init__(self, popularity: np.ndarray) -> None:
        """Take the popularity of items.

        Args:
            popularity: int64 [V].
        """
        self._scores = popularity.astype(np.float32)
        self.margin, self.largest = 0.0, float(self._scores.max(initial=0.0))

    def of(self, items: np.ndarray) -> np.ndarray:
        """Return the scores of some items, float64 [n].

        Args:
            items: int64 [n].
        """
        found: np.ndarray = self._scores[items].astype(np.float64)
        return found

    def best(self, count: int, allowed: np.ndarray) -> Best:
        """Return the most popular items, ties by number.

        Args:
            count: Number of items, from 1.
            allowed: bool [V], items that may be returned.
        """
        items = np.flatnonzero(allowed)
        return best_of(items, self.of(items), count)

    def rough(self) -> tuple[np.ndarray, float]:
        """Return scores of all items, float32 [V], and an error of 0."""
        return self._scores, 0.0


def best_of(items: np.ndarray, scores: np.ndarray, count: int) -> Best:
    """Return those of some items that have the highest scores; scores equal as float32 are ties.

    Args:
        items: int64 [n].
        scores: float64 [n].
        count: Number of items, from 1.
    """
    if len(items) > 4 * count:
        rounded = scores.astype(np.float32)
        last = np.partition(rounded, len(items) - count)[len(items) - count]
        near = rounded >= last
        items, scores = items[near], scores[near]
    order = np.lexsort((items, -scores.astype(np.float32)))[:count]
    return items[order], scores[order]


@dataclass(frozen=True, slots=True)
class Boosted:
    """Scores after boosts.

    Attributes:
        scores: The scores before.
        boosts: The boosts; None for none.
    """

    scores: Scores
    boosts: Boosts | None

    @property
    def margin(self) -> float:
        """Largest difference of scores whose sign rounding could change."""
        before = self.scores.margin
        return before if self.boosts is None else self.boosts.margin(before, self.scores.largest)

    def of(self, items: np.ndarray) -> np.ndarray:
        """Return the boosted scores of some items, float64 [n].

        Args:
            items: int64 [n].
        """
        scores = self.scores.of(items)
        return scores if self.boosts is None else self.boosts.of_items(scores, items)

    def best(self, count: int, allowed: np.ndarray) -> Best:
        """Return the items with the highest boosted scores, exactly.

        The best items are among the boosted ones and the best of the others, so a few boosted items
        are scored one by one, and the others are found as without boosts.

        Args:
            count: Number of items, from 1.
            allowed: bool [V], items that may be returned.
        """
        few = _few(allowed)
        if few is not None:
            return best_of(few, self.of(few), count)
        if self.boosts is None:
            return self.scores.best(count, allowed)
        changed = self.boosts.changed[allowed[self.boosts.changed]]
        if len(changed) * MOST_APART > len(allowed):
            return self._among_all(count, allowed)
        others = allowed.copy()
        others[changed] = False
        items, scores = changed, self.of(changed)
        if others.any():
            plain, values = self.scores.best(count, others)
            items, scores = np.concatenate([plain, items]), np.concatenate([values, scores])
        return best_of(items, scores, count)

    def _among_all(self, count: int, allowed: np.ndarray) -> Best:
        """Return the best items after scoring all: those near the last one again, exactly."""
        boosts = self.boosts
        rough, error = self.scores.rough()
        numbers = np.flatnonzero(allowed)
        values = rough[numbers].astype(np.float64)
        if boosts is not None:
            values = boosts.of_items(values, numbers)
            # A factor f changes a score by f or 1 / f, whatever its sign.
            error = boosts.margin(error, self.scores.largest)
        if len(numbers) > count:
            last = np.partition(values, len(values) - count)[len(values) - count]
            numbers = numbers[values >= last - error]
        return best_of(numbers, self.of(numbers), count)


def _few(allowed: np.ndarray) -> np.ndarray | None:
    """Return the allowed items if they are few; None otherwise."""
    count = int(np.count_nonzero(allowed))
    return np.flatnonzero(allowed) if count <= min(FEW, len(allowed) // MOST_APART) else None
