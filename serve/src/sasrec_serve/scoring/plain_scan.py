"""The items that could have the highest scores, found with NumPy, where there is no kernel."""

from __future__ import annotations

import numpy as np

SCORE_BYTES = 2**24
"""Size of the matrix of scores that is in memory at once."""
LARGEST, SMALLEST = 1e15, 1e-15
"""Norms between these cannot overflow float32, or get lost in it, when two are multiplied."""
UNIT = 2.0**-24
"""Half the distance from 1 to the next float32: the relative error of one operation."""


def leaders(
    states: np.ndarray, vectors: np.ndarray, largest_norm: float, k: int, excluded: np.ndarray
) -> list[np.ndarray]:
    """Return all items that could be among the k with the highest exact scores.

    Let s be a state, v an item vector of d numbers, and u = 2^-24. A product computed in float32,
    in any order of summation, differs from s.v by at most E = g |s| |v| with g = d u / (1 - d u)
    (Higham, Accuracy and Stability of Numerical Algorithms, 2002, section 3.1), as long as no
    number overflows or is subnormal. The exact score is rounded to float32, which changes it by
    at most u |s| |v|, so that two items are equal or in another order only if their products
    differ by at most 2 u |s| |v|. An item can thus only be among the k best if its product in
    float32 is at most 2 (E + u |s| |v|) below the k-th highest. The largest norm is used for all
    items, and twice this margin, which covers the rounding of the margin itself.

    Args:
        states: float32 [b, d], finite.
        vectors: float32 [V, d], finite.
        largest_norm: Norm of the longest item vector.
        k: Number of items, from 1.
        excluded: bool [b, V], items that are left out.

    Returns:
        int64 arrays of item numbers, one for each state, ascending.
    """
    found = []
    size = max(1, SCORE_BYTES // (4 * len(vectors)))
    unit = UNIT * (states.shape[1] + 1) * 1.01
    for begin in range(0, len(states), size):
        some = states[begin : begin + size]
        norms = np.linalg.norm(some.astype(np.float64), axis=1)
        scores, is_wide = _products(some, norms, vectors, largest_norm)
        scores[excluded[begin : begin + size]] = -np.inf
        margins = 4 * unit * norms * largest_norm
        for row, margin in zip(scores, margins, strict=True):
            # Products in float64 still have to be compared as the float32 they are rounded to.
            found.append(_near_the_best(row, k, margin if not is_wide else margin + 1e-40))
    return found


def _products(
    states: np.ndarray, norms: np.ndarray, vectors: np.ndarray, largest_norm: float
) -> tuple[np.ndarray, bool]:
    """Return scores, float [b, V], and whether they are float64."""
    nonzero = norms[norms > 0]
    ends = [*nonzero[:1], *nonzero[1:], largest_norm or 1.0]
    if min(ends) > SMALLEST and max(ends) < LARGEST:
        return states @ vectors.T, False
    return states.astype(np.float64) @ vectors.T.astype(np.float64), True


def _near_the_best(scores: np.ndarray, k: int, margin: float) -> np.ndarray:
    """Return the numbers whose scores are at most ``margin`` below the k-th highest, ascending."""
    last = scores[np.argpartition(-scores, k - 1)[k - 1]] if k < len(scores) else -np.inf
    if last == -np.inf:
        return np.flatnonzero(scores > -np.inf)
    return np.flatnonzero(scores >= last - margin)
