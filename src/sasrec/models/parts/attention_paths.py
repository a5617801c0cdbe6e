"""Implementations of attention with the same interface; ``attention.py`` chooses one.

All except the packed one arrange windows as rows of equal length. Padding comes after the real
positions, so causal attention never sees it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from sasrec.kernels import attention as kernel
from sasrec.models.parts.dropout import keep_mask
from sasrec.models.parts.dropout_attention import dropout_attention
from sasrec.models.parts.layers import Layout, pad, unpad
from sasrec.models.parts.packed import packed_attention
from sasrec.models.parts.positions import Distances, RelativeBias
from sasrec.models.parts.recording import attention_probabilities


@dataclass(frozen=True, slots=True)
class AttentionOptions:
    """Options of the attention for one batch.

    Attributes:
        layout: Layout of the batch.
        causal: Whether positions attend only to themselves and earlier positions.
        dropout: Probability of dropping an attention probability; 0 outside training.
        bias: Bias by distance, added to the scores, or None.
        distances: Distances between positions, or None; if None, no bias is added.
    """

    layout: Layout
    causal: bool
    dropout: float
    bias: RelativeBias | None
    distances: Distances | None

    def score_bias(self, like: Tensor) -> Tensor | None:
        """Return the tensor to add to the scores.

        Args:
            like: A tensor of the scores' type and device.

        Returns:
            A tensor that broadcasts to [B, H, L, L], or None. Without the causal mask, it is minus
            infinity for keys that are padding.
        """
        if not self.causal:
            return _padding_bias(self.layout, like)
        if self.bias is None or self.distances is None:
            return None
        bias: Tensor = self.bias(self.distances)
        return bias.to(like.dtype)

    def kernel_bias(self) -> kernel.Bias:
        """Return the bias in the format of the compiled kernel."""
        if self.bias is None or self.distances is None:
            return kernel.Bias()
        return self.bias.kernel_bias(self.distances)


Attend = Callable[[Tensor, AttentionOptions], Tensor]
"""Maps queries, keys and values [P, 3, H, d / H] to the attention output of each position, with the
heads concatenated, [P, d]."""


def attend_packed(parts: Tensor, options: AttentionOptions) -> Tensor:
    """Compute attention on a GPU without padding; a bias is not supported.

    Args:
        parts: [P, 3, H, d / H].
        options: Options without bias.

    Returns:
        [P, d].
    """
    mixed = packed_attention(
        parts,
        options.layout.offsets,
        longest=options.layout.columns,
        dropout=options.dropout,
        causal=options.causal,
    )
    return mixed.flatten(1)


def attend_fused(parts: Tensor, options: AttentionOptions) -> Tensor:
    """Compute attention with PyTorch's fused operator, whose dropout is slow on a CPU.

    Args:
        parts: [P, 3, H, d / H].
        options: Any options.

    Returns:
        [P, d].
    """
    padded = _padded(parts, options.layout)
    query, key, value = padded.permute(2, 0, 3, 1, 4)  # [B, H, L, d / H] each
    added, columns = options.score_bias(padded), options.layout.columns
    is_masked = added is None and options.causal
    if added is not None and options.causal:
        added = added + added.new_full((columns, columns), -torch.inf).triu(1)
    mixed = F.scaled_dot_product_attention(
        query, key, value, attn_mask=added, is_causal=is_masked, dropout_p=options.dropout
    )
    return _unpadded(mixed.transpose(1, 2), options.layout)


def attend_with_dropout(parts: Tensor, options: AttentionOptions) -> Tensor:
    """Compute causal attention with dropout on a CPU.

    Args:
        parts: [P, 3, H, d / H].
        options: Options with ``causal`` set.

    Returns:
        [P, d].
    """
    padded = _padded(parts, options.layout)
    rows, columns, _, heads, _ = padded.shape
    shape = torch.Size((rows * heads, columns, columns))
    mask = keep_mask(shape, options.dropout, padded.dtype)
    mixed = dropout_attention(padded, mask, options.score_bias(padded))
    return _unpadded(mixed, options.layout)


def attend_compiled(parts: Tensor, options: AttentionOptions) -> Tensor:
    """Compute causal attention with dropout on a CPU, in compiled code.

    If scores are too large or too small for the kernel, PyTorch computes it with the same dropout.

    Args:
        parts: [P, 3, H, d / H], supported by the kernel (``kernels.attention.supports``).
        options: Options with ``causal`` set.

    Returns:
        [P, d].
    """
    padded = _padded(parts, options.layout)
    kept = 1 - options.dropout
    bits = kernel.keep_bits(padded, options.dropout)
    mixed = kernel.dropout_attention(padded, bits, kept, options.kernel_bias())
    if mixed is None:
        mask = kernel.kept_mask(bits, options.layout.columns, kept).to(padded.dtype)
        mixed = dropout_attention(padded, mask, options.score_bias(padded))
    return _unpadded(mixed, options.layout)


def attend_recording(record: list[Tensor]) -> Attend:
    """Return an implementation of attention without dropout that records the probabilities.

    Args:
        record: List that one tensor [B, H, L, L] is appended to at each call.

    Returns:
        The implementation.
    """

    def attend(parts: Tensor, options: AttentionOptions) -> Tensor:
        padded = _padded(parts, options.layout)
        query, key, value = padded.permute(2, 0, 3, 1, 4)
        added = options.score_bias(padded)
        record.append(attention_probabilities(query, key, added, causal=options.causal))
        return _unpadded((record[-1] @ value).transpose(1, 2), options.layout)

    return attend


def _padded(parts: Tensor, layout: Layout) -> Tensor:
    """Return queries, keys and values as padded rows, [B, L, 3, H, d / H]."""
    return pad(parts.flatten(1), layout).view(layout.rows, layout.columns, *parts.shape[1:])


def _unpadded(mixed: Tensor, layout: Layout) -> Tensor:
    """Return [B, L, H, d / H] without padding and with the heads concatenated, [P, d]."""
    return unpad(mixed.flatten(2), layout)


def _padding_bias(layout: Layout, like: Tensor) -> Tensor | None:
    """Return minus infinity for keys that are padding, [B, 1, 1, L]; None without padding."""
    if layout.padded_indices is None:
        return None
    bias = like.new_full((layout.rows * layout.columns,), -torch.inf)
    bias[layout.padded_indices] = 0
    return bias.view(layout.rows, 1, 1, layout.columns)
