"""Softmax cross-entropy over the whole catalogue, with its gradients (``softmax.c``)."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from sasrec.kernels.library import call, serves, threads

DEPTH = 32
"""Widths are multiples of it."""


def takes(hidden: Tensor, table: Tensor, dtype: torch.dtype) -> bool:
    """Return whether the kernel takes these, and is the faster way.

    Args:
        hidden: [P, d].
        table: [V, d].
        dtype: In which products are to be taken.
    """
    return (
        serves(table.device, dtype)
        and hidden.dtype == table.dtype == torch.float32
        and hidden.shape[1] == table.shape[1]
        and table.shape[1] % DEPTH == 0
        and len(hidden) > 0
    )


def softmax_and_gradients(
    hidden: Tensor, targets: Tensor, table: Tensor, room: Tensor
) -> tuple[float, Tensor, Tensor] | None:
    """Return the sum of the losses and its gradients, products taken in bfloat16.

    Args:
        hidden: float32 [P, d].
        targets: int64 [P].
        table: float32 [V, d].
        room: int8 [``room_for(...)``], written over.

    Returns:
        The sum, its gradient with respect to ``hidden`` [P, d] and to ``table`` [V, d]; None if
        exponentials were too large or too small.

    Raises:
        IndexError: A target is not in the table.
    """
    hidden, targets, table = hidden.contiguous(), targets.long().contiguous(), table.contiguous()
    gradients = torch.empty_like(hidden), torch.empty_like(table)
    sizes = len(hidden), *table.shape
    total = call("softmax", hidden, targets, table, *sizes, *gradients, room, threads())
    if total == -math.inf:
        raise IndexError(f"targets reach beyond the {len(table)} rows of the table")
    return None if math.isnan(total) else (total, *gradients)


def room_for(n_positions: int, n_items: int, width: int) -> int:
    """Return the bytes of working space that a call needs."""
    return int(call("softmax_room", n_positions, n_items, width, threads()))
