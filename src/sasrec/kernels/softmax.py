"""Softmax cross-entropy over the whole catalogue, with its gradients (``softmax.c``)."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from sasrec.kernels.library import call, supports_products, threads

DEPTH = 32
"""Widths must be multiples of this."""


def supports(hidden: Tensor, table: Tensor, dtype: torch.dtype) -> bool:
    """Return whether the kernel supports these inputs and is faster than PyTorch.

    Args:
        hidden: [P, d].
        table: [V, d].
        dtype: Type of the matrix products.
    """
    return (
        supports_products(table.device, dtype)
        and hidden.dtype == table.dtype == torch.float32
        and hidden.shape[1] == table.shape[1]
        and table.shape[1] % DEPTH == 0
        and len(hidden) > 0
    )


def softmax_and_gradients(
    hidden: Tensor, targets: Tensor, table: Tensor, workspace: Tensor
) -> tuple[float, Tensor, Tensor] | None:
    """Return the sum of the losses and its gradients, computed with bfloat16 products.

    Args:
        hidden: float32 [P, d].
        targets: int64 [P].
        table: float32 [V, d].
        workspace: int8 [``workspace_bytes(...)``], working memory.

    Returns:
        The sum, its gradient with respect to ``hidden`` [P, d] and to ``table`` [V, d]; None if
        exponentials were too large or too small.

    Raises:
        IndexError: A target is not in the table.
    """
    hidden, targets, table = hidden.contiguous(), targets.long().contiguous(), table.contiguous()
    gradients = torch.empty_like(hidden), torch.empty_like(table)
    sizes = len(hidden), *table.shape
    total = call("softmax", hidden, targets, table, *sizes, *gradients, workspace, threads())
    if total == -math.inf:
        raise IndexError(f"a target is not one of the {len(table)} rows of the table")
    return None if math.isnan(total) else (total, *gradients)


def workspace_bytes(n_positions: int, n_items: int, width: int) -> int:
    """Return the number of bytes of working memory that a call needs."""
    return int(call("softmax_workspace", n_positions, n_items, width, threads()))
