"""Rank-biased precision (Moffat & Zobel 2008): for a user who continues with probability 0.8."""

from __future__ import annotations

import numpy as np

from sasrec import Metric

CONTINUE = 0.8


def rank_biased_precision(ranks: np.ndarray, k: int) -> np.ndarray:
    """Return the sum of (1 - p) p^(rank - 1) over the relevant items of each case in the top k."""
    table = (
        ranks if ranks.ndim == 2 else ranks[:, None]
    )  # [M, R], 0 if a case has fewer than R relevant items
    gained = np.where((table >= 1) & (table <= k), (1 - CONTINUE) * CONTINUE ** (table - 1.0), 0.0)
    return gained.sum(1)


RANK_BIASED_PRECISION = Metric("rbp", rank_biased_precision)
