"""Full ranking: the rank that a model gives to each target among all items.

The rank is the number of items, including the target, whose score is not lower than that of the
target. So ties count against the target, a model that gives all items the same score ranks every
target last, a target with a NaN score ranks last, and another item with a NaN score counts as
better.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from sasrec.data.batches.batching import Batch
from sasrec.data.batches.cases import EvaluationCases
from sasrec.evaluation.products import ranks_by_product, ranks_of_
from sasrec.evaluation.scoring import last_states, target_scores
from sasrec.evaluation.top_items import top_items
from sasrec.models.contract import NextItemModel


@dataclass(frozen=True, slots=True)
class Ranking:
    """Ranks and lists for M cases.

    Attributes:
        ranks: int64 [M], from 1 (best).
        top: int64 [M, K], the items with the highest scores; K may be 0.
    """

    ranks: np.ndarray
    top: np.ndarray


def rank_targets(
    model: NextItemModel, cases: EvaluationCases, *, top_k: int = 0, remove_seen: bool = False
) -> Ranking:
    """Rank each case's target among all items (full ranking).

    Args:
        model: On the device of the cases; its training mode is restored afterwards.
        cases: M cases.
        top_k: Number of highest-scoring items to return for each case; 0 for none.
        remove_seen: Remove the items of a case's history from its ranking, or those of its
            ``seen_events``. A target that is one of them is ranked last, because a list without
            seen items cannot contain it.

    Returns:
        Ranks and lists in the order of the cases.
    """
    with torch.inference_mode():
        table = model.item_table
    if table is None or top_k:
        scored = target_scores(model, cases)
        return _ranked_by_scores(scored, cases, top_k=top_k, remove_seen=remove_seen)
    # Sorted by target, so that the targets of a piece are in few chunks of the table.
    order = np.argsort(cases.targets, kind="stable")
    encoded = last_states(model, cases, order)
    return _ranked_by_products(encoded, cases, table, remove_seen=remove_seen)


def _ranked_by_products(
    encoded: Iterable[tuple[np.ndarray, Batch, Tensor]],
    cases: EvaluationCases,
    table: Tensor,
    *,
    remove_seen: bool,
) -> Ranking:
    """Return ranks without lists, so that the scores of all items need not be stored."""
    ranks = np.zeros(len(cases), dtype=np.int64)
    for which, batch, states in encoded:
        removed = _seen(cases, which, cases.device) if remove_seen else None
        found = ranks_by_product(states, batch.targets[batch.last], table, removed)
        ranks[which] = found.cpu().numpy()
    return Ranking(ranks, np.zeros((len(cases), 0), dtype=np.int64))


def _ranked_by_scores(
    scored: Iterable[tuple[np.ndarray, Tensor, Tensor]],
    cases: EvaluationCases,
    *,
    top_k: int,
    remove_seen: bool,
) -> Ranking:
    """Return ranks and lists from all scores of each case."""
    ranks = np.zeros(len(cases), dtype=np.int64)
    top = np.zeros((len(cases), top_k), dtype=np.int64)
    for which, targets, scores in scored:
        if remove_seen:
            scores[_seen(cases, which, cases.device)] = -torch.inf
        if top_k:
            top[which] = top_items(scores, top_k, some_removed=remove_seen).cpu().numpy()
        ranks[which] = ranks_of_(scores, targets).cpu().numpy()
    return Ranking(ranks, top)


def _seen(cases: EvaluationCases, which: np.ndarray, device: torch.device) -> tuple[Tensor, Tensor]:
    """Return the items of the histories of some cases, or those of their seen events.

    Args:
        cases: All cases.
        which: int64 [m], indices of the cases.
        device: Where to put the result.

    Returns:
        int64 [n] each: index into ``which``, ascending, and item number.
    """
    sequences, ends = cases.sequences, cases.ends
    begins = sequences.offsets[ends.users[which] - 1]
    lengths = ends.stops[which] - begins
    rows = np.repeat(np.arange(len(which)), lengths)
    within = np.arange(len(rows)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    events = begins[rows] + within
    if cases.seen_events is not None:
        is_seen = cases.seen_events[events]
        rows, events = rows[is_seen], events[is_seen]
    items = sequences.items[events].astype(np.int64)
    return torch.from_numpy(rows).to(device), torch.from_numpy(items).to(device)


def removed_counts(cases: EvaluationCases) -> np.ndarray:
    """Return how many items ``remove_seen`` removes from each ranking, not counting the target.

    Args:
        cases: M cases.

    Returns:
        int64 [M], distinct items of the history, or of its seen events, that are not the target.
    """
    rows, items = _seen(cases, np.arange(len(cases)), torch.device("cpu"))
    width = int(cases.sequences.items.max(initial=0)) + 1
    pairs = np.unique(rows.numpy() * width + items.numpy())
    owners, seen = np.divmod(pairs, width)
    others = owners[seen != cases.targets[owners]]
    return np.bincount(others, minlength=len(cases))
