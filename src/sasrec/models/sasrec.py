"""SASRec: self-attentive sequential recommendation (Kang & McAuley 2018, arXiv:1808.09781).

    h      = Dropout(Norm(E[item] + P[position]))       (with event types: + T[type] + Q[next type])
    h      = Block(h), repeated n_layers times
    score  = h_last . E[item]

The defaults are those of RecBole, with normalisation after each residual connection. Variants that
have been found to help are settings of the same network. The blocks are described in ``blocks.py``,
the effect of positions and times on attention in ``positions.py``.
"""

from __future__ import annotations

from typing import Literal

import torch
import torch.nn.functional as F
from pydantic import Field, model_validator
from torch import Tensor, nn

from sasrec.data.batches.batching import Batch
from sasrec.kernels.lookup import VectorTable
from sasrec.models.contract import Catalogue, NextItemModel
from sasrec.models.parts.attention import SelfAttention
from sasrec.models.parts.blocks import Block, Form
from sasrec.models.parts.content import ContentForm, MixedTables
from sasrec.models.parts.dropout import Dropout, drop_rows
from sasrec.models.parts.event_types import TypeUse, make_event_types
from sasrec.models.parts.feed_forward import FeedForward, SwiGLU, make_norm
from sasrec.models.parts.layers import Layout, layout_of, positions_from_end, to_autocast_type
from sasrec.models.parts.positions import RelativeBias, RelativeKind, distances_of
from sasrec.settings.fields import Activation, Norm, check_heads


class SASRecSettings(ContentForm):
    """Size and shape of the network; the names and defaults of the first ten are RecBole's."""

    hidden_size: int = Field(64, ge=1, le=65_536)
    """Width of item vectors and hidden states."""
    inner_size: int = Field(256, ge=1, le=1_048_576)
    """Width of the feed-forward layer's hidden layer."""
    n_layers: int = Field(2, ge=1, le=1_000)
    """Number of transformer blocks."""
    n_heads: int = Field(2, ge=1, le=65_536)
    """Number of attention heads; divides hidden_size."""
    hidden_dropout_prob: float = Field(0.5, ge=0, lt=1)
    """Probability of dropping an element of the input or of a block's output."""
    attn_dropout_prob: float = Field(0.5, ge=0, lt=1)
    """Probability of dropping an attention probability."""
    hidden_act: Activation = "gelu"
    """Activation inside the feed-forward layer."""
    layer_norm_eps: float = Field(1e-12, ge=0, allow_inf_nan=False)
    """Number added to the variance in normalisation."""
    initializer_range: float = Field(0.02, gt=0, allow_inf_nan=False)
    """Standard deviation of the initial weights."""
    block: Form = "post_norm"
    """Where a block normalises: post_norm (RecBole), pre_norm, paper (the code of 2018), or gated
    (LiGR, as in eSASRec)."""
    norm: Norm = "layer"
    """How it normalises: layer, or rms, which neither centres nor shifts."""
    feed_forward: Literal["mlp", "swiglu"] = "mlp"
    """mlp: two linear layers with hidden_act between them. swiglu: a gated hidden layer; hidden_act
    has no effect."""
    input_norm: bool = True
    """Normalise the input of the first block."""
    output_norm: bool = False
    """Normalise the output of the last block; recommended with pre_norm and gated."""
    positions: Literal["learned", "reversed", "rotary", "none"] = "learned"
    """How positions are encoded: learned (vectors counted from the oldest event), reversed (vectors
    counted from the newest event), rotary (rotated queries and keys), or none."""
    relative_bias: RelativeKind = "none"
    """What is added to attention scores: a learned number by distance in position, in time, both,
    or none."""
    time_dropout_prob: float = Field(0.1, ge=0, lt=1)
    """With relative_bias time or both: probability of hiding the timestamps of a window during
    training, so that the model also works for histories without timestamps."""
    scale_embedding: bool = False
    """Multiply item vectors by the square root of hidden_size at the input."""
    residual: bool = True
    """Use residual connections in the blocks (paper: always)."""
    event_dropout_prob: float = Field(0.0, ge=0, lt=1)
    """Probability of dropping the whole vector of an event during training."""
    tied_output: bool = True
    """Score with the item vectors of the input; otherwise with a separate table."""
    similarity: Literal["dot", "cosine"] = "dot"
    """Score by dot product or by cosine; with cosine, set temperature to about 0.05."""
    event_types: TypeUse = "both"
    """With type_column, how event types are used: history (a vector for the type of each event),
    next (a vector for the type of the event to be predicted, which the model can then be asked
    for), both, or none."""
    type_dropout_prob: float = Field(0.1, ge=0, lt=1)
    """With type_column: probability of hiding the types of a window, and the type of an event to be
    predicted, during training, so that the model also works without them."""
    temperature: float = Field(1.0, ge=1e-6, le=1e6)
    """Number that scores are divided by."""

    @model_validator(mode="after")
    def _heads_share_width(self) -> SASRecSettings:
        width, heads = self.hidden_size, self.n_heads
        check_heads(width, heads)
        if self.positions == "rotary" and width // heads % 2:
            raise ValueError(
                f"positions rotary needs heads of even width, but hidden_size / n_heads is "
                f"{width // heads}; choose other sizes"
            )
        return self


class SASRec(NextItemModel):
    """The SASRec network."""

    Settings = SASRecSettings
    uses_types = True
    uses_content = True

    def __init__(self, settings: SASRecSettings, catalogue: Catalogue) -> None:
        """Create the network with random weights from PyTorch's default generator.

        Args:
            settings: Size and shape of the network.
            catalogue: Number of items and types, and the longest window; users have no effect.
        """
        super().__init__()
        self.settings = settings
        width, eps = settings.hidden_size, settings.layer_norm_eps
        self.item_embedding = VectorTable(catalogue.n_items + 1, width, padding_idx=0)
        if settings.positions in {"learned", "reversed"}:
            self.position_embedding = VectorTable(catalogue.max_history, width)
        self.norm = make_norm(settings.norm, width, eps) if settings.input_norm else nn.Identity()
        self.dropout = Dropout(settings.hidden_dropout_prob)
        self.blocks = nn.ModuleList(
            make_block(settings, catalogue.max_history) for _ in range(settings.n_layers)
        )
        if settings.output_norm:
            self.output_norm = make_norm(settings.norm, width, eps)
        if not settings.tied_output:
            self.output_embedding = VectorTable(catalogue.n_items + 1, width, padding_idx=0)
        self.content = (
            None
            if catalogue.content is None
            else MixedTables(catalogue.content, width, settings, tied=settings.tied_output)
        )
        for module in self.modules():
            _initialise(module, settings.initializer_range)
        self.event_types = make_event_types(
            catalogue.n_types, width, settings.event_types, settings.type_dropout_prob
        )
        self.needs_times = settings.relative_bias in {"time", "both"}

    @property
    def item_table(self) -> Tensor:
        """Item vectors [V, d] to multiply with states, normalised and scaled as configured."""
        tied = self.settings.tied_output
        table = (self.item_embedding if tied else self.output_embedding).weight
        if self.content is not None:
            table = self.content.output(table)
        if self.settings.similarity == "cosine":
            table = F.normalize(table, dim=1)
        return table if self.settings.temperature == 1 else table / self.settings.temperature

    def encode(self, batch: Batch, at: Tensor | None = None) -> Tensor:
        """Return the state after each event, or after some of them.

        Args:
            batch: Windows no longer than ``max_history``.
            at: int64 [S], indices of the positions to compute; None computes all.

        Returns:
            float [P, d], or [S, d].
        """
        layout = layout_of(batch)
        hidden: Tensor = to_autocast_type(
            self.dropout(self.norm(self._embed(batch, layout)))
        )  # [P, d]
        distances = None
        if self.settings.relative_bias != "none":
            distances = distances_of(batch, layout, self._untimed(batch, layout))
        *lower, last = self.blocks
        for block in lower:
            hidden = block(hidden, layout, distances=distances)
        hidden = last(hidden, layout, at, distances)
        if self.settings.output_norm:
            hidden = self.output_norm(hidden)
        if self.settings.similarity == "cosine":
            hidden = F.normalize(hidden.float(), dim=-1)
        return hidden

    def _untimed(self, batch: Batch, layout: Layout) -> Tensor | None:
        """Return which windows have no timestamps, or hidden ones in training, bool [B] or None."""
        probability = self.settings.time_dropout_prob
        if not (self.training and self.needs_times and probability):
            return batch.untimed
        device = self.item_embedding.weight.device
        return torch.rand(layout.rows, device=device) < probability

    def _embed(self, batch: Batch, layout: Layout) -> Tensor:
        items: Tensor = (
            self.item_embedding(batch.items)
            if self.content is None
            else self.content.input(self.item_embedding.weight, batch.items)
        )
        if self.settings.scale_embedding:
            items = items * self.settings.hidden_size**0.5
        of_history, of_next = None, None
        if self.event_types is not None:
            of_history, of_next = self.event_types(batch)
        if of_history is not None:
            items = items + of_history
        if self.training and self.settings.event_dropout_prob:
            items = drop_rows(items, self.settings.event_dropout_prob)
        if of_next is not None:
            items = items + of_next
        if self.settings.positions == "learned":
            return layout.add_by_position(items, self.position_embedding.weight)
        if self.settings.positions == "reversed":
            items = items + self.position_embedding(positions_from_end(batch))
        return items


def make_block(settings: SASRecSettings, max_history: int) -> Block:
    """Return one block with random weights.

    Args:
        settings: Size and shape of the network.
        max_history: Length of the longest window.

    Returns:
        The block.
    """
    width, heads, eps = settings.hidden_size, settings.n_heads, settings.layer_norm_eps
    kind, paper = settings.relative_bias, settings.block == "paper"
    bias = None if kind == "none" else RelativeBias(heads, kind=kind, max_history=max_history)
    attention = SelfAttention(
        width,
        heads=heads,
        dropout=settings.attn_dropout_prob,
        rotary=settings.positions == "rotary",
        projects=not paper,
        bias=bias,
    )
    feed_forward: nn.Module = (
        SwiGLU(width, inner=settings.inner_size)
        if settings.feed_forward == "swiglu"
        else FeedForward(
            width,
            inner=settings.inner_size,
            activation=settings.hidden_act,
            dropout=settings.hidden_dropout_prob if paper else 0.0,
        )
    )
    return Block(
        settings.block,
        attention=attention,
        feed_forward=feed_forward,
        norms=(make_norm(settings.norm, width, eps), make_norm(settings.norm, width, eps)),
        gates=(
            (nn.Linear(width, width), nn.Linear(width, width))
            if settings.block == "gated"
            else None
        ),
        dropout=settings.hidden_dropout_prob,
        residual=settings.residual,
    )


def _initialise(module: nn.Module, deviation: float) -> None:
    if isinstance(module, nn.Linear | nn.Embedding):
        nn.init.normal_(module.weight, std=deviation)
    if isinstance(module, nn.Linear) and module.bias is not None:
        nn.init.zeros_(module.bias)
    if isinstance(module, nn.Embedding) and module.padding_idx is not None:
        nn.init.zeros_(module.weight[module.padding_idx].detach())
