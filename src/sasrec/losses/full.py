"""Softmax cross-entropy over the whole catalogue: written plainly, and in pieces.

    loss = mean over positions of  logsumexp_v(hidden . table[v]) - hidden . table[target]

The row of padding, number 0, is part of the sum, as in RecBole.

In pieces, with e = exp(hidden . table[v]) and Z its sum over the items, the gradients are

    d loss / d hidden   = (e @ table) / Z - table[target]
    d loss / d table    = e.T @ (hidden / Z) - (hidden added up by target)

so that e is written once, divided nowhere, and both targets' parts stay out of the large matrix.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable

from sasrec.kernels import softmax as kernel
from sasrec.kernels.lookup import rows_of
from sasrec.losses.contract import FullFunction, FullLoss
from sasrec.losses.workspace import Workspace
from sasrec.settings.training import TrainingSettings

SAFE_SUM = 1e30
"""Exponentials that add up to less than this, and to more than one part of it, are neither near
overflow nor near underflow; only else must the largest score be subtracted first."""
KEPT_BYTES = 2**24
"""Size of the exponentials of a piece of positions and all items: about what the caches hold."""
FEWEST = 512
"""Positions in a piece even if their exponentials take more than that: each piece adds to the whole
gradient of the table, which would take longer than reading the exponentials from memory."""
GPU_BYTES = 2**30
"""The same on a GPU, which wants few large products and has memory for them."""
GPU_PLAIN_BYTES = 2**24
"""Scores that are no larger are held as a whole on a GPU: there each call costs more than they."""
CHUNK_BYTES = 2**23
"""Size of the exponentials computed at a time."""
ROUND = 64
"""Pieces hold a multiple of so many positions. For each new shape the library behind bfloat16
products on a CPU prepares a kernel, which takes longer than the product itself."""


def softmax_cross_entropy_plain(hidden: Tensor, targets: Tensor, table: Tensor) -> Tensor:
    """Return the mean loss, all logits at once: easy to read, hungry for memory.

    Args:
        hidden: float [P, d], supervised states only.
        targets: int64 [P], the items that followed, 1 to V - 1.
        table: float [V, d], item vectors.

    Returns:
        A scalar; 0 if there are no positions.
    """
    return F.cross_entropy(hidden @ table.T, targets, reduction="sum") / max(len(targets), 1)


def softmax_cross_entropy(
    hidden: Tensor, targets: Tensor, table: Tensor, *, workspace: Workspace | None = None
) -> Tensor:
    """Return the same as ``softmax_cross_entropy_plain`` without ever holding all logits.

    Positions are taken in pieces; each computes its part of the loss and, in the same pass, of
    both gradients. Inside CPU or GPU autocast the products are taken in its type. A compiled kernel
    does it where there is one for the processor.

    Args:
        hidden: float [P, d], supervised states only.
        targets: int64 [P], the items that followed, 1 to V - 1.
        table: float [V, d], item vectors.
        workspace: Memory to work in, for whoever calls again and again; None allocates and frees
            it, which takes longer than the arithmetic.

    Returns:
        A float32 scalar (float64 for float64 input); 0 if there are no positions.
    """
    kind = hidden.device.type
    if kind != "cpu" and 4 * len(hidden) * len(table) <= GPU_PLAIN_BYTES:
        return softmax_cross_entropy_plain(hidden, targets, table)
    dtype = torch.get_autocast_dtype(kind) if torch.is_autocast_enabled(kind) else table.dtype
    loss: Tensor = _SoftmaxInPieces.apply(  # type: ignore[no-untyped-call]
        hidden, targets, table, dtype, Workspace() if workspace is None else workspace
    )
    return loss


def smoothed(loss: Tensor, hidden: Tensor, targets: Tensor, table: Tensor, share: float) -> Tensor:
    """Return softmax cross-entropy against smoothed labels (Szegedy et al. 2016, arXiv:1512.00567).

    The label gives ``share`` evenly to all items and the rest to the target, so that

        smoothed = loss + share x mean over positions of  hidden . (table[target] - mean(table))

    Args:
        loss: The plain loss over the same positions, a scalar.
        hidden: float [P, d], supervised states only.
        targets: int64 [P], the items that followed.
        table: float [V, d], item vectors.
        share: 0 to below 1.

    Returns:
        A scalar.
    """
    hidden = hidden.to(torch.promote_types(table.dtype, torch.float32))
    excess = (hidden * (rows_of(table, targets) - table.mean(0))).sum()
    return loss + share * excess / max(len(targets), 1)


class _SoftmaxInPieces(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        hidden: Tensor,
        targets: Tensor,
        table: Tensor,
        dtype: torch.dtype,
        workspace: Workspace,
    ) -> Tensor:
        wide = torch.promote_types(table.dtype, torch.float32)
        ctx.count = max(len(hidden), 1)
        with torch.autocast(hidden.device.type, enabled=False):
            hidden, table = hidden.to(wide), table.to(wide)
            wants_gradient = ctx.needs_input_grad[0] or ctx.needs_input_grad[2]
            if wants_gradient and kernel.takes(hidden, table, dtype):
                size = kernel.room_for(len(hidden), *table.shape)
                room = workspace.take(size, torch.int8, table.device)
                found = kernel.softmax_and_gradients(hidden, targets, table, room)
                if found is not None:
                    ctx.save_for_backward(*found[1:])
                    return hidden.new_tensor(found[0] / ctx.count)
            goals = table.index_select(0, targets)
            total = -(hidden * goals).sum()
            hidden_grad, table_grad = -goals, torch.zeros_like(table)
            if wants_gradient:
                table_grad.index_add_(0, targets, hidden, alpha=-1)
            items = table.to(dtype)
            size = _piece_size(len(hidden), len(table), dtype, table.device)
            for begin in range(0, len(hidden), size):
                piece = slice(begin, begin + size)
                total += _one_piece(
                    hidden[piece],
                    items,
                    (hidden_grad[piece], table_grad) if wants_gradient else None,
                    workspace=workspace,
                    # On a GPU we do not wait to see whether it is needed.
                    subtract=hidden.device.type != "cpu",
                )
        ctx.save_for_backward(hidden_grad, table_grad)
        mean: Tensor = total / ctx.count
        return mean

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        hidden_grad, table_grad = ctx.saved_tensors
        scale = grad / ctx.count
        return hidden_grad * scale, None, table_grad * scale, None, None


def _one_piece(
    hidden: Tensor,
    items: Tensor,
    gradients: tuple[Tensor, Tensor] | None,
    *,
    workspace: Workspace,
    subtract: bool,
) -> Tensor:
    """Return the sum of log Z over some positions, and add to both gradients.

    Args:
        hidden: float [p, d], in full precision.
        items: float [V, d], in the precision of products.
        gradients: Of these positions [p, d] and of the table [V, d], added to in place; or None.
        workspace: Memory for the exponentials.
        subtract: Subtract each position's largest score first; without, this is done if it turns
            out to be needed.

    Returns:
        A scalar.
    """
    wide, dtype = hidden.dtype, items.dtype
    # Filled up, so that every product has a shape met before; zeros have Z = V and weigh nothing.
    rows = F.pad(hidden, (0, 0, 0, -len(hidden) % ROUND))
    narrow = rows.to(dtype)
    chunks = _item_chunks(len(rows), items)
    exponentials = _space_for(len(rows), chunks, workspace)
    largest = _largest_scores(narrow, chunks, exponentials) if subtract else None
    normaliser = torch.zeros(len(rows), dtype=wide, device=hidden.device)
    mixed = torch.zeros_like(rows)
    for chunk, scores in zip(chunks, exponentials, strict=True):
        if largest is None:
            torch.mm(narrow, chunk.T, out=scores)
        else:
            scores -= largest[:, None]
        scores.exp_()
        normaliser += scores.sum(1)  # each chunk's sum has the precision of products
        if gradients is not None:
            mixed += scores @ chunk
    if not subtract and not 1 / SAFE_SUM < normaliser.min() <= normaliser.max() < SAFE_SUM:
        return _one_piece(hidden, items, gradients, workspace=workspace, subtract=True)
    if gradients is not None:
        hidden_grad, table_grad = gradients
        hidden_grad += (mixed / normaliser[:, None])[: len(hidden)]
        shares = (rows / normaliser[:, None]).to(dtype)
        for part, exponential in zip(
            torch.split(table_grad, [len(c) for c in chunks]), exponentials, strict=True
        ):
            part += exponential.T @ shares
    logarithms = normaliser.log() if largest is None else normaliser.log() + largest
    return logarithms[: len(hidden)].sum()


def _space_for(n_rows: int, chunks: tuple[Tensor, ...], workspace: Workspace) -> list[Tensor]:
    """Return memory for the exponentials of each chunk, [p, v] each.

    Each row begins at a multiple of ``ROUND`` values, where products are written up to three times
    as fast. What lies between the rows is zero: products in bfloat16 read a row to a round number
    of values and multiply what is too much with zero, which leaves infinity and NaN.
    """
    widths = [-(-len(chunk) // ROUND) * ROUND for chunk in chunks]
    kept = workspace.take(n_rows * sum(widths), chunks[0].dtype, chunks[0].device)
    room = []
    for part, chunk in zip(torch.split(kept, [n_rows * w for w in widths]), chunks, strict=True):
        rows = part.view(n_rows, -1)
        rows[:, len(chunk) :] = 0
        room.append(rows[:, : len(chunk)])
    return room


def _largest_scores(rows: Tensor, chunks: tuple[Tensor, ...], scores: list[Tensor]) -> Tensor:
    """Return each position's largest score, [p] in the precision of products.

    Args:
        rows: [p, d].
        chunks: Item vectors [v, d] each.
        scores: Filled with the scores [p, v] of each chunk.

    Returns:
        The largest of them all.
    """
    for chunk, part in zip(chunks, scores, strict=True):
        torch.mm(rows, chunk.T, out=part)
    return torch.stack([part.amax(1) for part in scores]).amax(0)


def _piece_size(n_positions: int, n_items: int, dtype: torch.dtype, device: torch.device) -> int:
    """Return the positions of a piece: a multiple of ``ROUND`` that are taken together."""
    at_once = KEPT_BYTES if device.type == "cpu" else GPU_BYTES
    fitting = max(FEWEST, at_once // (dtype.itemsize * n_items)) // ROUND * ROUND
    return max(ROUND, min(fitting, -(-n_positions // ROUND) * ROUND))


def _item_chunks(n_rows: int, items: Tensor) -> tuple[Tensor, ...]:
    """Return the item vectors in chunks whose exponentials are computed together."""
    if items.device.type != "cpu":
        return (items,)
    fitting = CHUNK_BYTES // (items.dtype.itemsize * n_rows) // ROUND * ROUND
    return torch.split(items, max(ROUND, fitting))


def _cross_entropy(settings: TrainingSettings, n_items: int) -> FullFunction:
    """Return cross-entropy as the settings want it; its workspace lives as long as it does."""
    share, workspace = settings.label_smoothing, Workspace()

    def plain(hidden: Tensor, targets: Tensor, table: Tensor) -> Tensor:
        return softmax_cross_entropy(hidden, targets, table, workspace=workspace)

    def with_smoothing(hidden: Tensor, targets: Tensor, table: Tensor) -> Tensor:
        return smoothed(plain(hidden, targets, table), hidden, targets, table, share)

    return with_smoothing if share else plain


CE = FullLoss("CE", _cross_entropy, uses=frozenset({"label_smoothing"}))
