"""Vectors of items and histories, and similar items, by token."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import polars as pl
import torch

from sasrec.data.corpus import Corpus
from sasrec.errors import DataError, ModelError, did_you_mean
from sasrec.recommender.answers import Answerer
from sasrec.recommender.everybody import pieces_of
from sasrec.recommender.flat_lists import CPU_POSITIONS
from sasrec.recommender.flat_queries import FlatHistories, FlatQueries
from sasrec.recommender.histories import Chunk, tokens_of
from sasrec.recommender.in_order import in_order
from sasrec.recommender.neighbours import (
    FlatNeighbours,
    approximate_neighbours,
    exact_neighbours,
    unit_vectors,
)
from sasrec.recommender.prepared_table import Table

Search = Literal["exact", "usearch"]
"""How neighbours are searched."""
MOST_COMPARED = 10_000
"""Number of items among which an item similar to an unknown one is searched."""


@dataclass(frozen=True, slots=True)
class ItemVectors:
    """Vectors of the items that a model has learned.

    The score of an item after a history is the dot product of its vector with the history's.

    Attributes:
        items: n item tokens.
        values: float32 [n, d].
    """

    items: list[str]
    values: np.ndarray

    def to_polars(self) -> pl.DataFrame:
        """Return a table with the columns ``item`` and ``vector``, an array of d numbers."""
        vectors = pl.Series("vector", self.values, dtype=pl.Array(pl.Float32, self.values.shape[1]))
        return pl.DataFrame([pl.Series("item", self.items, dtype=pl.String), vectors])


@dataclass(frozen=True, slots=True)
class SimilarItems:
    """The items most similar to an item.

    Attributes:
        item: The token asked about.
        items: Tokens of the similar items, the most similar first; without the item itself.
        scores: Cosines of their vectors with the item's, -1 to 1.
        recall: Share of the true neighbours that the search finds, measured on a sample; 1 if the
            search is exact.
    """

    item: str
    items: list[str]
    scores: list[float]
    recall: float


def item_vectors(answerer: Answerer) -> ItemVectors:
    """Return the vectors of all items that occur in training events.

    Args:
        answerer: The model with its vocabularies.

    Raises:
        ModelError: The model has no item vectors.
    """
    learned = np.flatnonzero(answerer.trained)
    table = _table(answerer)
    with torch.inference_mode():
        values: np.ndarray = table.vectors[torch.from_numpy(learned)].float().cpu().numpy()
    return ItemVectors(answerer.items.tokens(learned), values)


def history_vectors(answerer: Answerer, chunk: Chunk) -> np.ndarray:
    """Return the vectors of histories.

    Args:
        answerer: The model with its vocabularies.
        chunk: n histories as tokens.

    Returns:
        float32 [n, d]; NaN for histories that the model cannot use.

    Raises:
        ModelError: The model has no item vectors, so those of histories have no meaning either.
    """
    table = _table(answerer)
    found = np.full((len(chunk.tokens), table.vectors.shape[1]), np.nan, dtype=np.float32)
    usable, queries = answerer.queries(chunk, answerer.item_numbers(chunk))
    if len(usable):
        found[usable] = answerer.scorer.states(queries)
    return found


def user_tables(answerer: Answerer, corpus: Corpus) -> Iterator[pl.DataFrame]:
    """Compute the vectors of all users of a data set, piece by piece.

    Args:
        answerer: The model with its vocabularies.
        corpus: The data set, with the model's numbers.

    Returns:
        An iterator over tables with the columns ``user`` and ``vector``; without users whose
        history the model cannot use.

    Raises:
        ModelError: The model has no item vectors.
    """
    width = _table(answerer).vectors.shape[1]
    kind = pl.Array(pl.Float32, width)
    users = corpus.users.entries

    def computed(piece: tuple[int, int]) -> pl.DataFrame:
        queries = FlatQueries.of(FlatHistories.of(corpus.sequences, *piece), answerer)
        values = np.zeros((len(queries), width), dtype=np.float32)
        if len(queries):
            order, states = queries.states(CPU_POSITIONS)
            values[order] = states.float().cpu().numpy()
        tokens = users.gather(piece[0] + queries.owners)
        return pl.DataFrame([tokens.alias("user"), pl.Series("vector", values, dtype=kind)])

    return in_order(computed, pieces_of(corpus.sequences.offsets), answerer.scorer.device)


def neighbours(
    answerer: Answerer, items: Sequence[str] | None, k: int, search: Search = "exact"
) -> tuple[np.ndarray, np.ndarray, FlatNeighbours]:
    """Return the items most similar to some items, by number.

    Args:
        answerer: The model with its vocabularies.
        items: Item tokens; None takes all items that occur in training events.
        k: Number of similar items, from 1.
        search: ``exact``, or ``usearch`` for an approximate search.

    Returns:
        int64 [n], numbers of the learned items; int64 [m], rows of the items asked about; and
        their neighbours by row.

    Raises:
        DataError: ``k`` is not a whole number from 1, or the model has not learned an item.
        ModelError: The model has no item vectors.
        SettingsError: ``search`` is unknown, or USearch is not installed.
    """  # SettingsError from approximate_neighbours
    if not isinstance(k, int | np.integer) or isinstance(k, bool) or k < 1:
        raise DataError(f"k is {k!r}; it must be a whole number of at least 1")
    if search not in {"exact", "usearch"}:
        raise DataError(f"search is {search!r}; it must be 'exact' or 'usearch'")
    table = _table(answerer)
    learned = np.flatnonzero(answerer.trained)
    units = unit_vectors(table.vectors[torch.from_numpy(learned)].detach())
    if items is None:
        queries = np.arange(len(learned))
    else:
        queries = np.searchsorted(learned, _learned_numbers(answerer, items))
    find = exact_neighbours if search == "exact" else approximate_neighbours
    return learned, queries, find(units, queries, int(k))


def similar_items(
    answerer: Answerer, items: Sequence[str] | None, k: int, search: Search = "exact"
) -> list[SimilarItems]:
    """Return the items most similar to some items.

    Args:
        answerer: The model with its vocabularies.
        items: Item tokens; None takes all items that occur in training events.
        k: Number of similar items, from 1.
        search: ``exact``, or ``usearch`` for an approximate search.

    Returns:
        One result per item, in the same order.
    """
    learned, queries, found = neighbours(answerer, items, k, search)
    asked = answerer.items.tokens(learned[queries])
    tokens = answerer.items.tokens(learned[found.rows])
    scores = found.cosines.tolist()
    ends = np.cumsum(np.bincount(found.owners, minlength=len(queries))).tolist()
    begins = [0, *ends][: len(asked)]
    return [
        SimilarItems(item, tokens[begin:end], scores[begin:end], found.recall)
        for item, begin, end in zip(asked, begins, ends, strict=True)
    ]


def _table(answerer: Answerer) -> Table:
    table = answerer.scorer.table
    if table is None:
        name = type(answerer.scorer.model).__name__
        raise ModelError(
            f"{name} has no item vectors: its scores are not dot products of two vectors; use "
            "another model, such as SASRec"
        )
    return table


def _learned_numbers(answerer: Answerer, items: Sequence[str]) -> np.ndarray:
    """Return the numbers of items, int64.

    Raises:
        DataError: The model does not know an item, or the item occurs in no training event.
    """
    tokens = tokens_of(items, "items")
    numbers = answerer.items.numbers(tokens).astype(np.int64)
    for token, number in zip(tokens, numbers.tolist(), strict=True):
        if number == 0:
            hint = did_you_mean(token, answerer.items.entries[:MOST_COMPARED].to_list())
            known = answerer.items.tokens([int(np.argmax(answerer.trained))])[0]
            raise DataError(
                f"the model knows no item {token!r}{hint}; an item it knows is {known!r}"
            )
        if not answerer.trained[number]:
            raise DataError(
                f"item {token!r} occurs in no training event, so its vector is meaningless; give "
                "another item"
            )
    return numbers
