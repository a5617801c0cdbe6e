"""Choosing a list from ranked items: at most n of a group, and diversity (MMR), for many users.

Maximal marginal relevance (Carbonell and Goldstein, 1998) chooses one item after the other, each
time the one with the highest ``(1 - s) * relevance - s * similarity``. Similarity is the highest
cosine between its vector and those of the items chosen so far. Relevance is the score, scaled so
that the first item of the pool has 1 and the last has 0.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

TIE = 1e-12
"""Marginal relevances that differ by less are equal; the item with the higher score goes first."""
UNCLEAR = 1e-3
"""An item just outside the pool counts as possible if it lacks at most this marginal relevance."""


@dataclass(frozen=True, slots=True)
class Ranking:
    """The best items of each row in order.

    Attributes:
        items: int64 [b, P], item numbers; 0 where a row has no more.
        values: float64 [b, P], their scores, descending; minus infinity where a row has no more.
        extra: Number of last places that only show how close the next items are.
    """

    items: Tensor
    values: Tensor
    extra: int = 0


@dataclass(frozen=True, slots=True)
class Groups:
    """Groups of items, and how many items of a group a list may contain.

    Attributes:
        codes: int64 [V, W], numbers of the groups of each item, distinct between columns; -1 fills
            up.
        limits: int64 [W], the limit for the groups at each place.
    """

    codes: Tensor
    limits: Tensor


@dataclass(frozen=True, slots=True)
class Diversity:
    """How strongly a list avoids similar items.

    Attributes:
        strength: From 0 to 1.
        pool: Number of best items among which it chooses; after them, scores decide.
        vectors: float [V, d], item vectors.
    """

    strength: float
    pool: int
    vectors: Tensor


@dataclass(frozen=True, slots=True)
class Choice:
    """The chosen items of each row.

    Attributes:
        places: int64 [b, k], places in the ranking in the order of choice; -1 where none was left.
        slack: float64 [b], smallest change of a score that could change the choice.
    """

    places: Tensor
    slack: Tensor


def choose(
    ranking: Ranking,
    k: int,
    *,
    groups: Groups | None = None,
    diversity: Diversity | None = None,
    begun: Tensor | None = None,
) -> Choice:
    """Choose up to k items of each row, one after the other.

    Args:
        ranking: The items to choose from.
        k: Number of items of a list, from 1.
        groups: Limits for groups; None for none.
        diversity: None chooses by score alone.
        begun: int64 [b, n], items that are in the list already, 0 where none.

    Returns:
        The choice.
    """
    free = ranking.items > 0
    free[:, free.shape[1] - ranking.extra :] = False
    if groups is None and diversity is None:
        places = _first_places(free, k)
        return Choice(places, _gaps(ranking, places))
    room = None if groups is None else _Room(groups, ranking.items, begun)
    spread = None if diversity is None else _Spread(diversity, ranking)
    places = torch.full((len(free), k), -1, dtype=torch.int64, device=free.device)
    for step in range(k):
        allowed = free if room is None else free & room.left
        found = allowed.any(1)
        if not found.any():
            break
        place = _first(allowed) if spread is None else spread.best(allowed)
        places[:, step] = place.masked_fill(~found, -1)
        free = free.scatter(1, place[:, None], False)
        if room is not None:
            room.take(place, found)
        if spread is not None:
            spread.take(place)
    slack = _gaps(ranking, places)
    return Choice(places, slack if spread is None else spread.slack(places, slack))


def _first_places(free: Tensor, k: int) -> Tensor:
    """Return the first k true places of each row, int64 [b, k]; -1 where there are fewer."""
    order = free.to(torch.uint8).sort(dim=1, descending=True, stable=True).indices[:, :k]
    places = torch.full((len(free), k), -1, dtype=torch.int64, device=free.device)
    places[:, : order.shape[1]] = order.masked_fill(~free.gather(1, order), -1)
    return places


def _first(allowed: Tensor) -> Tensor:
    """Return the first true place of each row, int64 [b]; 0 if there is none."""
    return allowed.to(torch.uint8).argmax(1)


def _gaps(ranking: Ranking, places: Tensor) -> Tensor:
    """Return the smallest difference between neighbours up to the last chosen place of each row.

    Equal scores are not uncertain, as only equal items have them.
    """
    values = ranking.values
    gaps = values[:, :-1] - values[:, 1:]
    gaps = gaps.masked_fill(~(gaps > 0), torch.inf)  # also where both are minus infinity
    is_full = (places >= 0).all(1)
    last = places.max(1).values.masked_fill(~is_full, values.shape[1])
    walked = torch.arange(gaps.shape[1], device=gaps.device) <= last[:, None]
    gaps = gaps.masked_fill(~walked, torch.inf)
    return gaps.min(1).values if gaps.shape[1] else values.new_full((len(values),), torch.inf)


class _Room:
    """Which places of a ranking have groups that are not full."""

    def __init__(self, groups: Groups, items: Tensor, begun: Tensor | None) -> None:
        self._codes = groups.codes[items]  # [b, P, W]
        self._counts = torch.zeros_like(self._codes)
        self._limits = groups.limits
        if begun is not None:
            for taken in groups.codes[begun].unbind(1):
                self._add(taken)

    @property
    def left(self) -> Tensor:
        """Whether there is room for the item at each place, bool [b, P]."""
        return ((self._counts < self._limits) | (self._codes < 0)).all(2)

    def take(self, place: Tensor, found: Tensor) -> None:
        """Count the items at the chosen places.

        Args:
            place: int64 [b].
            found: bool [b], whether the row has chosen one.
        """
        taken = self._codes[torch.arange(len(place), device=place.device), place]
        self._add(taken.masked_fill(~found[:, None], -1))

    def _add(self, taken: Tensor) -> None:
        for code in taken.unbind(1):
            self._counts += (self._codes == code[:, None, None]) & (code >= 0)[:, None, None]


class _Spread:
    """Maximal marginal relevance of the items of a ranking, and how clear the choice is."""

    def __init__(self, diversity: Diversity, ranking: Ranking) -> None:
        self._strength = diversity.strength
        self._pool = pool = min(diversity.pool, ranking.items.shape[1])
        values = ranking.values[:, : pool + 1]  # one more, which might belong to the pool
        inside = values[:, :pool]
        lowest = inside.masked_fill(inside == -torch.inf, torch.inf).min(1, keepdim=True).values
        tiny = torch.finfo(values.dtype).tiny
        self._range = (values[:, :1] - lowest).clamp(min=tiny)
        self._relevance = (1 - self._strength) * (values - lowest) / self._range
        vectors = diversity.vectors[ranking.items[:, : pool + 1]].double()
        self._vectors = vectors / vectors.norm(dim=2, keepdim=True).clamp(min=tiny)
        self._gain = self._relevance
        self._similarity: Tensor | None = None
        self._closest = values.new_full((len(values),), torch.inf)
        self._edge = values.new_full((len(values),), torch.inf)
        if values.shape[1] > pool:
            self._edge = values[:, pool - 1] - values[:, pool]
        self._edge_counts = torch.zeros(len(values), dtype=torch.bool, device=values.device)

    def best(self, allowed: Tensor) -> Tensor:
        """Return the place to choose next in each row, int64 [b].

        Args:
            allowed: bool [b, P], places that may be chosen.
        """
        pool = self._pool
        gain = self._gain[:, :pool].masked_fill(~allowed[:, :pool], -torch.inf)
        best = gain.max(1)
        place = _first(gain >= best.values[:, None] - TIE)
        second = gain.scatter(1, place[:, None], -torch.inf).max(1).values
        lead = best.values - second
        self._closest = torch.minimum(self._closest, lead.masked_fill(~(lead > TIE), torch.inf))
        self._edge_counts |= place == pool - 1
        if self._gain.shape[1] > pool:
            self._edge_counts |= self._gain[:, pool] >= best.values - UNCLEAR
        return place.where(best.values > -torch.inf, _first(allowed))

    def take(self, place: Tensor) -> None:
        """Take the items at the chosen places into account.

        Args:
            place: int64 [b].
        """
        rows = torch.arange(len(place), device=place.device)
        taken = self._vectors[rows, place.clamp(max=self._pool - 1)]
        near = (self._vectors * taken[:, None]).sum(2)
        self._similarity = near if self._similarity is None else near.maximum(self._similarity)
        self._gain = self._relevance - self._strength * self._similarity

    def slack(self, places: Tensor, gaps: Tensor) -> Tensor:
        """Return the smallest change of a difference of scores that could change the choice.

        If differences change by m, a difference of gains changes by at most
        ``2 m (1 - s) / range``. The items before and after the end of the pool may change places,
        which counts if one of them is chosen or could be.

        Args:
            places: int64 [b, k], chosen places.
            gaps: float64 [b], smallest difference between neighbours in the ranking, which counts
                for rows with items from outside the pool.

        Returns:
            float64 [b].
        """
        slack = torch.full_like(self._closest, torch.inf)
        if self._strength < 1:
            scale = self._range[:, 0] / (2 * (1 - self._strength))
            slack = slack.where(self._closest.isinf(), self._closest * scale)
        is_unclear = self._edge_counts & (self._edge > 0)
        slack = torch.minimum(slack, self._edge.masked_fill(~is_unclear, torch.inf))
        return torch.where((places >= self._pool).any(1), torch.minimum(slack, gaps), slack)
