"""Positions and times inside attention: rotation of queries and keys, and a bias by distance."""

from __future__ import annotations

import math
from functools import cached_property
from typing import Literal

import torch
from torch import Tensor, nn

from sasrec.data.batches.batching import Batch
from sasrec.kernels.attention import Bias, gap_numbers
from sasrec.models.parts.layers import Layout

GAP_BUCKETS = 64
"""Kinds of gaps in time; the last holds gaps from 2**62 on, in whatever unit times have."""
UNKNOWN = GAP_BUCKETS
"""The bucket of gaps where times are not known."""
BASE = 10_000.0
"""Longest wavelength of a rotation, in positions over 2 pi."""

RelativeKind = Literal["none", "position", "time", "both"]
"""What a bias of attention scores may depend on."""


class Distances:
    """How far positions of the same window lie apart, in the form that is asked for."""

    def __init__(
        self, times: Tensor | None, untimed: Tensor | None, *, rows: int, steps: Tensor
    ) -> None:
        """Keep what distances come from.

        Args:
            times: float64 [B, L], or None where nobody knows them.
            untimed: bool [B], windows whose gaps are to be unknown although there are times; or
                None.
            rows: B.
            steps: int64 [L, L], number of events from column to row; 0 towards the future.
        """
        self._times, self._untimed, self._rows = times, untimed, rows
        self.steps = steps

    @cached_property
    def gaps(self) -> Tensor:
        """Bucket of the time from column to row, int64 [B, L, L]."""
        times = self._times
        if times is None:
            shape = (self._rows, *self.steps.shape)
            return self.steps.new_full((1, 1, 1), UNKNOWN).expand(shape)
        gaps = gap_buckets(times[:, :, None] - times[:, None, :])
        if self._untimed is not None:
            gaps = gaps.masked_fill_(self._untimed[:, None, None], UNKNOWN)
        return gaps

    @cached_property
    def numbers(self) -> Tensor:
        """The same as kernels take it (``kernels.attention.gap_numbers``)."""
        return gap_numbers(self._times, self._untimed, rows=self._rows, columns=len(self.steps))


def distances_of(batch: Batch, layout: Layout, untimed: Tensor | None = None) -> Distances:
    """Return the distances between the positions of each window.

    Args:
        batch: Without times, all gaps are unknown.
        layout: Of the batch.
        untimed: bool [B], windows whose gaps are to be unknown although there are times; or None.

    Returns:
        The distances.
    """
    steps = torch.arange(layout.columns, device=batch.items.device)
    times = batch.times
    if times is not None:
        if layout.places is not None:
            spread = times.new_zeros(layout.rows * layout.columns)
            times = spread.index_copy(0, layout.places, times)
        times = times.view(layout.rows, layout.columns)
    apart = (steps[:, None] - steps).clamp_(min=0)
    return Distances(times, untimed, rows=layout.rows, steps=apart)


def gap_buckets(gaps: Tensor) -> Tensor:
    """Return the bucket of each gap in time: 0 below one unit, then one for each doubling.

    HSTU's buckets (Zhai et al. 2024, arXiv:2402.17152) with one difference: HSTU measures from the
    time of the event to be predicted, which nobody knows yet; here the time runs between events
    of the history only.

    Args:
        gaps: float64, any shape, later minus earlier; negative ones count as 0.

    Returns:
        int64 of the same shape, 0 to ``GAP_BUCKETS - 1``.
    """
    largest = 2.0 ** (GAP_BUCKETS - 2)
    return gaps.float().clamp_(0.5, largest).frexp().exponent.long()


class RelativeBias(nn.Module):
    """A learned number for each head and distance, added to attention scores.

    By position as in T5 (Raffel et al. 2020, arXiv:1910.10683, without its buckets), by time as in
    HSTU. All are zero at first.
    """

    def __init__(self, heads: int, *, kind: RelativeKind, max_history: int) -> None:
        """Make the tables.

        Args:
            heads: H.
            kind: What the bias depends on.
            max_history: Longest window it will see.
        """
        super().__init__()
        by_step, by_gap = kind in {"position", "both"}, kind in {"time", "both"}
        self.by_step = nn.Parameter(torch.zeros(max_history, heads)) if by_step else None
        self.by_gap = nn.Parameter(torch.zeros(GAP_BUCKETS + 1, heads)) if by_gap else None

    def forward(self, distances: Distances) -> Tensor:
        """Return what to add.

        Args:
            distances: Of the batch.

        Returns:
            float [B or 1, H, L, L].
        """
        bias = torch.zeros((), device=distances.steps.device)
        if self.by_step is not None:
            bias = bias + _looked_up(self.by_step, distances.steps[None])
        if self.by_gap is not None:
            bias = bias + _looked_up(self.by_gap, distances.gaps)
        return bias

    def tables(self, distances: Distances) -> Bias:
        """Return the same as kernels take it, where nothing is looked up beforehand.

        Args:
            distances: Of the batch.
        """
        numbers = None if self.by_gap is None else distances.numbers
        return Bias(numbers, self.by_gap, self.by_step)


def _looked_up(table: Tensor, numbers: Tensor) -> Tensor:
    """Return table[numbers] with heads in second place, [B, H, L, L].

    Not by indexing: its gradient is summed by several threads at once, in an order that is another
    each time, so that the same seed would not give the same weights.
    """
    heads, shape = table.shape[1], numbers.shape
    flat = table.T.gather(1, numbers.reshape(1, -1).expand(heads, -1))
    return flat.view(heads, *shape).transpose(0, 1)


def rotated(values: Tensor, steps: Tensor) -> Tensor:
    """Turn pairs of elements by angles that grow with the position (RoPE, arXiv:2104.09864).

    Products of rotated queries and keys depend on how far apart they are, not on where they stand.

    Args:
        values: [P, ..., d / H] with d / H even; the first half is paired with the second.
        steps: int64 [P], each position's place in its window.

    Returns:
        The same shape.
    """
    half = values.shape[-1] // 2
    rates = torch.exp(torch.arange(half, device=values.device) * (-math.log(BASE) / half))
    angles = steps.view(-1, *[1] * (values.dim() - 1)) * rates
    cosine, sine = angles.cos().to(values.dtype), angles.sin().to(values.dtype)
    first, second = values[..., :half], values[..., half:]
    return torch.cat([first * cosine - second * sine, first * sine + second * cosine], dim=-1)
