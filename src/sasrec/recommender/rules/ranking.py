"""Lists under rules: exactly the items that the rules choose from the scores of all items.

The rules apply in this order. (1) Items that must not be in a list are removed, before anything is
ranked. (2) Scores are boosted. (3) Items are chosen one after the other: the best one whose groups
are not full, or with diversity the one with the highest marginal relevance. (4) Lists that are too
short are filled up by popularity, under all rules but the limits to candidates.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from sasrec.evaluation.top_items import TopCandidates, positions_in_row, ranking_order
from sasrec.recommender.rules.choosing import Choice, Diversity, Ranking, choose
from sasrec.recommender.rules.choosing_few import FEW, choose_few
from sasrec.recommender.rules.prepared import PreparedRules
from sasrec.recommender.rules.rows import RowLimits, ScoredRows, flat

MANY = 4
"""Number of lists from which on one sum for each is faster than to exclude items directly."""
GROWTH = 8
"""Factor by which more items are examined if full groups leave a list incomplete."""


@dataclass(frozen=True, slots=True)
class ListRequest:
    """What lists to make.

    Attributes:
        k: Number of items in a list, from 1.
        excluded: bool [V], items that no list contains; always includes padding.
        added: float32 [V], what boosts add to scores; minus infinity for excluded items. None if it
            would be used for too few lists to be worth its computation.
        rules: The rules.
        vectors: float [V, d], item vectors, for diversity; None if the model has none.
    """

    k: int
    excluded: Tensor
    added: Tensor | None
    rules: PreparedRules
    vectors: Tensor | None

    @classmethod
    def of(
        cls,
        k: int,
        excluded: Tensor,
        rules: PreparedRules,
        *,
        vectors: Tensor | None,
        n_lists: int,
    ) -> ListRequest:
        """Return a request for lists.

        Args:
            k: Number of items in a list, from 1.
            excluded: bool [V], items that no list contains; always includes padding.
            rules: The rules.
            vectors: float [V, d], item vectors; None if the model has none.
            n_lists: Number of lists in all.
        """
        if n_lists < MANY:
            return cls(k, excluded, None, rules, vectors)
        amounts = None if rules.boosts is None else rules.boosts.amounts
        added = torch.zeros(len(excluded)) if amounts is None else amounts.float()
        added = added.to(excluded.device).masked_fill(excluded, -torch.inf)
        return cls(k, excluded, added, rules, vectors)

    @property
    def diversity(self) -> Diversity | None:
        """How lists avoid similar items; None if they need not."""
        written = self.rules.rules
        if not written.diversity or self.vectors is None:
            return None
        pool = max(written.pool, 5 * self.k if written.diversity_pool is None else self.k)
        return Diversity(float(written.diversity), pool, self.vectors)

    @property
    def examined(self) -> int:
        """Number of best items examined at first."""
        if (diversity := self.diversity) is not None:
            return diversity.pool
        return self.k if self.rules.groups is None else max(4 * self.k, 32)


@dataclass(frozen=True, slots=True)
class RuledLists:
    """Lists for some histories.

    Attributes:
        items: int64 [b, k], item numbers, best first; 0 where a list is shorter.
        scores: float64 [b, k], their scores.
        filled: int64 [b], how many of the last items of each list fill it up.
    """

    items: np.ndarray
    scores: np.ndarray
    filled: np.ndarray

    def row(self, index: int) -> tuple[np.ndarray, np.ndarray, int]:
        """Return items, scores and number of items that fill up for one history.

        Args:
            index: The history.
        """
        count = int((self.items[index] > 0).sum())
        scores = self.scores[index, :count].astype(np.float32)
        return self.items[index, :count], scores, int(self.filled[index])


@torch.inference_mode()
def ruled_lists(rows: ScoredRows, limits: RowLimits, request: ListRequest) -> RuledLists:
    """Return the lists for some histories.

    Args:
        rows: Their scores.
        limits: What each list leaves out.
        request: The rules and the length of the lists.

    Returns:
        The lists; each is what the rules give for the scores of all items.
    """
    scores = _allowed_scores(rows, limits, request)
    count, device = len(scores), scores.device
    examined = min(request.examined, scores.shape[1] - 1)
    every = torch.arange(count, device=device)
    items, values, done = _chosen(rows, scores, every, examined, request)
    pending = (~done).nonzero()[:, 0]
    while len(pending):
        examined = min(examined * GROWTH, scores.shape[1] - 1)
        some = _chosen(rows, scores[pending], pending, examined, request)
        items[pending], values[pending], done = some
        pending = pending[~done]
    filled = torch.zeros(count, dtype=torch.int64, device=device)
    short = (items[:, -1] == 0).nonzero()[:, 0]
    if request.rules.fill_order is not None and len(request.rules.fill_order) and len(short):
        filled[short] = _fill_up(rows, limits, request, short, lists=(items, values))
    return RuledLists(items.cpu().numpy(), values.cpu().numpy(), filled.cpu().numpy())


def _allowed_scores(rows: ScoredRows, limits: RowLimits, request: ListRequest) -> Tensor:
    """Return boosted scores, minus infinity for what must not be listed, float32 [b, V]."""
    scores = rows.scores()
    if request.rules.boosts is not None:
        request.rules.boosts.multiply_(scores)
    if request.added is None:
        boosts = request.rules.boosts
        if boosts is not None and boosts.amounts is not None:
            scores += boosts.amounts.to(scores.device)
        scores.masked_fill_(request.excluded, -torch.inf)
    else:
        scores += request.added  # takes half the time of masked_fill_
    limits.apply_(scores)
    return scores


def _chosen(
    rows: ScoredRows, scores: Tensor, which: Tensor, examined: int, request: ListRequest
) -> tuple[Tensor, Tensor, Tensor]:
    """Choose from the best items of some rows.

    Args:
        rows: All rows.
        scores: float32 [n, V], allowed scores of some rows.
        which: int64 [n], which rows.
        examined: Number of best items to choose from.
        request: The rules.

    Returns:
        The chosen items, int64 [n, k], 0 where none was left; their scores, float64 [n, k]; and
        whether more items would not change the list, bool [n].
    """
    boosts = request.rules.boosts
    margin = rows.margin[which]
    if boosts is not None:
        margin = boosts.margin(margin, rows.largest[which])
    candidates = TopCandidates.of(scores, examined + 1, margin)  # one more: is it the last?
    ranking = _ranking(rows, candidates, which, examined, request)
    choice = _choice(ranking, request)
    uncertain = (choice.slack <= margin).nonzero()[:, 0]
    if len(uncertain) and rows.compute_alone(which[uncertain]):
        ranking = _ranking(rows, candidates, which, examined, request)
        choice = _choice(ranking, request)
    is_none = choice.places < 0
    places = choice.places.clamp(min=0)
    items = ranking.items.gather(1, places).masked_fill_(is_none, 0)
    values = ranking.values.gather(1, places).masked_fill_(is_none, 0)
    done = ~is_none[:, -1] | (ranking.items[:, -1] == 0)
    if examined == scores.shape[1] - 1:
        done = torch.ones_like(done)
    return items, values, done


def _choice(ranking: Ranking, request: ListRequest) -> Choice:
    """Return what is chosen from a ranking, with NumPy if there is little to choose from."""
    groups, diversity = request.rules.groups, request.diversity
    is_small = ranking.items.device.type == "cpu" and ranking.items.numel() <= FEW
    chosen_by = choose_few if is_small else choose
    return chosen_by(ranking, request.k, groups=groups, diversity=diversity)


def _ranking(
    rows: ScoredRows,
    candidates: TopCandidates,
    which: Tensor,
    examined: int,
    request: ListRequest,
) -> Ranking:
    """Return the candidates of each row in order, and one more to see how close it is."""
    exact = rows.exact(which[candidates.rows], candidates.items)
    if exact is None:
        exact = candidates.scores
    elif request.rules.boosts is not None:
        exact = request.rules.boosts.of_items(exact, candidates.items)
    owners, items = candidates.rows.cpu().numpy(), candidates.items.cpu().numpy()
    scores = exact.cpu().numpy()
    order = ranking_order(owners, items, scores)
    places = positions_in_row(owners)
    kept = places <= examined
    at, chosen = (owners[kept], places[kept]), order[kept]
    shape = len(which), examined + 1
    table, values = np.zeros(shape, dtype=np.int64), np.full(shape, -np.inf)
    table[at], values[at] = items[chosen], scores[chosen]
    device = which.device
    return Ranking(torch.from_numpy(table).to(device), torch.from_numpy(values).to(device), extra=1)


def _fill_up(
    rows: ScoredRows,
    limits: RowLimits,
    request: ListRequest,
    short: Tensor,
    *,
    lists: tuple[Tensor, Tensor],
) -> Tensor:
    """Fill up lists in place with the most popular items that the other rules allow.

    Args:
        rows: All rows.
        limits: What each list leaves out; candidates of single users do not count here.
        request: The rules.
        short: int64 [n], the rows whose lists are too short.
        lists: int64 and float64 [b, k], items and scores of all rows.

    Returns:
        int64 [n], number of added items.
    """
    items, values = lists
    order = torch.from_numpy(request.rules.fill_order).to(items.device)
    blocked = [limits.blocked[row] for row in short.tolist()]
    examined = 2 * request.k + max(map(len, blocked))
    while True:
        some = order[:examined].repeat(len(short), 1)
        banned = torch.zeros((len(short), len(request.excluded)), dtype=torch.bool)
        banned = banned.to(items.device)
        banned[flat(blocked, items.device)] = True
        banned.scatter_(1, items[short], True)
        some = some.masked_fill(banned.gather(1, some), 0)
        ranking = Ranking(some, -torch.arange(some.shape[1]).double().expand_as(some))
        choice = choose(ranking, request.k, groups=request.rules.groups, begun=items[short])
        places = choice.places
        needed = (items[short] == 0).sum(1)
        if examined >= len(order) or ((places >= 0).sum(1) >= needed).all():
            break
        examined *= GROWTH
    added = some.gather(1, places.clamp(min=0)) * (places >= 0)
    have = (items[short] > 0).sum(1)
    target = have[:, None] + torch.arange(request.k, device=items.device)
    fits = (target < request.k) & (added > 0)
    owner = short[:, None].expand_as(target)
    items[owner[fits], target[fits]] = added[fits]
    values[owner[fits], target[fits]] = _scores_of(rows, short, added, request)[fits]
    return fits.sum(1)


def _scores_of(rows: ScoredRows, short: Tensor, items: Tensor, request: ListRequest) -> Tensor:
    """Return the boosted scores of some items of some rows, float64 [n, k]."""
    raw = rows.scores(short).gather(1, items).double()
    boosts = request.rules.boosts
    return raw if boosts is None else boosts.of_items(raw.flatten(), items.flatten()).view_as(raw)
