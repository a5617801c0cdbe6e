"""Scoring: the state and the scores after each history, one piece of bounded size at a time."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from sasrec.data.batches.batching import Batch
from sasrec.data.batches.cases import Batches
from sasrec.evaluation.products import even_chunks
from sasrec.models.contract import NextItemModel
from sasrec.system.memory import freed_memory_kept

SCORE_BYTES = 2**26
"""Most bytes of scores held at a time."""


def target_scores(
    model: NextItemModel, batches: Batches
) -> Iterator[tuple[np.ndarray, Tensor, Tensor]]:
    """Score the whole catalogue after each window; items with equal vectors have equal scores.

    Args:
        model: On the device of the batches; put into evaluation mode and back.
        batches: The histories, with their targets.

    Yields:
        Indices of some windows, their targets, int64 [b], and float scores [b, V].
    """
    if model.item_table is None:
        for which, batch, scores in last_scores(model, batches):
            yield which, batch.targets[batch.last], scores
        return
    table, n_entries = torch.empty(0), 0
    for which, batch, states in last_states(model, batches):
        with torch.inference_mode():
            if not n_entries:  # only now is the model in evaluation mode
                table = model.item_table
                n_entries = len(table)
                [table] = even_chunks(table, n_entries)
            targets, size = batch.targets[batch.last], rows_at_a_time(len(table))
            for begin in range(0, len(which), size):
                piece = slice(begin, begin + size)
                scores = (states[piece] @ table.T)[:, :n_entries]
                yield which[piece], targets[piece], scores


def last_scores(
    model: NextItemModel, batches: Batches
) -> Iterator[tuple[np.ndarray, Batch, Tensor]]:
    """Score the whole catalogue after the last event of each window, a bounded piece at a time.

    Args:
        model: On the device of the batches; put into evaluation mode and back.
        batches: The histories.

    Yields:
        Indices of some windows, their batch, and float scores [b, V].
    """
    with torch.inference_mode():
        table = model.item_table  # read once, as a model may normalise the whole table
        for group, batch, states in last_states(model, batches):
            yield from _scored_pieces(model, group, batch, states, table)


def last_states(
    model: NextItemModel, batches: Batches
) -> Iterator[tuple[np.ndarray, Batch, Tensor]]:
    """Compute the state after the last event of each window.

    Args:
        model: On the device of the batches; put into evaluation mode and back.
        batches: The histories.

    Yields:
        Indices of some windows, their batch, and float states [b, d].
    """
    was_training = model.training
    model.eval()
    try:
        with freed_memory_kept():
            for group, batch in batches:
                with torch.inference_mode():
                    states = model.encode(batch, batch.last)
                yield group, batch, states
    finally:
        model.train(was_training)


def _scored_pieces(
    model: NextItemModel,
    group: np.ndarray,
    batch: Batch,
    states: Tensor,
    table: Tensor | None,
) -> Iterator[tuple[np.ndarray, Batch, Tensor]]:
    begin, size = 0, 1 if table is None else rows_at_a_time(len(table))
    while begin < len(group):
        end = begin + size
        some = states[begin:end]
        scores = model.score(some) if table is None else some @ table.T
        if end == 1:  # without a table, only the scores show how many items there are
            size = rows_at_a_time(scores.shape[1])
        # Callers read only `last` and `targets` of a piece, so it keeps all items of its batch.
        piece = Batch(
            items=batch.items,
            offsets=batch.offsets[begin : end + 1],
            targets=batch.targets,
            users=batch.users[begin:end],
            negatives=None,
            longest=batch.longest,
            times=batch.times,
        )
        yield group[begin:end], piece, scores
        begin = end


def rows_at_a_time(n_items: int) -> int:
    """Return how many rows of scores are held at a time, at least one.

    Args:
        n_items: Length of a row, V.
    """
    return max(1, SCORE_BYTES // (4 * n_items))
