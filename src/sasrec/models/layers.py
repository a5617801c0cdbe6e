"""Building blocks: feed-forward layers, norms, and the way from flat to padded and back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sasrec.data.batching import Batch
from sasrec.kernels import layers as kernel
from sasrec.lookup import VectorTable, rows_of
from sasrec.models.dropout import Dropout
from sasrec.settings import Activation, Norm

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
        offsets: int64 [B + 1], where windows begin in flat values, and the end.
    """

    rows: int
    columns: int
    places: Tensor | None
    offsets: Tensor

    @property
    def steps(self) -> Tensor:
        """Each position's place in its window from 0, int64 [P]."""
        if self.places is not None:
            return self.places % self.columns
        return torch.arange(self.columns, device=self.offsets.device).repeat(self.rows)

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
        return values + rows_of(table, self.steps)


def layout_of(batch: Batch) -> Layout:
    """Return the layout of a batch.

    Args:
        batch: Any batch.

    Returns:
        Its layout.
    """
    n_positions, rows, columns = len(batch.items), len(batch.offsets) - 1, batch.longest
    if n_positions == rows * columns:
        return Layout(rows, columns, None, batch.offsets)
    lengths = batch.offsets.diff()
    missing = torch.arange(rows, device=lengths.device) * columns - batch.offsets[:-1]
    shifts = torch.repeat_interleave(missing, lengths, output_size=n_positions)
    places = shifts + torch.arange(n_positions, device=lengths.device)
    return Layout(rows, columns, places, batch.offsets)


def places_from_the_end(batch: Batch) -> Tensor:
    """Return how many events of its window follow each position; 0 at the newest.

    Padding behind a window's events does not count, and has the place 0.

    Args:
        batch: Any batch.

    Returns:
        int64 [P].
    """
    lengths = batch.lengths
    last = torch.repeat_interleave(
        batch.offsets[:-1] + lengths - 1, batch.offsets.diff(), output_size=len(batch.items)
    )
    return (last - torch.arange(len(batch.items), device=last.device)).clamp_(min=0)


def vectors(size: int, width: int, fill: Callable[[Tensor], Tensor]) -> VectorTable:
    """Return a table of random vectors, that of number 0 (padding, or nobody known) being zero.

    Args:
        size: Numbers from 0.
        width: d.
        fill: Fills a tensor with random numbers, such as ``nn.init.xavier_normal_``.

    Returns:
        The table.
    """
    table = VectorTable(size, width, padding_idx=0)
    fill(table.weight)
    nn.init.zeros_(table.weight[0].detach())
    return table


def users_of(batch: Batch, at: Tensor | None = None) -> Tensor:
    """Return whose event each position holds, or some of them.

    Args:
        batch: Any batch.
        at: int64 [S], the positions wanted; None wants all.

    Returns:
        int64 [P], or [S]; 0 for users unknown to the model.
    """
    users = torch.repeat_interleave(batch.users, batch.offsets.diff(), output_size=len(batch.items))
    return users if at is None else users[at]


def latest_events(batch: Batch, count: int, at: Tensor | None = None) -> Tensor:
    """Return the last events up to each position, or some of them, oldest first.

    Args:
        batch: Any batch.
        count: How many, L.
        at: int64 [S], the positions wanted; None wants all.

    Returns:
        int64 [P, L] or [S, L], item numbers; zeros stand behind fewer events.
    """
    ends = torch.arange(len(batch.items), device=batch.items.device) if at is None else at
    window = torch.searchsorted(batch.offsets, ends, right=True) - 1
    begins = torch.maximum(batch.offsets[window], ends + 1 - count)
    places = begins[:, None] + torch.arange(count, device=ends.device)
    inside = places <= ends[:, None]
    return batch.items[places.clamp(max=len(batch.items) - 1)] * inside


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


class Linear(nn.Linear):
    """A linear layer, and perhaps an activation behind it; compiled where that is faster."""

    def forward(
        self,
        input: Tensor,  # noqa: A002 - the name nn.Linear gives it
        activation: Callable[[Tensor], Tensor] | None = None,
    ) -> Tensor:
        """Transform each position.

        Args:
            input: [P, d].
            activation: What to apply to the outcome.

        Returns:
            [P, e].
        """
        if kernel.takes_linear(input, self.weight, self.bias):
            if activation is F.gelu:
                return kernel.linear(input, self.weight, self.bias, gelu=True)
            result = kernel.linear(input, self.weight, self.bias)
        else:
            result = super().forward(input)
        return result if activation is None else activation(result)


class FeedForward(nn.Module):
    """Two linear layers with an activation between, at each position alone."""

    def __init__(
        self, width: int, *, inner: int, activation: Activation, dropout: float = 0.0
    ) -> None:
        """Make the layers.

        Args:
            width: d.
            inner: Width between the two layers.
            activation: Its name.
            dropout: Probability of dropping an element between the two layers.
        """
        super().__init__()
        self.up = Linear(width, inner)
        self.down = Linear(inner, width)
        self.activation = ACTIVATIONS[activation]
        self.dropout = Dropout(dropout)

    def forward(self, hidden: Tensor) -> Tensor:
        """Transform each position.

        Args:
            hidden: [P, d].

        Returns:
            [P, d].
        """
        result: Tensor = self.down(self.dropout(self.up(hidden, self.activation)))
        return result


class SwiGLU(nn.Module):
    """A feed-forward layer whose inside is gated (Shazeer 2020, arXiv:2002.05202, section 2).

    down(swish(gate(x)) * up(x)); ``gate`` and ``up`` are one product.
    """

    def __init__(self, width: int, *, inner: int) -> None:
        """Make the layers.

        Args:
            width: d.
            inner: Width between the layers; they hold half as much again as a ``FeedForward``.
        """
        super().__init__()
        self.gate_and_up = Linear(width, 2 * inner)
        self.down = Linear(inner, width)

    def forward(self, hidden: Tensor) -> Tensor:
        """Transform each position.

        Args:
            hidden: [P, d].

        Returns:
            [P, d].
        """
        gate, up = self.gate_and_up(hidden).chunk(2, dim=-1)
        result: Tensor = self.down(F.silu(gate) * up)
        return result


def make_norm(kind: Norm, width: int, eps: float) -> nn.Module:
    """Return a normalisation over the last dimension.

    Args:
        kind: ``layer`` (Ba et al. 2016, arXiv:1607.06450) or ``rms``, which neither centres nor
            shifts (Zhang & Sennrich 2019, arXiv:1910.07467).
        width: d.
        eps: Added to the variance, or to the mean square.

    Returns:
        The module.
    """
    return LayerNorm(width, eps=eps) if kind == "layer" else RMSNorm(width, eps=eps)


class LayerNorm(nn.LayerNorm):
    """Layer normalisation; compiled where that is faster."""

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002 - the name nn.LayerNorm gives it
        """Normalise each row.

        Args:
            input: [..., d].

        Returns:
            The same shape.
        """
        if kernel.takes_sum(input, norm=self):
            return kernel.normalised(input, self)
        return super().forward(input)


class RMSNorm(nn.RMSNorm):
    """Normalisation by the root of the mean square, in the type of what it is given."""

    def forward(self, x: Tensor) -> Tensor:
        """Normalise each row.

        Args:
            x: [..., d], narrower than the weights inside autocast.

        Returns:
            The same shape and type.
        """
        weight = self.weight.to(x.dtype)  # PyTorch is slow where the two differ, and warns
        return F.rms_norm(x, self.normalized_shape, weight, self.eps)
