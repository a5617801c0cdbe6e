"""Causal attention with dropout, and its gradient (``attention.c``)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from sasrec.kernels.bits import random_bits, unpacked_bits
from sasrec.kernels.library import AMX, call, level, supports_products, threads, workspace

BLOCK, HEAD_MULTIPLE = 32, 16
"""Windows are padded to a multiple of ``BLOCK``; heads have a width that is a multiple of
``HEAD_MULTIPLE``."""
GAP_NUMBERS = 65
"""Number of buckets for time gaps, including the last one for unknown gaps."""
SHORTEST_WINDOW = 16
"""Shorter windows consist mostly of padding, so without AMX the kernel is slower than PyTorch."""


def supports(parts: Tensor, columns: int) -> bool:
    """Return whether the kernel supports these inputs and is faster than PyTorch.

    Args:
        parts: [..., 3, H, d / H], queries, keys and values.
        columns: L, length of the longest window.
    """
    is_faster = columns >= SHORTEST_WINDOW or level() == AMX
    return (
        is_faster
        and parts.shape[-1] % HEAD_MULTIPLE == 0
        and supports_products(parts.device, parts.dtype)
    )


def keep_bits(projected: Tensor, probability: float) -> Tensor:
    """Return random bits that say which attention probabilities are kept.

    They come from PyTorch's default generator.

    Args:
        projected: [B, L, 3, H, d / H].
        probability: Probability of dropping, from 0 to less than 1; accurate to 1/65,536.

    Returns:
        int32 [B, H, L', L' / 32], where L' is L rounded up to a multiple of 32: for each key, one
        bit for each query; 1 means keep.
    """
    rows, columns, _, heads, _ = projected.shape
    blocks = -(-columns // BLOCK)
    return random_bits((rows, heads, blocks * BLOCK, blocks), probability)


def kept_mask(bits: Tensor, columns: int, kept: float) -> Tensor:
    """Convert bits to factors for the attention probabilities.

    Args:
        bits: From ``keep_bits``.
        columns: L.
        kept: Probability of keeping.

    Returns:
        float32 [B * H, L, L], queries in rows; 0 or 1 / kept.
    """
    mask = unpacked_bits(bits).mT[:, :, :columns, :columns].flatten(0, 1)
    return mask.float() / kept


@dataclass(frozen=True, slots=True)
class Bias:
    """A bias by distance, added to attention scores.

    Attributes:
        numbers: uint8 [B, L', L'], from ``gap_numbers``; None without a bias by time.
        by_gap: float32 [65, H], the bias of each bucket number, or None.
        by_step: float32 [L or more, H], the bias of each number of events between query and key, or
            None.
    """

    numbers: Tensor | None = None
    by_gap: Tensor | None = None
    by_step: Tensor | None = None


def gap_numbers(times: Tensor | None, untimed: Tensor | None, *, rows: int, columns: int) -> Tensor:
    """Return the bucket of the time gap between each pair of events in a window.

    Args:
        times: float64 [B, L], timestamps, or None if they are unknown.
        untimed: bool [B], windows whose timestamps are ignored, or None.
        rows: B.
        columns: L.

    Returns:
        uint8 [B, L', L'], where L' is L rounded up to a multiple of 32, with keys in rows: the
        results of ``positions.gap_buckets``, and 64 for unknown gaps.
    """
    padded = -(-columns // BLOCK) * BLOCK
    numbers = torch.empty(rows, padded, padded, dtype=torch.uint8)
    times = None if times is None else times.double().contiguous()
    untimed = None if untimed is None else untimed.bool().contiguous()
    call("gaps", times, untimed, rows, columns, numbers, threads())
    return numbers


def dropout_attention(
    projected: Tensor, bits: Tensor, kept: float, bias: Bias = Bias()
) -> Tensor | None:
    """Return causal attention with dropout.

    Args:
        projected: bfloat16 [B, L, 3, H, d / H], queries, keys and values.
        bits: From ``keep_bits``.
        kept: Probability of keeping an attention probability.
        bias: Bias by distance, added to the scores.

    Returns:
        bfloat16 [B, L, H, d / H]; None if exponentials were near overflow or underflow.

    Raises:
        IndexError: The bias has too few distances, or another number of heads.
    """
    mixed: Tensor | None = _Attention.apply(  # type: ignore[no-untyped-call]
        projected, bits, kept, bias.numbers, bias.by_gap, bias.by_step
    )
    return mixed


def _contiguous_tables(*tables: Tensor | None, heads: int, columns: int) -> list[Tensor | None]:
    """Return the tables by gap and by step in the kernel's format.

    Raises:
        IndexError: A table has too few rows, or another number of heads.
    """
    for table, least in zip(tables, (GAP_NUMBERS, columns), strict=True):
        if table is not None and (len(table) < least or table.shape[1:] != (heads,)):
            raise IndexError(
                f"the bias has shape {tuple(table.shape)}, but needs at least {least} distances "
                f"and {heads} heads"
            )
    return [None if table is None else table.float().contiguous() for table in tables]


class _Attention(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        projected: Tensor,
        bits: Tensor,
        kept: float,
        numbers: Tensor | None,
        by_gap: Tensor | None,
        by_step: Tensor | None,
    ) -> Tensor | None:
        projected = projected.contiguous()
        rows, columns, _, heads, depth = projected.shape
        output = projected.new_empty(rows, columns, heads, depth)
        inverse = torch.empty(rows, heads, bits.shape[2], dtype=torch.float32)
        by_gap, by_step = _contiguous_tables(by_gap, by_step, heads=heads, columns=columns)
        ctx.sizes = rows, columns, heads, depth, kept
        given = projected, bits, *ctx.sizes, numbers, by_gap, by_step
        memory = workspace("attend", columns, heads, depth)
        if call("attend", *given, output, inverse, memory, threads()):
            return None
        ctx.save_for_backward(projected, bits, numbers, by_gap, by_step, output, inverse)
        return output

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        projected, bits, numbers, by_gap, by_step, output, inverse = ctx.saved_tensors
        grad, whole = grad.contiguous(), torch.empty_like(projected)
        tables = [None if table is None else torch.zeros_like(table) for table in (by_gap, by_step)]
        given = projected, bits, *ctx.sizes, numbers, by_gap, by_step
        memory = workspace("attend", *ctx.sizes[1:4])
        call("attend_back", *given, output, inverse, grad, whole, *tables, memory, threads())
        return whole, None, None, None, *tables
