"""SASRec: self-attentive sequential recommendation (Kang & McAuley 2018, arXiv:1808.09781).

The form is RecBole's, with layer normalisation after each residual connection:

    h0 = Dropout(LayerNorm(E[item] + P[position]))
    a  = LayerNorm(h + Dropout(Attention(h)))
    h' = LayerNorm(a + Dropout(W2 act(W1 a)))
    score(item) = h_last . E[item]
"""

from __future__ import annotations

from pydantic import Field, model_validator
from torch import Tensor, nn

from sasrec.data.batching import Batch
from sasrec.models.attention import CausalSelfAttention
from sasrec.models.contract import NextItemModel
from sasrec.models.dropout import Dropout
from sasrec.models.layers import FeedForward, Layout, layout_of, narrowed
from sasrec.settings import Activation, Settings


class SASRecSettings(Settings):
    """Size and shape of the network; names and defaults are RecBole's."""

    hidden_size: int = Field(64, ge=1, le=65_536)
    """Width of item vectors and hidden states."""
    inner_size: int = Field(256, ge=1, le=1_048_576)
    """Width of the feed-forward layer's inside."""
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
    """Added to the variance in layer normalisation."""
    initializer_range: float = Field(0.02, gt=0, allow_inf_nan=False)
    """Standard deviation of the initial weights."""

    @model_validator(mode="after")
    def _heads_share_width(self) -> SASRecSettings:
        width, heads = self.hidden_size, self.n_heads
        if width % heads:
            below, above = width // heads * heads, (width // heads + 1) * heads
            near = f"{below} or {above}" if below else str(above)
            raise ValueError(
                f"hidden_size {width} cannot be shared by n_heads {heads}; "
                f"choose a multiple of {heads}, such as {near}"
            )
        return self


class SASRec(NextItemModel):
    """The network."""

    def __init__(self, settings: SASRecSettings, *, n_items: int, max_history: int) -> None:
        """Make the network with random weights from torch's default generator.

        Args:
            settings: Size and shape.
            n_items: Items in the catalogue, padding not counted.
            max_history: Longest window it will be given.
        """
        super().__init__()
        width = settings.hidden_size
        self.item_embedding = nn.Embedding(n_items + 1, width, padding_idx=0)
        self.position_embedding = nn.Embedding(max_history, width)
        self.norm = nn.LayerNorm(width, eps=settings.layer_norm_eps)
        self.dropout = Dropout(settings.hidden_dropout_prob)
        self.blocks = nn.ModuleList(Block(settings) for _ in range(settings.n_layers))
        for module in self.modules():
            _initialise(module, settings.initializer_range)

    @property
    def item_table(self) -> Tensor:
        """Item vectors [V, d]; the same that the histories are embedded with."""
        return self.item_embedding.weight

    def encode(self, batch: Batch, at: Tensor | None = None) -> Tensor:
        """Return the state after each event, or after some.

        Args:
            batch: Windows no longer than ``max_history``.
            at: int64 [S], the positions wanted; None wants all.

        Returns:
            float [P, d], or [S, d].
        """
        layout = layout_of(batch)
        items, positions = self.item_embedding(batch.items), self.position_embedding.weight
        embedded = layout.add_by_position(items, positions)
        hidden = narrowed(self.dropout(self.norm(embedded)))  # [P, d]
        *lower, last = self.blocks
        for block in lower:
            hidden = block(hidden, layout)
        result: Tensor = last(hidden, layout, at)
        return result


class Block(nn.Module):
    """Attention, then feed-forward, each with dropout, residual connection and normalisation."""

    def __init__(self, settings: SASRecSettings) -> None:
        """Make the parts.

        Args:
            settings: Size and shape.
        """
        super().__init__()
        width, eps = settings.hidden_size, settings.layer_norm_eps
        self.attention = CausalSelfAttention(
            width, heads=settings.n_heads, dropout=settings.attn_dropout_prob
        )
        self.attention_norm = nn.LayerNorm(width, eps=eps)
        self.feed_forward = FeedForward(
            width, inner=settings.inner_size, activation=settings.hidden_act
        )
        self.feed_forward_norm = nn.LayerNorm(width, eps=eps)
        self.dropout = Dropout(settings.hidden_dropout_prob)

    def forward(self, hidden: Tensor, layout: Layout, at: Tensor | None = None) -> Tensor:
        """Transform the states.

        Args:
            hidden: [P, d].
            layout: Of the batch.
            at: int64 [S], positions to go on with after attention has looked at all; None for all.

        Returns:
            [P, d], or [S, d].
        """
        attended = self.dropout(self.attention(hidden, layout, at))
        hidden = hidden if at is None else hidden.index_select(0, at)
        hidden = self.attention_norm(hidden + attended)
        result: Tensor = self.feed_forward_norm(hidden + self.dropout(self.feed_forward(hidden)))
        return result


def _initialise(module: nn.Module, deviation: float) -> None:
    if isinstance(module, nn.Linear | nn.Embedding):
        nn.init.normal_(module.weight, std=deviation)
    if isinstance(module, nn.Linear):
        nn.init.zeros_(module.bias)
    if isinstance(module, nn.Embedding) and module.padding_idx is not None:
        nn.init.zeros_(module.weight[module.padding_idx].detach())
