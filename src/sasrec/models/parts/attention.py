"""Self-attention, and the choice of its implementation for a layer and a batch."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sasrec.kernels import attention as kernel
from sasrec.models.parts.attention_paths import (
    Attend,
    AttentionOptions,
    attend_compiled,
    attend_fused,
    attend_packed,
    attend_recording,
    attend_with_dropout,
)
from sasrec.models.parts.dropout import Dropout
from sasrec.models.parts.feed_forward import Linear
from sasrec.models.parts.layers import Layout
from sasrec.models.parts.positions import Distances, RelativeBias, rotated
from sasrec.models.parts.recording import record_of


class SelfAttention(nn.Module):
    """Multi-head attention of each position to itself and earlier ones (Vaswani et al. 2017).

    Without the causal mask, each position attends to its whole window. Scores are divided by
    sqrt(d / heads); dropout applies to the attention probabilities.
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
        """Create the projections.

        Args:
            width: d, a multiple of ``heads``.
            heads: H.
            dropout: Probability of dropping an attention probability.
            rotary: Rotate queries and keys by angles that depend on their positions.
            projects: Whether a linear layer is applied to the concatenated outputs of the heads.
            bias: Bias by distance, added to the scores; None adds nothing.
            causal: Whether positions attend only to themselves and earlier positions.
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
        """Compute the attention output of each position.

        Args:
            hidden: [P, d].
            layout: Layout of the batch.
            at: int64 [S], indices of the positions to return; None returns all.
            queries: [P, d], input of the query projection; None uses ``hidden``.
            distances: Distances between positions, if scores depend on them.

        Returns:
            [P, d], or [S, d].
        """
        parts = self._project(hidden, queries).view(hidden.shape[0], 3, self.heads, -1)
        if self.rotary:
            turned = rotated(parts[:, :2], layout.steps)
            parts = torch.cat([turned, parts[:, 2:]], dim=1)
        dropout = self.dropout.probability if self.training else 0.0
        options = AttentionOptions(layout, self.causal, dropout, self.bias, distances)
        attend = choose_attention(parts, options, record_of(self))
        mixed = attend(parts, options)
        result: Tensor = self.output(mixed if at is None else mixed.index_select(0, at))
        return result

    def _project(self, hidden: Tensor, queries: Tensor | None) -> Tensor:
        if queries is None:
            projected: Tensor = self.query_key_value(hidden)
            return projected
        width = hidden.shape[1]
        weight, bias = self.query_key_value.weight, self.query_key_value.bias
        query = F.linear(queries, weight[:width], bias[:width])
        return torch.cat([query, F.linear(hidden, weight[width:], bias[width:])], dim=-1)


def choose_attention(
    parts: Tensor, options: AttentionOptions, record: list[Tensor] | None
) -> Attend:
    """Return the fastest implementation of attention that supports these inputs.

    Args:
        parts: [P, 3, H, d / H], queries, keys and values.
        options: Options of the attention.
        record: List to append attention probabilities to, or None.

    Returns:
        The implementation.
    """
    if record is not None:
        return attend_recording(record)
    is_ragged = options.layout.padded_indices is not None
    if is_ragged and parts.device.type == "cuda" and options.bias is None:
        return attend_packed
    if parts.device.type != "cpu" or not options.causal or not options.dropout:
        return attend_fused
    return (
        attend_compiled if kernel.supports(parts, options.layout.columns) else attend_with_dropout
    )
