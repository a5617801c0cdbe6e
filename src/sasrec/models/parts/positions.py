"""Positions and times in attention: rotation of queries and keys, and a bias by distance."""

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
"""Number of buckets for time gaps; the last bucket holds gaps of 2**62 and more, in the data's
unit of time."""
UNKNOWN = GAP_BUCKETS
"""Bucket number of unknown gaps."""
BASE = 10_000.0
"""Upper bound of a rotation's wavelength, in positions divided by 2 pi."""

RelativeKind = Literal["none", "position", "time", "both"]
"""What the bias of attention scores depends on."""


class Distances:
    """Distances between positions of the same window, computed in the requested form on demand."""

    def __init__(
        self, times: Tensor | None, untimed: Tensor | None, *, rows: int, steps: Tensor
    ) -> None:
        """Store the data that distances are computed from.

        Args:
            times: float64 [B, L], timestamps, or None if they are unknown.
            untimed: bool [B], windows whose timestamps are ignored, so that their gaps are unknown;
                or None.
            rows: B.
            steps: int64 [L, L], number of events from column to row; 0 if the column is later.
        """
        self._times, self._untimed, self._rows = times, untimed, rows
        self.steps = steps

    @cached_property
    def gaps(self) -> Tensor:
        """Bucket of the time gap from column to row, int64 [B, L, L]."""
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
        """The same in the kernels' format (``kernels.attention.gap_numbers``)."""
        return gap_numbers(self._times, self._untimed, rows=self._rows, columns=len(self.steps))


def distances_of(batch: Batch, layout: Layout, untimed: Tensor | None = None) -> Distances:
    """Return the distances between the positions of each window.

    Args:
        batch: Any batch; if it has no timestamps, all gaps are unknown.
        layout: Layout of the batch.
        untimed: bool [B], windows whose timestamps are ignored, so that their gaps are unknown; or
            None.

    Returns:
        The distances.
    """
    steps = torch.arange(layout.columns, device=batch.items.device)
    times = batch.times
    if times is not None:
        if layout.padded_indices is not None:
            spread = times.new_zeros(layout.rows * layout.columns)
            times = spread.index_copy(0, layout.padded_indices, times)
        times = times.view(layout.rows, layout.columns)
    apart = (steps[:, None] - steps).clamp_(min=0)
    return Distances(times, untimed, rows=layout.rows, steps=apart)


def gap_buckets(gaps: Tensor) -> Tensor:
    """Return the bucket of each time gap: 0 below one unit, then one bucket for each doubling.

    These are HSTU's buckets (Zhai et al. 2024, arXiv:2402.17152) with one difference: HSTU measures
    gaps to the time of the event to be predicted, which is not known in use; here gaps are only
    between events of the history.

    Args:
        gaps: float64, any shape, later minus earlier; negative ones count as 0.

    Returns:
        int64 of the same shape, 0 to ``GAP_BUCKETS - 1``.
    """
    largest = 2.0 ** (GAP_BUCKETS - 2)
    return gaps.float().clamp_(0.5, largest).frexp().exponent.long()


class RelativeBias(nn.Module):
    """A learned number for each head and distance, added to attention scores.

    The bias by position is that of T5 (Raffel et al. 2020, arXiv:1910.10683) without its buckets;
    the bias by time is that of HSTU. All numbers are initially zero.
    """

    def __init__(self, heads: int, *, kind: RelativeKind, max_history: int) -> None:
        """Create the tables.

        Args:
            heads: H.
            kind: What the bias depends on.
            max_history: Length of the longest window.
        """
        super().__init__()
        by_step, by_gap = kind in {"position", "both"}, kind in {"time", "both"}
        self.by_step = nn.Parameter(torch.zeros(max_history, heads)) if by_step else None
        self.by_gap = nn.Parameter(torch.zeros(GAP_BUCKETS + 1, heads)) if by_gap else None

    def forward(self, distances: Distances) -> Tensor:
        """Return the bias to add to the scores.

        Args:
            distances: Distances in the batch.

        Returns:
            float [B or 1, H, L, L].
        """
        bias = torch.zeros((), device=distances.steps.device)
        if self.by_step is not None:
            bias = bias + _looked_up(self.by_step, distances.steps[None])
        if self.by_gap is not None:
            bias = bias + _looked_up(self.by_gap, distances.gaps)
        return bias

    def kernel_bias(self, distances: Distances) -> Bias:
        """Return the same in the kernels' format; the kernel looks up the tables itself.

        Args:
            distances: Distances in the batch.
        """
        numbers = None if self.by_gap is None else distances.numbers
        return Bias(numbers, self.by_gap, self.by_step)


def _looked_up(table: Tensor, numbers: Tensor) -> Tensor:
    """Return table[numbers] with the heads as second dimension, [B, H, L, L].

    Indexing is not used: several threads sum its gradient in an order that varies from run to run,
    so the same seed would not give the same weights.
    """
    heads, shape = table.shape[1], numbers.shape
    flat = table.T.gather(1, numbers.reshape(1, -1).expand(heads, -1))
    return flat.view(heads, *shape).transpose(0, 1)


def rotated(values: Tensor, steps: Tensor) -> Tensor:
    """Rotate pairs of elements by angles that grow with the position (RoPE, arXiv:2104.09864).

    Dot products of rotated queries and keys depend on their distance, not on their positions.

    Args:
        values: [P, ..., d / H] with d / H even; the first half is paired with the second.
        steps: int64 [P], index of each position within its window.

    Returns:
        The same shape.
    """
    half = values.shape[-1] // 2
    rates = torch.exp(torch.arange(half, device=values.device) * (-math.log(BASE) / half))
    angles = steps.view(-1, *[1] * (values.dim() - 1)) * rates
    cosine, sine = angles.cos().to(values.dtype), angles.sin().to(values.dtype)
    first, second = values[..., :half], values[..., half:]
    return torch.cat([first * cosine - second * sine, first * sine + second * cosine], dim=-1)
