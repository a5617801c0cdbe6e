"""Causal attention with dropout on a CPU: a plain version and a faster one."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

SAFE_SUM = 1e30
"""Sums of exponentials between 1 / ``SAFE_SUM`` and ``SAFE_SUM`` are safe; otherwise the row
maximum is subtracted from the scores first."""


def dropout_attention_plain(projected: Tensor, mask: Tensor, bias: Tensor | None = None) -> Tensor:
    """Return causal attention with a given dropout mask; the plain version.

    Args:
        projected: [B, L, 3, H, d / H], queries, keys and values.
        mask: [B * H, L, L], factor for each attention probability.
        bias: [B or 1, H, L, L], added to the scores, or None.

    Returns:
        [B, L, H, d / H].
    """
    rows, columns, _, heads, depth = projected.shape
    query, key, value = projected.permute(2, 0, 3, 1, 4)
    future = query.new_full((columns, columns), -torch.inf).triu(1)
    scores = query @ key.mT * depth**-0.5 + future
    if bias is not None:
        scores = scores + bias
    mixed: Tensor = (scores.softmax(-1) * mask.view(rows, heads, columns, columns)) @ value
    return mixed.transpose(1, 2)


def dropout_attention(projected: Tensor, mask: Tensor, bias: Tensor | None = None) -> Tensor:
    """Return the same as ``dropout_attention_plain``, faster and with an explicit gradient.

    PyTorch's fused attention has no dropout on a CPU, and its softmax is slow for short rows.

    Args:
        projected: [B, L, 3, H, d / H], queries, keys and values.
        mask: [B * H, L, L], factor for each attention probability.
        bias: [B or 1, H, L, L], added to the scores, or None.

    Returns:
        [B, L, H, d / H].
    """
    if bias is not None:
        rows, columns, _, heads, _ = projected.shape
        bias = bias.expand(rows, heads, columns, columns).reshape(mask.shape)
    mixed: Tensor = _DropoutAttention.apply(projected, mask, bias)  # type: ignore[no-untyped-call]
    return mixed


class _DropoutAttention(torch.autograd.Function):
    """Attention and its gradient.

    With e = exp(query . key + bias), Z its sum over a row, m the mask and g the gradient of the
    output,

    output  = (m e) @ value / Z
    d value = (m e).T @ g / Z
    d score = e (m (g @ value.T) - rowsum(g output)) / Z, which is also d bias
    """

    @staticmethod
    def forward(ctx: Any, projected: Tensor, mask: Tensor, bias: Tensor | None) -> Tensor:
        rows, columns, _, heads, depth = projected.shape
        copied = projected.permute(2, 0, 3, 1, 4).clone(memory_format=torch.contiguous_format)
        parts = copied.view(3, rows * heads, columns, depth)
        query, key, value = parts
        query *= depth**-0.5
        weights, inverse = _exponentials(query, key, bias)
        mixed = torch.bmm(weights * mask, value).mul_(inverse)
        ctx.save_for_backward(parts, weights, mask, inverse, mixed)
        ctx.shape = projected.shape
        return mixed.view(rows, heads, columns, depth).transpose(1, 2)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, Tensor | None]:
        parts, weights, mask, inverse, mixed = ctx.saved_tensors
        rows, columns, _, heads, depth = ctx.shape
        query, key, value = parts
        grad = grad.transpose(1, 2).reshape(mixed.shape) * inverse
        grads = torch.empty_like(parts)
        torch.bmm((weights * mask).mT, grad, out=grads[2])
        errors = torch.bmm(grad, value.mT).mul_(mask)
        along = (grad * mixed).sum(-1, keepdim=True)
        errors -= along.expand_as(errors).contiguous()  # takes half the time of broadcasting
        errors *= weights
        torch.bmm(errors, key, out=grads[0])
        torch.bmm(errors.mT, query, out=grads[1])
        grads[0] *= depth**-0.5
        whole = grads.view(3, rows, heads, columns, depth).permute(1, 3, 0, 2, 4)
        return whole, None, errors if ctx.needs_input_grad[2] else None


def _exponentials(query: Tensor, key: Tensor, bias: Tensor | None) -> tuple[Tensor, Tensor]:
    """Return exp of the scores, zero for later keys, and the inverse of each row's sum.

    Args:
        query: [N, L, d / H], scaled.
        key: The same shape.
        bias: [N, L, L], added to the scores, or None.

    Returns:
        [N, L, L] and [N, L, 1].
    """
    scores = _scores(query, key, bias)
    weights = scores.exp_().tril_()
    total = weights.sum(-1, keepdim=True, dtype=torch.promote_types(scores.dtype, torch.float32))
    if not (total.min() > 1 / SAFE_SUM and total.max() < SAFE_SUM):  # true for NaN as well
        future = torch.ones(scores.shape[1:], dtype=torch.bool, device=scores.device).triu(1)
        scores = _scores(query, key, bias).masked_fill_(future, -torch.inf)
        weights = scores.sub_(scores.amax(-1, keepdim=True)).exp_()
        total = weights.sum(-1, keepdim=True, dtype=total.dtype)
    return weights, total.reciprocal_().to(weights.dtype)


def _scores(query: Tensor, key: Tensor, bias: Tensor | None) -> Tensor:
    return torch.bmm(query, key.mT) if bias is None else torch.baddbmm(bias, query, key.mT)
