"""Linear layers, and dropout with residual connection and normalisation (``linear.c``, ``norm.c``).

Weights and their gradients are float32; inputs and outputs of the layers are bfloat16.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from sasrec.kernels.bits import BITS, random_bits
from sasrec.kernels.library import call, supports_products, threads, workspace

BLOCK = 32
"""Widths must be multiples of this."""
WIDEST, LARGEST = 256, 2**16
"""Largest input width and largest number of weights; above, PyTorch's products are faster."""


def supports_linear(hidden: Tensor, weight: Tensor, bias: Tensor | None) -> bool:
    """Return whether the kernel supports these inputs and is faster than PyTorch.

    Args:
        hidden: [P, d].
        weight: [e, d].
        bias: [e], or None.
    """
    return (
        _supports(hidden)
        and bias is not None
        and weight.dtype == bias.dtype == torch.float32
        and hidden.shape[1] == weight.shape[1] <= WIDEST
        and weight.numel() <= LARGEST
        and all(size % BLOCK == 0 for size in weight.shape)
    )


def supports_sum(
    values: Tensor, residual: Tensor | None = None, norm: nn.LayerNorm | None = None
) -> bool:
    """Return whether the kernels for sums and normalisation support these inputs.

    Args:
        values: [P, d].
        residual: [P, d], added to the values, or None.
        norm: The normalisation of the sum, or None.
    """
    like = residual is None or (residual.dtype == values.dtype and residual.shape == values.shape)
    normal = norm is None or (
        norm.normalized_shape == tuple(values.shape[1:])
        and norm.elementwise_affine
        and norm.bias is not None
        and norm.weight.dtype == norm.bias.dtype == torch.float32
    )
    return _supports(values) and like and normal and values.shape[1] % BLOCK == 0


def _supports(hidden: Tensor) -> bool:
    return supports_products(hidden.device, hidden.dtype) and hidden.dim() == 2 and len(hidden) > 0


def linear(hidden: Tensor, weight: Tensor, bias: Tensor, *, gelu: bool = False) -> Tensor:
    """Return the output of a linear layer, optionally followed by a GELU.

    Args:
        hidden: bfloat16 [P, d].
        weight: float32 [e, d].
        bias: float32 [e].
        gelu: Whether to apply the GELU, x Phi(x).

    Returns:
        bfloat16 [P, e].
    """
    result: Tensor = _Linear.apply(hidden, weight, bias, gelu)  # type: ignore[no-untyped-call]
    return result


def dropout_sum(residual: Tensor, values: Tensor, *, probability: float) -> Tensor:
    """Return residual + Dropout(values).

    Args:
        residual: bfloat16 [P, d].
        values: bfloat16 [P, d].
        probability: Probability of dropping an element.

    Returns:
        bfloat16 [P, d].
    """
    bits = _keep_bits(values, probability)
    total: Tensor = _Sum.apply(  # type: ignore[no-untyped-call]
        residual, values, bits, 1.0 - probability
    )
    return total


def dropout_sum_norm(
    residual: Tensor, values: Tensor, norm: nn.LayerNorm, *, probability: float
) -> tuple[Tensor, Tensor]:
    """Return residual + Dropout(values), and the same with each row normalised.

    Args:
        residual: bfloat16 [P, d].
        values: bfloat16 [P, d].
        norm: Layer normalisation with float32 weights [d].
        probability: Probability of dropping an element.

    Returns:
        Two tensors bfloat16 [P, d].
    """
    bits = _keep_bits(values, probability)
    both: tuple[Tensor, Tensor] = _SumNorm.apply(  # type: ignore[no-untyped-call]
        residual, values, norm.weight, norm.bias, bits, 1.0 - probability, norm.eps
    )
    return both


def normalised(values: Tensor, norm: nn.LayerNorm) -> Tensor:
    """Return the values with each row normalised.

    Args:
        values: bfloat16 [P, d].
        norm: Layer normalisation with float32 weights [d].

    Returns:
        bfloat16 [P, d].
    """
    output: Tensor = _Norm.apply(  # type: ignore[no-untyped-call]
        values, norm.weight, norm.bias, norm.eps
    )
    return output


def _keep_bits(values: Tensor, probability: float) -> Tensor | None:
    if not probability:
        return None
    return random_bits((len(values), values.shape[1] // BITS), probability)


def _floats(*shape: int) -> Tensor:
    """Return an uninitialised float32 tensor, independent of PyTorch's default type."""
    return torch.empty(shape, dtype=torch.float32, device="cpu")


class _Linear(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, hidden: Tensor, weight: Tensor, bias: Tensor, gelu: bool) -> Tensor:
        hidden, weight, bias = (part.contiguous() for part in (hidden, weight, bias))
        output = hidden.new_empty(len(hidden), len(weight))
        slopes = torch.empty_like(output) if gelu else None
        ctx.sizes = len(hidden), weight.shape[1], weight.shape[0]
        memory = workspace("linear", *ctx.sizes[1:])
        call("linear", hidden, weight, bias, *ctx.sizes, slopes, output, memory, threads())
        ctx.save_for_backward(hidden, weight, slopes)
        return output

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor, Tensor, None]:
        hidden, weight, slopes = ctx.saved_tensors
        grad, hidden_grad = grad.contiguous(), torch.empty_like(hidden)
        size, n_threads = weight.numel(), threads()
        sums = _floats(n_threads, size + len(weight))
        parts = slopes, grad, hidden_grad, sums, workspace("linear", *ctx.sizes[1:])
        call("linear_back", hidden, weight, *ctx.sizes, *parts, n_threads)
        return hidden_grad, sums[0, :size].view_as(weight), sums[0, size:], None


class _Sum(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, residual: Tensor, values: Tensor, bits: Tensor | None, kept: float
    ) -> Tensor:
        residual, values = residual.contiguous(), values.contiguous()
        total = torch.empty_like(values)
        ctx.sizes = *values.shape, kept
        unused = None, None
        parts = total, None, None
        call("add_norm", residual, values, bits, *unused, *ctx.sizes, 0.0, *parts, threads())
        ctx.save_for_backward(bits)
        return total

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor, None, None]:
        (bits,) = ctx.saved_tensors
        grad = grad.contiguous()
        values_grad, n_threads = torch.empty_like(grad), threads()
        sums = _floats(n_threads, 2, grad.shape[1])
        parts = None, grad, None, values_grad, sums
        call("add_norm_back", None, None, bits, None, *ctx.sizes, *parts, n_threads)
        return grad, values_grad, None, None


class _Norm(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, values: Tensor, scale: Tensor, shift: Tensor, eps: float) -> Tensor:
        values = values.contiguous()
        output, statistics = torch.empty_like(values), _floats(len(values), 2)
        ctx.sizes = *values.shape, 1.0
        parts = None, output, statistics
        call("add_norm", values, None, None, scale, shift, *ctx.sizes, eps, *parts, threads())
        ctx.save_for_backward(values, statistics, scale)
        return output

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor, Tensor, None]:
        values, statistics, scale = ctx.saved_tensors
        grad, values_grad, n_threads = grad.contiguous(), torch.empty_like(values), threads()
        sums = _floats(n_threads, 2, len(scale))
        parts = grad, None, values_grad, None, sums
        call("add_norm_back", values, statistics, None, scale, *ctx.sizes, *parts, n_threads)
        return values_grad, sums[0, 0], sums[0, 1], None


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
    ) -> tuple[Tensor, Tensor]:
        residual, values = residual.contiguous(), values.contiguous()
        total, output = torch.empty_like(values), torch.empty_like(values)
        statistics = _floats(len(values), 2)
        weights, ctx.sizes = (scale, shift), (*values.shape, kept)
        parts = total, output, statistics
        call("add_norm", residual, values, bits, *weights, *ctx.sizes, eps, *parts, threads())
        ctx.save_for_backward(total, statistics, bits, scale)
        ctx.set_materialize_grads(False)
        return total, output

    @staticmethod
    @once_differentiable
    def backward(
        ctx: Any, total_grad: Tensor | None, grad: Tensor | None
    ) -> tuple[Tensor | None, ...]:
        total, statistics, bits, scale = ctx.saved_tensors
        grad = torch.zeros_like(total) if grad is None else grad.contiguous()
        total_grad = None if total_grad is None else total_grad.contiguous()
        gradients, n_threads = (torch.empty_like(total), torch.empty_like(total)), threads()
        sums = _floats(n_threads, 2, len(scale))
        parts = grad, total_grad, *gradients, sums
        call("add_norm_back", total, statistics, bits, scale, *ctx.sizes, *parts, n_threads)
        return *gradients, sums[0, 0], sums[0, 1], None, None, None
