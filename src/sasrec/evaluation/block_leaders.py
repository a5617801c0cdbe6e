"""Leaders by blocks of items: the same candidates as ``TopCandidates.of``, several times as fast.

The highest score of each block of items is found first, by elementwise maxima. The k best items
are in the k blocks with the highest maxima, so only these blocks are searched.
"""

from __future__ import annotations

import torch
from torch import Tensor

from sasrec.evaluation.top_items import EXTRA_ITEMS, TopCandidates

BLOCK = 32
"""Items in a block. With 12,000 items, 16 and 64 are slower: the first has more blocks to compare,
the second more items to search."""
EXTRA_BLOCKS = 4
"""Blocks searched beyond the k best before a whole row is searched."""
FEWEST_BLOCKS = 4
"""Rows with fewer blocks than this times the blocks to search are searched whole."""


def padded_width(n_items: int) -> int:
    """Return the number of columns that a matrix of scores needs for whole blocks.

    Args:
        n_items: Number of items.
    """
    return -(-n_items // BLOCK) * BLOCK


def candidates_by_blocks(scores: Tensor, k: int, margin: Tensor) -> TopCandidates:
    """Return all items whose score is at most ``margin`` below the k-th best of the row.

    Args:
        scores: float [b, W], with W from ``padded_width``; minus infinity excludes an item.
        k: Number of items in a list, from 1.
        margin: float [b], largest rounding error of a difference of scores.

    Returns:
        The candidates.
    """
    n_blocks, searched = scores.shape[1] // BLOCK, k + EXTRA_BLOCKS
    if n_blocks < FEWEST_BLOCKS * searched:
        return TopCandidates.of(scores, min(k, scores.shape[1]), margin)
    # Block j holds the columns j, j + n_blocks, j + 2 n_blocks and so on: maxima over a dimension
    # that is not the last one are computed for many blocks at once.
    maxima = scores.view(len(scores), BLOCK, n_blocks).amax(1)
    blocks = maxima.topk(searched, dim=1)
    steps = torch.arange(BLOCK, device=scores.device) * n_blocks
    columns = (blocks.indices[:, :, None] + steps).flatten(1)
    best = scores.gather(1, columns).topk(k + EXTRA_ITEMS, dim=1)
    bound = (best.values[:, k - 1] - margin)[:, None]
    near = (best.values >= bound) & (best.values > -torch.inf)
    # If the last item or block examined is a candidate, others may be too.
    last_block = blocks.values[:, -1:]
    many = near[:, -1] | ((last_block >= bound) & (last_block > -torch.inf))[:, 0]
    near[many] = False
    rows, places = near.nonzero(as_tuple=True)
    items = columns[rows, best.indices[rows, places]]
    found = TopCandidates(rows, items, scores[rows, items].double())
    if not many.any():
        return found
    which = many.nonzero()[:, 0]
    return _merged(found, TopCandidates.of(scores[which], k, margin[which]), which)


def _merged(few: TopCandidates, many: TopCandidates, which: Tensor) -> TopCandidates:
    """Return the candidates of all rows; those of ``many`` belong to the rows ``which``."""
    rows = torch.cat([few.rows, which[many.rows]])
    order = rows.argsort(stable=True)
    items, scores = torch.cat([few.items, many.items]), torch.cat([few.scores, many.scores])
    return TopCandidates(rows[order], items[order], scores[order])
