"""Exact scores: dot products in double precision, rounded once to float32.

The products of float32 numbers are exact in float64, and their sum has a relative error of at most
d * 2^-53 of the sum of their absolute values. The numbers are always added in the same order, so
a score depends on the state and the item vector only, and equal vectors have equal scores.
"""

from __future__ import annotations

import numpy as np

LANES = 8
"""Sums that are computed side by side: of every eighth number."""
PAIRS = 2**18
"""Numbers of item vectors that are multiplied at a time."""


def exact_scores(state: np.ndarray, vectors: np.ndarray, items: np.ndarray) -> np.ndarray:
    """Return the scores of some items for one state.

    Args:
        state: float32 [d].
        vectors: float32 [V, d], item vectors.
        items: int64 [n], item numbers.

    Returns:
        float32 [n].
    """
    found = np.zeros(len(items), dtype=np.float32)
    size = max(1, PAIRS // max(len(state), 1))
    wide = state.astype(np.float64)
    with np.errstate(over="ignore"):  # a score beyond float32 is infinite
        for begin in range(0, len(items), size):
            rows = vectors[items[begin : begin + size]].astype(np.float64)
            found[begin : begin + size] = _sums(rows * wide).astype(np.float32)
    return found


def _sums(products: np.ndarray) -> np.ndarray:
    """Return the sum of each row, in the order that ``scan.c`` uses.

    Args:
        products: float64 [n, d].
    """
    lanes = np.zeros((len(products), LANES))
    for begin in range(0, products.shape[1], LANES):
        some = products[:, begin : begin + LANES]
        lanes[:, : some.shape[1]] += some
    while lanes.shape[1] > 1:
        half = lanes.shape[1] // 2
        lanes = lanes[:, :half] + lanes[:, half:]
    return lanes[:, 0]


def ranked(items: np.ndarray, scores: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the k items with the highest scores, best first; ties by number.

    Args:
        items: int64 [n], item numbers.
        scores: float32 [n], without NaN.
        k: Number of items, from 1; fewer are returned if there are fewer.

    Returns:
        int64 [k], item numbers, and float32 [k], their scores.
    """
    order = np.lexsort((items, -scores))[:k]
    return items[order], scores[order]
