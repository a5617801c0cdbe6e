"""The items with the highest scores, found with NumPy, exactly; used where there is no kernel."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from sasrec_serve.scoring.exact import exact_scores, ranked

BLOCK_BYTES = 2**24
"""Size of the matrix of scores that is in memory at once."""
LARGEST, SMALLEST = 1e15, 1e-15
"""Between these norms, float32 neither overflows nor loses precision when two are multiplied."""
UNIT = 2.0**-24
"""Half the distance from 1 to the next float32: the relative error of one operation."""
BEYOND = 3e38
"""Almost the largest float32."""
TINY = 1e-38
"""More than what float32 can lose in subnormal numbers."""

Best = tuple[np.ndarray, np.ndarray]
"""Item numbers, best first, and their scores."""


def largest_norm(vectors: np.ndarray) -> float:
    """Return the norm of the longest vector.

    Args:
        vectors: float32 [V, d].

    Returns:
        The norm.

    Raises:
        ValueError: A number is NaN or infinite.
    """
    squares = np.einsum("ij,ij->i", vectors, vectors, dtype=np.float64)
    if not np.isfinite(squares).all():
        raise ValueError("an item vector contains NaN or infinity")
    return float(np.sqrt(squares.max(initial=0.0)))


def best_by_products(
    states: np.ndarray,
    vectors: np.ndarray,
    longest: float,
    k: int,
    *,
    allowed: np.ndarray,
    seen: Sequence[np.ndarray],
) -> list[Best]:
    """Return the k items with the highest scores for each state.

    A float32 matrix product finds the items that could be in the list, and these are scored
    exactly. Let s be a state, v an item vector of d numbers, and u = 2^-24. A product computed in
    float32, in any order of summation, differs from s.v by at most E = g |s| |v| with
    g = d u / (1 - d u) (Higham, Accuracy and Stability of Numerical Algorithms, 2002, section 3.1),
    as long as no number overflows or is subnormal. The exact score is rounded to float32, which
    changes it by at most u |s| |v|. An item can thus only be among the k best if its product in
    float32 is at most 2 (E + u |s| |v|) below the k-th highest. Twice this margin is used, with the
    largest norm for all items, which covers the rounding of the margin and of its subtraction.
    ``TINY`` covers subnormal numbers. Where norms are extreme, the products are computed in
    float64, for which the margin is far more than enough.

    Args:
        states: float32 [b, d], finite.
        vectors: float32 [V, d], finite.
        longest: Norm of the longest item vector.
        k: Number of items, from 1.
        allowed: bool [V], items that a list may contain.
        seen: int64 arrays, items that the list of each state leaves out.

    Returns:
        Items and scores for each state.
    """
    found: list[Best] = []
    size = max(1, BLOCK_BYTES // (4 * len(vectors)))
    for begin in range(0, len(states), size):
        some = states[begin : begin + size]
        norms = np.linalg.norm(some.astype(np.float64), axis=1)
        products = _products(some, norms, vectors, longest)
        products[:, ~allowed] = -np.inf
        margins = 4 * 1.01 * UNIT * (states.shape[1] + 1) * norms * longest + TINY
        for row, state in enumerate(some):
            products[row][seen[begin + row]] = -np.inf
            near = _near_the_best(products[row], k, margins[row])
            found.append(ranked(near, exact_scores(state, vectors, near), k))
    return found


def _products(
    states: np.ndarray, norms: np.ndarray, vectors: np.ndarray, longest: float
) -> np.ndarray:
    """Return products, float32 or float64 [b, V]."""
    norms = np.append(norms[norms > 0], longest or 1.0)
    if norms.min() > SMALLEST and norms.max() < LARGEST:
        found: np.ndarray = states @ vectors.T
        return found
    wide = states.astype(np.float64)
    found = np.empty((len(states), len(vectors)))
    size = max(1, BLOCK_BYTES // (8 * vectors.shape[1]))
    for begin in range(0, len(vectors), size):
        some = slice(begin, begin + size)
        found[:, some] = wide @ vectors[some].T.astype(np.float64)
    # Scores beyond float32 are infinite, and thus equal.
    return np.clip(found, -BEYOND, BEYOND, out=found)


def _near_the_best(products: np.ndarray, k: int, margin: float) -> np.ndarray:
    """Return the numbers whose products are at most ``margin`` below the k-th highest, ascending.

    Args:
        products: float [V]; minus infinity leaves an item out.
        k: Number of items, from 1.
        margin: At least 0.

    Returns:
        int64 [n].
    """
    last = np.partition(products, len(products) - k)[-k] if k < len(products) else -np.inf
    if last == -np.inf:
        return np.flatnonzero(products > -np.inf)
    return np.flatnonzero(products >= last - margin)
