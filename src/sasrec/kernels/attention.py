"""Causal attention with dropout, and its gradient (``attention.c``)."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from sasrec.kernels.bits import random_bits, spread
from sasrec.kernels.library import call, room, serves, threads

BLOCK = 32
"""Windows are filled up to a multiple of it; heads are a multiple of it wide."""


def takes(projected: Tensor) -> bool:
    """Return whether the kernel takes these.

    Args:
        projected: [B, L, 3, H, d / H].
    """
    return serves(projected.device, projected.dtype) and projected.shape[-1] % BLOCK == 0


def bits_for(projected: Tensor, probability: float) -> Tensor:
    """Return which attention probabilities are kept, from torch's default generator.

    Args:
        projected: [B, L, 3, H, d / H].
        probability: Of dropping one, 0 to below 1; exact to 1/65,536.

    Returns:
        int32 [B, H, L', L' / 32], where L' is L rounded up to a multiple of 32: for each key a
        bit for each query, 1 where it is kept.
    """
    rows, columns, _, heads, _ = projected.shape
    blocks = -(-columns // BLOCK)
    return random_bits((rows, heads, blocks * BLOCK, blocks), probability)


def kept_mask(bits: Tensor, columns: int, kept: float) -> Tensor:
    """Return the bits as numbers that attention probabilities are multiplied with.

    Args:
        bits: From ``bits_for``.
        columns: L.
        kept: Probability of keeping one.

    Returns:
        float32 [B * H, L, L], queries in rows; 0 or 1 / kept.
    """
    mask = spread(bits).mT[:, :, :columns, :columns].flatten(0, 1)
    return mask.float() / kept


def dropped_attention(projected: Tensor, bits: Tensor, kept: float) -> Tensor:
    """Return causal attention with dropout.

    Args:
        projected: bfloat16 [B, L, 3, H, d / H], queries, keys and values.
        bits: From ``bits_for``.
        kept: Probability that an attention probability was kept.

    Returns:
        bfloat16 [B, L, H, d / H].

    Raises:
        OverflowError: Exponentials were near overflow or underflow.
    """
    mixed: Tensor = _Attention.apply(projected, bits, kept)  # type: ignore[no-untyped-call]
    return mixed


class _Attention(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, projected: Tensor, bits: Tensor, kept: float) -> Tensor:
        projected = projected.contiguous()
        rows, columns, _, heads, depth = projected.shape
        output = projected.new_empty(rows, columns, heads, depth)
        inverse = torch.empty(rows, heads, bits.shape[2])
        ctx.sizes = rows, columns, heads, depth, kept
        space = room("attend", columns, depth)
        if call("attend", projected, bits, *ctx.sizes, output, inverse, space, threads()):
            raise OverflowError("attention scores are too large, or too small, for bfloat16")
        ctx.save_for_backward(projected, bits, output, inverse)
        return output

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None]:
        projected, bits, output, inverse = ctx.saved_tensors
        grad, whole = grad.contiguous(), torch.empty_like(projected)
        space = room("attend", projected.shape[1], projected.shape[-1])
        parts = output, inverse, grad, whole, space
        call("attend_back", projected, bits, *ctx.sizes, *parts, threads())
        return whole, None, None
