"""Rank-biased precision (Moffat & Zobel 2008): a reader who goes on with probability 0.8."""

from __future__ import annotations

import numpy as np

from sasrec import Metric

GOES_ON = 0.8


def rank_biased_precision(ranks: np.ndarray, k: int) -> np.ndarray:
    """Return (1 - p) p^(rank - 1), summed over a case's relevant items among the first k."""
    table = ranks if ranks.ndim == 2 else ranks[:, None]  # [M, R], 0 where a case has fewer
    gained = np.where((table >= 1) & (table <= k), (1 - GOES_ON) * GOES_ON ** (table - 1.0), 0.0)
    return gained.sum(1)


RANK_BIASED_PRECISION = Metric("rbp", rank_biased_precision)
