"""Rows of scores for all items, from a model or from popularity, and what each row leaves out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from sasrec.evaluation.top_items import ROUNDING, products
from sasrec.recommender.serving import Queries, Scorer


class ScoredRows(Protocol):
    """Scores of all items for some histories.

    Attributes:
        margin: float [b], largest rounding error of a difference of scores.
        largest: float [b], upper limit on the size of scores.
    """

    margin: Tensor
    largest: Tensor

    def scores(self, rows: Tensor | None = None) -> Tensor:
        """Return scores that may be changed in place, float [b, V].

        Args:
            rows: int64, which rows; None for all.
        """
        ...

    def exact(self, rows: Tensor, items: Tensor) -> Tensor | None:
        """Return the scores of some items in double precision, float64 [n].

        Args:
            rows: int64 [n], the row of each item.
            items: int64 [n].

        Returns:
            The scores; None if those of ``scores`` are exact already.
        """
        ...

    def compute_alone(self, rows: Tensor) -> bool:
        """Compute some rows again, each alone, so that they do not depend on the others.

        Args:
            rows: int64, the rows.

        Returns:
            Whether anything has changed.
        """
        ...


class ModelRows:
    """Scores of a model."""

    def __init__(
        self, scorer: Scorer, queries: Queries, indices: np.ndarray, states: Tensor
    ) -> None:
        """Take the states of some histories.

        Args:
            scorer: The model.
            queries: All histories.
            indices: int64 [b], which of them.
            states: float [b, d], their final states.
        """
        self._scorer, self._queries, self._indices, self._states = scorer, queries, indices, states
        norms = states.float().norm(dim=1)
        longest = 0.0 if scorer.table is None else scorer.table.max_norm
        self.largest = norms * longest
        self.margin = self.largest * ROUNDING

    def scores(self, rows: Tensor | None = None) -> Tensor:
        """Return scores of all items, float32 [b, V].

        Args:
            rows: int64, which rows; None for all.
        """
        return self._scorer.all_scores(self._states if rows is None else self._states[rows]).float()

    def exact(self, rows: Tensor, items: Tensor) -> Tensor | None:
        """Return exact scores; None if the model does not score by dot product.

        Args:
            rows: int64 [n].
            items: int64 [n].
        """
        if self._scorer.table is None:
            return None
        return products(self._states, rows, self._scorer.table.vectors, items)

    def compute_alone(self, rows: Tensor) -> bool:
        """Encode some histories again, each alone.

        Args:
            rows: int64, the rows.

        Returns:
            Whether anything has changed.
        """
        if self._scorer.table is None or len(self._queries) == 1:
            return False
        self._states = self._states.clone()
        for row in rows.tolist():
            query = self._queries.only(int(self._indices[row]))
            [(_, [self._states[row]])] = self._scorer.iter_states(query)
        return True


class PopularityRows:
    """Popularity as the score of each item, the same for every history."""

    def __init__(self, popularity: np.ndarray, count: int, device: torch.device) -> None:
        """Repeat popularity for some histories.

        Args:
            popularity: int64 [V].
            count: Number of histories.
            device: Where to compute.
        """
        self._scores = torch.from_numpy(popularity).to(device, torch.float32)
        self._count = count
        self.margin = self.largest = torch.zeros(count, device=device)

    def scores(self, rows: Tensor | None = None) -> Tensor:
        """Return scores of all items, float32 [b, V].

        Args:
            rows: int64, which rows; None for all.
        """
        return self._scores.repeat(self._count if rows is None else len(rows), 1)

    def exact(self, rows: Tensor, items: Tensor) -> Tensor | None:
        """Return None: counts are exact.

        Args:
            rows: int64 [n].
            items: int64 [n].
        """

    def compute_alone(self, rows: Tensor) -> bool:
        """Return false: rows do not depend on each other.

        Args:
            rows: int64, the rows.
        """
        return False


@dataclass(frozen=True, slots=True)
class RowLimits:
    """What the list of each history leaves out, beyond what all lists leave out.

    Attributes:
        blocked: int64 arrays, items that the list of each history leaves out.
        only: int64 arrays, the only items that it may contain; None for no limit.
    """

    blocked: Sequence[np.ndarray]
    only: Sequence[np.ndarray] | None = None

    def of(self, rows: np.ndarray) -> RowLimits:
        """Return the limits of some histories.

        Args:
            rows: int64, which ones.
        """
        only = None if self.only is None else [self.only[row] for row in rows]
        return RowLimits([self.blocked[row] for row in rows], only)

    def apply_(self, scores: Tensor) -> None:
        """Set the scores of items that must not be listed to minus infinity.

        Args:
            scores: float [b, V].
        """
        if self.only is not None:
            rows, items = flat(self.only, scores.device)
            kept = scores[rows, items]
            scores.fill_(-torch.inf)
            scores[rows, items] = kept
        rows, items = flat(self.blocked, scores.device)
        scores[rows, items] = -torch.inf


def flat(lists: Sequence[np.ndarray], device: torch.device) -> tuple[Tensor, Tensor]:
    """Return the row and the item of each entry of some lists, int64 [n] each.

    Args:
        lists: int64 arrays, one for each row.
        device: Where to put them.
    """
    rows = np.repeat(np.arange(len(lists)), [len(each) for each in lists])
    items = np.concatenate([*lists, np.zeros(0, dtype=np.int64)]).astype(np.int64)
    return torch.from_numpy(rows).to(device), torch.from_numpy(items).to(device)
