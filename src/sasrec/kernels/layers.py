"""Linear layers, and dropout with residual connection and normalisation (``linear.c``, ``norm.c``).

Weights stay float32, and get their gradients in float32; what flows between layers is bfloat16.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from sasrec.kernels.bits import BITS, random_bits
from sasrec.kernels.library import LANES, TILES, call, room, serves, threads

BLOCK = 32
"""Widths are multiples of it."""
WIDEST = 1024
"""Widths beyond that want too much room at a time."""


def takes_linear(hidden: Tensor, weight: Tensor) -> bool:
    """Return whether the kernel takes these, and is the faster way.

    Args:
        hidden: [P, d].
        weight: [e, d].
    """
    return _takes(hidden, weight, TILES) and all(
        size % BLOCK == 0 and size <= WIDEST for size in weight.shape
    )


def takes_norm(hidden: Tensor, scale: Tensor) -> bool:
    """Return whether the kernel takes these.

    Args:
        hidden: [P, d].
        scale: [d].
    """
    return _takes(hidden, scale, LANES) and len(scale) % BLOCK == 0


def _takes(hidden: Tensor, weight: Tensor, least: int) -> bool:
    return (
        serves(hidden.device, hidden.dtype, least=least)
        and weight.dtype == torch.float32
        and hidden.dim() == 2
        and len(hidden) > 0
    )


def linear(hidden: Tensor, weight: Tensor, bias: Tensor, *, gelu: bool = False) -> Tensor:
    """Return a linear layer of some states, with a GELU behind it if wanted.

    Args:
        hidden: bfloat16 [P, d].
        weight: float32 [e, d].
        bias: float32 [e].
        gelu: Whether to apply x Phi(x).

    Returns:
        bfloat16 [P, e].
    """
    result: Tensor = _Linear.apply(hidden, weight, bias, gelu)  # type: ignore[no-untyped-call]
    return result


def dropped_sum_norm(
    residual: Tensor,
    values: Tensor,
    scale: Tensor,
    shift: Tensor,
    *,
    probability: float,
    eps: float,
) -> Tensor:
    """Return Norm(residual + Dropout(values)), normalised over each row.

    Args:
        residual: bfloat16 [P, d].
        values: bfloat16 [P, d].
        scale: float32 [d].
        shift: float32 [d].
        probability: Of dropping an element.
        eps: Added to the variance.

    Returns:
        bfloat16 [P, d].
    """
    bits = None
    if probability:
        bits = random_bits((len(values), values.shape[1] // BITS), probability)
    result: Tensor = _SumNorm.apply(  # type: ignore[no-untyped-call]
        residual, values, scale, shift, bits, 1 - probability, eps
    )
    return result


class _Linear(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, hidden: Tensor, weight: Tensor, bias: Tensor, gelu: bool) -> Tensor:
        hidden, weight = hidden.contiguous(), weight.contiguous()
        output = hidden.new_empty(len(hidden), len(weight))
        slopes = torch.empty_like(output) if gelu else None
        ctx.sizes = len(hidden), weight.shape[1], weight.shape[0]
        space = room("linear", *ctx.sizes[1:])
        call("linear", hidden, weight, bias, *ctx.sizes, slopes, output, space, threads())
        ctx.save_for_backward(hidden, weight, slopes)
        return output

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor, Tensor, None]:
        hidden, weight, slopes = ctx.saved_tensors
        grad, hidden_grad = grad.contiguous(), torch.empty_like(hidden)
        size, team = weight.numel(), threads()
        sums = torch.empty(team, size + len(weight))
        parts = slopes, grad, hidden_grad, sums, room("linear", *ctx.sizes[1:])
        call("linear_back", hidden, weight, *ctx.sizes, *parts, team)
        return hidden_grad, sums[0, :size].view_as(weight), sums[0, size:], None


class _SumNorm(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        residual: Tensor,
        values: Tensor,
        scale: Tensor,
        shift: Tensor,
        bits: Tensor | None,
        kept: float,
        eps: float,
    ) -> Tensor:
        residual, values = residual.contiguous(), values.contiguous()
        total, output = torch.empty_like(values), torch.empty_like(values)
        moments = torch.empty(len(values), 2)
        weights, ctx.sizes = (scale, shift), (*values.shape, kept)
        parts = total, output, moments
        call("add_norm", residual, values, bits, *weights, *ctx.sizes, eps, *parts, threads())
        ctx.save_for_backward(total, moments, bits, scale)
        return output

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        total, moments, bits, scale = ctx.saved_tensors
        grad = grad.contiguous()
        gradients = torch.empty_like(total), torch.empty_like(total)
        team = threads()
        sums = torch.empty(team, 2, len(scale))
        parts = grad, *gradients, sums
        call("add_norm_back", total, moments, bits, scale, *ctx.sizes, *parts, team)
        return *gradients, sums[0, 0], sums[0, 1], None, None, None
