"""Scoring: states and scores after each history, in pieces of bounded size."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from sasrec.data.batches.batching import Batch
from sasrec.data.batches.cases import Batches, EvaluationCases
from sasrec.evaluation.products import equal_pieces
from sasrec.models.contract import NextItemModel
from sasrec.system.memory import freed_memory_kept

SCORE_BYTES = 2**26
"""Largest matrix of scores in bytes."""


def target_scores(
    model: NextItemModel, cases: EvaluationCases
) -> Iterator[tuple[np.ndarray, Tensor, Tensor]]:
    """Score all items for each case; items with equal vectors get exactly equal scores.

    Args:
        model: On the device of the cases; its training mode is restored afterwards.
        cases: Histories and their targets.

    Yields:
        Indices of some cases, their targets, int64 [b], and float scores [b, V].
    """
    if model.item_table is None:
        for which, batch, scores in last_scores(model, cases):
            yield which, batch.targets[batch.last], scores
        return
    table, n_entries = torch.empty(0), 0
    for which, batch, states in last_states(model, cases):
        with torch.inference_mode():
            if not n_entries:  # inside the loop, the model is in evaluation mode
                table = model.item_table
                n_entries = len(table)
                [table] = equal_pieces(table, n_entries)
            targets, size = batch.targets[batch.last], rows_at_a_time(len(table))
            for begin in range(0, len(which), size):
                piece = slice(begin, begin + size)
                scores = (states[piece] @ table.T)[:, :n_entries]
                yield which[piece], targets[piece], scores


def last_scores(
    model: NextItemModel, cases: EvaluationCases
) -> Iterator[tuple[np.ndarray, Batch, Tensor]]:
    """Score all items after the last event of each history, in pieces of bounded size.

    Args:
        model: On the device of the cases; its training mode is restored afterwards.
        cases: The histories.

    Yields:
        Indices of some cases, their batch, and float scores [b, V].
    """
    with torch.inference_mode():
        table = model.item_table  # once, because some models normalise the whole table
        for group, batch, states in last_states(model, cases):
            yield from _scored_pieces(model, group, batch, states, table)


def last_states(
    model: NextItemModel, cases: EvaluationCases, order: np.ndarray | None = None
) -> Iterator[tuple[np.ndarray, Batch, Tensor]]:
    """Compute the hidden state after the last event of each history.

    Args:
        model: On the device of the cases; its training mode is restored afterwards.
        cases: The histories.
        order: int64 [M], order of the cases in the batches, as in ``EvaluationCases.batches``.

    Returns:
        An iterator over batches: indices of the cases, their batch, and float states [b, d].
    """
    return encode_batches(model, cases.batches(with_times=model.needs_times, order=order))


def encode_batches(
    model: NextItemModel, batches: Batches
) -> Iterator[tuple[np.ndarray, Batch, Tensor]]:
    """Compute the hidden state after the last event of each window of some batches.

    Args:
        model: On the device of the batches; its training mode is restored afterwards.
        batches: Windows, with their indices.

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
        if end == 1:  # without a table, V is known only from the first scores
            size = rows_at_a_time(scores.shape[1])
        # Callers read only `last` and `targets`, so the items of the batch are not cut.
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
    """Return the number of rows of scores in a piece, at least one.

    Args:
        n_items: Scores in a row, V.
    """
    return max(1, SCORE_BYTES // (4 * n_items))
