"""NextItNet: dilated causal convolutions over the history (Yuan et al. 2019, arXiv:1808.05163).

    block(x) = x + ReLU(Norm(Conv_2d(ReLU(Norm(Conv_d(x))))))     residual block (b) of the paper
    score    = (W block(... block(E[items]))_t + b) . E[item]

Conv_d combines every d-th event, from the current one backwards, and no later ones. In training,
every position of a window has a target.
"""

from __future__ import annotations

from functools import partial
from typing import Annotated

import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn

from sasrec.data.batches.batching import Batch
from sasrec.models.contract import Catalogue, NextItemModel
from sasrec.models.parts.layers import layout_of, pad, unpad, vectors
from sasrec.settings.fields import Settings


class NextItNetSettings(Settings):
    """Size of the network; names and defaults are RecBole's."""

    embedding_size: int = Field(64, ge=1, le=65_536)
    """Width of item vectors and of all layers."""
    kernel_size: int = Field(3, ge=1, le=1_000)
    """Number of events that a convolution combines."""
    block_num: int = Field(5, ge=1, le=1_000)
    """How often the list of dilations is repeated; there is one block per dilation."""
    dilations: tuple[Annotated[int, Field(ge=1, le=65_536)], ...] = Field((1, 4), min_length=1)
    """Distance between the combined events in each block; its second layer doubles it."""
    reg_weight: float = Field(1e-5, ge=0, allow_inf_nan=False)
    """Weight of the norms of item vectors and layers in the loss."""


class NextItNet(NextItemModel):
    """The NextItNet network."""

    Settings = NextItNetSettings

    def __init__(self, settings: NextItNetSettings, catalogue: Catalogue) -> None:
        """Create the network with random weights from PyTorch's default generator.

        Args:
            settings: Size of the network.
            catalogue: Number of items; its other values have no effect.
        """
        super().__init__()
        width = settings.embedding_size
        self.reg_weight = settings.reg_weight
        bound = catalogue.n_items**-0.5
        fill = partial(nn.init.uniform_, a=-bound, b=bound)
        self.item_embedding = vectors(catalogue.n_items + 1, width, fill)
        self.blocks = nn.ModuleList(
            ResidualBlock(width, settings.kernel_size, dilation)
            for _ in range(settings.block_num)
            for dilation in settings.dilations
        )
        self.output = nn.Linear(width, width)
        nn.init.xavier_normal_(self.output.weight)
        nn.init.constant_(self.output.bias, 0.1)

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
        hidden = pad(self.item_embedding(batch.items), layout)  # [B, L, d]
        for block in self.blocks:
            hidden = block(hidden)
        flat = unpad(hidden, layout)
        result: Tensor = self.output(flat if at is None else flat.index_select(0, at))
        return result

    def penalty(self) -> Tensor:
        """Return the weighted norms of item vectors and layers, which RecBole adds to the loss."""
        total: Tensor = self.item_embedding.weight.norm() + self.output.weight.norm()
        for name, weight in self.blocks.named_parameters():
            if name.endswith("weight"):
                total = total + weight.norm()
        return self.reg_weight * total


class ResidualBlock(nn.Module):
    """Two dilated causal convolutions, each normalised, with a residual connection."""

    def __init__(self, width: int, kernel_size: int, dilation: int) -> None:
        """Create the layers.

        Args:
            width: d.
            kernel_size: Number of events that a convolution combines.
            dilation: Distance between these events; the second layer doubles it.
        """
        super().__init__()
        self.first = nn.Conv1d(width, width, kernel_size, dilation=dilation)
        self.second = nn.Conv1d(width, width, kernel_size, dilation=2 * dilation)
        self.first_norm = nn.LayerNorm(width, eps=1e-8)
        self.second_norm = nn.LayerNorm(width, eps=1e-8)

    def forward(self, hidden: Tensor) -> Tensor:
        """Transform the states.

        Args:
            hidden: [B, L, d], with padding at the end of shorter windows.

        Returns:
            [B, L, d].
        """
        inside: Tensor = F.relu(self.first_norm(_causal(self.first, hidden)))
        inside = F.relu(self.second_norm(_causal(self.second, inside)))
        return hidden + inside


def _causal(convolution: nn.Conv1d, hidden: Tensor) -> Tensor:
    """Return the output of a causal convolution, [B, L, d].

    Events L or more steps back are before the window, so a larger dilation is reduced to L, which
    saves padding.
    """
    dilation = min(convolution.dilation[0], hidden.shape[1])
    padded = F.pad(hidden.mT, ((convolution.kernel_size[0] - 1) * dilation, 0))
    result: Tensor = F.conv1d(padded, convolution.weight, convolution.bias, dilation=dilation).mT
    return result
