"""The list of one history under rules: exactly the items that the rules choose from all scores.

The rules apply in this order. (1) Items that must not be in a list are removed, before anything is
ranked. (2) Scores are boosted. (3) Items are chosen one after the other: the best one whose groups
are not full, or with diversity the one with the highest marginal relevance. (4) Lists that are too
short are filled up by popularity, under all rules but the limits to candidates.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sasrec_serve.rules.choosing import Diversity, Groups, Ranking, choose
from sasrec_serve.rules.prepared import PreparedRules
from sasrec_serve.rules.rows import Boosted, Scores, best_of

GROWTH = 8
"""Factor by which more items are examined if full groups leave a list incomplete."""


@dataclass(frozen=True, slots=True, eq=False)
class Limits:
    """What the list of a history leaves out, beyond what all lists leave out.

    Attributes:
        blocked: int64, ascending, items that it leaves out.
        only: int64, the only items that it may contain; None for no limit.
    """

    blocked: np.ndarray
    only: np.ndarray | None = None


@dataclass(frozen=True, slots=True, eq=False)
class ListRequest:
    """What lists to make.

    Attributes:
        k: Number of items in a list, from 1.
        allowed: bool [V], items that a list may contain; never padding.
        rules: The rules.
        vectors: float32 [V, d], item vectors, for diversity; None if the model has none.
    """

    k: int
    allowed: np.ndarray
    rules: PreparedRules
    vectors: np.ndarray | None

    @property
    def diversity(self) -> Diversity | None:
        """How lists avoid similar items; None if they need not."""
        written = self.rules.rules
        if not written.diversity or self.vectors is None:
            return None
        pool = max(written.pool, 5 * self.k if written.diversity_pool is None else self.k)
        return Diversity(float(written.diversity), pool, self.vectors)

    @property
    def groups(self) -> Groups | None:
        """Limits for groups; None for none."""
        return self.rules.groups

    @property
    def examined(self) -> int:
        """Number of best items examined at first."""
        if (diversity := self.diversity) is not None:
            return diversity.pool
        return self.k if self.groups is None else max(4 * self.k, 32)


@dataclass(frozen=True, slots=True, eq=False)
class RuledList:
    """The list of a history.

    Attributes:
        items: int64 [n], item numbers, best first.
        scores: float32 [n], their scores.
        filled: How many of the last items fill it up.
        is_uncertain: Whether another rounding of the network's output could change the list.
    """

    items: np.ndarray
    scores: np.ndarray
    filled: int = 0
    is_uncertain: bool = False


def ruled_list(scores: Scores, limits: Limits, request: ListRequest) -> RuledList:
    """Return the list of a history.

    Args:
        scores: Its scores.
        limits: What it leaves out.
        request: The rules and the length of the list.

    Returns:
        The list; it is what the rules give for the scores of all items.
    """
    boosted = Boosted(scores, request.rules.boosts)
    examined = request.examined
    while True:
        examined = min(examined, len(request.allowed))
        ranking, is_whole = _ranking(boosted, limits, request, examined)
        diversity = request.diversity if len(ranking.items) else None
        choice = choose(ranking, request.k, groups=request.groups, diversity=diversity)
        if is_whole or len(choice.places) == request.k:
            break
        examined *= GROWTH
    found = RuledList(
        ranking.items[choice.places],
        ranking.values[choice.places].astype(np.float32),
        is_uncertain=choice.slack <= boosted.margin,
    )
    is_short = len(found.items) < request.k
    return _filled_up(found, boosted, limits, request) if is_short else found


def _ranking(
    boosted: Boosted, limits: Limits, request: ListRequest, examined: int
) -> tuple[Ranking, bool]:
    """Return the best allowed items in order, and whether these are all of them."""
    if limits.only is not None:
        some = np.unique(limits.only)
        some = some[request.allowed[some]]
        some = some[~np.isin(some, limits.blocked)]
        items, values = best_of(some, boosted.of(some), examined + 1)
    elif request.allowed.any():
        items, values = boosted.best(examined + 1, request.allowed, limits.blocked)
    else:
        items, values = np.zeros(0, dtype=np.int64), np.zeros(0)
    is_whole = len(items) <= examined
    following = float("-inf") if is_whole else float(values[examined])
    return Ranking(items[:examined], values[:examined], following), is_whole


def _filled_up(
    found: RuledList, boosted: Boosted, limits: Limits, request: ListRequest
) -> RuledList:
    """Return a list filled up with the most popular items that the other rules allow."""
    order = request.rules.fill_order
    if order is None or not len(order):
        return found
    examined = 2 * request.k + len(limits.blocked)
    needed = request.k - len(found.items)
    while True:
        some = order[:examined]
        some = some[~np.isin(some, np.concatenate([limits.blocked, found.items]))]
        ranking = Ranking(some, -np.arange(len(some), dtype=np.float64))
        places = choose(ranking, needed, groups=request.groups, begun=found.items).places
        if examined >= len(order) or len(places) == needed:
            break
        examined *= GROWTH
    added = some[places]
    return RuledList(
        np.concatenate([found.items, added]),
        np.concatenate([found.scores, boosted.of(added).astype(np.float32)]),
        filled=len(added),
        is_uncertain=found.is_uncertain,
    )
