"""Lists for every user of a data set, piece by piece: a table with a row per recommended item."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

import numpy as np
import polars as pl
import torch

from sasrec.data.corpus import Corpus
from sasrec.recommender.answers import Answerer, ListOptions
from sasrec.recommender.flat_lists import FlatLists, FlatRanker
from sasrec.recommender.flat_queries import FlatHistories
from sasrec.recommender.list_tables import TableNames
from sasrec.system.memory import freed_memory_kept

Result = TypeVar("Result")
PIECE_USERS, PIECE_EVENTS = 2**13, 2**18
"""A piece ends at so many users or events: enough for batches of similar lengths, and few enough
for memory to stay flat."""


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
    ranker = FlatRanker(answerer, options)

    def ranked(piece: tuple[int, int]) -> FlatLists:
        return ranker.lists(FlatHistories.of(sequences, *piece))

    return in_pieces(ranked, sequences.offsets, answerer.scorer.device)


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


def in_pieces(
    work: Callable[[tuple[int, int]], Result], offsets: np.ndarray, device: torch.device
) -> Iterator[Result]:
    """Do some work for all histories, piece by piece.

    On a CPU, each of PyTorch's threads works on a piece of its own: matrix libraries divide a
    product of few rows badly between threads, and everything outside products runs on one.

    Args:
        work: Receives the indices of the first history of a piece and of the one after its last.
        offsets: int64 [U + 1], where each history begins, and the number of events.
        device: Where the model is.

    Returns:
        An iterator over what ``work`` returned, in order.
    """
    # Here and not in the iterator, which Polars may run in another thread.
    n_threads = torch.get_num_threads() if device.type == "cpu" else 1
    return _results(work, _pieces(offsets), n_threads)


def _results(
    work: Callable[[tuple[int, int]], Result], pieces: Iterator[tuple[int, int]], n_threads: int
) -> Iterator[Result]:
    with freed_memory_kept():
        if n_threads == 1:
            yield from map(work, pieces)
        else:
            yield from _in_threads(work, pieces, n_threads)


def _pieces(offsets: np.ndarray) -> Iterator[tuple[int, int]]:
    """Yield the first and the last user, plus one, of each piece; users are numbered from 0."""
    begin, n_users = 0, len(offsets) - 1
    while begin < n_users:
        full = int(np.searchsorted(offsets, offsets[begin] + PIECE_EVENTS, side="right")) - 1
        end = max(begin + 1, min(begin + PIECE_USERS, full, n_users))
        yield begin, end
        begin = end


def _in_threads(
    work: Callable[[tuple[int, int]], Result], pieces: Iterator[tuple[int, int]], n_threads: int
) -> Iterator[Result]:
    """Yield the results of all pieces in order; each thread computes with one of PyTorch's."""
    waiting: deque[Future[Result]] = deque()
    # A new thread starts with PyTorch's latest number of threads, so that is set back at the end.
    executor = ThreadPoolExecutor(n_threads, initializer=torch.set_num_threads, initargs=(1,))
    try:
        for piece in pieces:
            waiting.append(executor.submit(work, piece))
            if len(waiting) > n_threads:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        executor.shutdown(cancel_futures=True)
        torch.set_num_threads(n_threads)
