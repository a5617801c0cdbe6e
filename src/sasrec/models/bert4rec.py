"""BERT4Rec: a bidirectional encoder for masked events (Sun et al. 2019, arXiv:1904.06690).

In training, some events are replaced by a mask item, and the model predicts them from the events
before and after. To predict the next item, a mask is appended to the history.

    h     = Norm(Dropout(E[item] + P[position])), then blocks without a causal mask
    state = Norm(gelu(W h_mask + b))
    score = state . E[item] + bias[item]

The architecture is RecBole's. Outside training, the state at a position is computed from a separate
copy of the history up to it, so states at n positions cost n passes. Training computes states at
masked positions only, in one pass.
"""

from __future__ import annotations

from dataclasses import replace

import torch
import torch.nn.functional as F
from pydantic import Field, model_validator
from torch import Tensor, nn

from sasrec.data.batches.batching import Batch
from sasrec.kernels.lookup import VectorTable
from sasrec.models.contract import Catalogue, NextItemModel
from sasrec.models.parts.attention import SelfAttention
from sasrec.models.parts.blocks import Block
from sasrec.models.parts.dropout import Dropout
from sasrec.models.parts.feed_forward import FeedForward
from sasrec.models.parts.layers import layout_of, to_autocast_type
from sasrec.settings.fields import Activation, Settings, check_heads


class BERT4RecSettings(Settings):
    """Size of the network, and how events are masked; names and defaults are RecBole's."""

    hidden_size: int = Field(64, ge=1, le=65_536)
    """Width of item vectors and hidden states."""
    inner_size: int = Field(256, ge=1, le=1_048_576)
    """Width of the feed-forward layer's hidden layer."""
    n_layers: int = Field(2, ge=1, le=1_000)
    """Number of transformer blocks."""
    n_heads: int = Field(2, ge=1, le=65_536)
    """Number of attention heads; divides hidden_size."""
    hidden_dropout_prob: float = Field(0.2, ge=0, lt=1)
    """Probability of dropping an element of the input or of a block's output."""
    attn_dropout_prob: float = Field(0.2, ge=0, lt=1)
    """Probability of dropping an attention probability."""
    hidden_act: Activation = "gelu"
    """Activation inside the feed-forward layer."""
    layer_norm_eps: float = Field(1e-12, ge=0, allow_inf_nan=False)
    """Number added to the variance in normalisation."""
    initializer_range: float = Field(0.02, gt=0, allow_inf_nan=False)
    """Standard deviation of the initial weights."""
    mask_ratio: float = Field(0.2, gt=0, lt=1)
    """Share of events that are masked in training."""
    ft_ratio: float = Field(0.5, ge=0, le=1)
    """Share of windows in which only the last event is masked, as in prediction."""

    @model_validator(mode="after")
    def _heads_share_width(self) -> BERT4RecSettings:
        check_heads(self.hidden_size, self.n_heads)
        return self


class BERT4Rec(NextItemModel):
    """The BERT4Rec network."""

    Settings = BERT4RecSettings

    def __init__(self, settings: BERT4RecSettings, catalogue: Catalogue) -> None:
        """Create the network with random weights from PyTorch's default generator.

        Args:
            settings: Size and masking.
            catalogue: Number of items, and longest history; the mask is appended to the history.
        """
        super().__init__()
        width, eps = settings.hidden_size, settings.layer_norm_eps
        self.settings = settings
        self.mask = catalogue.n_items + 1
        self.item_embedding = VectorTable(catalogue.n_items + 2, width, padding_idx=0)
        self.position_embedding = VectorTable(catalogue.max_history + 1, width)
        self.norm = nn.LayerNorm(width, eps=eps)
        self.dropout = Dropout(settings.hidden_dropout_prob)
        self.blocks = nn.ModuleList(_block(settings) for _ in range(settings.n_layers))
        self.transform = nn.Linear(width, width)
        self.transform_norm = nn.LayerNorm(width, eps=eps)
        self.bias = nn.Parameter(torch.zeros(catalogue.n_items + 1))
        for module in self.modules():
            if isinstance(module, nn.Linear | nn.Embedding):
                nn.init.normal_(module.weight, std=settings.initializer_range)
            if isinstance(module, nn.Linear):
                nn.init.zeros_(module.bias)
        nn.init.zeros_(self.item_embedding.weight[0].detach())

    @property
    def item_table(self) -> Tensor:
        """Item vectors with their biases as the last column, [V, d + 1], without the mask item."""
        return torch.cat([self.item_embedding.weight[: self.mask], self.bias[:, None]], dim=1)

    def prepare(self, batch: Batch) -> Batch:
        """Return the windows extended by their last target, with some events masked as targets.

        Args:
            batch: Windows of the training data.

        Returns:
            A batch without padding.
        """
        whole = _with_last_targets(batch)
        masked = torch.rand(len(whole.items), device=whole.items.device) < self.settings.mask_ratio
        lengths = whole.offsets.diff()
        only_last = torch.rand(len(lengths), device=lengths.device) < self.settings.ft_ratio
        masked &= ~torch.repeat_interleave(only_last, lengths, output_size=len(masked))
        masked[whole.last[only_last]] = True
        return replace(
            whole,
            items=torch.where(masked, self.mask, whole.items),
            targets=whole.items * masked,
        )

    def encode(self, batch: Batch, at: Tensor | None = None) -> Tensor:
        """Return the state at given positions: of the event itself in training, otherwise after it.

        Args:
            batch: Windows no longer than ``max_history``; in training, a batch from ``prepare``.
            at: int64 [S], indices of the positions to compute; None computes all.

        Returns:
            float [P, d + 1], or [S, d + 1]; the last column is 1, for the items' biases.
        """
        if not self.training:
            batch = self._masked_histories(batch, at)
            at = batch.last
        layout = layout_of(batch)
        items: Tensor = self.item_embedding(batch.items)
        embedded = layout.add_by_position(items, self.position_embedding.weight)
        hidden: Tensor = to_autocast_type(self.dropout(self.norm(embedded)))
        *lower, last = self.blocks
        for block in lower:
            hidden = block(hidden, layout)
        hidden = last(hidden, layout, at)
        state = self.transform_norm(F.gelu(self.transform(hidden)))
        return F.pad(state, (0, 1), value=1.0)

    def _masked_histories(self, batch: Batch, at: Tensor | None) -> Batch:
        """Return one window for each position: the history up to it, followed by a mask."""
        device = batch.items.device
        ends = torch.arange(len(batch.items), device=device) if at is None else at
        window = torch.searchsorted(batch.offsets, ends, right=True) - 1
        starts = batch.offsets[window]
        lengths = ends - starts + 2
        offsets = F.pad(lengths.cumsum(0), (1, 0))
        total = int(offsets[-1])
        shifts = torch.repeat_interleave(starts - offsets[:-1], lengths, output_size=total)
        indices = torch.arange(total, device=device) + shifts
        items = batch.items[indices.clamp(max=len(batch.items) - 1)]
        items[offsets[1:] - 1] = self.mask
        return Batch(
            items=items,
            offsets=offsets,
            targets=torch.zeros_like(items),
            users=batch.users[window],
            negatives=None,
            longest=int(lengths.max()) if len(lengths) else 0,
        )


def _with_last_targets(batch: Batch) -> Batch:
    """Return the windows without padding, each followed by the target of its last event."""
    lengths = batch.lengths
    filled = lengths > 0  # some windows may consist of padding only
    lengths, starts, users = lengths[filled], batch.offsets[:-1][filled], batch.users[filled]
    offsets = F.pad((lengths + 1).cumsum(0), (1, 0))
    total = int(offsets[-1])
    shifts = torch.repeat_interleave(starts - offsets[:-1], lengths + 1, output_size=total)
    indices = torch.arange(total, device=batch.items.device) + shifts
    items = batch.items[indices.clamp(max=len(batch.items) - 1)]
    items[offsets[1:] - 1] = batch.targets[starts + lengths - 1]
    return Batch(
        items=items,
        offsets=offsets,
        targets=torch.zeros_like(items),
        users=users,
        negatives=None,
        longest=int(lengths.max()) + 1,
    )


def _block(settings: BERT4RecSettings) -> Block:
    width, eps = settings.hidden_size, settings.layer_norm_eps
    return Block(
        "post_norm",
        attention=SelfAttention(
            width, heads=settings.n_heads, dropout=settings.attn_dropout_prob, causal=False
        ),
        feed_forward=FeedForward(width, inner=settings.inner_size, activation=settings.hidden_act),
        norms=(nn.LayerNorm(width, eps=eps), nn.LayerNorm(width, eps=eps)),
        gates=None,
        dropout=settings.hidden_dropout_prob,
    )
