"""Building blocks: feed-forward layers, and the way from flat to padded and back."""

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
    """

    rows: int
    columns: int
    places: Tensor | None

    def add_by_position(self, values: Tensor, table: Tensor) -> Tensor:
        """Add to each value the row of a table that belongs to its position in the window.

        Args:
            values: [P, d].
            table: [L or more, d]; row 0 belongs to the oldest event.

        Returns:
            [P, d].
        """
        if self.places is None:
            rows = values.view(self.rows, self.columns, -1) + table[: self.columns]
            return rows.view(values.shape)
        return values + table[self.places % self.columns]


def layout_of(batch: Batch) -> Layout:
    """Return the layout of a batch.

    Args:
        batch: Any batch.

    Returns:
        Its layout.
    """
    n_positions, rows, columns = len(batch.items), len(batch.offsets) - 1, batch.longest
    if n_positions == rows * columns:
        return Layout(rows, columns, None)
    lengths = batch.offsets.diff()
    missing = torch.arange(rows, device=lengths.device) * columns - batch.offsets[:-1]
    shifts = torch.repeat_interleave(missing, lengths, output_size=n_positions)
    return Layout(rows, columns, shifts + torch.arange(n_positions, device=lengths.device))


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


def narrowed(values: Tensor) -> Tensor:
    """Return values in autocast's type where it is on, so that what follows stays in it.

    Otherwise every product would narrow its input anew, and every sum widen it again.

    Args:
        values: Any shape.

    Returns:
        The same shape.
    """
    kind = values.device.type
    if not torch.is_autocast_enabled(kind):
        return values
    return values.to(torch.get_autocast_dtype(kind))


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
