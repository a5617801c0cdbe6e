"""Conversion between flat and padded batches, and other functions that several models use."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from sasrec.data.batches.batching import Batch
from sasrec.kernels.lookup import VectorTable, rows_of


@dataclass(frozen=True, slots=True)
class Layout:
    """How the positions of a batch map to padded rows, one row per window.

    Attributes:
        rows: Number of windows, B.
        columns: Length of the longest window, L.
        padded_indices: int64 [P], row times L plus position in the window; None if all windows have
            length L, because then the flat and the padded form are the same memory.
        offsets: int64 [B + 1], index of each window's first position, followed by P.
    """

    rows: int
    columns: int
    padded_indices: Tensor | None
    offsets: Tensor

    @property
    def steps(self) -> Tensor:
        """Index of each position within its window, from 0, int64 [P]."""
        if self.padded_indices is not None:
            return self.padded_indices % self.columns
        return torch.arange(self.columns, device=self.offsets.device).repeat(self.rows)

    def add_by_position(self, values: Tensor, table: Tensor) -> Tensor:
        """Add to each value the table row for its position in the window.

        Args:
            values: [P, d].
            table: [L or more, d]; row 0 is for the oldest event.

        Returns:
            [P, d].
        """
        if self.padded_indices is None:
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
    n_positions, rows, columns = batch.items.shape[0], batch.offsets.shape[0] - 1, batch.longest
    if _is_rectangle(batch):
        return Layout(rows, columns, None, batch.offsets)
    lengths = batch.offsets.diff()
    missing = torch.arange(rows, device=lengths.device) * columns - batch.offsets[:-1]
    shifts = torch.repeat_interleave(missing, lengths, output_size=n_positions)
    indices = shifts + torch.arange(n_positions, device=lengths.device)
    return Layout(rows, columns, indices, batch.offsets)


def positions_from_end(batch: Batch) -> Tensor:
    """Return the number of events that follow each position in its window; 0 for the newest.

    Padding after a window's events is not counted; its own number is 0.

    Args:
        batch: Any batch.

    Returns:
        int64 [P].
    """
    lengths, offsets, n_positions = batch.lengths, batch.offsets, batch.items.shape[0]
    if _is_rectangle(batch):
        steps = torch.arange(batch.longest, device=lengths.device)
        return (lengths[:, None] - 1 - steps).clamp_(min=0).view(n_positions)
    last = torch.repeat_interleave(
        offsets[:-1] + lengths - 1, offsets.diff(), output_size=n_positions
    )
    return (last - torch.arange(n_positions, device=last.device)).clamp_(min=0)


def vectors(size: int, width: int, fill: Callable[[Tensor], Tensor]) -> VectorTable:
    """Return a table of random vectors; row 0, for padding or unknown users, is zero.

    Args:
        size: Number of rows.
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
    """Return the user of each position, or of some positions.

    Args:
        batch: Any batch.
        at: int64 [S], indices of the positions to return; None returns all.

    Returns:
        int64 [P], or [S]; 0 for users unknown to the model.
    """
    if _is_rectangle(batch):
        users = batch.users[:, None].expand(-1, batch.longest).reshape(-1)
    else:
        lengths = batch.offsets.diff()
        users = torch.repeat_interleave(batch.users, lengths, output_size=len(batch.items))
    return users if at is None else users[at]


def _is_rectangle(batch: Batch) -> bool:
    """Return whether all windows have the same length, padding included.

    The sizes come from ``shape``, because an exported graph would keep ``len`` as a constant.
    """
    return batch.items.shape[0] == (batch.offsets.shape[0] - 1) * batch.longest


def latest_events(batch: Batch, count: int, at: Tensor | None = None) -> Tensor:
    """Return the last events up to each position, or up to some positions, oldest first.

    Args:
        batch: Any batch.
        count: L, the number of events.
        at: int64 [S], indices of the positions to return; None returns all.

    Returns:
        int64 [P, L] or [S, L], item numbers, with zeros at the end if there are fewer events.
    """
    ends = torch.arange(len(batch.items), device=batch.items.device) if at is None else at
    window = torch.searchsorted(batch.offsets, ends, right=True) - 1
    begins = torch.maximum(batch.offsets[window], ends + 1 - count)
    indices = begins[:, None] + torch.arange(count, device=ends.device)
    inside = indices <= ends[:, None]
    return batch.items[indices.clamp(max=len(batch.items) - 1)] * inside


def pad(values: Tensor, layout: Layout) -> Tensor:
    """Convert flat values to padded rows, with zeros at the end of shorter windows.

    Args:
        values: [P, d].
        layout: Layout of the batch.

    Returns:
        [B, L, d].
    """
    width = values.shape[1]
    if layout.padded_indices is None:
        return values.view(layout.rows, layout.columns, width)
    padded = values.new_zeros(layout.rows * layout.columns, width)
    return padded.index_copy(0, layout.padded_indices, values).view(
        layout.rows, layout.columns, width
    )


def unpad(padded: Tensor, layout: Layout) -> Tensor:
    """Undo ``pad``.

    Args:
        padded: [B, L, d].
        layout: Layout of the batch.

    Returns:
        [P, d].
    """
    flat = padded.reshape(layout.rows * layout.columns, -1)
    return flat if layout.padded_indices is None else flat.index_select(0, layout.padded_indices)


def to_autocast_type(values: Tensor) -> Tensor:
    """Return values in autocast's type if autocast is on, so that later layers keep this type.

    Otherwise every product would convert its input to that type again, and every sum back.

    Args:
        values: Any shape.

    Returns:
        The same shape.
    """
    kind = values.device.type
    if not torch.is_autocast_enabled(kind):
        return values
    return values.to(torch.get_autocast_dtype(kind))
