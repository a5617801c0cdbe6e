"""Ways to compute attention, alike in what they take and return; ``attention.py`` chooses one.

All but the packed one lay windows out as rows of one length. Padding stands behind the real
positions, where causal attention never looks.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from sasrec.kernels import attention as kernel
from sasrec.models.parts.dropout import keep_mask
from sasrec.models.parts.dropped import dropped_attention
from sasrec.models.parts.layers import Layout, pad, unpad
from sasrec.models.parts.packed import packed_attention
from sasrec.models.parts.positions import Distances, RelativeBias
from sasrec.models.parts.recording import attention_probabilities


@dataclass(frozen=True, slots=True)
class View:
    """What the positions of a batch may look at, and how.

    Attributes:
        layout: Of the batch.
        causal: Whether positions look at those before them only.
        dropout: Probability of dropping an attention probability; 0 outside training.
        bias: What is added to the scores by distance, or None.
        distances: Between the positions, or None; without them nothing is added.
    """

    layout: Layout
    causal: bool
    dropout: float
    bias: RelativeBias | None
    distances: Distances | None

    def added_to_scores(self, like: Tensor) -> Tensor | None:
        """Return what is added to the scores.

        Args:
            like: Of the scores' type and device.

        Returns:
            What broadcasts to [B, H, L, L], minus infinity for padding that would be looked at; or
            None.
        """
        if not self.causal:
            return _away_from_padding(self.layout, like)
        if self.bias is None or self.distances is None:
            return None
        bias: Tensor = self.bias(self.distances)
        return bias.to(like.dtype)

    def tables(self) -> kernel.Bias:
        """Return what is added to the scores as the compiled kernel takes it."""
        if self.bias is None or self.distances is None:
            return kernel.Bias()
        return self.bias.tables(self.distances)


Attend = Callable[[Tensor, View], Tensor]
"""From queries, keys and values [P, 3, H, d / H] to what each position takes from those it may look
at, heads side by side, [P, d]."""


def attend_packed(parts: Tensor, view: View) -> Tensor:
    """Attend on a GPU without a place of padding; takes no bias.

    Args:
        parts: [P, 3, H, d / H].
        view: Without bias.

    Returns:
        [P, d].
    """
    mixed = packed_attention(
        parts,
        view.layout.offsets,
        longest=view.layout.columns,
        dropout=view.dropout,
        causal=view.causal,
    )
    return mixed.flatten(1)


def attend_fused(parts: Tensor, view: View) -> Tensor:
    """Attend with PyTorch's fused attention, which on a CPU has no fast dropout.

    Args:
        parts: [P, 3, H, d / H].
        view: Any.

    Returns:
        [P, d].
    """
    padded = _padded(parts, view.layout)
    query, key, value = padded.permute(2, 0, 3, 1, 4)  # [B, H, L, d / H] each
    added, columns = view.added_to_scores(padded), view.layout.columns
    is_masked = added is None and view.causal
    if added is not None and view.causal:
        added = added + added.new_full((columns, columns), -torch.inf).triu(1)
    mixed = F.scaled_dot_product_attention(
        query, key, value, attn_mask=added, is_causal=is_masked, dropout_p=view.dropout
    )
    return _unpadded(mixed.transpose(1, 2), view.layout)


def attend_dropped(parts: Tensor, view: View) -> Tensor:
    """Attend causally with dropout on a CPU.

    Args:
        parts: [P, 3, H, d / H].
        view: Causal.

    Returns:
        [P, d].
    """
    padded = _padded(parts, view.layout)
    rows, columns, _, heads, _ = padded.shape
    shape = torch.Size((rows * heads, columns, columns))
    mask = keep_mask(shape, view.dropout, padded.dtype)
    mixed = dropped_attention(padded, mask, view.added_to_scores(padded))
    return _unpadded(mixed, view.layout)


def attend_compiled(parts: Tensor, view: View) -> Tensor:
    """Attend causally with dropout on a CPU, in compiled code.

    Where scores are too large or too small for it, the same dropout is applied in PyTorch.

    Args:
        parts: [P, 3, H, d / H], such that ``kernels.attention.takes`` them.
        view: Causal.

    Returns:
        [P, d].
    """
    padded = _padded(parts, view.layout)
    kept = 1 - view.dropout
    bits = kernel.bits_for(padded, view.dropout)
    mixed = kernel.dropped_attention(padded, bits, kept, view.tables())
    if mixed is None:
        mask = kernel.kept_mask(bits, view.layout.columns, kept).to(padded.dtype)
        mixed = dropped_attention(padded, mask, view.added_to_scores(padded))
    return _unpadded(mixed, view.layout)


def attend_recording(record: list[Tensor]) -> Attend:
    """Return a way to attend, without dropout, that keeps the probabilities.

    Args:
        record: Gets one tensor [B, H, L, L] at each call.

    Returns:
        The way.
    """

    def attend(parts: Tensor, view: View) -> Tensor:
        padded = _padded(parts, view.layout)
        query, key, value = padded.permute(2, 0, 3, 1, 4)
        added = view.added_to_scores(padded)
        record.append(attention_probabilities(query, key, added, causal=view.causal))
        return _unpadded((record[-1] @ value).transpose(1, 2), view.layout)

    return attend


def _padded(parts: Tensor, layout: Layout) -> Tensor:
    """Return queries, keys and values in rows, [B, L, 3, H, d / H]."""
    return pad(parts.flatten(1), layout).view(layout.rows, layout.columns, *parts.shape[1:])


def _unpadded(mixed: Tensor, layout: Layout) -> Tensor:
    """Return [B, L, H, d / H] without padding, heads side by side, [P, d]."""
    return unpad(mixed.flatten(2), layout)


def _away_from_padding(layout: Layout, like: Tensor) -> Tensor | None:
    """Return minus infinity for keys that are padding, [B, 1, 1, L]; None if there are none."""
    if layout.places is None:
        return None
    bias = like.new_full((layout.rows * layout.columns,), -torch.inf)
    bias[layout.places] = 0
    return bias.view(layout.rows, 1, 1, layout.columns)
