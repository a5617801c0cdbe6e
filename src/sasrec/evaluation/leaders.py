"""Leaders: the items with the highest scores, in an order that chance has no part in.

Items with equal scores stand in the order of their numbers. Sums in float32 come out a little
different in another batch, so a list could depend on whom else was asked for: ``Contest`` finds
every item that rounding might lift into a list, and the final order is that of scores summed in
double precision.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

SPARE = 16
"""Items looked at beyond the k best before a whole row is searched for more."""
PAIR_VALUES = 2**22
"""Numbers multiplied at a time in double precision."""
NOISE = 2.0**-18
"""Differences between scores, as a share of the length of the state times that of the longest item
vector, that rounding may turn round. Between a batch of one and one of hundreds the largest seen
was 1.2e-6 (random networks of up to six layers); this is three times that."""


def top_items(scores: Tensor, k: int, *, some_removed: bool = False) -> Tensor:
    """Return the items with the highest scores, best first; padding is never among them.

    Args:
        scores: float [M, V]; NaN counts as lowest.
        k: How many, at most V - 1.
        some_removed: Items whose score is minus infinity are not to be recommended.

    Returns:
        int64 [M, k], item numbers from 1, equal scores in their order; zeros behind them where
        fewer are left.
    """
    lowest = torch.finfo(scores.dtype).min
    real = scores[:, 1:].nan_to_num(nan=lowest, neginf=-torch.inf, posinf=torch.inf)
    values, places = highest(real, k)
    items = places + 1
    return items.masked_fill(values == -torch.inf, 0) if some_removed else items


def highest(scores: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """Return the k highest scores of each row, equal ones in the order of their places.

    Args:
        scores: float [M, n] without NaN.
        k: How many, at most n.

    Returns:
        float [M, k], falling, and int64 [M, k], their places.
    """
    wide = min(k + 1, scores.shape[1])
    best = scores.topk(wide, dim=1)
    values, places = best.values[:, :k], best.indices[:, :k].clone()
    if wide > k and k:
        # topk leaves to chance which of several equal scores it takes as the last.
        tied = (best.values[:, k] == best.values[:, k - 1]).nonzero()[:, 0]
        size = max(1, PAIR_VALUES // scores.shape[1])
        for some in torch.split(tied, size):
            places[some] = _first_places(scores[some], values[some, -1:], k)
        values = scores.gather(1, places)
    places, order = places.sort(dim=1)
    values, order = values.gather(1, order).sort(dim=1, descending=True, stable=True)
    return values, places.gather(1, order)


def _first_places(scores: Tensor, last: Tensor, k: int) -> Tensor:
    """Return the places of all scores above the last one, and of the first ones equal to it."""
    above, equal = scores > last, scores == last
    wanted = k - above.sum(1, keepdim=True)
    kept = above | (equal & (equal.cumsum(1) <= wanted))
    return kept.nonzero()[:, 1].view(len(scores), k)


@dataclass(frozen=True, slots=True)
class Contest:
    """Items that may be among the k best of some rows.

    Attributes:
        rows: int64 [n], rising.
        items: int64 [n], their numbers.
        scores: float64 [n], to be ordered by.
    """

    rows: Tensor
    items: Tensor
    scores: Tensor

    @classmethod
    def among(cls, scores: Tensor, k: int, margin: Tensor) -> Contest:
        """Return all items whose score is not clearly below the k-th best of its row.

        Args:
            scores: float [b, V]; minus infinity takes an item out.
            k: Length of the lists, from 1.
            margin: float [b], what rounding may do to scores.
        """
        best = scores.topk(min(k + SPARE, scores.shape[1]), dim=1)
        bound = (best.values[:, min(k, best.values.shape[1]) - 1] - margin)[:, None]
        near = (best.values >= bound) & (best.values > -torch.inf)
        # Where even the last one found is near, more may lie behind it.
        many = near[:, -1] & (scores.shape[1] > near.shape[1])
        near[many] = False
        rows, places = near.nonzero(as_tuple=True)
        items = best.indices[rows, places]
        if many.any():
            which = many.nonzero()[:, 0]
            some = scores[which]
            crowd, numbers = ((some >= bound[which]) & (some > -torch.inf)).nonzero(as_tuple=True)
            rows, items = torch.cat([rows, which[crowd]]), torch.cat([items, numbers])
            order = rows.argsort(stable=True)
            rows, items = rows[order], items[order]
        return cls(rows, items, scores[rows, items].double())


def products(states: Tensor, rows: Tensor, table: Tensor, items: Tensor) -> Tensor:
    """Return the products of pairs of a state and an item vector, in double precision.

    Equal vectors have equal products to the last bit.

    Args:
        states: float [b, d].
        rows: int64 [n], which state of each pair.
        table: float [V, d].
        items: int64 [n], which item vector.

    Returns:
        float64 [n].
    """
    size = max(1, PAIR_VALUES // table.shape[1])
    found = [
        (states[some].double() * table[others].double()).sum(1)
        for some, others in zip(torch.split(rows, size), torch.split(items, size), strict=True)
    ]
    return torch.cat(found) if found else torch.zeros(0, dtype=torch.float64, device=rows.device)


def in_order(rows: np.ndarray, items: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """Return the order of a contest: row by row, the highest score first, equals by number.

    Args:
        rows: int64 [n].
        items: int64 [n].
        scores: float64 [n]; those that are equal as float32 count as equal.

    Returns:
        int64 [n], places.
    """
    return np.lexsort((items, -scores.astype(np.float32), rows))


def places_within(rows: np.ndarray) -> np.ndarray:
    """Return at which place of its row each entry stands, from 0.

    Args:
        rows: int64 [n], rising.

    Returns:
        int64 [n].
    """
    begins = np.flatnonzero(np.diff(rows, prepend=-1))
    lengths = np.diff(np.append(begins, len(rows)))
    return np.arange(len(rows)) - np.repeat(begins, lengths)


def doubtful_rows(rows: np.ndarray, scores: np.ndarray, k: int, margin: np.ndarray) -> np.ndarray:
    """Return the rows in whose first k places rounding may turn two neighbours round.

    Equal scores are in no doubt: only equal item vectors have them.

    Args:
        rows: int64 [n], in order.
        scores: float64 [n], in order.
        k: Length of the lists.
        margin: float64 [rows], what rounding may do to scores.

    Returns:
        int64, distinct and rising.
    """
    gaps = scores[:-1] - scores[1:]
    close = (rows[:-1] == rows[1:]) & (gaps != 0) & (gaps <= margin[rows[:-1]])
    return np.unique(rows[:-1][close & (places_within(rows)[:-1] < k)])
