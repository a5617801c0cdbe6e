"""Scores of targets and negatives, which every loss with negatives needs."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from sasrec.kernels.lookup import rows_of

Table = Tensor | Callable[[Tensor, Tensor], Tensor]
"""Item vectors [V, d], or a function that scores candidates without them."""
WHOLE_ROWS = 32
"""If the catalogue has at most this many items per negative of a position, score the whole
catalogue and select the negatives' scores: one matrix product is faster than gathering vectors."""


def pair_scores(
    hidden: Tensor, targets: Tensor, table: Table, negatives: Tensor
) -> tuple[Tensor, Tensor]:
    """Return the scores of targets and negatives, in full precision.

    Args:
        hidden: float [P, d], states.
        targets: int64 [P].
        table: float [V, d], item vectors; or a scorer.
        negatives: int64 [P, K] or [K].

    Returns:
        [P] and [P, K]; minus infinity where a negative is the position's own target.
    """
    if not isinstance(table, Tensor):
        candidates = torch.cat([targets[:, None], negatives.expand(len(targets), -1)], dim=1)
        positive, negative = table(hidden, candidates).tensor_split([1], dim=1)
        positive = positive[:, 0]
    else:
        positive = (hidden * rows_of(table, targets)).sum(-1)
        if negatives.dim() == 1:
            negative = hidden @ rows_of(table, negatives).T
        elif len(table) <= WHOLE_ROWS * negatives.shape[1]:
            negative = (hidden @ table.T).gather(1, negatives)
        else:
            negative = (hidden[:, None, :] * rows_of(table, negatives)).sum(-1)
    wide = torch.promote_types(negative.dtype, torch.float32)
    return positive.to(wide), negative.to(wide).masked_fill(
        negatives == targets[:, None], -torch.inf
    )


@torch.no_grad()
def hardest(hidden: Tensor, table: Table, candidates: Tensor) -> Tensor:
    """Return the candidate with the highest score in each set (dynamic negative sampling).

    Args:
        hidden: float [P, d], states.
        table: float [V, d], item vectors; or a scorer.
        candidates: int64 [P, K, C], item numbers.

    Returns:
        int64 [P, K, 1], its index in the set, from 0.
    """
    if isinstance(table, Tensor):
        scores = (hidden[:, None, None, :] * table[candidates]).sum(-1)  # [P, K, C]
    else:
        scores = table(hidden, candidates.flatten(1)).view(candidates.shape)
    return scores.argmax(2, keepdim=True)
