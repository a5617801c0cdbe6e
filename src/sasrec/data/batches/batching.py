"""Batching: turns groups of windows into batches.

A batch is flat values plus offsets; on a CPU, its windows are padded to one length. Windows are cut
in ``windows.py`` and grouped in ``grouping.py``.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from sasrec.data.batches.batch import CPU as CPU
from sasrec.data.batches.batch import Batch as Batch
from sasrec.data.batches.event_types import ANY, EventTargets, types_for
from sasrec.data.batches.windows import Windows
from sasrec.data.sequences import Sequences
from sasrec.errors import DataError


class Collator:
    """Turns windows into batches; keeps all items on the device as one tensor."""

    def __init__(
        self,
        sequences: Sequences,
        *,
        with_times: bool = False,
        device: torch.device = CPU,
        targets: EventTargets = ANY,
    ) -> None:
        """Copy the items of all histories to the device.

        Args:
            sequences: The histories that windows refer to.
            with_times: Whether batches include the times of events.
            device: Device on which batches are assembled.
            targets: Which events are targets, and what is known about their types.

        Raises:
            DataError: ``with_times`` is set and the data have no times.
        """
        self._device, self._sequences = device, sequences
        self._items = torch.tensor(sequences.items).to(device)
        if with_times and sequences.times is None:
            raise DataError(
                "this model uses the times of events, but the data have none; set time_column to "
                "the column with times, or choose a model that does not use relative_bias=time"
            )
        self._times = torch.tensor(sequences.times).to(device) if with_times else None
        self._types = types_for(sequences, targets, device)

    def choosing(self, targets: EventTargets) -> Collator:
        """Return a collator of the same events with other targets.

        Args:
            targets: Which events are targets, and what is known about their types.
        """
        found = copy.copy(self)
        found._types = types_for(self._sequences, targets, self._device)
        return found

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
        n_targets = windows.targets
        pointers = torch.from_numpy(rows).to(self._device)
        begin = 0
        for size in sizes:
            here = slice(begin, begin + size)
            begin += size
            yield self._gathered(
                pointers[:, here],
                n_positions=int(windows.lengths[here].sum()),
                n_supervised=int(n_targets[here].sum()),
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
        batch = Batch(
            items=self._items[indices].long(),
            offsets=offsets,
            targets=following * (left <= span),
            users=users,
            negatives=None,
            longest=longest,
            times=None if self._times is None else self._times[indices],
            n_supervised=n_supervised,
        )
        if self._types is None:
            return batch
        return self._types.added_to(batch, indices, is_last=left == 1)

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
        batch = Batch(
            items=torch.from_numpy(items.ravel().astype(np.int64)),
            offsets=torch.arange(rows + 1) * columns,
            targets=torch.from_numpy(targets.ravel().astype(np.int64)),
            users=torch.from_numpy(users[:, 0]),
            negatives=None,
            longest=columns,
            times=times,
            n_supervised=int(windows.targets.sum()),
        )
        if self._types is None:
            return batch
        is_last = torch.from_numpy((steps == lengths - 1).ravel())
        return self._types.added_to(batch, torch.from_numpy(indices.ravel()), is_last=is_last)


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
