"""Similar items: those with the nearest vectors, by cosine."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from sasrec_serve.answers import Catalogue, check_k
from sasrec_serve.errors import DataError
from sasrec_serve.lists import SimilarItems
from sasrec_serve.tokens import tokens_of
from sasrec_serve.wording import did_you_mean

MOST_COMPARED = 10_000
"""Number of items among which an item similar to an unknown one is searched."""
BLOCK = 2**16
"""Item vectors that are compared at a time."""
MARGIN = 2.0**-18
"""Cosines in float32 that are this far apart at most are computed again in double precision."""


def similar_items(
    vectors: np.ndarray, catalogue: Catalogue, items: Sequence[str], k: int
) -> list[SimilarItems]:
    """Return the learned items most similar to some items, by cosine of their vectors.

    Args:
        vectors: float32 [V, d], item vectors.
        catalogue: The items.
        items: Item tokens.
        k: Number of similar items, from 1; fewer are returned if there are fewer.

    Returns:
        One result per item, in the same order.

    Raises:
        DataError: ``k`` is not a whole number from 1, or the model has not learned an item.
    """  # raised by the parts
    check_k(k)
    tokens = tokens_of(items, "items")
    found = []
    for number in learned_numbers(catalogue, tokens).tolist():
        best, cosines = _nearest(vectors, catalogue.trained, number, k)
        [token] = catalogue.items.tokens([number])
        found.append(SimilarItems(token, catalogue.items.tokens(best), cosines.tolist()))
    return found


def learned_numbers(catalogue: Catalogue, tokens: list[str]) -> np.ndarray:
    """Return the numbers of items, int64.

    Args:
        catalogue: The items.
        tokens: Item tokens.

    Returns:
        int64 [n].

    Raises:
        DataError: The model does not know an item, or the item occurs in no training event.
    """
    numbers = catalogue.items.numbers(tokens)
    for token, number in zip(tokens, numbers.tolist(), strict=True):
        if number == 0:
            hint = did_you_mean(token, catalogue.items.entries[:MOST_COMPARED])
            known = catalogue.items.tokens([int(np.argmax(catalogue.trained))])[0]
            raise DataError(
                f"the model knows no item {token!r}{hint}; an item it knows is {known!r}"
            )
        if not catalogue.trained[number]:
            raise DataError(
                f"item {token!r} occurs in no training event, so its vector is meaningless; give "
                "another item"
            )
    return numbers


def _nearest(
    vectors: np.ndarray, trained: np.ndarray, number: int, k: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return the nearest items and their cosines."""
    own = _units(vectors[number : number + 1])[0]
    cosines = np.full(len(trained), -np.inf, dtype=np.float32)
    for begin in range(0, len(trained), BLOCK):
        block = slice(begin, begin + BLOCK)
        cosines[block] = _units(vectors[block]) @ own
    cosines[~trained] = cosines[number] = -np.inf
    k = min(k, int(trained.sum()) - 1)
    if k == 0:
        return np.zeros(0, np.int64), np.zeros(0, np.float32)
    last = cosines[np.argpartition(-cosines, k - 1)[k - 1]]
    near = np.flatnonzero(cosines >= last - MARGIN)
    exact = (_units(vectors[near]).astype(np.float64) * own.astype(np.float64)).sum(1)
    exact = exact.astype(np.float32)
    order = np.lexsort((near, -exact))[:k]
    return near[order], exact[order]


def _units(values: np.ndarray) -> np.ndarray:
    """Return vectors divided by their norms, float32; zeros stay zeros."""
    norms = np.sqrt(np.einsum("ij,ij->i", values, values))
    units: np.ndarray = values / np.maximum(norms, np.float32(1e-12))[:, None]
    return units
