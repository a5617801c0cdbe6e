"""Building blocks: attention, feed-forward, dropout, and the way from flat to padded and back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sasrec.data.batching import Batch
from sasrec.settings import Activation

ACTIVATIONS: dict[Activation, Callable[[Tensor], Tensor]] = {
    "gelu": F.gelu,  # the exact form with erf, as RecBole's
    "relu": F.relu,
    "swish": F.silu,
    "tanh": torch.tanh,
    "sigmoid": torch.sigmoid,
}


@dataclass(frozen=True, slots=True)
class Layout:
    """Where the positions of a batch stand when its windows are laid out as rows.

    Attributes:
        rows: Windows, B.
        columns: Longest window, L.
        places: int64 [P], row times L plus position in the window; None if all windows have
            length L, when flat and padded are the same memory.
        positions: int64 [P], position in the window, 0 for the oldest event.
    """

    rows: int
    columns: int
    places: Tensor | None
    positions: Tensor


def layout_of(batch: Batch) -> Layout:
    """Return the layout of a batch.

    Args:
        batch: Any batch.

    Returns:
        Its layout.
    """
    n_positions, rows, columns = len(batch.items), len(batch.offsets) - 1, batch.longest
    starts = torch.repeat_interleave(
        batch.offsets[:-1], batch.offsets.diff(), output_size=n_positions
    )
    positions = torch.arange(n_positions, device=batch.items.device) - starts
    if n_positions == rows * columns:
        return Layout(rows, columns, None, positions)
    row = torch.repeat_interleave(batch.offsets.diff(), output_size=n_positions)
    return Layout(rows, columns, row * columns + positions, positions)


def pad(values: Tensor, layout: Layout) -> Tensor:
    """Lay flat values out in rows, zeros behind the shorter ones.

    Args:
        values: [P, d].
        layout: Of the batch.

    Returns:
        [B, L, d].
    """
    width = values.shape[1]
    if layout.places is None:
        return values.view(layout.rows, layout.columns, width)
    padded = values.new_zeros(layout.rows * layout.columns, width)
    return padded.index_copy(0, layout.places, values).view(layout.rows, layout.columns, width)


def unpad(padded: Tensor, layout: Layout) -> Tensor:
    """Undo ``pad``.

    Args:
        padded: [B, L, d].
        layout: Of the batch.

    Returns:
        [P, d].
    """
    flat = padded.reshape(layout.rows * layout.columns, -1)
    return flat if layout.places is None else flat.index_select(0, layout.places)


class Dropout(nn.Module):
    """Zeroes each element with a probability and scales the others up, while training.

    On a CPU the mask comes from raw random bits, 8 or 16 an element, which took a twelfth of the
    time of ``torch.nn.functional.dropout`` there; the probability is exact to 1/65,536.
    """

    def __init__(self, probability: float) -> None:
        """Make the layer.

        Args:
            probability: Of zeroing, 0 to below 1.
        """
        super().__init__()
        self.probability = probability

    def forward(self, values: Tensor) -> Tensor:
        """Drop elements, or return the values as they are outside training.

        Args:
            values: Any shape.

        Returns:
            The same shape.
        """
        if not self.training or self.probability == 0:
            return values
        if values.device.type != "cpu":
            return F.dropout(values, self.probability)
        return values * keep_mask(values.shape, self.probability, values.dtype)


def keep_mask(shape: torch.Size, probability: float, dtype: torch.dtype) -> Tensor:
    """Return 0 with the given probability and 1 / (1 - probability) otherwise, on the CPU.

    Args:
        shape: Of the mask.
        probability: Of zero, 0 to below 1; exact to 1/65,536.
        dtype: Of the mask.

    Returns:
        The mask.
    """
    # Eight bits will do where they can express the probability exactly, as for 0.5.
    bits, kind = (8, torch.int8) if (probability * 2**8).is_integer() else (16, torch.int16)
    size = shape.numel()
    words = torch.empty(-(-size * bits // 64), dtype=torch.int64)
    words.random_(-(2**63), None)  # all 64 bits
    threshold = round(probability * 2**bits) - (1 << bits - 1)
    kept = words.view(kind)[:size].view(shape) >= threshold
    mask: Tensor = kept.to(dtype).mul_(1 / (1 - probability))
    return mask


class CausalSelfAttention(nn.Module):
    """Multi-head attention of each position to itself and those before it (Vaswani et al. 2017).

    Scores are divided by sqrt(d / heads); dropout falls on the attention probabilities.
    """

    def __init__(self, width: int, *, heads: int, dropout: float) -> None:
        """Make the projections.

        Args:
            width: d, a multiple of ``heads``.
            heads: H.
            dropout: Probability of dropping an attention probability.
        """
        super().__init__()
        self.heads = heads
        self.query_key_value = nn.Linear(width, 3 * width)
        self.output = nn.Linear(width, width)
        self.dropout = Dropout(dropout)

    def forward(self, hidden: Tensor, layout: Layout, at: Tensor | None = None) -> Tensor:
        """Mix each position with those before it.

        Args:
            hidden: [P, d].
            layout: Of the batch.
            at: int64 [S], the positions wanted; None wants all.

        Returns:
            [P, d], or [S, d].
        """
        rows, columns, width = layout.rows, layout.columns, hidden.shape[1]
        projected = pad(self.query_key_value(hidden), layout)  # [B, L, 3 d]
        # Padding stands behind the real positions, where causal attention never looks.
        query, key, value = projected.view(rows, columns, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        mixed = self._attend(query, key, value)  # [B, H, L, d / H]
        flat = unpad(mixed.transpose(1, 2).reshape(rows, columns, width), layout)
        result: Tensor = self.output(flat if at is None else flat.index_select(0, at))
        return result

    def _attend(self, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        probability = self.dropout.probability if self.training else 0.0
        if probability and query.device.type == "cpu":
            return attention_with_dropout(query, key, value, self.dropout)
        return F.scaled_dot_product_attention(
            query, key, value, is_causal=True, dropout_p=probability
        )


def attention_with_dropout(query: Tensor, key: Tensor, value: Tensor, dropout: Dropout) -> Tensor:
    """Return causal attention written out, with our own dropout.

    PyTorch's fused attention has no dropout on a CPU and falls back to slow random numbers.

    Args:
        query: [B, H, L, d / H].
        key: The same shape.
        value: The same shape.
        dropout: Applied to the probabilities.

    Returns:
        The same shape.
    """
    length = query.shape[2]
    future = torch.full((length, length), float("-inf"), device=query.device).triu(1)
    scores = (query * query.shape[-1] ** -0.5) @ key.transpose(-1, -2) + future
    probabilities: Tensor = dropout(scores.softmax(-1))
    return probabilities.to(value.dtype) @ value


class FeedForward(nn.Module):
    """Two linear layers with an activation between, at each position alone."""

    def __init__(self, width: int, *, inner: int, activation: Activation) -> None:
        """Make the layers.

        Args:
            width: d.
            inner: Width between the two layers.
            activation: Its name.
        """
        super().__init__()
        self.up = nn.Linear(width, inner)
        self.down = nn.Linear(inner, width)
        self.activation = ACTIVATIONS[activation]

    def forward(self, hidden: Tensor) -> Tensor:
        """Transform each position.

        Args:
            hidden: [P, d].

        Returns:
            [P, d].
        """
        result: Tensor = self.down(self.activation(self.up(hidden)))
        return result
