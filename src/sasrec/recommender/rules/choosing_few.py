"""The choice of ``choosing.choose`` for a few rows, with NumPy.

For one history, the plain version spends its time on starting small operations; those of NumPy
start in a quarter of the time.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from sasrec.recommender.rules.choosing import TIE, UNCLEAR, Choice, Diversity, Groups, Ranking

FEW = 2**11
"""Largest number of places, of all rows together, for which this version is faster."""

TINY = np.finfo(np.float64).tiny
NO_GROUP = -2
"""A code that no item has; -1 fills up the codes of an item."""


@np.errstate(invalid="ignore", over="ignore")  # in places that cannot be chosen
def choose_few(
    ranking: Ranking, k: int, *, groups: Groups | None = None, diversity: Diversity | None = None
) -> Choice:
    """Choose up to k items of each row, one after the other.

    Args:
        ranking: The items to choose from, on a CPU.
        k: Number of items of a list, from 1.
        groups: Limits for groups; None for none.
        diversity: None chooses by score alone.

    Returns:
        The choice, as from ``choose``.
    """
    values = ranking.values.numpy()
    free = ranking.items.numpy() > 0
    free[:, free.shape[1] - ranking.extra :] = False
    if groups is None and diversity is None:
        places = _first_places(free, k)
        return Choice(torch.from_numpy(places), torch.from_numpy(_gaps(values, places)))
    rows = np.arange(len(free))
    room = None if groups is None else _Room(groups, ranking.items)
    spread = None if diversity is None else _Spread(diversity, ranking)
    places = np.full((len(free), k), -1, dtype=np.int64)
    for step in range(k):
        allowed = free if room is None else free & room.left()
        found = np.logical_or.reduce(allowed, axis=1)
        if not found.any():
            break
        place = allowed.argmax(1) if spread is None else spread.best(allowed)
        places[:, step] = np.where(found, place, -1)
        free[rows, place] = False
        if room is not None:
            room.take(place, found)
        if spread is not None:
            spread.take(place)
    slack = _gaps(values, places)
    slack = slack if spread is None else spread.slack(places, slack)
    return Choice(torch.from_numpy(places), torch.from_numpy(slack))


def _first_places(free: np.ndarray, k: int) -> np.ndarray:
    """Return the first k true places of each row, int64 [b, k]; -1 where there are fewer."""
    order = np.argsort(~free, axis=1, kind="stable")[:, :k]
    places = np.full((len(free), k), -1, dtype=np.int64)
    places[:, : order.shape[1]] = np.where(np.take_along_axis(free, order, 1), order, -1)
    return places


def _gaps(values: np.ndarray, places: np.ndarray) -> np.ndarray:
    """Return the smallest difference between neighbours up to the last chosen place of each row."""
    if values.shape[1] < 2:
        return np.full(len(values), np.inf)
    gaps = values[:, :-1] - values[:, 1:]
    last = np.where((places >= 0).all(1), places.max(1), values.shape[1])
    walked = np.arange(gaps.shape[1]) <= last[:, None]
    found: np.ndarray = np.where((gaps > 0) & walked, gaps, np.inf).min(1)
    return found


class _Room:
    """Which places of a ranking have groups that are not full."""

    def __init__(self, groups: Groups, items: Tensor) -> None:
        self._codes = groups.codes[items].numpy()  # [b, P, W]
        self._is_free = self._codes < 0
        self._counts = np.zeros_like(self._codes)
        self._limits = groups.limits.numpy()
        self._rows = np.arange(len(self._codes))

    def left(self) -> np.ndarray:
        """Return whether there is room for the item at each place, bool [b, P]."""
        has_room = (self._counts < self._limits) | self._is_free
        if has_room.shape[2] == 1:
            return has_room[:, :, 0]
        found: np.ndarray = np.logical_and.reduce(has_room, axis=2)
        return found

    def take(self, place: np.ndarray, found: np.ndarray) -> None:
        """Count the items at the chosen places.

        Args:
            place: int64 [b].
            found: bool [b], whether the row has chosen one.
        """
        taken = np.where(found[:, None], self._codes[self._rows, place], NO_GROUP)
        taken[taken < 0] = NO_GROUP
        for code in taken.T:
            self._counts += self._codes == code[:, None, None]


class _Spread:
    """Maximal marginal relevance of the items of a ranking, and how clear the choice is."""

    def __init__(self, diversity: Diversity, ranking: Ranking) -> None:
        self._strength = diversity.strength
        self._pool = pool = min(diversity.pool, ranking.items.shape[1])
        self._rows = np.arange(len(ranking.items))
        values = ranking.values.numpy()[:, : pool + 1]  # one more, which might belong to the pool
        inside = values[:, :pool]
        lowest = np.where(np.isneginf(inside), np.inf, inside).min(1, keepdims=True)
        self._range = np.maximum(values[:, :1] - lowest, TINY)
        self._relevance = (1 - self._strength) * (values - lowest) / self._range
        vectors = diversity.vectors[ranking.items[:, : pool + 1]].double().numpy()
        lengths = np.sqrt((vectors * vectors).sum(2, keepdims=True))
        vectors = vectors / np.maximum(lengths, TINY)
        self._cosines = vectors @ vectors.transpose(0, 2, 1)  # [b, P, P]
        self._gain = self._relevance
        self._similarity: np.ndarray | None = None
        has_next = values.shape[1] > pool
        self._edge = values[:, pool - 1] - values[:, pool] if has_next else None
        self._best: list[np.ndarray] = []
        self._second: list[np.ndarray] = []
        self._next: list[np.ndarray] = []

    def best(self, allowed: np.ndarray) -> np.ndarray:
        """Return the place to choose next in each row, int64 [b].

        Args:
            allowed: bool [b, P], places that may be chosen.
        """
        pool = self._pool
        gain = np.where(allowed[:, :pool], self._gain[:, :pool], -np.inf)
        best = gain.max(1)
        place: np.ndarray = (gain >= best[:, None] - TIE).argmax(1)
        gain[self._rows, place] = -np.inf
        self._best.append(best)
        self._second.append(gain.max(1))
        if self._edge is not None:
            self._next.append(self._gain[:, pool])
        return np.where(best > -np.inf, place, allowed.argmax(1))

    def take(self, place: np.ndarray) -> None:
        """Take the items at the chosen places into account.

        Args:
            place: int64 [b].
        """
        near = self._cosines[self._rows, np.minimum(place, self._pool - 1)]
        self._similarity = near if self._similarity is None else np.maximum(near, self._similarity)
        self._gain = self._relevance - self._strength * self._similarity

    def slack(self, places: np.ndarray, gaps: np.ndarray) -> np.ndarray:
        """Return the smallest change of a difference of scores that could change the choice.

        Args:
            places: int64 [b, k], chosen places.
            gaps: float64 [b], smallest difference between neighbours in the ranking.

        Returns:
            float64 [b]; see the plain version for the reasons.
        """
        slack = np.full(len(places), np.inf)
        if not self._best:
            return slack
        best = np.array(self._best)  # [k, b]
        lead = best - np.array(self._second)
        closest = np.where(lead > TIE, lead, np.inf).min(0)
        if self._strength < 1:
            scale = self._range[:, 0] / (2 * (1 - self._strength))
            slack = np.where(np.isinf(closest), np.inf, closest * scale)
        if self._edge is not None:
            counts = (places == self._pool - 1).any(1)
            counts |= (np.array(self._next) >= best - UNCLEAR).any(0)
            slack = np.minimum(slack, np.where(counts & (self._edge > 0), self._edge, np.inf))
        found: np.ndarray = np.where((places >= self._pool).any(1), np.minimum(slack, gaps), slack)
        return found
