"""Losses that set the target against sampled negatives instead of the whole catalogue."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def bpr(hidden: Tensor, targets: Tensor, table: Tensor, negatives: Tensor) -> Tensor:
    """Return Bayesian personalised ranking's loss (Rendle et al. 2009, arXiv:1205.2618).

    loss = mean over positions and negatives of  -log sigmoid(score(target) - score(negative)).

    Args:
        hidden: float [P, d], supervised states only.
        targets: int64 [P], the items that followed.
        table: float [V, d], item vectors.
        negatives: int64 [P, K], items that did not.

    Returns:
        A scalar; 0 if there are no positions.
    """
    positive = (hidden * table[targets]).sum(-1, keepdim=True)  # [P, 1]
    negative = (hidden[:, None, :] * table[negatives]).sum(-1)  # [P, K]
    return -F.logsigmoid(positive - negative).sum() / max(negatives.numel(), 1)


@torch.no_grad()
def hardest(hidden: Tensor, table: Tensor, candidates: Tensor) -> Tensor:
    """Return of each set of candidates the one that scores highest: a dynamic negative.

    Args:
        hidden: float [P, d], states.
        table: float [V, d], item vectors.
        candidates: int64 [P, K, C], item numbers.

    Returns:
        int64 [P, K].
    """
    scores = (hidden[:, None, None, :] * table[candidates]).sum(-1)  # [P, K, C]
    return candidates.gather(2, scores.argmax(2, keepdim=True))[:, :, 0]
