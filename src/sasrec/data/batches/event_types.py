"""Event types in batches: the type of each event, and of the event to be predicted."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from sasrec.data.batches.batch import Batch
from sasrec.data.sequences import Sequences


@dataclass(frozen=True, slots=True)
class EventTargets:
    """Which events are targets, and what a model is told about the type of the next one.

    Attributes:
        asked: Number of the type to be predicted after the last event of a window, 0 for an event
            of any type; or ``true``, in training, for the type of the event that follows.
        chosen: bool [N], the events that are targets; None for all.
    """

    asked: int | Literal["true"] = 0
    chosen: np.ndarray | None = None


ANY = EventTargets()
"""All events are targets, and the type of the next one is not known."""


@dataclass(frozen=True, slots=True)
class CollatedTypes:
    """Adds event types to batches.

    Attributes:
        types: uint8 [N] on the device of the batches; None if the data have no types.
        asked: As in ``EventTargets``.
        chosen: bool [N] on the device of the batches; None for all.
    """

    types: Tensor | None
    asked: int | Literal["true"]
    chosen: Tensor | None

    def added_to(self, batch: Batch, indices: Tensor, *, is_last: Tensor) -> Batch:
        """Return a batch with types, and with only the chosen targets.

        Args:
            batch: The batch without types.
            indices: int64 [P], index of the event at each position; padding may have any index.
            is_last: bool [P], whether a position is the last of its window, without padding.

        Returns:
            The batch.
        """
        n_events = len(self.types) if self.types is not None else 0
        if self.chosen is not None:
            following = (indices + 1).clamp(max=len(self.chosen) - 1)
            batch = replace(batch, targets=batch.targets * self.chosen[following])
        if self.types is None:
            asked = torch.where(is_last, int(self.asked), 0) if self.asked != "true" else None
            return replace(batch, next_types=asked)
        is_event = batch.items > 0
        types = self.types[indices.clamp(max=n_events - 1)].long() * is_event
        following = self.types[(indices + 1).clamp(max=n_events - 1)].long() * is_event
        if self.asked != "true":
            following = torch.where(is_last, self.asked, following)
        return replace(batch, types=types, next_types=following)


def types_for(
    sequences: Sequences, targets: EventTargets, device: torch.device
) -> CollatedTypes | None:
    """Return what adds types to batches; None if there is nothing to add.

    Args:
        sequences: The histories.
        targets: Which events are targets, and the type to be predicted.
        device: Device on which batches are assembled.
    """
    types, chosen = sequences.types, targets.chosen
    if types is None and chosen is None and targets.asked in (0, "true"):
        return None
    return CollatedTypes(
        None if types is None else torch.from_numpy(types).to(device),
        targets.asked,
        None if chosen is None else torch.from_numpy(chosen).to(device),
    )
