"""Forward passes for padded histories, of models whose own one depends on the data's sizes.

Each equals the model's ``encode`` for the last event of a history (tests/exporting).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sasrec.exporting.files import Kind
from sasrec.exporting.recurrent import gru_layer, scanned_layer
from sasrec.models.bert4rec import BERT4Rec
from sasrec.models.caser import Caser
from sasrec.models.contract import NextItemModel
from sasrec.models.gru4rec import GRU4Rec
from sasrec.models.nextitnet import NextItNet, ResidualBlock
from sasrec.models.parts.attention import SelfAttention
from sasrec.models.parts.blocks import Block


class Rewritten(nn.Module):
    """Keeps the model whose weights a forward pass uses."""

    def __init__(self, model: NextItemModel, longest: int) -> None:
        """Keep the arguments.

        Args:
            model: In evaluation mode.
            longest: Length of the longest history.
        """
        super().__init__()
        self.model, self.longest = model, longest


class PaddedBERT4Rec(Rewritten):
    """Appends the mask to each history and lets all of its events attend to each other."""

    model: BERT4Rec

    def forward(self, items: Tensor, lengths: Tensor, *_: Tensor | None) -> Tensor:
        """Return the state of the mask after each history.

        Args:
            items: int64 [B, L], with zeros after the last event.
            lengths: int64 [B], number of events.

        Returns:
            float [B, d + 1].
        """
        model = self.model
        columns = items.shape[1] + 1
        steps = torch.arange(columns, device=items.device)
        masked = torch.where(steps == lengths[:, None], model.mask, F.pad(items, (0, 1)))
        hidden = model.norm(
            model.item_embedding(masked) + model.position_embedding.weight[:columns]
        )
        visible = (steps <= lengths[:, None])[:, None, None]  # [B, 1, 1, L + 1]
        for part in model.blocks:
            block = cast("Block", part)
            attended = _attended(block.attention, hidden, visible)
            hidden = block.attention_norm(hidden + attended)
            hidden = block.feed_forward_norm(hidden + block.feed_forward(hidden))
        state = model.transform_norm(F.gelu(model.transform(_at_last(hidden, lengths))))
        return F.pad(state, (0, 1), value=1.0)


def _attended(attention: SelfAttention, hidden: Tensor, visible: Tensor) -> Tensor:
    """Return the output of attention without a causal mask, [B, L, d]."""
    rows, columns, _ = hidden.shape
    parts = attention.query_key_value(hidden).view(rows, columns, 3, attention.heads, -1)
    query, key, value = parts.permute(2, 0, 3, 1, 4)
    mixed = F.scaled_dot_product_attention(query, key, value, attn_mask=visible)
    output: Tensor = attention.output(mixed.transpose(1, 2).flatten(2))
    return output


class PaddedCaser(Rewritten):
    """Computes the filters over the last events of each history."""

    model: Caser

    def forward(
        self,
        items: Tensor,
        lengths: Tensor,
        times: Tensor | None = None,
        users: Tensor | None = None,
        *_: Tensor | None,
    ) -> Tensor:
        """Return the state after the last event of each history.

        Args:
            items: int64 [B, L], with zeros after the last event.
            lengths: int64 [B], number of events.
            times: None.
            users: int64 [B], user numbers.

        Returns:
            float [B, d].
        """
        model = self.model
        places = torch.arange(model.order, device=items.device)
        places = (lengths[:, None] - model.order).clamp(min=0) + places
        latest = F.pad(items, (0, model.order)).gather(1, places)  # zeros after the last event
        picture = model.item_embedding(latest)[:, None]  # [B, 1, order, d]
        across = [F.relu(filters(picture)).amax((2, 3)) for filters in model.horizontal]
        found = torch.cat([model.vertical(picture).flatten(1), *across], dim=1)
        state = F.relu(model.mix(found))
        of_user = model.user_embedding(torch.zeros_like(lengths) if users is None else users)
        return F.relu(model.join(torch.cat([state, of_user], dim=1)))


class PaddedNextItNet(Rewritten):
    """Applies the convolutions with their full dilations, at most ``longest``, to all histories."""

    model: NextItNet

    def forward(self, items: Tensor, lengths: Tensor, *_: Tensor | None) -> Tensor:
        """Return the state after the last event of each history.

        Args:
            items: int64 [B, L], with zeros after the last event.
            lengths: int64 [B], number of events.

        Returns:
            float [B, d].
        """
        hidden = self.model.item_embedding(items)
        for part in self.model.blocks:
            block = cast("ResidualBlock", part)
            inside = F.relu(block.first_norm(self._causal(block.first, hidden)))
            hidden = hidden + F.relu(block.second_norm(self._causal(block.second, inside)))
        output: Tensor = self.model.output(_at_last(hidden, lengths - 1))
        return output

    def _causal(self, convolution: nn.Conv1d, hidden: Tensor) -> Tensor:
        dilation = min(convolution.dilation[0], self.longest)
        before = (convolution.kernel_size[0] - 1) * dilation
        padded = F.pad(hidden.mT, (before, 0))
        return F.conv1d(padded, convolution.weight, convolution.bias, dilation=dilation).mT


class PaddedGRU4Rec(Rewritten):
    """Applies the recurrent layers through an operator that ONNX has too."""

    layer = staticmethod(gru_layer)

    model: GRU4Rec

    def forward(self, items: Tensor, lengths: Tensor, *_: Tensor | None) -> Tensor:
        """Return the state after the last event of each history.

        Args:
            items: int64 [B, L], with zeros after the last event.
            lengths: int64 [B], number of events.

        Returns:
            float [B, d].
        """
        hidden = self.model.item_embedding(items)
        for inputs, state in self.model.gru.all_weights:
            hidden = self.layer(hidden, inputs, state)
        output: Tensor = self.model.output(_at_last(hidden, lengths - 1))
        return output


class ScannedGRU4Rec(PaddedGRU4Rec):
    """Applies the recurrent layers through operators that every PyTorch has."""

    layer = staticmethod(scanned_layer)


def _at_last(hidden: Tensor, last: Tensor) -> Tensor:
    """Return the states [B, d] at the given positions int64 [B] of states [B, L, d]."""
    return hidden.gather(1, last[:, None, None].expand(-1, 1, hidden.shape[2]))[:, 0]


FOR_ONNX: Mapping[str, type[Rewritten]] = {
    "BERT4Rec": PaddedBERT4Rec,
    "Caser": PaddedCaser,
    "GRU4Rec": PaddedGRU4Rec,
    "NextItNet": PaddedNextItNet,
}
"""Networks of models that do not work with ``Padded``, by the name of their class."""
FOR_TORCH = {**FOR_ONNX, "GRU4Rec": ScannedGRU4Rec}
"""The same, if the graph is kept for PyTorch."""
REWRITTEN: Mapping[Kind, Mapping[str, type[Rewritten]]] = {"onnx": FOR_ONNX, "torch": FOR_TORCH}
