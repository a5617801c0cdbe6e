"""Self-attention, and its fast causal form with dropout on a CPU."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from sasrec.kernels import attention as kernel
from sasrec.models.parts.dropout import Dropout, keep_mask
from sasrec.models.parts.feed_forward import Linear
from sasrec.models.parts.layers import Layout, pad, unpad
from sasrec.models.parts.packed import packed_attention
from sasrec.models.parts.positions import Distances, RelativeBias, rotated

SAFE_SUM = 1e30
"""Exponentials that add up to less than this, and to more than one part of it, are neither near
overflow nor near underflow."""


class SelfAttention(nn.Module):
    """Multi-head attention of each position to itself and those before it (Vaswani et al. 2017).

    Without the causal mask, to all of its window. Scores are divided by sqrt(d / heads); dropout
    falls on the attention probabilities.
    """

    def __init__(
        self,
        width: int,
        *,
        heads: int,
        dropout: float,
        rotary: bool = False,
        projects: bool = True,
        bias: RelativeBias | None = None,
        causal: bool = True,
    ) -> None:
        """Make the projections.

        Args:
            width: d, a multiple of ``heads``.
            heads: H.
            dropout: Probability of dropping an attention probability.
            rotary: Turn queries and keys by their positions.
            projects: Whether what the heads found is mixed by one more linear layer.
            bias: What is added to the scores by distance; None adds nothing.
            causal: Whether positions look at those before them only.
        """
        super().__init__()
        self.heads = heads
        self.query_key_value = Linear(width, 3 * width)
        self.output = Linear(width, width) if projects else nn.Identity()
        self.dropout = Dropout(dropout)
        self.rotary = rotary
        self.bias = bias
        self.causal = causal

    def forward(
        self,
        hidden: Tensor,
        layout: Layout,
        at: Tensor | None = None,
        *,
        queries: Tensor | None = None,
        distances: Distances | None = None,
    ) -> Tensor:
        """Mix each position with those before it.

        Args:
            hidden: [P, d].
            layout: Of the batch.
            at: int64 [S], the positions wanted; None wants all.
            queries: [P, d], what asks, where it is not ``hidden`` itself.
            distances: Between the positions, where scores depend on them.

        Returns:
            [P, d], or [S, d].
        """
        parts = self._project(hidden, queries).view(len(hidden), 3, self.heads, -1)
        if self.rotary:
            turned = rotated(parts[:, :2], layout.steps)
            parts = torch.cat([turned, parts[:, 2:]], dim=1)
        mixed = self._mixed(parts, layout, distances).reshape(hidden.shape)
        result: Tensor = self.output(mixed if at is None else mixed.index_select(0, at))
        return result

    def _mixed(self, parts: Tensor, layout: Layout, distances: Distances | None) -> Tensor:
        """Return what each position takes from its window: of [P, 3, H, d / H], [P, H, d / H]."""
        ragged, biased = layout.places is not None, self.bias is not None
        if ragged and parts.device.type == "cuda" and not biased and _record_of(self) is None:
            return packed_attention(
                parts,
                layout.offsets,
                longest=layout.columns,
                dropout=self.dropout.probability if self.training else 0.0,
                causal=self.causal,
            )
        # Padding stands behind the real positions, where causal attention never looks.
        padded = pad(parts.flatten(1), layout).view(layout.rows, layout.columns, *parts.shape[1:])
        if self.causal:
            mixed = self._attend(padded, distances)  # [B, L, H, d / H]
        else:
            mixed = self._attend_fused(padded, _away_from_padding(layout, padded))
        return unpad(mixed.flatten(2), layout)

    def _project(self, hidden: Tensor, queries: Tensor | None) -> Tensor:
        if queries is None:
            projected: Tensor = self.query_key_value(hidden)
            return projected
        width = hidden.shape[1]
        weight, bias = self.query_key_value.weight, self.query_key_value.bias
        asked = F.linear(queries, weight[:width], bias[:width])
        return torch.cat([asked, F.linear(hidden, weight[width:], bias[width:])], dim=-1)

    def _attend(self, projected: Tensor, distances: Distances | None) -> Tensor:
        probability = self.dropout.probability if self.training else 0.0
        if not probability or projected.device.type != "cpu":
            return self._attend_fused(projected, self._bias_of(projected, distances))
        rows, columns, _, heads, _ = projected.shape
        if kernel.takes(projected):
            bits = kernel.bits_for(projected, probability)
            tables = self.bias.tables(distances) if self.bias and distances else kernel.Bias()
            try:
                return kernel.dropped_attention(projected, bits, 1 - probability, tables)
            except OverflowError:
                mask = kernel.kept_mask(bits, columns, 1 - probability).to(projected.dtype)
        else:
            shape = torch.Size((rows * heads, columns, columns))
            mask = keep_mask(shape, probability, projected.dtype)
        return dropped_attention(projected, mask, self._bias_of(projected, distances))

    def _bias_of(self, projected: Tensor, distances: Distances | None) -> Tensor | None:
        """Return what to add to the scores, [B or 1, H, L, L], or None."""
        if self.bias is None or distances is None:
            return None
        bias: Tensor = self.bias(distances)
        return bias.to(projected.dtype)

    def _attend_fused(self, projected: Tensor, bias: Tensor | None) -> Tensor:
        probability = self.dropout.probability if self.training else 0.0
        columns = projected.shape[1]
        query, key, value = projected.permute(2, 0, 3, 1, 4)  # [B, H, L, d / H] each
        record = _record_of(self)
        if record is not None:
            weights = attention_probabilities(query, key, bias, causal=self.causal)
            record.append(weights)
            seen: Tensor = (weights @ value).transpose(1, 2)
            return seen
        if bias is not None and self.causal:
            bias = bias + bias.new_full((columns, columns), -torch.inf).triu(1)
        mixed = F.scaled_dot_product_attention(
            query,
            key,
            value,
            attn_mask=bias,
            is_causal=bias is None and self.causal,
            dropout_p=probability,
        )
        result: Tensor = mixed.transpose(1, 2)
        return result


def attention_probabilities(
    query: Tensor, key: Tensor, bias: Tensor | None, *, causal: bool
) -> Tensor:
    """Return how much each position looks at each other, written out.

    Args:
        query: [B, H, L, d / H].
        key: The same shape.
        bias: What broadcasts to [B, H, L, L], added to the scores, or None.
        causal: Whether positions look at those before them only.

    Returns:
        [B, H, L, L]; rows sum to one.
    """
    scores: Tensor = query @ key.mT * query.shape[-1] ** -0.5
    if bias is not None:
        scores = scores + bias
    if causal:
        scores = scores + scores.new_full(scores.shape[-2:], -torch.inf).triu(1)
    return scores.softmax(-1)


@contextmanager
def recorded_attention(model: nn.Module) -> Iterator[list[Tensor]]:
    """Let the attention layers of a model keep their probabilities for a while.

    Only what the calling thread computes is kept; others may use the model meanwhile.

    Args:
        model: In evaluation mode; dropout would not be seen in what is kept.

    Yields:
        A list that gets one tensor [B, H, L, L] a layer at each ``encode``; rows are positions that
        look, columns positions that are looked at.
    """
    layers = frozenset(id(each) for each in model.modules() if isinstance(each, SelfAttention))
    kept: list[Tensor] = []
    before = _recording.set((layers, kept))
    try:
        yield kept
    finally:
        _recording.reset(before)


_recording: ContextVar[tuple[frozenset[int], list[Tensor]]] = ContextVar("recording")
"""Which layers keep their probabilities, and where; each thread and task has a value of its own."""


def _record_of(layer: SelfAttention) -> list[Tensor] | None:
    layers, kept = _recording.get((frozenset(), []))
    return kept if id(layer) in layers else None


def _away_from_padding(layout: Layout, like: Tensor) -> Tensor | None:
    """Return minus infinity for keys that are padding, [B, 1, 1, L]; None if there are none."""
    if layout.places is None:
        return None
    bias = like.new_full((layout.rows * layout.columns,), -torch.inf)
    bias[layout.places] = 0
    return bias.view(layout.rows, 1, 1, layout.columns)


def dropped_attention_plain(projected: Tensor, mask: Tensor, bias: Tensor | None = None) -> Tensor:
    """Return causal attention with given dropout, written out.

    Args:
        projected: [B, L, 3, H, d / H], queries, keys and values.
        mask: [B * H, L, L], what each attention probability is multiplied with.
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


def dropped_attention(projected: Tensor, mask: Tensor, bias: Tensor | None = None) -> Tensor:
    """Return the same as ``dropped_attention_plain``, faster, with its gradient written out.

    PyTorch's fused attention has no dropout on a CPU, and its softmax is slow in short rows.

    Args:
        projected: [B, L, 3, H, d / H], queries, keys and values.
        mask: [B * H, L, L], what each attention probability is multiplied with.
        bias: [B or 1, H, L, L], added to the scores, or None.

    Returns:
        [B, L, H, d / H].
    """
    if bias is not None:
        rows, columns, _, heads, _ = projected.shape
        bias = bias.expand(rows, heads, columns, columns).reshape(mask.shape)
    mixed: Tensor = _DroppedAttention.apply(projected, mask, bias)  # type: ignore[no-untyped-call]
    return mixed


class _DroppedAttention(torch.autograd.Function):
    """Attention and its gradient.

    With e = exp(query . key + bias), Z its sum over a row, m the mask and g the gradient of the
    output,

    output  = (m e) @ value / Z
    d value = (m e).T @ g / Z
    d score = e (m (g @ value.T) - rowsum(g output)) / Z, which is d bias too
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
        errors -= along.expand_as(errors).contiguous()  # half the time of broadcasting it
        errors *= weights
        torch.bmm(errors, key, out=grads[0])
        torch.bmm(errors.mT, query, out=grads[1])
        grads[0] *= depth**-0.5
        whole = grads.view(3, rows, heads, columns, depth).permute(1, 3, 0, 2, 4)
        return whole, None, errors if ctx.needs_input_grad[2] else None


def _exponentials(query: Tensor, key: Tensor, bias: Tensor | None) -> tuple[Tensor, Tensor]:
    """Return exp of the scores, zero in the future, and the inverse of each row's sum.

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
    if not (total.min() > 1 / SAFE_SUM and total.max() < SAFE_SUM):  # nor if it is no number
        future = torch.ones(scores.shape[1:], dtype=torch.bool, device=scores.device).triu(1)
        scores = _scores(query, key, bias).masked_fill_(future, -torch.inf)
        weights = scores.sub_(scores.amax(-1, keepdim=True)).exp_()
        total = weights.sum(-1, keepdim=True, dtype=total.dtype)
    return weights, total.reciprocal_().to(weights.dtype)


def _scores(query: Tensor, key: Tensor, bias: Tensor | None) -> Tensor:
    return torch.bmm(query, key.mT) if bias is None else torch.baddbmm(bias, query, key.mT)
