"""Causal attention with dropout, and its gradient (``attention.c``)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from sasrec.kernels.bits import random_bits, spread
from sasrec.kernels.library import TILES, call, level, room, serves, threads

BLOCK, HALF = 32, 16
"""Windows are filled up to a multiple of the one; heads are a multiple of the other wide."""
KINDS = 65
"""Of gaps in time; the last stands for gaps that nobody knows."""
WORTH_FILLING = 16
"""Shorter windows are mostly filling, which only AMX makes light of."""


def takes(parts: Tensor, columns: int) -> bool:
    """Return whether the kernel takes these, and is the faster way.

    Args:
        parts: [..., 3, H, d / H], queries, keys and values.
        columns: L, the longest window.
    """
    worth = columns >= WORTH_FILLING or level() == TILES
    return worth and parts.shape[-1] % HALF == 0 and serves(parts.device, parts.dtype)


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


@dataclass(frozen=True, slots=True)
class Bias:
    """What is added to attention scores by distance.

    Attributes:
        numbers: uint8 [B, L', L'], from ``gap_numbers``; None without a bias by time.
        by_gap: float32 [65, H], a value for each of them, or None.
        by_step: float32 [L or more, H], a value for each number of events between, or None.
    """

    numbers: Tensor | None = None
    by_gap: Tensor | None = None
    by_step: Tensor | None = None


def gap_numbers(times: Tensor | None, untimed: Tensor | None, *, rows: int, columns: int) -> Tensor:
    """Return which kind of gap in time lies between any two events of a window.

    Args:
        times: float64 [B, L], or None where nobody knows them.
        untimed: bool [B], windows that are not to know them, or None.
        rows: B.
        columns: L.

    Returns:
        uint8 [B, L', L'], L' being L rounded up to a multiple of 32, keys in rows: what
        ``positions.gap_buckets`` gives, and 64 for what is not known.
    """
    padded = -(-columns // BLOCK) * BLOCK
    numbers = torch.empty(rows, padded, padded, dtype=torch.uint8)
    times = None if times is None else times.double().contiguous()
    untimed = None if untimed is None else untimed.bool().contiguous()
    call("gaps", times, untimed, rows, columns, numbers, threads())
    return numbers


def dropped_attention(
    projected: Tensor, bits: Tensor, kept: float, bias: Bias = Bias()
) -> Tensor | None:
    """Return causal attention with dropout.

    Args:
        projected: bfloat16 [B, L, 3, H, d / H], queries, keys and values.
        bits: From ``bits_for``.
        kept: Probability that an attention probability was kept.
        bias: Added to the scores.

    Returns:
        bfloat16 [B, L, H, d / H]; None if exponentials were near overflow or underflow.

    Raises:
        IndexError: The bias has too few distances, or other heads.
    """
    mixed: Tensor | None = _Attention.apply(  # type: ignore[no-untyped-call]
        projected, bits, kept, bias.numbers, bias.by_gap, bias.by_step
    )
    return mixed


def _as_tables(*tables: Tensor | None, heads: int, columns: int) -> list[Tensor | None]:
    """Return the tables by gap and by step as the kernel reads them.

    Raises:
        IndexError: A table has too few rows, or other heads.
    """
    for table, least in zip(tables, (KINDS, columns), strict=True):
        if table is not None and (len(table) < least or table.shape[1:] != (heads,)):
            raise IndexError(f"a bias of {tuple(table.shape)} for {least} distances, {heads} heads")
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
        by_gap, by_step = _as_tables(by_gap, by_step, heads=heads, columns=columns)
        ctx.sizes = rows, columns, heads, depth, kept
        given = projected, bits, *ctx.sizes, numbers, by_gap, by_step
        space = room("attend", columns, heads, depth)
        if call("attend", *given, output, inverse, space, threads()):
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
        space = room("attend", *ctx.sizes[1:4])
        call("attend_back", *given, output, inverse, grad, whole, *tables, space, threads())
        return whole, None, None, None, *tables
