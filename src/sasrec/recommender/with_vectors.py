"""The methods of a recommender about vectors and similar items."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from sasrec.recommender.answers import Answerer
from sasrec.recommender.histories import in_chunks
from sasrec.recommender.vectors import (
    ItemVectors,
    Search,
    SimilarItems,
    history_vectors,
    item_vectors,
    similar_items,
)


class WithVectors:
    """Methods that ``Recommender`` inherits, for any model whose scores are dot products."""

    __slots__ = ()

    def _answerer(self, next_type: str | None = None) -> Answerer:
        raise NotImplementedError

    def answerer(self, next_type: str | None = None) -> Answerer:
        """Return the model with its vocabularies, for the functions of this package.

        Args:
            next_type: The type of event to predict, as for ``recommend``.
        """
        return self._answerer(next_type)

    def item_vectors(self) -> ItemVectors:
        """Return the vectors of all items with a training event, and their tokens.

        ``user_vectors(histories) @ item_vectors().values.T`` are the scores of the items.

        Returns:
            Tokens and float32 [n, d]; ``.to_polars()`` makes a table of them.

        Raises:
            ModelError: The model has no item vectors (TransRec).
        """  # raised by item_vectors
        return item_vectors(self._answerer())

    def user_vectors(
        self,
        histories: Sequence[Sequence[str]],
        *,
        times: Sequence[Sequence[float] | None] | None = None,
        users: Sequence[str | None] | None = None,
        types: Sequence[Sequence[str | None] | None] | None = None,
        next_type: str | None = None,
    ) -> np.ndarray:
        """Return the vectors of histories, with which item vectors are multiplied.

        Args:
            histories: Item tokens of each history, oldest first, as for ``recommend``.
            times: Time of each event of each history, as for ``recommend``.
            users: User token of each history, as for ``recommend``.
            types: Type of each event of each history, as for ``recommend``.
            next_type: The type of event to predict, as for ``recommend``.

        Returns:
            float32 [histories, d]; NaN for a history that ``recommend`` answers by popularity.

        Raises:
            DataError: A history is not a list of tokens, times, users or types do not match, or
                the model does not know ``next_type``.
            ModelError: The model has no item vectors (TransRec).
        """  # raised by the parts
        answerer = self._answerer(next_type)
        chunks = list(in_chunks(histories, times, users, types=types))
        parts = [history_vectors(answerer, chunk) for chunk in chunks]
        width = item_vectors(answerer).values.shape[1]
        return np.concatenate(parts) if parts else np.zeros((0, width), dtype=np.float32)

    def similar(
        self, items: Sequence[str] | None = None, k: int = 10, *, search: Search = "exact"
    ) -> list[SimilarItems]:
        """Return the k items most similar to each of some items, by cosine of their vectors.

        Cosine instead of the model's own score, because by dot product the long vectors of popular
        items would be close to almost everything.

        Args:
            items: Item tokens; None takes all items with a training event.
            k: Number of similar items, from 1; fewer are returned if the model knows fewer.
            search: ``exact`` compares with all items. ``usearch`` builds a graph index first, for
                the neighbours of millions of items; it misses some of them, and each result says
                how many (``recall``).

        Returns:
            One result per item, in the same order.

        Raises:
            DataError: ``k`` is not a whole number from 1, or the model has not learned an item.
            ModelError: The model has no item vectors (TransRec).
            SettingsError: USearch is not installed.
        """  # raised by similar_items
        return similar_items(self._answerer(), items, k, search)
