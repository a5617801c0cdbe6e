"""Serving: scores and ranked lists for histories of item numbers, with bounded memory."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from sasrec.data.batches.batching import Batch, Collator
from sasrec.data.batches.cases import grouped_batches
from sasrec.data.batches.event_types import EventTargets
from sasrec.data.batches.windows import Windows
from sasrec.data.sequences import Sequences
from sasrec.evaluation.scoring import encode_batches
from sasrec.evaluation.top_items import (
    ROUNDING,
    TopCandidates,
    positions_in_row,
    products,
    ranking_order,
    uncertain_rows,
)
from sasrec.models.contract import NextItemModel
from sasrec.recommender.prepared_table import Table

SCORE_BYTES, MIN_ROWS = 2**24, 16
"""Largest matrix of scores, in bytes, and its minimum number of rows: each product of states and
item vectors reads the whole item table, so fewer rows would be slow."""


@dataclass(frozen=True, slots=True)
class Queries:
    """Histories of item numbers that the model can use.

    Attributes:
        items: int64 arrays, item numbers of each history, oldest first; at least one each.
        times: float64 arrays, times of the events of each history; None if unknown.
        users: int64 [n], user number of each history; 0 for an unknown user.
        types: uint8 arrays, types of the events of each history, 0 for an unknown type; None if the
            model uses no types.
    """

    items: list[np.ndarray]
    times: list[np.ndarray | None]
    users: np.ndarray
    types: list[np.ndarray] | None = None

    def __len__(self) -> int:
        """Return the number of histories."""
        return len(self.items)

    def only(self, index: int) -> Queries:
        """Return a single history.

        Args:
            index: Which one.

        Returns:
            Queries of length one.
        """
        types = None if self.types is None else [self.types[index]]
        return Queries([self.items[index]], [self.times[index]], self.users[index, None], types)


@dataclass(frozen=True, slots=True)
class Ranked:
    """The best items for some histories, as flat arrays.

    Attributes:
        rows: int64 [n], index of the history; equal indices are adjacent.
        items: int64 [n], item numbers; best first within each history.
        scores: float32 [n], scores of the items.
    """

    rows: np.ndarray
    items: np.ndarray
    scores: np.ndarray


@dataclass(frozen=True, slots=True)
class Scorer:
    """Computes the scores of a model.

    Attributes:
        model: In evaluation mode.
        table: Its item vectors; None if it does not score by dot product.
        n_items: Items in the catalogue, padding not counted.
        max_history: Number of latest events of a history that the model uses.
        asked_type: Number of the type of the event to be predicted, 0 for an event of any type.
    """

    model: NextItemModel
    table: Table | None
    n_items: int
    max_history: int
    asked_type: int = 0

    def lists(
        self, queries: Queries, k: int, *, excluded: Tensor, seen: list[np.ndarray] | None
    ) -> Iterator[Ranked]:
        """Rank the items for each history, with bounded memory.

        The list for a history does not depend on the other histories: if rounding could swap two
        neighbours in it, the history is computed again alone.

        Args:
            queries: The histories.
            k: Number of items in a list, from 1.
            excluded: bool [V], items that no list contains; always includes padding.
            seen: int64 arrays, items that the list of each history leaves out; None for none.

        Yields:
            The lists for some of the histories.
        """
        size = self.rows_at_a_time
        for all_indices, all_states in self.iter_states(queries):
            for begin in range(0, len(all_indices), size):
                indices = all_indices[begin : begin + size]
                states = all_states[begin : begin + size]
                with torch.inference_mode():
                    scores = self.all_scores(states).float().masked_fill_(excluded, -torch.inf)
                    if seen is not None:
                        lengths = [len(seen[index]) for index in indices]
                        rows = np.repeat(np.arange(len(indices)), lengths)
                        items = np.concatenate([seen[index] for index in indices])
                        scores[torch.from_numpy(rows), torch.from_numpy(items)] = -torch.inf
                    yield self._ranked(queries, indices, states, scores, k)

    def _ranked(
        self, queries: Queries, indices: np.ndarray, states: Tensor, scores: Tensor, k: int
    ) -> Ranked:
        margin = torch.zeros(len(states), device=states.device)
        if self.table is not None:
            margin = states.float().norm(dim=1) * (self.table.max_norm * ROUNDING)
        candidates = TopCandidates.of(scores, min(k, scores.shape[1] - 1), margin)
        rows, items = candidates.rows.cpu().numpy(), candidates.items.cpu().numpy()
        exact = self._exact(states, candidates)
        order = ranking_order(rows, items, exact)
        if self.table is not None and len(queries) > 1:
            uncertain = uncertain_rows(rows, exact[order], k, margin.double().cpu().numpy())
            if len(uncertain):
                states = states.clone()
                for row in uncertain:
                    [(_, [alone])] = self.iter_states(queries.only(indices[row]))
                    states[row] = alone
                exact = self._exact(states, candidates)
                order = ranking_order(rows, items, exact)
        best = order[positions_in_row(rows) < k]
        return Ranked(indices[rows[best]], items[best], exact[best].astype(np.float32))

    def _exact(self, states: Tensor, candidates: TopCandidates) -> np.ndarray:
        """Return the scores of the candidates, float64 [n], from exact products if possible."""
        exact = candidates.scores
        if self.table is not None:
            exact = products(states, candidates.rows, self.table.vectors, candidates.items)
        found: np.ndarray = exact.cpu().numpy()
        return found

    @torch.inference_mode()
    def scores(self, queries: Queries, items: np.ndarray) -> np.ndarray:
        """Return the scores of some items after each history.

        Args:
            queries: The histories.
            items: int64 [K], item numbers.

        Returns:
            float32 [n, K].
        """
        found = np.zeros((len(queries), len(items)), dtype=np.float32)
        columns = torch.from_numpy(items).to(self.device)
        vectors = None if self.table is None else self.table.vectors[columns]
        size = self.rows_at_a_time
        for indices, states in self.iter_states(queries):
            for begin in range(0, len(indices), size):
                some = states[begin : begin + size]
                scores = self.all_scores(some)[:, columns] if vectors is None else some @ vectors.T
                found[indices[begin : begin + size]] = scores.float().cpu().numpy()
        return found

    def states(self, queries: Queries) -> np.ndarray:
        """Return the state after the last event of each history, float32 [n, d].

        Args:
            queries: The histories; at least one.
        """
        parts = list(self.iter_states(queries))
        order = np.argsort(np.concatenate([indices for indices, _ in parts]))
        found: np.ndarray = torch.cat([each.float() for _, each in parts]).cpu().numpy()
        return found[order]

    def batch(self, queries: Queries) -> Batch:
        """Return histories as one batch.

        Args:
            queries: Histories that all have times, or all have none.

        Returns:
            The batch, on the model's device.
        """
        collator, windows = self._windows(queries, np.arange(len(queries)))
        return collator.batch(windows).to(self.device)

    @property
    def device(self) -> torch.device:
        """Device of the model's weights."""
        weights = [*self.model.parameters(), *self.model.buffers()]
        return weights[0].device

    @property
    def rows_at_a_time(self) -> int:
        """Number of histories whose scores for all items are in memory at once."""
        return max(MIN_ROWS, SCORE_BYTES // (4 * (self.n_items + 1)))

    def all_scores(self, states: Tensor) -> Tensor:
        """Return the scores of all items.

        Args:
            states: float [b, d].

        Returns:
            float [b, V].
        """
        return self.model.score(states) if self.table is None else states @ self.table.vectors.T

    def iter_states(self, queries: Queries) -> Iterator[tuple[np.ndarray, Tensor]]:
        """Encode histories, with bounded memory.

        Args:
            queries: The histories.

        Yields:
            Indices of some histories, int64 [b], and their final states, float [b, d].
        """
        has_times = np.array([times is not None for times in queries.times], dtype=bool)
        # Separate batches, because a batch either has times for all of its events or has none.
        for is_chosen in (has_times, ~has_times):
            indices = np.flatnonzero(is_chosen)
            if len(indices):
                batches = grouped_batches(*self._windows(queries, indices), self.device)
                for which, _, states in encode_batches(self.model, batches):
                    yield indices[which], states

    def _windows(self, queries: Queries, indices: np.ndarray) -> tuple[Collator, Windows]:
        items = [queries.items[index][-self.max_history :] for index in indices]
        given = [queries.times[index] for index in indices]
        times = [each[-self.max_history :] for each in given if each is not None]
        types = None
        if queries.types is not None:
            types = np.concatenate([queries.types[index][-self.max_history :] for index in indices])
        lengths = np.array([len(each) for each in items])
        ends = np.cumsum(lengths)
        sequences = Sequences(
            np.concatenate(items).astype(np.int32),
            np.concatenate(times) if times else None,
            np.concatenate(([0], ends)),
            types=types,
        )
        none = np.zeros(len(indices), dtype=np.int64)
        windows = Windows(ends - lengths, lengths, none, queries.users[indices])
        targets = EventTargets(self.asked_type)
        return Collator(sequences, with_times=bool(times), targets=targets), windows
