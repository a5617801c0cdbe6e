"""Ranking: at which place a model puts each target, among all items of the catalogue.

The rank is the number of items, the target included, that do not score lower than the target.
So ties count against the target, a constant scorer ranks every target last, a target with the
score NaN ranks last, and another item with NaN counts as better.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from sasrec.data.batches.batching import Batch, Collator
from sasrec.data.batches.grouping import sorted_groups
from sasrec.data.batches.windows import Windows, case_windows
from sasrec.data.sequences import Sequences
from sasrec.data.splits import Cases
from sasrec.evaluation.leaders import top_items as top_items
from sasrec.models.contract import NextItemModel
from sasrec.system.memory import freed_memory_kept

SCORE_BYTES = 2**26
"""Scores held at a time where whole lists are wanted."""
BATCH_POSITIONS = 2**14
PIECE_ROWS, CHUNK_ITEMS = 512, 4096
"""States and items multiplied at a time where only ranks are wanted: large enough for the product
to run at the processor's rate, small enough for its outcome to stay in the cache."""
GPU_ROWS, GPU_ITEMS = 4096, 2**15
"""The same on a GPU, which wants few large products."""


EVEN = 192
"""A table is multiplied in pieces of one width, a multiple of this, filled up with zeros: at the
edge of other widths a BLAS adds up in another order (for one column it has a routine of its own),
so that equal vectors would differ in the last bit. Of MKL that was seen in float32 at widths that
are no multiple of 4 and between pieces of different widths, in float64 at those not of 12."""


@dataclass(frozen=True, slots=True)
class Ranking:
    """The outcome for M cases.

    Attributes:
        ranks: int64 [M], 1 is the top.
        top: int64 [M, K], the items ranked first; K may be 0.
    """

    ranks: np.ndarray
    top: np.ndarray


def rank_targets(
    model: NextItemModel,
    sequences: Sequences,
    cases: Cases,
    *,
    max_history: int,
    device: torch.device,
    top_k: int = 0,
    remove_seen: bool = False,
) -> Ranking:
    """Rank each case's target among all items (full ranking).

    Args:
        model: On ``device``; put into evaluation mode and back.
        sequences: All histories.
        cases: M questions.
        max_history: Longest history the model sees.
        device: Where to compute.
        top_k: Length of the lists to return beside the ranks.
        remove_seen: Take the items of each case's history, the whole of it, out of its ranking. A
            target that is among them is ranked last: no list without seen items could hold it.

    Returns:
        Ranks and lists in the order of the cases.
    """
    windows = case_windows(sequences, cases, max_history)
    ranks = np.zeros(len(cases), dtype=np.int64)
    top = np.zeros((len(cases), top_k), dtype=np.int64)
    collator = Collator(sequences, with_times=model.needs_times, device=device)
    with torch.inference_mode():
        table = model.item_table
    if table is not None and not top_k:
        # Like targets together, so that few chunks of the table hold those of a piece.
        order = np.argsort(sequences.items[cases.stops], kind="stable")
        for which, batch, states in last_states(model, collator, windows.take(order), device):
            targets = batch.targets[batch.last]
            removed = _seen(sequences, cases, order[which], device) if remove_seen else None
            found = ranks_by_product(states, targets, table, removed)
            ranks[order[which]] = found.cpu().numpy()
        return Ranking(ranks, top)
    for which, targets, scores in target_scores(model, collator, windows, device):
        if remove_seen:
            scores[_seen(sequences, cases, which, device)] = -torch.inf
        if top_k:
            top[which] = top_items(scores, top_k, some_removed=remove_seen).cpu().numpy()
        ranks[which] = ranks_of_(scores, targets).cpu().numpy()
    return Ranking(ranks, top)


def _seen(
    sequences: Sequences, cases: Cases, which: np.ndarray, device: torch.device
) -> tuple[Tensor, Tensor]:
    """Return the items of the histories of some cases.

    Args:
        sequences: All histories.
        cases: All questions.
        which: int64 [m], places of the cases.
        device: Where to.

    Returns:
        int64 [n] each: place in ``which``, rising, and item number.
    """
    begins = sequences.offsets[cases.users[which] - 1]
    lengths = cases.stops[which] - begins
    rows = np.repeat(np.arange(len(which)), lengths)
    within = np.arange(len(rows)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    items = sequences.items[begins[rows] + within].astype(np.int64)
    return torch.from_numpy(rows).to(device), torch.from_numpy(items).to(device)


def removed_counts(sequences: Sequences, cases: Cases) -> np.ndarray:
    """Return how many items ``remove_seen`` takes out of each ranking beside the target itself.

    Args:
        sequences: All histories.
        cases: M questions.

    Returns:
        int64 [M], distinct items of the history that are not the target.
    """
    rows, items = _seen(sequences, cases, np.arange(len(cases)), torch.device("cpu"))
    width = int(sequences.items.max(initial=0)) + 1
    pairs = np.unique(rows.numpy() * width + items.numpy())
    owners, seen = np.divmod(pairs, width)
    others = owners[seen != sequences.items[cases.stops][owners]]
    return np.bincount(others, minlength=len(cases))


def rank_among_samples(
    model: NextItemModel,
    sequences: Sequences,
    cases: Cases,
    samples: np.ndarray,
    *,
    max_history: int,
    device: torch.device,
) -> np.ndarray:
    """Rank each case's target among sampled items only; an item drawn twice counts once.

    Figures made so are not comparable with those of full ranking, and can order models otherwise
    (Krichene & Rendle 2020).

    Args:
        model: On ``device``; put into evaluation mode and back.
        sequences: All histories.
        cases: M questions.
        samples: int64 [M, N], items to rank against, none of them the target.
        max_history: Longest history the model sees.
        device: Where to compute.

    Returns:
        int64 [M], 1 is the top, N + 1 the lowest possible.
    """
    windows = case_windows(sequences, cases, max_history)
    ranks = np.zeros(len(cases), dtype=np.int64)
    collator = Collator(sequences, with_times=model.needs_times, device=device)
    for which, targets, scores in target_scores(model, collator, windows, device):
        own = scores.gather(1, targets[:, None])
        drawn = torch.from_numpy(samples[which]).to(device).sort(1).values
        is_new = F.pad(drawn[:, 1:] != drawn[:, :-1], (1, 0), value=True)
        better = ~(scores.gather(1, drawn) < own) & is_new
        ranks[which] = (1 + better.sum(1)).cpu().numpy()
    return ranks


def target_scores(
    model: NextItemModel, collator: Collator, windows: Windows, device: torch.device
) -> Iterator[tuple[np.ndarray, Tensor, Tensor]]:
    """Score the whole catalogue after each window; items with equal vectors have equal scores.

    Args:
        model: On ``device``; put into evaluation mode and back.
        collator: Over what the windows point into.
        windows: The histories, with their targets.
        device: Where to compute.

    Yields:
        Places of some windows, their targets, int64 [b], and float scores [b, V].
    """
    if model.item_table is None:
        for which, batch, scores in last_scores(model, collator, windows, device):
            yield which, batch.targets[batch.last], scores
        return
    table, n_entries = torch.empty(0), 0
    for which, batch, states in last_states(model, collator, windows, device):
        with torch.inference_mode():
            if not n_entries:  # the table of a model in evaluation mode
                table = model.item_table
                n_entries = len(table)
                [table] = even_chunks(table, n_entries)
            targets, size = batch.targets[batch.last], max(1, SCORE_BYTES // (4 * len(table)))
            for begin in range(0, len(which), size):
                piece = slice(begin, begin + size)
                scores = (states[piece] @ table.T)[:, :n_entries]
                yield which[piece], targets[piece], scores


def even_chunks(table: Tensor, largest: int) -> list[Tensor]:
    """Return a table in pieces of one width, so that each product with them rounds alike.

    Args:
        table: float [V, d].
        largest: Rows of a piece at most, before they are rounded up to a multiple of ``EVEN``.

    Returns:
        Tensors [W, d]; behind row V there are zeros.
    """
    pieces = -(-len(table) // max(largest, 1))
    width = -(-len(table) // (pieces * EVEN)) * EVEN
    *whole, last = torch.split(table, width)
    missing = width - len(last)
    return [*whole, F.pad(last, (0, 0, 0, missing)) if missing else last]


def last_scores(
    model: NextItemModel, collator: Collator, windows: Windows, device: torch.device
) -> Iterator[tuple[np.ndarray, Batch, Tensor]]:
    """Score the whole catalogue after the last event of each window, a bounded piece at a time.

    Args:
        model: On ``device``; put into evaluation mode and back.
        collator: Over what the windows point into.
        windows: The histories.
        device: Where to compute.

    Yields:
        Places of some windows, their batch, and float scores [b, V].
    """
    with torch.inference_mode():
        table = model.item_table  # once, as a model may normalise all of it
        for group, batch, states in last_states(model, collator, windows, device):
            yield from _scored_pieces(model, group, batch, states, table)


def last_states(
    model: NextItemModel, collator: Collator, windows: Windows, device: torch.device
) -> Iterator[tuple[np.ndarray, Batch, Tensor]]:
    """Compute the state after the last event of each window, windows of like length together.

    Args:
        model: On ``device``; put into evaluation mode and back.
        collator: Over what the windows point into.
        windows: The histories.
        device: Where to compute.

    Yields:
        Places of some windows, their batch, and float states [b, d].
    """
    was_training = model.training
    model.eval()
    try:
        groups = sorted_groups(windows, BATCH_POSITIONS)
        dealt = windows.take(np.concatenate(groups)) if groups else windows
        batches = collator.batches(dealt, [len(group) for group in groups])
        with freed_memory_kept():
            for group, made in zip(groups, batches, strict=True):
                with torch.inference_mode():
                    batch = made.to(device)
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
        if end == 1:  # without a table, only scores tell how many items there are
            size = rows_at_a_time(scores.shape[1])
        # Only `last` and `targets` of a piece are read; it keeps all items of its batch.
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


def ranks_of_(scores: Tensor, targets: Tensor) -> Tensor:
    """Return the place of each target among all items; padding, column 0, does not take part.

    The scores are overwritten: comparing into floats and adding these up is several times faster
    than into booleans, and exact up to 16 million items.

    Args:
        scores: float32 or float64 [M, V].
        targets: int64 [M], 1 to V - 1.

    Returns:
        int64 [M], from 1 to V - 1.
    """
    own = scores.gather(1, targets[:, None])
    items = scores[:, 1:]
    return items.shape[1] - items.lt_(own).sum(1).long()


@torch.inference_mode()
def ranks_by_product(
    states: Tensor,
    targets: Tensor,
    table: Tensor,
    removed: tuple[Tensor, Tensor] | None = None,
) -> Tensor:
    """Return the same as ``ranks_of_`` of ``states @ table.T``, which is never held as a whole.

    The score of a target is taken from a product of the same shape as those it is compared with,
    so that equal item vectors have equal scores to the last bit.

    Args:
        states: float [M, d].
        targets: int64 [M], 1 to V - 1; fastest where like targets stand together.
        table: float [V, d].
        removed: Rows, int64 [n] rising, and items, int64 [n], whose scores count as minus infinity.

    Returns:
        int64 [M], from 1 to V - 1.
    """
    on_cpu = states.device.type == "cpu"
    piece_rows, chunk_items = (PIECE_ROWS, CHUNK_ITEMS) if on_cpu else (GPU_ROWS, GPU_ITEMS)
    chunks = even_chunks(table, chunk_items)
    lower = torch.zeros(len(states), dtype=torch.int64, device=states.device)
    for begin in range(0, len(states), piece_rows):
        piece = slice(begin, begin + piece_rows)
        rows, goals = states[piece], targets[piece]
        gone = _within(removed, begin, begin + len(rows))
        own = _own_scores(rows, goals, chunks)
        if gone is not None:
            own[gone[0][goals[gone[0]] == gone[1]]] = -torch.inf
        first = 0
        for chunk in chunks:
            scores = rows @ chunk.T
            if gone is not None:
                items = gone[1] - first
                here = (items >= 0) & (items < len(chunk))
                scores[gone[0][here], items[here]] = -torch.inf
            if first == 0:
                scores[:, 0] = torch.inf  # padding is never lower, and not counted either
            scores[:, len(table) - first :] = (
                torch.inf
            )  # nor is what the last one is filled up with
            first += len(chunk)
            lower[piece] += scores.lt_(own).sum(1).long()
    return len(table) - 1 - lower


def _own_scores(rows: Tensor, goals: Tensor, chunks: list[Tensor]) -> Tensor:
    """Return the score [m, 1] of each row's target, from products of the chunks that hold them."""
    size = len(chunks[0])
    holder = goals // size
    own = torch.empty(len(rows), 1, dtype=rows.dtype, device=rows.device)
    for number in torch.unique(holder).tolist():
        places = (holder == number).nonzero()[:, 0]
        own[places, 0] = (rows @ chunks[number].T)[places, goals[places] - number * size]
    return own


def _within(
    removed: tuple[Tensor, Tensor] | None, begin: int, end: int
) -> tuple[Tensor, Tensor] | None:
    """Return the pairs whose rows lie in a piece, rows counted from its begin."""
    if removed is None:
        return None
    rows, items = removed
    first, last = torch.searchsorted(rows, torch.tensor([begin, end], device=rows.device)).tolist()
    return rows[first:last] - begin, items[first:last]
