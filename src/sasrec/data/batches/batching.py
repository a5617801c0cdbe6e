"""Batching: turns groups of windows into batches.

A batch is flat values plus offsets; on a CPU, its windows are padded to one length. Windows are cut
in ``windows.py`` and grouped in ``grouping.py``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from sasrec.data.batches.windows import Windows
from sasrec.data.sequences import Sequences
from sasrec.errors import DataError

CPU = torch.device("cpu")


@dataclass(frozen=True, slots=True)
class Batch:
    """Some windows as flat arrays.

    Attributes:
        items: int64 [P], item numbers, windows one after the other, oldest event first.
        offsets: int64 [B + 1]; window b is ``items[offsets[b]:offsets[b + 1]]``.
        targets: int64 [P], the item that follows; 0 where the position is not supervised.
        users: int64 [B], user numbers; 0 for a user unknown to the model.
        negatives: int64 [P, K], items other than the target, or None.
        longest: Length of the longest window, as a Python int: on a GPU, reading it from a tensor
            would force a synchronisation.
        times: float64 [P], the time of each event, or None; only given to models that use times.
        n_supervised: Number of positions with a target, as a Python int for the same reason; None
            if it must be counted.
    """

    items: Tensor
    offsets: Tensor
    targets: Tensor
    users: Tensor
    negatives: Tensor | None
    longest: int
    times: Tensor | None = None
    n_supervised: int | None = None

    @property
    def supervised(self) -> Tensor:
        """Indices of the positions that have a target, ascending, int64 [S]."""
        if self.n_supervised is None:
            return (self.targets > 0).nonzero()[:, 0]
        # With the size known in advance, there is no synchronisation with the GPU.
        return torch.nonzero_static(self.targets, size=self.n_supervised)[:, 0]

    @property
    def last(self) -> Tensor:
        """Index of each window's last position, int64 [B]."""
        return self.offsets[1:] - 1

    @property
    def lengths(self) -> Tensor:
        """Number of events in each window, without padding, int64 [B]."""
        sums = F.pad((self.items > 0).long().cumsum(0), (1, 0))
        return sums[self.offsets].diff()

    def to(self, device: torch.device) -> Batch:
        """Return the batch on a device.

        Args:
            device: The device.

        Returns:
            The same values on that device.
        """
        negatives = None if self.negatives is None else self.negatives.to(device)
        times = None if self.times is None else self.times.to(device, non_blocking=True)
        return replace(
            self,
            items=self.items.to(device, non_blocking=True),
            offsets=self.offsets.to(device, non_blocking=True),
            targets=self.targets.to(device, non_blocking=True),
            users=self.users.to(device, non_blocking=True),
            negatives=negatives,
            times=times,
        )


class Collator:
    """Turns windows into batches; keeps all items on the device as one tensor."""

    def __init__(
        self,
        sequences: Sequences,
        *,
        with_times: bool = False,
        device: torch.device = CPU,
    ) -> None:
        """Copy the items of all histories to the device.

        Args:
            sequences: The histories that windows refer to.
            with_times: Whether batches include the times of events.
            device: Device on which batches are assembled.

        Raises:
            DataError: ``with_times`` is set and the data have no times.
        """
        self._device = device
        self._items = torch.tensor(sequences.items).to(device)
        if with_times and sequences.times is None:
            raise DataError(
                "this model uses the times of events, but the data have none; set time_column to "
                "the column with times, or choose a model that does not use relative_bias=time"
            )
        self._times = torch.tensor(sequences.times).to(device) if with_times else None

    def batch(self, windows: Windows) -> Batch:
        """Gather the events of some windows.

        Args:
            windows: At least one window.

        Returns:
            The batch, without negatives.
        """
        return next(self.batches(windows, [len(windows)]))

    def batches(self, windows: Windows, sizes: Sequence[int]) -> Iterator[Batch]:
        """Gather the events of windows, group by group.

        On a GPU, only the indices of all windows are copied, once. The events are there already,
        so each batch is assembled without a further copy and without synchronisation.

        Args:
            windows: All windows, one group after the other.
            sizes: Number of windows in each group, at least 1.

        Yields:
            A batch for each group, without negatives.
        """
        rows = np.stack([windows.starts, windows.lengths, windows.supervised, windows.users])
        pointers = torch.from_numpy(rows).to(self._device)
        begin = 0
        for size in sizes:
            here = slice(begin, begin + size)
            begin += size
            yield self._gathered(
                pointers[:, here],
                n_positions=int(windows.lengths[here].sum()),
                n_supervised=int(windows.supervised[here].sum()),
                longest=int(windows.lengths[here].max()),
            )

    def _gathered(
        self, pointers: Tensor, *, n_positions: int, n_supervised: int, longest: int
    ) -> Batch:
        """Return the batch of windows given as starts, lengths, supervised, users: int64 [4, B]."""
        starts, lengths, supervised, users = pointers
        offsets = F.pad(lengths.cumsum(0), (1, 0))
        steps = torch.arange(n_positions, device=self._device)
        indices = steps + torch.repeat_interleave(
            starts - offsets[:-1], lengths, output_size=n_positions
        )
        left = torch.repeat_interleave(offsets[1:], lengths, output_size=n_positions)
        left -= steps  # number of positions to the end of the window, 1 for the last
        span = torch.repeat_interleave(supervised, lengths, output_size=n_positions)
        following = self._items[(indices + 1).clamp_(max=len(self._items) - 1)].long()
        return Batch(
            items=self._items[indices].long(),
            offsets=offsets,
            targets=following * (left <= span),
            users=users,
            negatives=None,
            longest=longest,
            times=None if self._times is None else self._times[indices],
            n_supervised=n_supervised,
        )

    def rectangle(self, windows: Windows, max_length: int) -> Batch:
        """Gather windows padded to one length, and add empty windows up to a round number.

        Padding is after the events of a window, and in whole windows at the end; it is never
        supervised. On a CPU, matrix libraries compile a kernel for each shape, which takes longer
        than the product itself; rounding limits the number of different shapes.

        Args:
            windows: At least one window.
            max_length: Upper limit on the padded length; no window is longer than this.

        Returns:
            The windows in the same order as in ``batch``, all with the same length; P is B times
            this length.
        """
        rows = rounded_up(len(windows), steps=8)
        columns = min(rounded_up(int(windows.lengths.max()), steps=8), max_length)
        # NumPy, because its calls have less overhead than torch's for so little data.
        parts = np.zeros((4, rows, 1), dtype=np.int64)
        parts[:, : len(windows), 0] = (
            windows.starts,
            windows.lengths,
            windows.supervised,
            windows.users,
        )
        starts, lengths, supervised, users = parts
        steps, known = np.arange(columns), self._items.numpy()
        indices = starts + steps
        is_event = steps < lengths
        is_supervised = is_event & (steps >= lengths - supervised)
        items = known.take(indices, mode="clip") * is_event
        targets = known.take(indices + 1, mode="clip") * is_supervised
        times = None
        if self._times is not None:  # times of padding are never used, so they may be anything
            times = torch.from_numpy(self._times.numpy().take(indices.ravel(), mode="clip"))
        return Batch(
            items=torch.from_numpy(items.ravel().astype(np.int64)),
            offsets=torch.arange(rows + 1) * columns,
            targets=torch.from_numpy(targets.ravel().astype(np.int64)),
            users=torch.from_numpy(users[:, 0]),
            negatives=None,
            longest=columns,
            times=times,
            n_supervised=int(windows.supervised.sum()),
        )


def rounded_up(size: int, *, steps: int) -> int:
    """Return a number rounded up, so that few different results occur.

    From each power of two to the next there are ``steps`` possible results:
    ``rounded_up(41, steps=8)`` is 44, since between 32 and 64 they are 4 apart.

    Args:
        size: The number, at least 1.
        steps: A power of two.

    Returns:
        At least ``size``, at most ``1 + 1 / steps`` times it.
    """
    distance = max(1, (1 << size.bit_length() - 1) // steps)
    return -(-size // distance) * distance
