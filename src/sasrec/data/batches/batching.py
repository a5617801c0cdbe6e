"""Batching: groups of windows become batches.

A batch is flat values plus offsets; for a CPU its windows are filled up to one length. How windows
are cut is in ``windows.py``, how they are dealt into groups in ``grouping.py``.
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
    """Some windows, flat.

    Attributes:
        items: int64 [P], item numbers, windows one after the other, oldest event first.
        offsets: int64 [B + 1]; window b is ``items[offsets[b]:offsets[b + 1]]``.
        targets: int64 [P], the item that follows; 0 where the position is not supervised.
        users: int64 [B], user numbers; 0 for a user unknown to the model.
        negatives: int64 [P, K] items that did not follow, or None.
        longest: Length of the longest window, as a plain number so that no device has to be asked.
        times: float64 [P], when each event was, or None; only made for models that look at it.
        n_supervised: How many positions have a target, as a plain number likewise; None where that
            has to be counted.
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
        """Indices of the positions that have a target, rising, int64 [S]."""
        if self.n_supervised is None:
            return (self.targets > 0).nonzero()[:, 0]
        # Of a size given beforehand, so that nobody waits for a GPU to count them.
        return torch.nonzero_static(self.targets, size=self.n_supervised)[:, 0]

    @property
    def last(self) -> Tensor:
        """Index of each window's last position, int64 [B]."""
        return self.offsets[1:] - 1

    @property
    def lengths(self) -> Tensor:
        """Number of events in each window, padding behind them not counted, int64 [B]."""
        sums = F.pad((self.items > 0).long().cumsum(0), (1, 0))
        return sums[self.offsets].diff()

    def to(self, device: torch.device) -> Batch:
        """Return the batch on a device.

        Args:
            device: Where to.

        Returns:
            The same values there.
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
    """Turns windows into batches; holds the items once, as a tensor."""

    def __init__(
        self,
        sequences: Sequences,
        *,
        with_times: bool = False,
        device: torch.device = CPU,
    ) -> None:
        """Keep the items of all histories.

        Args:
            sequences: What the windows point into.
            with_times: Give batches the times of their events.
            device: Where batches are put together.

        Raises:
            DataError: Times are wanted and there are none.
        """
        self._device = device
        self._items = torch.tensor(sequences.items).to(device)
        if with_times and sequences.times is None:
            raise DataError(
                "this model looks at the times of events, and the data have none; name their "
                "column with time_column, or choose a model without relative_bias by time"
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

        To a GPU go only the pointers, all at once; with the events there already, a batch is put
        together without a copy from the host, and nobody waits for it.

        Args:
            windows: One group behind the other.
            sizes: Windows in each group, at least 1.

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
        places = steps + torch.repeat_interleave(
            starts - offsets[:-1], lengths, output_size=n_positions
        )
        left = torch.repeat_interleave(offsets[1:], lengths, output_size=n_positions)
        left -= steps  # positions to the window's end, 1 at the last
        span = torch.repeat_interleave(supervised, lengths, output_size=n_positions)
        following = self._items[(places + 1).clamp_(max=len(self._items) - 1)].long()
        return Batch(
            items=self._items[places].long(),
            offsets=offsets,
            targets=following * (left <= span),
            users=users,
            negatives=None,
            longest=longest,
            times=None if self._times is None else self._times[places],
            n_supervised=n_supervised,
        )

    def rectangle(self, windows: Windows, max_length: int) -> Batch:
        """Gather windows filled up to one length, and their number filled up to a round one.

        Padding stands behind the events of a window and in whole windows at the end; nothing of it
        is supervised. Matrix libraries on a CPU prepare a product once for each shape, which takes
        longer than the product; with these shapes few preparations serve a whole training.

        Args:
            windows: At least one window.
            max_length: Length a window may have at most, at least that of the longest.

        Returns:
            The same windows in the same order as ``batch``, each of the same length; P is B times
            that.
        """
        rows = rounded_up(len(windows), steps=8)
        columns = min(rounded_up(int(windows.lengths.max()), steps=8), max_length)
        # In NumPy, whose calls cost less than torch's for so little data.
        parts = np.zeros((4, rows, 1), dtype=np.int64)
        parts[:, : len(windows), 0] = (
            windows.starts,
            windows.lengths,
            windows.supervised,
            windows.users,
        )
        starts, lengths, supervised, users = parts
        steps, known = np.arange(columns), self._items.numpy()
        places = starts + steps
        is_event = steps < lengths
        is_supervised = is_event & (steps >= lengths - supervised)
        items = known.take(places, mode="clip") * is_event
        targets = known.take(places + 1, mode="clip") * is_supervised
        times = None
        if self._times is not None:  # padding is never looked at, so any time will do
            times = torch.from_numpy(self._times.numpy().take(places.ravel(), mode="clip"))
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
    """Return the next round number; between a power of two and the next there are ``steps``.

    ``rounded_up(41, steps=8)`` is 44, as from 32 on the round numbers lie 4 apart.

    Args:
        size: From 1.
        steps: A power of two.

    Returns:
        At least ``size``, at most ``1 + 1 / steps`` times it.
    """
    distance = max(1, (1 << size.bit_length() - 1) // steps)
    return -(-size // distance) * distance
