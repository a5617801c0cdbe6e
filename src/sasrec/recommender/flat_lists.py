"""Lists for many histories at once, as flat arrays: the same lists as ``Answerer.lists``, faster.

Nothing is done for each history in Python. The network runs on small batches, and items are scored
for a few rows at a time, so that intermediate results stay in the processor's cache.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from sasrec.data.batches.cases import BATCH_POSITIONS
from sasrec.evaluation.block_leaders import candidates_by_blocks, padded_width
from sasrec.evaluation.top_items import (
    ROUNDING,
    TopCandidates,
    highest,
    positions_in_row,
    products,
    ranking_order,
    uncertain_rows,
)
from sasrec.recommender.answers import Answerer, ListOptions
from sasrec.recommender.flat_queries import FlatHistories, FlatQueries
from sasrec.recommender.prepared_table import Table
from sasrec.recommender.serving import SCORE_BYTES

CPU_POSITIONS = 2**11
"""Positions in a batch on a CPU. At 16,384 positions, the hidden layer of the feed-forward network
does not fit into the cache, and a network of one block takes three times as long."""
CPU_SCORE_BYTES, MOST_ROWS, FEWEST_ROWS = 2**22, 64, 16
"""Largest matrix of scores on a CPU in bytes, and limits of its number of rows: at 12,000 items,
products with 64 to 128 rows take 17 us a row, with 512 rows 40 us."""

PAIRS = 2**13
"""States and item vectors multiplied at a time in double precision: a few megabytes."""


@dataclass(frozen=True, slots=True)
class FlatLists:
    """Lists of consecutive histories.

    Attributes:
        first: Index of the first history.
        lengths: int64 [n], number of items in each list.
        items: int64 [N], item numbers, best first, one list after the other.
        scores: float32 [N], their scores.
        by_popularity: bool [n], whether a list is the most popular items.
    """

    first: int
    lengths: np.ndarray
    items: np.ndarray
    scores: np.ndarray
    by_popularity: np.ndarray


@dataclass(frozen=True, slots=True)
class _Found:
    """Ranked items of some rows: row numbers ascending, best item of a row first."""

    rows: np.ndarray
    items: np.ndarray
    scores: np.ndarray

    def of(self, owners: np.ndarray) -> _Found:
        """Return the same with the owner of each row in place of its number."""
        return _Found(owners[self.rows], self.items, self.scores)


class FlatRanker:
    """Ranks the allowed items of one request for any number of histories."""

    def __init__(self, answerer: Answerer, options: ListOptions) -> None:
        """Prepare the vectors and the popularity of the allowed items.

        Args:
            answerer: The model with its vocabularies.
            options: What the lists may contain.
        """
        scorer = answerer.scorer
        self._answerer, self._options = answerer, options
        self._model, self._table, self._device = scorer.model, scorer.table, scorer.device
        self._allowed = np.flatnonzero(~options.excluded)
        self._column_of = np.full(len(options.excluded), -1, dtype=np.int64)
        self._column_of[self._allowed] = np.arange(len(self._allowed))
        self._columns = torch.from_numpy(self._allowed).to(self._device)
        self._vectors = None if self._table is None else self._table.vectors[self._columns]
        counts = answerer.popularity[self._allowed].astype(np.float64)
        self._popularity = torch.from_numpy(counts)

    def lists(self, histories: FlatHistories) -> FlatLists:
        """Rank the items for each of some histories.

        Args:
            histories: Item numbers of the histories; few enough for their states to fit into
                memory.

        Returns:
            One list for each, in the same order.
        """
        queries = FlatQueries.of(histories, self._answerer)
        n = len(histories)
        by_popularity = np.ones(n, dtype=bool)
        by_popularity[queries.owners] = False
        popular = np.flatnonzero(by_popularity)
        parts = [self._by_model(histories, queries), self._by_popularity(histories, popular)]
        owners = np.concatenate([each.rows for each in parts])
        order = np.argsort(owners, kind="stable")
        return FlatLists(
            first=histories.first,
            lengths=np.bincount(owners, minlength=n),
            items=np.concatenate([each.items for each in parts])[order],
            scores=np.concatenate([each.scores for each in parts])[order],
            by_popularity=by_popularity,
        )

    @torch.inference_mode()
    def _by_model(self, histories: FlatHistories, queries: FlatQueries) -> _Found:
        if not len(queries) or not len(self._allowed):
            return _nothing()
        on_cpu = self._device.type == "cpu"
        order, states = queries.states(CPU_POSITIONS if on_cpu else BATCH_POSITIONS)
        owners = queries.owners[order]
        margin = torch.zeros(len(states), device=self._device)
        if self._table is not None:
            margin = states.float().norm(dim=1) * (self._table.max_norm * ROUNDING)
        parts = []
        for begin, scores in self._scored(states, histories, owners):
            own_margin = margin[begin : begin + len(scores)]
            found = candidates_by_blocks(scores, self._options.k, own_margin)
            parts.append((found.rows + begin, self._columns[found.items], found.scores))
        rows, items, scores = (torch.cat(each) for each in zip(*parts, strict=True))
        candidates = TopCandidates(rows, items, scores)
        return self._ranked(queries, order, states, candidates, margin).of(owners)

    def _scored(
        self, states: Tensor, histories: FlatHistories, owners: np.ndarray
    ) -> Iterator[tuple[int, Tensor]]:
        """Yield the first row and the scores, float [b, W], of some states; reuses one matrix."""
        n, width = len(self._allowed), padded_width(len(self._allowed))
        size = self._rows_at_a_time(width)
        kind = torch.float32 if self._vectors is None else states.dtype
        matrix = torch.full((min(size, len(states)), width), -torch.inf, device=self._device)
        product = torch.empty(0, dtype=kind, device=self._device)
        for begin in range(0, len(states), size):
            some = states[begin : begin + size]
            scores = matrix[: len(some)]
            if self._vectors is None:
                scores[:, :n] = self._model.score(some)[:, self._columns]
            elif kind == torch.float32:
                torch.mm(some, self._vectors.T, out=scores[:, :n])
            else:
                product = some @ self._vectors.T
                scores[:, :n] = product
            self._exclude_seen(scores, histories, owners[begin : begin + size])
            yield begin, scores

    def _exclude_seen(self, scores: Tensor, histories: FlatHistories, owners: np.ndarray) -> None:
        if not self._options.exclude_seen:
            return
        rows, items = histories.events_of(owners)
        columns = self._column_of[items]
        rows, columns = rows[columns >= 0], columns[columns >= 0]
        places = torch.from_numpy(rows * scores.shape[1] + columns).to(scores.device)
        scores.view(-1).index_fill_(0, places, -torch.inf)

    def _rows_at_a_time(self, width: int) -> int:
        if self._device.type != "cpu":
            return max(FEWEST_ROWS, 16 * SCORE_BYTES // (4 * width))
        return min(MOST_ROWS, max(FEWEST_ROWS, CPU_SCORE_BYTES // (4 * width)))

    def _ranked(
        self,
        queries: FlatQueries,
        order: np.ndarray,
        states: Tensor,
        candidates: TopCandidates,
        margin: Tensor,
    ) -> _Found:
        """Return the best candidates; rows where rounding could matter are computed again alone."""
        rows, items = candidates.rows.cpu().numpy(), candidates.items.cpu().numpy()
        if self._table is None:
            return self._best(rows, items, candidates.scores.cpu().numpy())
        exact = _products(states, rows, self._table, items)
        ranks = ranking_order(rows, items, exact)
        uncertain = uncertain_rows(
            rows, exact[ranks], self._options.k, margin.double().cpu().numpy()
        )
        if len(uncertain):
            # One state at a time: it must be the one that the history has alone.
            alone = torch.cat([queries.state_alone(order[row]) for row in uncertain])
            again = np.flatnonzero(np.isin(rows, uncertain))
            within = np.searchsorted(uncertain, rows[again])
            exact[again] = _products(alone, within, self._table, items[again])
        return self._best(rows, items, exact)

    def _best(self, rows: np.ndarray, items: np.ndarray, exact: np.ndarray) -> _Found:
        ranks = ranking_order(rows, items, exact)
        best = ranks[positions_in_row(rows) < self._options.k]
        return _Found(rows[best], items[best], exact[best].astype(np.float32))

    @torch.inference_mode()
    def _by_popularity(self, histories: FlatHistories, owners: np.ndarray) -> _Found:
        """Return the most popular items that each history allows; equal counts by item number."""
        if not len(owners) or not len(self._allowed):
            return _nothing()
        parts = []
        n = len(self._allowed)
        size = self._rows_at_a_time(2 * n)
        k = min(self._options.k, n)
        for begin in range(0, len(owners), size):
            some = owners[begin : begin + size]
            scores = self._popularity.repeat(len(some), 1)
            self._exclude_seen(scores, histories, some)
            values, columns = highest(scores, k)
            found = (values > -torch.inf).nonzero(as_tuple=True)
            parts.append((found[0].numpy() + begin, columns[found].numpy(), values[found].numpy()))
        rows, places, counts = (np.concatenate(each) for each in zip(*parts, strict=True))
        return _Found(owners[rows], self._allowed[places], counts.astype(np.float32))


def _products(states: Tensor, rows: np.ndarray, table: Table, items: np.ndarray) -> np.ndarray:
    device = states.device
    found = np.empty(len(rows), dtype=np.float64)
    for begin in range(0, len(rows), PAIRS):
        some = slice(begin, begin + PAIRS)
        pairs = torch.from_numpy(rows[some]).to(device), torch.from_numpy(items[some]).to(device)
        found[some] = products(states, pairs[0], table.vectors, pairs[1]).cpu().numpy()
    return found


def _nothing() -> _Found:
    none = np.zeros(0, dtype=np.int64)
    return _Found(none, none, np.zeros(0, dtype=np.float32))
