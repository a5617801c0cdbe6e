"""GRU4Rec: a recurrent network over the history (Hidasi et al. 2016, arXiv:1511.06939).

    h_t   = GRU(Dropout(E[item_t]), h_{t-1})
    score = (W h_t + b) . E[item]

The architecture is RecBole's: a GRU without biases, and item vectors shared by input and output. In
training, every position of a window has a target. With the losses ``BPRmax`` or ``TOP1max`` and
negatives from the batch, the model is GRU4Rec+ (Hidasi & Karatzoglou 2018, arXiv:1706.03847).
"""

from __future__ import annotations

from pydantic import Field
from torch import Tensor, nn

from sasrec.data.batches.batching import Batch
from sasrec.models.contract import Catalogue, NextItemModel
from sasrec.models.parts.dropout import Dropout
from sasrec.models.parts.layers import layout_of, pad, unpad, vectors
from sasrec.settings.fields import Settings


class GRU4RecSettings(Settings):
    """Size of the network; names and defaults are RecBole's."""

    embedding_size: int = Field(64, ge=1, le=65_536)
    """Width of item vectors."""
    hidden_size: int = Field(128, ge=1, le=65_536)
    """Width of the recurrent state."""
    num_layers: int = Field(1, ge=1, le=100)
    """Number of recurrent layers."""
    dropout_prob: float = Field(0.3, ge=0, lt=1)
    """Probability of dropping an element of the input."""


class GRU4Rec(NextItemModel):
    """The GRU4Rec network."""

    Settings = GRU4RecSettings

    def __init__(self, settings: GRU4RecSettings, catalogue: Catalogue) -> None:
        """Create the network with random weights from PyTorch's default generator.

        Args:
            settings: Size of the network.
            catalogue: Number of items; its other values have no effect.
        """
        super().__init__()
        width = settings.embedding_size
        self.item_embedding = vectors(catalogue.n_items + 1, width, nn.init.xavier_normal_)
        self.dropout = Dropout(settings.dropout_prob)
        self.gru = nn.GRU(
            width, settings.hidden_size, settings.num_layers, bias=False, batch_first=True
        )
        self.output = nn.Linear(settings.hidden_size, width)
        for weight in self.gru.parameters():
            nn.init.xavier_uniform_(weight)

    @property
    def item_table(self) -> Tensor:
        """Item vectors [V, d]; histories are embedded with the same vectors."""
        return self.item_embedding.weight

    def encode(self, batch: Batch, at: Tensor | None = None) -> Tensor:
        """Return the state after each event, or after some of them.

        Args:
            batch: Any batch.
            at: int64 [S], indices of the positions to compute; None computes all.

        Returns:
            float [P, d], or [S, d].
        """
        layout = layout_of(batch)
        embedded = pad(self.dropout(self.item_embedding(batch.items)), layout)
        states, _ = self.gru(embedded)
        flat = unpad(states, layout)
        result: Tensor = self.output(flat if at is None else flat.index_select(0, at))
        return result
