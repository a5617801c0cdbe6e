"""Choosing a list from ranked items: at most n of a group, and diversity (MMR), for one history.

Maximal marginal relevance (Carbonell and Goldstein, 1998) chooses one item after the other, each
time the one with the highest ``(1 - s) * relevance - s * similarity``. Similarity is the highest
cosine between its vector and those of the items chosen so far. Relevance is the score, scaled so
that the first item of the pool has 1 and the last has 0.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

TIE = 1e-12
"""Marginal relevances that differ by less are equal; the item with the higher score goes first."""
UNCLEAR = 1e-3
"""An item just outside the pool counts as possible if it lacks at most this marginal relevance."""
TINY = float(np.finfo(np.float64).tiny)


@dataclass(frozen=True, slots=True)
class Ranking:
    """The best items in order.

    Attributes:
        items: int64 [P], item numbers.
        values: float64 [P], their scores, descending.
        following: Score of the next item; minus infinity if there is none.
    """

    items: np.ndarray
    values: np.ndarray
    following: float = -math.inf


@dataclass(frozen=True, slots=True)
class Groups:
    """Groups of items, and how many items of a group a list may contain.

    Attributes:
        codes: int64 [V, W], numbers of the groups of each item, distinct between columns; -1 fills
            up.
        limits: int64 [W], the limit for the groups at each place.
    """

    codes: np.ndarray
    limits: np.ndarray


@dataclass(frozen=True, slots=True)
class Diversity:
    """How strongly a list avoids similar items.

    Attributes:
        strength: From 0 to 1.
        pool: Number of best items among which it chooses; after them, scores decide.
        vectors: float32 [V, d], item vectors.
    """

    strength: float
    pool: int
    vectors: np.ndarray


@dataclass(frozen=True, slots=True)
class Choice:
    """The chosen items.

    Attributes:
        places: int64, places in the ranking in the order of choice, at most k.
        slack: Smallest change of a score that could change the choice.
    """

    places: np.ndarray
    slack: float


def choose(
    ranking: Ranking,
    k: int,
    *,
    groups: Groups | None = None,
    diversity: Diversity | None = None,
    begun: np.ndarray | None = None,
) -> Choice:
    """Choose up to k items, one after the other.

    Args:
        ranking: The items to choose from.
        k: Number of items to choose, from 0.
        groups: Limits for groups; None for none.
        diversity: None chooses by score alone.
        begun: int64, items that are in the list already; None for none.

    Returns:
        The choice.
    """
    count = len(ranking.items)
    if groups is None and diversity is None:
        places = np.arange(min(k, count))
        return Choice(places, _smallest_gap(ranking, places, k))
    free = np.ones(count, dtype=bool)
    room = None if groups is None else _Room(groups, ranking.items, begun)
    spread = None if diversity is None else _Spread(diversity, ranking)
    chosen: list[int] = []
    while len(chosen) < k:
        allowed = free if room is None else free & room.left
        if not allowed.any():
            break
        place = int(allowed.argmax()) if spread is None else spread.best(allowed)
        chosen.append(place)
        free[place] = False
        if room is not None:
            room.take(room.codes[place])
        if spread is not None:
            spread.take(place)
    places = np.array(chosen, dtype=np.int64)
    slack = _smallest_gap(ranking, places, k)
    return Choice(places, slack if spread is None else spread.slack(places, slack))


def _smallest_gap(ranking: Ranking, places: np.ndarray, k: int) -> float:
    """Return the smallest difference between neighbours up to the last chosen place.

    Equal scores are not uncertain, as only equal items have them.
    """
    values = np.append(ranking.values, ranking.following)
    with np.errstate(invalid="ignore"):
        gaps = values[:-1] - values[1:]
    if len(places) == k:
        gaps = gaps[: int(places.max(initial=-1)) + 1]
    gaps = gaps[(gaps > 0) & np.isfinite(gaps)]
    return float(gaps.min(initial=math.inf))


class _Room:
    """Which places of a ranking have groups that are not full."""

    def __init__(self, groups: Groups, items: np.ndarray, begun: np.ndarray | None) -> None:
        self.codes = groups.codes[items]  # [P, W]
        self._full = np.zeros(self.codes.shape, dtype=np.int64)
        self._limits = groups.limits
        for taken in groups.codes[begun] if begun is not None else ():
            self.take(taken)

    @property
    def left(self) -> np.ndarray:
        """Whether there is room for the item at each place, bool [P]."""
        has_room: np.ndarray = ((self._full < self._limits) | (self.codes < 0)).all(axis=1)
        return has_room

    def take(self, codes: np.ndarray) -> None:
        """Count an item.

        Args:
            codes: int64 [W], its groups.
        """
        for code in codes[codes >= 0]:
            self._full += self.codes == code


class _Spread:
    """Maximal marginal relevance of the items of a ranking, and how clear the choice is."""

    def __init__(self, diversity: Diversity, ranking: Ranking) -> None:
        self._strength = diversity.strength
        self._pool = pool = min(diversity.pool, len(ranking.items))
        values = ranking.values[: pool + 1]  # one more, which might belong to the pool
        lowest = values[:pool].min()
        self._range = max(values[0] - lowest, TINY)
        self._relevance = (1 - self._strength) * (values - lowest) / self._range
        vectors = diversity.vectors[ranking.items[: pool + 1]].astype(np.float64)
        norms = np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), TINY)
        self._vectors = vectors / norms
        self._gain = self._relevance
        self._similarity: np.ndarray | None = None
        self._closest = math.inf
        self._edge = math.inf
        after = np.append(ranking.values, ranking.following)[pool : pool + 1]
        if after[0] > -math.inf:
            self._edge = float(ranking.values[pool - 1] - after[0])
        self._edge_counts = False

    def best(self, allowed: np.ndarray) -> int:
        """Return the place to choose next.

        Args:
            allowed: bool [P], places that may be chosen.
        """
        pool = self._pool
        inside = allowed[:pool]
        if not inside.any():
            return int(allowed.argmax())
        gain = np.where(inside, self._gain[:pool], -np.inf)
        highest = gain.max()
        place = int((gain >= highest - TIE).argmax())
        gain[place] = -np.inf
        lead = highest - gain.max()
        if TIE < lead < math.inf:
            self._closest = min(self._closest, float(lead))
        self._edge_counts |= place == pool - 1
        if len(self._gain) > pool:
            self._edge_counts |= bool(self._gain[pool] >= highest - UNCLEAR)
        return place

    def take(self, place: int) -> None:
        """Take a chosen item into account.

        Args:
            place: Its place.
        """
        near = self._vectors @ self._vectors[min(place, self._pool - 1)]
        self._similarity = near if self._similarity is None else np.maximum(near, self._similarity)
        self._gain = self._relevance - self._strength * self._similarity

    def slack(self, places: np.ndarray, gap: float) -> float:
        """Return the smallest change of a difference of scores that could change the choice.

        If differences change by m, a difference of gains changes by at most
        ``2 m (1 - s) / range``. The items before and after the end of the pool may change places,
        which counts if one of them is chosen or could be.

        Args:
            places: int64, chosen places.
            gap: Smallest difference between neighbours in the ranking, which counts for a list with
                items from outside the pool.
        """
        slack = math.inf
        if self._strength < 1:
            slack = self._closest * self._range / (2 * (1 - self._strength))
        if self._edge_counts and self._edge > 0:
            slack = min(slack, self._edge)
        return min(slack, gap) if (places >= self._pool).any() else slack
