"""Scores and ranked lists for histories of item numbers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from sasrec_serve.errors import DataError
from sasrec_serve.exported.network import Network
from sasrec_serve.queries import Queries
from sasrec_serve.scoring.approximate import ApproximateVectors
from sasrec_serve.scoring.exact import exact_scores, ranked
from sasrec_serve.scoring.item_vectors import ItemVectors
from sasrec_serve.scoring.kernel_scan import Best

ROUNDING = 2.0**-18
"""Two scores are in uncertain order if their difference, divided by the norm of the state and the
norm of the longest item vector, is at most this: the network's states differ a little between a
batch of one and larger ones."""


@dataclass(frozen=True, slots=True)
class Scorer:
    """Computes the scores of a model.

    Attributes:
        network: The network.
        vectors: The item vectors; None if the network computes scores.
        asked_type: Number of the type of the event to be predicted, 0 for an event of any type.
    """

    network: Network
    vectors: ItemVectors | ApproximateVectors | None
    asked_type: int = 0

    def outputs(self, queries: Queries) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Compute states, or scores of all items for a model without item vectors.

        Args:
            queries: The histories.

        Returns:
            An iterator over the indices of some histories, int64 [b], and float32 [b, d or V].
        """
        return self.network.outputs(queries, self.asked_type)

    def scores(self, queries: Queries, items: np.ndarray) -> np.ndarray:
        """Return the scores of some items after each history.

        Args:
            queries: The histories.
            items: int64 [K], item numbers.

        Returns:
            float32 [n, K].
        """
        found = np.zeros((len(queries), len(items)), dtype=np.float32)
        for indices, outputs in self.outputs(queries):
            for index, output in zip(indices, outputs, strict=True):
                found[index] = self.scores_of(output, items)
        return found

    def scores_of(self, output: np.ndarray, items: np.ndarray) -> np.ndarray:
        """Return the scores of some items, float32 [n].

        Args:
            output: float32 [d or V], the network's output for one history.
            items: int64 [n], item numbers.
        """
        if self.vectors is None:
            scores: np.ndarray = output[items]
            return scores
        return exact_scores(output, self.vectors.values, items)

    def lists(
        self, queries: Queries, k: int, *, allowed: np.ndarray, seen: Sequence[np.ndarray]
    ) -> list[Best]:
        """Return the k best items for each history.

        A list does not depend on the other histories: if rounding of the state could swap two
        neighbours in it, it is computed again from the history alone.

        Args:
            queries: The histories.
            k: Number of items in a list, from 1.
            allowed: bool [V], items that a list may contain.
            seen: int64 arrays, items that the list of each history leaves out.

        Returns:
            Items and scores for each history.
        """
        none = np.zeros(0, np.int64), np.zeros(0, np.float32)
        found: list[Best] = [none] * len(queries)
        for indices, outputs in self.outputs(queries):
            left_out = [seen[index] for index in indices]
            best = self.best(outputs, k, allowed=allowed, seen=left_out)
            for index, output, each in zip(indices, outputs, best, strict=True):
                if len(indices) > 1 and self._is_uncertain(output, each, k):
                    alone = self.network.run(queries.of([index]), self.asked_type)
                    [each] = self.best(alone, k, allowed=allowed, seen=[seen[index]])
                found[index] = each[0][:k], each[1][:k]
        return found

    def best(
        self, outputs: np.ndarray, k: int, *, allowed: np.ndarray, seen: Sequence[np.ndarray]
    ) -> list[Best]:
        """Return the best items for each output of the network: k, and one more if there is one.

        Args:
            outputs: float32 [b, d or V].
            k: Number of items in a list, from 1.
            allowed: bool [V], items that a list may contain.
            seen: int64 arrays, items that the list of each output leaves out.

        Returns:
            Items and scores for each output.

        Raises:
            DataError: The network computed NaN or infinity.
        """  # raised by check_finite
        check_finite(outputs)
        if self.vectors is not None:
            return self.vectors.best(outputs, k + 1, allowed=allowed, seen=seen)
        found = []
        for scores, items in zip(outputs, seen, strict=True):
            own = allowed.copy()
            own[items] = False
            numbers = np.flatnonzero(own)
            found.append(ranked(numbers, scores[numbers], k + 1))
        return found

    def _is_uncertain(self, state: np.ndarray, best: Best, k: int) -> bool:
        """Return whether another rounding of the state could change the order of a list."""
        if self.vectors is None:
            return False
        margin = float(np.linalg.norm(state.astype(np.float64))) * self.vectors.largest_norm
        scores = best[1].astype(np.float64)
        gaps = scores[:-1] - scores[1:]
        return bool(((gaps != 0) & (gaps <= margin * ROUNDING)).any())


def check_finite(outputs: np.ndarray) -> None:
    """Raise an error if the network computed something else than numbers.

    Args:
        outputs: float32 [b, d or V].

    Raises:
        DataError: It computed NaN or infinity.
    """
    if not np.isfinite(outputs).all():
        raise DataError(
            "the network computes NaN or infinity for a history, so it has no best items; train "
            "the model again, with a smaller learning rate"
        )
