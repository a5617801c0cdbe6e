"""Lists for every user of a data set, piece by piece: a table with a row per recommended item."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import polars as pl

from sasrec.data.corpus import Corpus
from sasrec.recommender.answers import Answerer, ListOptions
from sasrec.recommender.flat_lists import FlatLists, FlatRanker
from sasrec.recommender.flat_queries import FlatHistories
from sasrec.recommender.in_order import in_order
from sasrec.recommender.list_tables import TableNames
from sasrec.recommender.ruled_everybody import RuledRanker

PIECE_USERS, PIECE_EVENTS, PIECE_ROWS = 2**13, 2**18, 2**17
"""A piece ends at so many users, events or recommended items: enough for batches of similar
lengths, and few enough for memory to stay flat."""


def lists_in_pieces(
    answerer: Answerer, corpus: Corpus, options: ListOptions
) -> Iterator[FlatLists]:
    """Rank the items for every history of a data set, with bounded memory.

    Args:
        answerer: The model with its vocabularies.
        corpus: The data set, with the model's numbers (``renumbered``).
        options: What the lists may contain.

    Returns:
        An iterator over the lists, piece by piece, in the order of the users.
    """
    sequences = corpus.sequences
    ranker: FlatRanker | RuledRanker = FlatRanker(answerer, options)
    if options.rules is not None:
        ranker = RuledRanker(answerer, options, options.rules, users=corpus.users.entries)

    def ranked(piece: tuple[int, int]) -> FlatLists:
        return ranker.lists(FlatHistories.of(sequences, *piece))

    rows = min(options.k, int((~options.excluded).sum()))
    return in_order(ranked, pieces_of(sequences.offsets, max(rows, 1)), answerer.scorer.device)


def tables_in_pieces(
    answerer: Answerer, corpus: Corpus, options: ListOptions, names: TableNames
) -> Iterator[pl.DataFrame]:
    """Rank the items for every user of a data set, and put the lists into tables.

    Args:
        answerer: The model with its vocabularies.
        corpus: The data set, with the model's numbers.
        options: What the lists may contain.
        names: Tokens and titles of the items.

    Yields:
        Tables with the columns ``user``, ``rank``, ``item``, ``title``, ``score`` and
        ``by_popularity``.
    """
    users = corpus.users.entries
    for lists in lists_in_pieces(answerer, corpus, options):
        yield names.table(lists, users.slice(lists.first, len(lists.lengths)))


def pieces_of(offsets: np.ndarray, rows: int = 1) -> Iterator[tuple[int, int]]:
    """Divide the users of a data set into pieces of bounded size.

    Args:
        offsets: int64 [U + 1], where each history begins, and the number of events.
        rows: Rows that each user has in the result.

    Yields:
        Indices of the first user of a piece, from 0, and of the one after its last.
    """
    begin, n_users = 0, len(offsets) - 1
    while begin < n_users:
        full = int(np.searchsorted(offsets, offsets[begin] + PIECE_EVENTS, side="right")) - 1
        most = min(PIECE_USERS, PIECE_ROWS // rows)
        end = max(begin + 1, min(begin + most, full, n_users))
        yield begin, end
        begin = end
