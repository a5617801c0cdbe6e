"""Leaders: the items with the highest scores, in a reproducible order.

Items with equal scores are ordered by number. Float32 sums are rounded differently in different
batches, so a list could depend on the other histories in its batch. To prevent this,
``TopCandidates`` finds every item that could be in the list under any rounding, and these items are
then ordered by scores computed in double precision.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

EXTRA_ITEMS = 16
"""Items examined beyond the k best before a whole row is searched for more."""
PAIR_VALUES = 2**22
"""Numbers multiplied at a time in double precision."""
ROUNDING = 2.0**-18
"""Two scores are in uncertain order if their difference, divided by the norm of the state and the
norm of the longest item vector, is at most this. Between a batch of one and a batch of hundreds the
largest difference measured was 1.2e-6 (random networks of up to six layers); this is three times
that."""


def top_items(scores: Tensor, k: int, *, some_removed: bool = False) -> Tensor:
    """Return the items with the highest scores, best first; padding is never among them.

    Args:
        scores: float [M, V]; NaN counts as lowest.
        k: Number of items, at most V - 1.
        some_removed: Whether a score of minus infinity means that the item was removed.

    Returns:
        int64 [M, k], item numbers from 1, ties by number; padded with zeros at the end if too many
        items were removed.
    """
    lowest = torch.finfo(scores.dtype).min
    real = scores[:, 1:].nan_to_num(nan=lowest, neginf=-torch.inf, posinf=torch.inf)
    values, columns = highest(real, k)
    items = columns + 1
    return items.masked_fill(values == -torch.inf, 0) if some_removed else items


def highest(scores: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """Return the k highest scores of each row; ties by column.

    Args:
        scores: float [M, n] without NaN.
        k: Number of scores, at most n.

    Returns:
        float [M, k], descending, and int64 [M, k], their columns.
    """
    wide = min(k + 1, scores.shape[1])
    best = scores.topk(wide, dim=1)
    values, columns = best.values[:, :k], best.indices[:, :k].clone()
    if wide > k and k:
        # If the k-th and the next score are equal, topk picks an arbitrary one of them.
        tied = (best.values[:, k] == best.values[:, k - 1]).nonzero()[:, 0]
        size = max(1, PAIR_VALUES // scores.shape[1])
        for some in torch.split(tied, size):
            columns[some] = _first_columns(scores[some], values[some, -1:], k)
        values = scores.gather(1, columns)
    columns, order = columns.sort(dim=1)
    values, order = values.gather(1, order).sort(dim=1, descending=True, stable=True)
    return values, columns.gather(1, order)


def _first_columns(scores: Tensor, last: Tensor, k: int) -> Tensor:
    """Return the columns of all scores above the k-th, and of the first ones equal to it."""
    above, equal = scores > last, scores == last
    n_equal = k - above.sum(1, keepdim=True)
    chosen = above | (equal & (equal.cumsum(1) <= n_equal))
    return chosen.nonzero()[:, 1].view(len(scores), k)


@dataclass(frozen=True, slots=True)
class TopCandidates:
    """Items that could be among the k best of each row.

    Attributes:
        rows: int64 [n], ascending.
        items: int64 [n], item numbers.
        scores: float64 [n], their scores.
    """

    rows: Tensor
    items: Tensor
    scores: Tensor

    @classmethod
    def of(cls, scores: Tensor, k: int, margin: Tensor) -> TopCandidates:
        """Return all items whose score is at most ``margin`` below the k-th best of the row.

        Args:
            scores: float [b, V]; minus infinity excludes an item.
            k: Number of items in a list, from 1.
            margin: float [b], largest rounding error of a difference of scores.
        """
        best = scores.topk(min(k + EXTRA_ITEMS, scores.shape[1]), dim=1)
        bound = (best.values[:, min(k, best.values.shape[1]) - 1] - margin)[:, None]
        near = (best.values >= bound) & (best.values > -torch.inf)
        # If the last examined item is a candidate, unexamined ones may be too.
        many = near[:, -1] & (scores.shape[1] > near.shape[1])
        near[many] = False
        rows, columns = near.nonzero(as_tuple=True)
        items = best.indices[rows, columns]
        if many.any():
            which = many.nonzero()[:, 0]
            some = scores[which]
            owners, numbers = ((some >= bound[which]) & (some > -torch.inf)).nonzero(as_tuple=True)
            rows, items = torch.cat([rows, which[owners]]), torch.cat([items, numbers])
            order = rows.argsort(stable=True)
            rows, items = rows[order], items[order]
        return cls(rows, items, scores[rows, items].double())


def products(states: Tensor, rows: Tensor, table: Tensor, items: Tensor) -> Tensor:
    """Return dot products of states and item vectors in double precision.

    Equal item vectors have exactly equal products with the same state.

    Args:
        states: float [b, d].
        rows: int64 [n], index of the state of each pair.
        table: float [V, d], item vectors.
        items: int64 [n], item number of each pair.

    Returns:
        float64 [n].
    """
    size = max(1, PAIR_VALUES // table.shape[1])
    found = [
        (states[some].double() * table[others].double()).sum(1)
        for some, others in zip(torch.split(rows, size), torch.split(items, size), strict=True)
    ]
    return torch.cat(found) if found else torch.zeros(0, dtype=torch.float64, device=rows.device)


def ranking_order(rows: np.ndarray, items: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """Return the order that sorts by row, then descending score, then item number.

    Args:
        rows: int64 [n].
        items: int64 [n].
        scores: float64 [n]; scores that are equal as float32 are ties.

    Returns:
        int64 [n], indices.
    """
    return np.lexsort((items, -scores.astype(np.float32), rows))


def positions_in_row(rows: np.ndarray) -> np.ndarray:
    """Return the position of each entry within its row, from 0.

    Args:
        rows: int64 [n], ascending.

    Returns:
        int64 [n].
    """
    begins = np.flatnonzero(np.diff(rows, prepend=-1))
    lengths = np.diff(np.append(begins, len(rows)))
    return np.arange(len(rows)) - np.repeat(begins, lengths)


def uncertain_rows(rows: np.ndarray, scores: np.ndarray, k: int, margin: np.ndarray) -> np.ndarray:
    """Return the rows where rounding could swap one of the first k items with its successor.

    Equal scores are not uncertain, as only equal item vectors have them.

    Args:
        rows: int64 [n], in ranking order.
        scores: float64 [n], in ranking order.
        k: Number of items in a list.
        margin: float64 [rows], largest rounding error of a difference of scores.

    Returns:
        int64, distinct and ascending.
    """
    gaps = scores[:-1] - scores[1:]
    close = (rows[:-1] == rows[1:]) & (gaps != 0) & (gaps <= margin[rows[:-1]])
    return np.unique(rows[:-1][close & (positions_in_row(rows)[:-1] < k)])
