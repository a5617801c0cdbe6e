"""Caser: convolutions over the matrix of the last events (Tang & Wang 2018, arXiv:1809.07426).

The vectors of the last L events are the rows of a matrix, oldest first, filled up with zeros at the
end. Horizontal filters of every height slide over the rows, and each keeps its largest output;
vertical filters compute weighted sums of the rows. These outputs and the user's vector give the
state. The architecture is RecBole's.

A state depends on L events only. In the paper L is small (5); each position is then computed
separately. If L covers whole windows, as in RecBole, positions share most filter outputs
(``sliding.py``).
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import ClassVar

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn

from sasrec.data.batches.batching import Batch
from sasrec.models.contract import Catalogue, NextItemModel
from sasrec.models.parts.dropout import Dropout
from sasrec.models.parts.layers import latest_events, layout_of, pad, unpad, users_of, vectors
from sasrec.models.parts.sliding import largest_outputs
from sasrec.settings.fields import Settings

MAX_SEPARATE_POSITIONS = 2
"""Up to this many positions per window, it is faster to compute each position separately."""


class CaserSettings(Settings):
    """Size of the network; names and defaults are RecBole's, except for ``order``."""

    embedding_size: int = Field(64, ge=1, le=65_536)
    """Width of item and user vectors."""
    nh: int = Field(8, ge=1, le=10_000)
    """Horizontal filters of each height."""
    nv: int = Field(4, ge=1, le=10_000)
    """Vertical filters."""
    dropout_prob: float = Field(0.4, ge=0, lt=1)
    """Probability of dropping a filter output."""
    reg_weight: float = Field(1e-4, ge=0, allow_inf_nan=False)
    """Weight of the norms of vectors and filters in the loss."""
    order: int = Field(0, ge=0, le=10_000)
    """Number of events that a state depends on (paper: 5); 0 means max_history, as in RecBole."""


class Caser(NextItemModel):
    """The Caser network."""

    Settings = CaserSettings
    defaults: ClassVar[Mapping[str, object]] = {"order": 5}  # 0, RecBole's value, is very slow
    uses_users = True

    def __init__(self, settings: CaserSettings, catalogue: Catalogue) -> None:
        """Create the network with random weights from PyTorch's default generator.

        Args:
            settings: Size of the network.
            catalogue: Number of items and users, and the longest window.
        """
        super().__init__()
        width = settings.embedding_size
        self.order = min(settings.order or catalogue.max_history, catalogue.max_history)
        self.reg_weight = settings.reg_weight
        fill = partial(nn.init.normal_, std=1 / width)
        self.user_embedding = vectors(catalogue.n_users + 1, width, fill)
        self.item_embedding = vectors(catalogue.n_items + 1, width, fill)
        self.vertical = nn.Conv2d(1, settings.nv, (self.order, 1))
        self.horizontal = nn.ModuleList(
            nn.Conv2d(1, settings.nh, (height, width)) for height in range(1, self.order + 1)
        )
        self.mix = nn.Linear(settings.nv * width + settings.nh * self.order, width)
        self.join = nn.Linear(2 * width, width)
        self.dropout = Dropout(settings.dropout_prob)
        for layer in (self.mix, self.join):
            nn.init.xavier_normal_(layer.weight)
            nn.init.zeros_(layer.bias)

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
        count = len(batch.items) if at is None else len(at)
        is_shared = batch.longest <= self.order and count > MAX_SEPARATE_POSITIONS * (
            len(batch.offsets) - 1
        )
        found = (
            self._shared_filter_outputs(batch, at) if is_shared else self._filter_outputs(batch, at)
        )
        state = F.relu(self.mix(self.dropout(found)))
        users = self.user_embedding(users_of(batch, at)).to(state.dtype)
        return F.relu(self.join(torch.cat([state, users], dim=1)))

    def _filter_outputs(self, batch: Batch, at: Tensor | None) -> Tensor:
        """Return the filter outputs, [S, nv d + L nh], computing each position separately."""
        latest = latest_events(batch, self.order, at)  # [S, L]
        picture = self.item_embedding(latest)[:, None]  # [S, 1, L, d]
        down = self.vertical(picture).flatten(1)
        across = [F.relu(filters(picture)).amax((2, 3)) for filters in self.horizontal]
        return torch.cat([down, *across], dim=1)

    def _shared_filter_outputs(self, batch: Batch, at: Tensor | None) -> Tensor:
        """Return the same for windows no longer than L, with all positions of a window at once."""
        layout = layout_of(batch)
        padded = pad(self.item_embedding(batch.items), layout)  # [B, n, d]
        rows = self.vertical.weight[:, 0, : padded.shape[1], 0].T  # [n, nv]
        down = (padded[:, :, None] * rows[:, :, None]).cumsum(1)  # [B, n, nv, d]
        down = down + self.vertical.get_parameter("bias")[:, None]
        weights = [filters.get_parameter("weight")[:, 0] for filters in self.horizontal]
        filled = torch.stack([F.pad(w, (0, 0, 0, self.order - w.shape[1])) for w in weights])
        biases = torch.stack([filters.get_parameter("bias") for filters in self.horizontal])
        across = F.relu(largest_outputs(padded, filled) + biases)  # [B, n, L, nh]
        found = unpad(torch.cat([down.flatten(2), across.flatten(2)], dim=2), layout)
        return found if at is None else found.index_select(0, at)

    def penalty(self) -> Tensor:
        """Return the weighted norms of vectors and filters, which RecBole adds to the loss."""
        parts = (self.user_embedding, self.item_embedding, self.vertical, self.mix, self.join)
        weights = [part.get_parameter("weight") for part in (*parts, *self.horizontal)]
        return self.reg_weight * torch.stack([weight.norm() for weight in weights]).sum()
