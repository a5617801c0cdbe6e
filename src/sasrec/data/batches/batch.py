"""A batch: some windows as flat values plus offsets."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import Tensor

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
        types: int64 [P], the type of each event, 0 for an unknown type; None if the data have no
            types.
        next_types: int64 [P], the type of the event to be predicted at each position, 0 for an
            event of any type; None if it is any type everywhere.
        untimed: bool [B], windows whose times are unknown although there are times; None if there
            are none.
    """

    items: Tensor
    offsets: Tensor
    targets: Tensor
    users: Tensor
    negatives: Tensor | None
    longest: int
    times: Tensor | None = None
    n_supervised: int | None = None
    types: Tensor | None = None
    next_types: Tensor | None = None
    untimed: Tensor | None = None

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
        times, types, next_types = (
            None if each is None else each.to(device, non_blocking=True)
            for each in (self.times, self.types, self.next_types)
        )
        untimed = None if self.untimed is None else self.untimed.to(device)
        return replace(
            self,
            items=self.items.to(device, non_blocking=True),
            offsets=self.offsets.to(device, non_blocking=True),
            targets=self.targets.to(device, non_blocking=True),
            users=self.users.to(device, non_blocking=True),
            negatives=negatives,
            times=times,
            types=types,
            next_types=next_types,
            untimed=untimed,
        )
