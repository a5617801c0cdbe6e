"""The scores of one history, from the network or from popularity, and its best items."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from sasrec_serve.rules.boosts import Boosts
from sasrec_serve.scoring.plain_scan import LARGEST, SMALLEST, UNIT
from sasrec_serve.scoring.scorer import ROUNDING, Scorer

FEW = 1 << 11
"""So many items, or fewer, are scored one by one, without a scan."""
MOST_APART = 8
"""At most one of so many items are few."""
LEADERS = 1024
"""So many items with the highest scores are looked at before all are scored under boosts."""
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

    def best(self, count: int, allowed: np.ndarray, without: np.ndarray) -> Best:
        """Return the items with the highest scores, ties by number.

        Args:
            count: Number of items, from 1.
            allowed: bool [V], items that may be returned; at least one.
            without: int64, ascending, items that are left out nevertheless.
        """
        ...

    def rough(self) -> tuple[np.ndarray, float]:
        """Return scores of all items, float32 [V], and the largest error of a difference.

        The caller may change the array.
        """
        ...


class ModelScores:
    """Scores of a model."""

    def __init__(self, scorer: Scorer, output: np.ndarray, known: Best | None = None) -> None:
        """Take the network's output for a history.

        Args:
            scorer: The model.
            output: float32 [d or V], finite.
            known: The best items that a list of this history may contain, if they were found
                together with those of other histories; None if not.
        """
        self._scorer, self._output, self._known = scorer, output, known
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

    def best(self, count: int, allowed: np.ndarray, without: np.ndarray) -> Best:
        """Return the items with the highest scores, ties by number.

        Args:
            count: Number of items, from 1.
            allowed: bool [V], items that may be returned.
            without: int64, ascending, items that are left out nevertheless.
        """
        if self._known is not None and len(self._known[0]) >= count:
            items, scores = self._known
        else:
            output = self._output[None]
            [(items, scores)] = self._scorer.best(
                output, count - 1, allowed=allowed, seen=[without]
            )
        return items[:count], scores[:count].astype(np.float64)

    def rough(self) -> tuple[np.ndarray, float]:
        """Return scores of all items, float32 [V], and the largest error of a difference.

        ``plain_scan.leaders`` derives the error.
        """
        vectors = self._scorer.vectors
        if vectors is None:
            return self._output.copy(), 0.0
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

    def best(self, count: int, allowed: np.ndarray, without: np.ndarray) -> Best:
        """Return the most popular items, ties by number.

        Args:
            count: Number of items, from 1.
            allowed: bool [V], items that may be returned.
            without: int64, ascending, items that are left out nevertheless.
        """
        items = numbers_of(allowed, without)
        return best_of(items, self.of(items), count)

    def rough(self) -> tuple[np.ndarray, float]:
        """Return scores of all items, float32 [V], and an error of 0."""
        return self._scores.copy(), 0.0


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

    def best(self, count: int, allowed: np.ndarray, without: np.ndarray) -> Best:
        """Return the items with the highest boosted scores, exactly.

        The best items are among the boosted ones and the best of the others, so a few boosted items
        are scored one by one, and the others are found as without boosts.

        Args:
            count: Number of items, from 1.
            allowed: bool [V], items that may be returned.
            without: int64, ascending, items that are left out nevertheless.
        """
        if self.boosts is None:
            return self.scores.best(count, allowed, without)
        if _are_few(allowed):
            few = numbers_of(allowed, without)
            return best_of(few, self.of(few), count)
        changed = self.boosts.changed[allowed[self.boosts.changed]]
        if len(changed) <= FEW:
            return self._apart(count, changed, allowed, without)
        return self._among_leaders(self.boosts, count, allowed, without)

    def _apart(
        self, count: int, changed: np.ndarray, allowed: np.ndarray, without: np.ndarray
    ) -> Best:
        """Return the best items: they are among the boosted ones and the best of the others."""
        others = allowed.copy()
        others[changed] = False
        items = changed[~np.isin(changed, without)]
        scores = self.of(items)
        if others.any():
            plain, values = self.scores.best(count, others, without)
            items, scores = np.concatenate([plain, items]), np.concatenate([values, scores])
        return best_of(items, scores, count)

    def _among_leaders(
        self, boosts: Boosts, count: int, allowed: np.ndarray, without: np.ndarray
    ) -> Best:
        """Return the best items, after a look at those that lead without boosts.

        An item that is not among these leaders has at most the score s of the last one, and thus at
        most what the largest factor and the largest amount make of s: rounding keeps the order. If
        the items found are above that, no other item can be among them. Otherwise all are scored.
        """
        leaders, scores = self.scores.best(max(LEADERS, count + 1), allowed, without)
        boosted = boosts.of_items(scores, leaders)
        items, values = best_of(leaders, boosted, count)
        if len(items) < count:
            return self._among_all(boosts, -np.inf, count, allowed=allowed, without=without)
        limit = boosts.highest(float(scores[-1]))
        if np.float32(values[-1]) > np.float32(limit):
            return items, values
        least = float(values[-1])
        return self._among_all(boosts, least, count, allowed=allowed, without=without)

    def _among_all(
        self,
        boosts: Boosts,
        least: float,
        count: int,
        *,
        allowed: np.ndarray,
        without: np.ndarray,
    ) -> Best:
        """Return the best items after scoring all, those that could be among them exactly.

        Args:
            boosts: The boosts.
            least: A score that at least ``count`` items reach; minus infinity if none is known.
            count: Number of items, from 1.
            allowed: bool [V], items that may be returned.
            without: int64, items that are left out nevertheless.
        """
        rough, error = self.scores.rough()
        boosts.change_(rough)
        rough[~allowed] = -np.inf
        rough[without] = -np.inf
        margin = boosts.margin(error, self.scores.largest)
        near = np.flatnonzero(rough >= least - margin if least > -np.inf else rough > least)
        return best_of(near, self.of(near), count)


def numbers_of(allowed: np.ndarray, without: np.ndarray) -> np.ndarray:
    """Return the numbers of the allowed items, int64, ascending.

    Args:
        allowed: bool [V].
        without: int64, items that are left out nevertheless.
    """
    if len(without):
        allowed = allowed.copy()
        allowed[without] = False
    return np.flatnonzero(allowed)


def _are_few(allowed: np.ndarray) -> bool:
    return int(np.count_nonzero(allowed)) <= min(FEW, len(allowed) // MOST_APART)
