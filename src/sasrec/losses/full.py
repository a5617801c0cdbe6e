"""Softmax cross-entropy over the whole catalogue: a plain version and one that saves memory.

    loss = mean over positions of  logsumexp_v(hidden . table[v]) - hidden . table[target]

The padding row, number 0, is part of the sum, as in RecBole.

The second version works on some positions at a time. With e = exp(hidden . table[v]) and Z its sum
over the items, the gradients of one position's loss are

    d loss / d hidden   = (e @ table) / Z - table[target]
    d loss / d table    = e.T @ (hidden / Z) - (hidden summed by target)

so the large matrix e is written once and never divided by Z, and the terms of the targets are
computed separately.
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
"""Sums of exponentials between 1e-30 and 1e30 are safe from overflow and underflow; otherwise the
row maximum is subtracted first."""
KEPT_BYTES = 2**24
"""Size of the exponentials of one piece (some positions, all items); about the size of the caches.
"""
MIN_PIECE_POSITIONS = 512
"""Fewest positions in a piece, even if their exponentials take more than ``KEPT_BYTES``. Each piece
adds to the whole gradient of the table; with smaller pieces this would take longer than reading the
exponentials from memory."""
GPU_BYTES = 2**30
"""``KEPT_BYTES`` for a GPU, where few large products are faster and memory is sufficient."""
GPU_PLAIN_BYTES = 2**24
"""On a GPU, the plain version is used if all scores take at most this size, because then the cost
of the calls outweighs the saving."""
CHUNK_BYTES = 2**23
"""Size of the exponentials of one chunk (the positions of a piece, some items)."""
SIZE_MULTIPLE = 64
"""The number of positions in a piece is a multiple of this. On a CPU, the library for bfloat16
products prepares a kernel for each new shape, which takes longer than the product itself."""


def softmax_cross_entropy_plain(hidden: Tensor, targets: Tensor, table: Tensor) -> Tensor:
    """Return the mean loss; simple code that holds all logits in memory at once.

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
    """Return the same as ``softmax_cross_entropy_plain`` without holding all logits in memory.

    The positions are divided into pieces. Each piece computes its part of the loss and, in the same
    pass, its part of both gradients. Inside autocast, matrix products use autocast's type. If there
    is a compiled kernel for the processor, it does the work.

    Args:
        hidden: float [P, d], supervised states only.
        targets: int64 [P], the items that followed, 1 to V - 1.
        table: float [V, d], item vectors.
        workspace: Working memory, for repeated calls; None allocates and frees it at each call,
            which takes longer than the arithmetic.

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

    The label distributes ``share`` evenly over all items and gives the rest to the target, so that

        smoothed = loss + share x mean over positions of  hidden . (table[target] - mean(table))

    Args:
        loss: The plain loss over the same positions, a scalar.
        hidden: float [P, d], supervised states only.
        targets: int64 [P], the items that followed.
        table: float [V, d], item vectors.
        share: From 0 to less than 1.

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
            if wants_gradient and kernel.supports(hidden, table, dtype):
                size = kernel.workspace_bytes(len(hidden), *table.shape)
                memory = workspace.take(size, torch.int8, table.device)
                found = kernel.softmax_and_gradients(hidden, targets, table, memory)
                if found is not None:
                    ctx.save_for_backward(*found[1:])
                    return hidden.new_tensor(found[0] / ctx.count)
            target_vectors = table.index_select(0, targets)
            total = -(hidden * target_vectors).sum()
            hidden_grad, table_grad = -target_vectors, torch.zeros_like(table)
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
                    # On a GPU, checking whether this is needed would force a synchronisation.
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
    """Return the sum of log Z over the positions of a piece, and add to both gradients.

    Args:
        hidden: float [p, d], in full precision.
        items: float [V, d], in the precision of matrix products.
        gradients: Gradients of these positions [p, d] and of the table [V, d], which are added to
            in place; or None.
        workspace: Memory for the exponentials.
        subtract: Subtract each position's largest score first; if False, this is done only if
            the sums turn out to be outside the safe range.

    Returns:
        A scalar.
    """
    wide, dtype = hidden.dtype, items.dtype
    # Add zero rows, so that products have few different shapes; zero rows have Z = V and add
    # nothing to the gradients.
    rows = F.pad(hidden, (0, 0, 0, -len(hidden) % SIZE_MULTIPLE))
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
        normaliser += scores.sum(1)  # the sum of a chunk has the precision of matrix products
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

    Each row starts at a multiple of ``SIZE_MULTIPLE`` values; products are written up to three
    times as fast there. The values between rows are set to zero: bfloat16 products read rows up to
    a round number of values and multiply the surplus by zero, which for infinity and NaN gives NaN.
    """
    widths = [-(-len(chunk) // SIZE_MULTIPLE) * SIZE_MULTIPLE for chunk in chunks]
    kept = workspace.take(n_rows * sum(widths), chunks[0].dtype, chunks[0].device)
    spaces = []
    for part, chunk in zip(torch.split(kept, [n_rows * w for w in widths]), chunks, strict=True):
        rows = part.view(n_rows, -1)
        rows[:, len(chunk) :] = 0
        spaces.append(rows[:, : len(chunk)])
    return spaces


def _largest_scores(rows: Tensor, chunks: tuple[Tensor, ...], scores: list[Tensor]) -> Tensor:
    """Return each position's largest score, [p] in the precision of matrix products.

    Args:
        rows: [p, d].
        chunks: Item vectors [v, d] each.
        scores: Memory [p, v] for each chunk, which is filled with its scores.

    Returns:
        The maximum over all chunks.
    """
    for chunk, part in zip(chunks, scores, strict=True):
        torch.mm(rows, chunk.T, out=part)
    return torch.stack([part.amax(1) for part in scores]).amax(0)


def _piece_size(n_positions: int, n_items: int, dtype: torch.dtype, device: torch.device) -> int:
    """Return the number of positions in a piece, a multiple of ``SIZE_MULTIPLE``."""
    at_once = KEPT_BYTES if device.type == "cpu" else GPU_BYTES
    fitting = (
        max(MIN_PIECE_POSITIONS, at_once // (dtype.itemsize * n_items))
        // SIZE_MULTIPLE
        * SIZE_MULTIPLE
    )
    return max(SIZE_MULTIPLE, min(fitting, -(-n_positions // SIZE_MULTIPLE) * SIZE_MULTIPLE))


def _item_chunks(n_rows: int, items: Tensor) -> tuple[Tensor, ...]:
    """Return the item vectors in chunks; exponentials are computed one chunk at a time."""
    if items.device.type != "cpu":
        return (items,)
    fitting = CHUNK_BYTES // (items.dtype.itemsize * n_rows) // SIZE_MULTIPLE * SIZE_MULTIPLE
    return torch.split(items, max(SIZE_MULTIPLE, fitting))


def _cross_entropy(settings: TrainingSettings, n_items: int) -> FullFunction:
    """Return cross-entropy for these settings; the function keeps a workspace for its lifetime."""
    share, workspace = settings.label_smoothing, Workspace()

    def plain(hidden: Tensor, targets: Tensor, table: Tensor) -> Tensor:
        return softmax_cross_entropy(hidden, targets, table, workspace=workspace)

    def with_smoothing(hidden: Tensor, targets: Tensor, table: Tensor) -> Tensor:
        return smoothed(plain(hidden, targets, table), hidden, targets, table, share)

    return with_smoothing if share else plain


CE = FullLoss("CE", _cross_entropy, uses=frozenset({"label_smoothing"}))
