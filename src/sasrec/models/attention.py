"""Causal self-attention, and its fast form with dropout on a CPU."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from sasrec.models.dropout import Dropout, keep_mask
from sasrec.models.layers import Layout, pad, unpad

SAFE_SUM = 1e30
"""Exponentials that add up to less than this, and to more than one part of it, are neither near
overflow nor near underflow."""


class CausalSelfAttention(nn.Module):
    """Multi-head attention of each position to itself and those before it (Vaswani et al. 2017).

    Scores are divided by sqrt(d / heads); dropout falls on the attention probabilities.
    """

    def __init__(self, width: int, *, heads: int, dropout: float) -> None:
        """Make the projections.

        Args:
            width: d, a multiple of ``heads``.
            heads: H.
            dropout: Probability of dropping an attention probability.
        """
        super().__init__()
        self.heads = heads
        self.query_key_value = nn.Linear(width, 3 * width)
        self.output = nn.Linear(width, width)
        self.dropout = Dropout(dropout)

    def forward(self, hidden: Tensor, layout: Layout, at: Tensor | None = None) -> Tensor:
        """Mix each position with those before it.

        Args:
            hidden: [P, d].
            layout: Of the batch.
            at: int64 [S], the positions wanted; None wants all.

        Returns:
            [P, d], or [S, d].
        """
        rows, columns, width = layout.rows, layout.columns, hidden.shape[1]
        # Padding stands behind the real positions, where causal attention never looks.
        projected = pad(self.query_key_value(hidden), layout)  # [B, L, 3 d]
        mixed = self._attend(projected.view(rows, columns, 3, self.heads, -1))  # [B, L, H, d / H]
        flat = unpad(mixed.reshape(rows, columns, width), layout)
        result: Tensor = self.output(flat if at is None else flat.index_select(0, at))
        return result

    def _attend(self, projected: Tensor) -> Tensor:
        probability = self.dropout.probability if self.training else 0.0
        if probability and projected.device.type == "cpu":
            rows, columns, _, heads, _ = projected.shape
            shape = torch.Size((rows * heads, columns, columns))
            return dropped_attention(projected, keep_mask(shape, probability, projected.dtype))
        query, key, value = projected.permute(2, 0, 3, 1, 4)  # [B, H, L, d / H] each
        mixed = F.scaled_dot_product_attention(
            query, key, value, is_causal=True, dropout_p=probability
        )
        result: Tensor = mixed.transpose(1, 2)
        return result


def dropped_attention_plain(projected: Tensor, mask: Tensor) -> Tensor:
    """Return causal attention with given dropout, written out.

    Args:
        projected: [B, L, 3, H, d / H], queries, keys and values.
        mask: [B * H, L, L], what each attention probability is multiplied with.

    Returns:
        [B, L, H, d / H].
    """
    rows, columns, _, heads, depth = projected.shape
    query, key, value = projected.permute(2, 0, 3, 1, 4).reshape(3, -1, columns, depth)
    future = query.new_full((columns, columns), -torch.inf).triu(1)
    scores = query @ key.mT * depth**-0.5 + future
    mixed: Tensor = (scores.softmax(-1) * mask) @ value
    return mixed.view(rows, heads, columns, depth).transpose(1, 2)


def dropped_attention(projected: Tensor, mask: Tensor) -> Tensor:
    """Return the same as ``dropped_attention_plain``, faster, with its gradient written out.

    PyTorch's fused attention has no dropout on a CPU, and its softmax is slow in short rows.

    Args:
        projected: [B, L, 3, H, d / H], queries, keys and values.
        mask: [B * H, L, L], what each attention probability is multiplied with.

    Returns:
        [B, L, H, d / H].
    """
    mixed: Tensor = _DroppedAttention.apply(projected, mask)  # type: ignore[no-untyped-call]
    return mixed


class _DroppedAttention(torch.autograd.Function):
    """Attention and its gradient.

    With e = exp(query . key), Z its sum over a row, m the mask and g the gradient of the output,

    output  = (m e) @ value / Z
    d value = (m e).T @ g / Z
    d score = e (m (g @ value.T) - rowsum(g output)) / Z
    """

    @staticmethod
    def forward(ctx: Any, projected: Tensor, mask: Tensor) -> Tensor:
        rows, columns, _, heads, depth = projected.shape
        copied = projected.permute(2, 0, 3, 1, 4).clone(memory_format=torch.contiguous_format)
        parts = copied.view(3, rows * heads, columns, depth)
        query, key, value = parts
        query *= depth**-0.5
        weights, inverse = _exponentials(query, key)
        mixed = torch.bmm(weights * mask, value).mul_(inverse)
        ctx.save_for_backward(parts, weights, mask, inverse, mixed)
        ctx.shape = projected.shape
        return mixed.view(rows, heads, columns, depth).transpose(1, 2)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        parts, weights, mask, inverse, mixed = ctx.saved_tensors
        rows, columns, _, heads, depth = ctx.shape
        query, key, value = parts
        grad = grad.transpose(1, 2).reshape(mixed.shape) * inverse
        grads = torch.empty_like(parts)
        torch.bmm((weights * mask).mT, grad, out=grads[2])
        errors = torch.bmm(grad, value.mT).mul_(mask)
        along = (grad * mixed).sum(-1, keepdim=True)
        errors -= along.expand_as(errors).contiguous()  # half the time of broadcasting it
        errors *= weights
        torch.bmm(errors, key, out=grads[0])
        torch.bmm(errors.mT, query, out=grads[1])
        grads[0] *= depth**-0.5
        return grads.view(3, rows, heads, columns, depth).permute(1, 3, 0, 2, 4), None


def _exponentials(query: Tensor, key: Tensor) -> tuple[Tensor, Tensor]:
    """Return exp of the scores, zero in the future, and the inverse of each row's sum.

    Args:
        query: [N, L, d / H], scaled.
        key: The same shape.

    Returns:
        [N, L, L] and [N, L, 1].
    """
    scores = torch.bmm(query, key.mT)
    weights = scores.exp_().tril_()
    total = weights.sum(-1, keepdim=True, dtype=torch.promote_types(scores.dtype, torch.float32))
    if not (total.min() > 1 / SAFE_SUM and total.max() < SAFE_SUM):  # nor if it is no number
        future = torch.ones(scores.shape[1:], dtype=torch.bool, device=scores.device).triu(1)
        scores = torch.bmm(query, key.mT).masked_fill_(future, -torch.inf)
        weights = scores.sub_(scores.amax(-1, keepdim=True)).exp_()
        total = weights.sum(-1, keepdim=True, dtype=total.dtype)
    return weights, total.reciprocal_().to(weights.dtype)
