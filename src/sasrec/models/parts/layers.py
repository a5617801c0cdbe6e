"""The way from flat to padded and back, and what else models share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from sasrec.data.batches.batching import Batch
from sasrec.kernels.lookup import VectorTable, rows_of


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
