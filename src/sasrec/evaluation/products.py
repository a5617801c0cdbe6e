"""Ranks of targets, from a matrix of scores or from states and item vectors in pieces."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

PIECE_ROWS, CHUNK_ITEMS = 512, 4096
"""States and items multiplied at a time if only ranks are needed: large enough for the product to
run at the processor's full speed, small enough for its result to stay in the cache."""
GPU_ROWS, GPU_ITEMS = 4096, 2**15
"""The same on a GPU, where fewer and larger products are faster."""
WIDTH_MULTIPLE = 192
"""The item table is multiplied in pieces of one width, a multiple of this, padded with zeros. With
other widths, BLAS sums the columns at the edge in a different order (a single column is computed by
another routine), so equal item vectors would get scores that differ in the last bit. With MKL this
happened in float32 at widths that are not a multiple of 4 and between pieces of different widths,
and in float64 at widths that are not a multiple of 12."""


def ranks_of_(scores: Tensor, targets: Tensor) -> Tensor:
    """Return the rank of each target among all items, without column 0, which is padding.

    The scores are overwritten: comparing them into floats and summing these is several times faster
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
    """Return ``ranks_of_(states @ table.T, targets)`` without storing all scores at once.

    The score of a target is taken from a product of the same shape as those it is compared with,
    so that equal item vectors have exactly equal scores.

    Args:
        states: float [M, d].
        targets: int64 [M], 1 to V - 1; fastest if equal or close numbers are adjacent.
        table: float [V, d].
        removed: Rows, int64 [n] ascending, and items, int64 [n]; these scores become minus
            infinity.

    Returns:
        int64 [M], from 1 to V - 1.
    """
    on_cpu = states.device.type == "cpu"
    piece_rows, chunk_items = (PIECE_ROWS, CHUNK_ITEMS) if on_cpu else (GPU_ROWS, GPU_ITEMS)
    chunks = equal_pieces(table, chunk_items)
    lower = torch.zeros(len(states), dtype=torch.int64, device=states.device)
    for begin in range(0, len(states), piece_rows):
        piece = slice(begin, begin + piece_rows)
        rows, row_targets = states[piece], targets[piece]
        piece_removed = _within(removed, begin, begin + len(rows))
        own = _own_scores(rows, row_targets, chunks)
        if piece_removed is not None:
            own[piece_removed[0][row_targets[piece_removed[0]] == piece_removed[1]]] = -torch.inf
        first = 0
        for chunk in chunks:
            scores = rows @ chunk.T
            if piece_removed is not None:
                items = piece_removed[1] - first
                in_chunk = (items >= 0) & (items < len(chunk))
                scores[piece_removed[0][in_chunk], items[in_chunk]] = -torch.inf
            if first == 0:
                scores[:, 0] = torch.inf  # padding never counts as lower than the target
            scores[:, len(table) - first :] = torch.inf  # nor do the zeros after the last item
            first += len(chunk)
            lower[piece] += scores.lt_(own).sum(1).long()
    return len(table) - 1 - lower


def _own_scores(rows: Tensor, row_targets: Tensor, chunks: list[Tensor]) -> Tensor:
    """Return the score [m, 1] of each row's target, from products with the targets' chunks."""
    size = len(chunks[0])
    chunk_of = row_targets // size
    own = torch.empty(len(rows), 1, dtype=rows.dtype, device=rows.device)
    for number in torch.unique(chunk_of).tolist():
        some = (chunk_of == number).nonzero()[:, 0]
        own[some, 0] = (rows @ chunks[number].T)[some, row_targets[some] - number * size]
    return own


def _within(
    removed: tuple[Tensor, Tensor] | None, begin: int, end: int
) -> tuple[Tensor, Tensor] | None:
    """Return the pairs whose rows are in a piece, with rows relative to ``begin``."""
    if removed is None:
        return None
    rows, items = removed
    first, last = torch.searchsorted(rows, torch.tensor([begin, end], device=rows.device)).tolist()
    return rows[first:last] - begin, items[first:last]


def equal_pieces(table: Tensor, largest: int) -> list[Tensor]:
    """Return a table in pieces of equal width, so that all products with them round alike.

    Args:
        table: float [V, d].
        largest: Maximum rows of a piece, before rounding up to a multiple of ``WIDTH_MULTIPLE``.

    Returns:
        Tensors [W, d]; rows after row V are zero.
    """
    pieces = -(-len(table) // max(largest, 1))
    width = -(-len(table) // (pieces * WIDTH_MULTIPLE)) * WIDTH_MULTIPLE
    *whole, last = torch.split(table, width)
    missing = width - len(last)
    return [*whole, F.pad(last, (0, 0, 0, missing)) if missing else last]
