"""Linear attention (Katharopoulos et al. 2020, arXiv:2006.16236) as a next-item model."""

from __future__ import annotations

import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn

import sasrec
from sasrec.models.parts.layers import layout_of, pad, unpad
from sasrec.models.parts.recording import record_of


class LinearAttention(sasrec.NextItemModel):
    """One layer of causal attention whose cost is linear in the length of the history."""

    class Settings(sasrec.Settings):
        """Size of the network."""

        hidden_size: int = Field(32, ge=1, le=512)
        """Width of item vectors and hidden states."""

    defaults = {"learning_rate": 0.005}

    def __init__(self, settings: Settings, catalogue: sasrec.Catalogue) -> None:
        """Create the network with random weights."""
        super().__init__()
        width = settings.hidden_size
        self.items = nn.Embedding(catalogue.n_items + 1, width, padding_idx=0)
        self.query, self.key, self.value = (nn.Linear(width, width) for _ in range(3))

    @property
    def item_table(self) -> Tensor:
        """Item vectors [V, d]; scores are their dot products with the states."""
        return self.items.weight

    def encode(self, batch: sasrec.Batch, at: Tensor | None = None) -> Tensor:
        """Return the state after each event [P, d], or only at the given positions [S, d]."""
        layout = layout_of(batch)
        x = pad(self.items(batch.items), layout)  # [B, L, d]
        query, key = F.elu(self.query(x)) + 1, F.elu(self.key(x)) + 1  # positive, so no softmax
        sums = (key[..., :, None] * self.value(x)[..., None, :]).cumsum(1)  # [B, L, d, d]
        total = (query * key.cumsum(1)).sum(-1, keepdim=True)
        if (record := record_of(self)) is not None:  # attention weights were requested
            record.append(((query @ key.mT).tril() / total)[:, None])  # [B, 1, L, L]
        states = unpad(x + (query[..., None, :] @ sums)[..., 0, :] / total, layout)
        return states if at is None else states[at]
