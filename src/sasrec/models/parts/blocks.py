"""Transformer blocks: attention and feed-forward layers, combined in one of four forms.

    post_norm  a = Norm(h + Drop(Attention(h)))        h' = Norm(a + Drop(FF(a)))
    pre_norm   a = h + Drop(Attention(Norm(h)))        h' = a + Drop(FF(Norm(a)))
    paper      a = q + Attention(q, h), q = Norm(h)    h' = n + Drop(FF(n)), n = Norm(a)
    gated      a = h + g(h) Drop(Attention(Norm(h)))   h' = a + g(a) Drop(FF(Norm(a)))

``post_norm`` is the transformer of Vaswani et al. (2017) and of RecBole; ``pre_norm`` is that of
Xiong et al. (2020, arXiv:2002.04745); ``paper`` is what the code of Kang & McAuley (2018) does: its
residual connections start after the normalisation; ``gated`` is that of LiGR (Borisyuk et al. 2025,
arXiv:2502.03417), with g(x) = sigmoid(W x + b), as used in eSASRec.

Without residual connections, the first term of each sum is omitted.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

from sasrec.kernels.layers import dropout_sum, dropout_sum_norm, supports_sum
from sasrec.models.parts.attention import SelfAttention
from sasrec.models.parts.dropout import Dropout
from sasrec.models.parts.layers import Layout
from sasrec.models.parts.positions import Distances

Form = Literal["post_norm", "pre_norm", "paper", "gated"]
"""How the parts of a block are combined."""


class Block(nn.Module):
    """Attention, then feed-forward, each with dropout, residual connection and normalisation."""

    def __init__(
        self,
        form: Form,
        *,
        attention: SelfAttention,
        feed_forward: nn.Module,
        norms: tuple[nn.Module, nn.Module],
        gates: tuple[nn.Module, nn.Module] | None,
        dropout: float,
        residual: bool = True,
    ) -> None:
        """Create a block from its parts.

        Args:
            form: How the parts are combined.
            attention: The attention layer.
            feed_forward: The feed-forward layer, applied to each position separately.
            norms: The normalisations of the attention layer and of the feed-forward layer.
            gates: For ``gated``, two linear layers from d to d; otherwise None.
            dropout: Probability of dropping an element of the output of either layer.
            residual: Whether to use residual connections.
        """
        super().__init__()
        self.form = form
        self.attention = attention
        self.attention_norm, self.feed_forward_norm = norms
        self.feed_forward = feed_forward
        self.attention_gate = gates[0] if gates else None
        self.feed_forward_gate = gates[1] if gates else None
        self.dropout = Dropout(dropout)
        self.residual = residual

    def forward(
        self,
        hidden: Tensor,
        layout: Layout,
        at: Tensor | None = None,
        distances: Distances | None = None,
    ) -> Tensor:
        """Transform the states.

        Args:
            hidden: [P, d].
            layout: Layout of the batch.
            at: int64 [S], indices of the positions to return; attention still uses all positions.
                None returns all.
            distances: Distances between positions, if attention depends on them.

        Returns:
            [P, d], or [S, d].
        """
        if self.form == "post_norm":
            attended = self.attention(hidden, layout, at, distances=distances)
            _, hidden = self._added_and_normed(_kept(hidden, at), attended, self.attention_norm)
            added = self.feed_forward(hidden)
            return self._added_and_normed(hidden, added, self.feed_forward_norm)[1]
        normed: Tensor = self.attention_norm(hidden)
        if self.form == "paper":
            attended = self.attention(hidden, layout, at, queries=normed, distances=distances)
            normed = self.feed_forward_norm(self._sum(_kept(normed, at), attended))
            return self._added(normed, self.feed_forward(normed))
        attended = self.attention(normed, layout, at, distances=distances)
        hidden = _kept(hidden, at)
        if self.form == "pre_norm":
            hidden, normed = self._added_and_normed(hidden, attended, self.feed_forward_norm)
            return self._added(hidden, self.feed_forward(normed))
        hidden = self._sum(hidden, _gated(self.dropout(attended), hidden, self.attention_gate))
        added = self.dropout(self.feed_forward(self.feed_forward_norm(hidden)))
        return self._sum(hidden, _gated(added, hidden, self.feed_forward_gate))

    def _added(self, hidden: Tensor, added: Tensor) -> Tensor:
        """Return hidden + Drop(added)."""
        if self.residual and supports_sum(added, hidden):
            return dropout_sum(hidden, added, probability=self._probability())
        return self._sum(hidden, self.dropout(added))

    def _added_and_normed(
        self, hidden: Tensor, added: Tensor, norm: nn.Module
    ) -> tuple[Tensor, Tensor]:
        """Return hidden + Drop(added), and the same normalised."""
        if isinstance(norm, nn.LayerNorm) and self.residual and supports_sum(added, hidden, norm):
            return dropout_sum_norm(hidden, added, norm, probability=self._probability())
        total = self._sum(hidden, self.dropout(added))
        return total, norm(total)

    def _probability(self) -> float:
        return self.dropout.probability if self.training else 0.0

    def _sum(self, hidden: Tensor, added: Tensor) -> Tensor:
        return hidden + added if self.residual else added


def _kept(hidden: Tensor, at: Tensor | None) -> Tensor:
    return hidden if at is None else hidden.index_select(0, at)


def _gated(added: Tensor, hidden: Tensor, gate: nn.Module | None) -> Tensor:
    return added if gate is None else added * torch.sigmoid(gate(hidden))
