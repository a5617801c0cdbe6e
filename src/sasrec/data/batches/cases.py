"""Batches for evaluation: the histories before each target, windows of similar length together."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import torch

from sasrec.data.batches.batching import Batch, Collator
from sasrec.data.batches.event_types import EventTargets
from sasrec.data.batches.grouping import sorted_groups
from sasrec.data.batches.windows import Windows, case_windows
from sasrec.data.sequences import Sequences
from sasrec.data.splits import Cases

BATCH_POSITIONS = 2**14
"""Most positions of a batch, padding included."""

Batches = Iterable[tuple[np.ndarray, Batch]]
"""Pairs of indices of some windows, int64 [b], and the batch of these windows."""


@dataclass(frozen=True, slots=True)
class EvaluationCases:
    """M cases, each with a history and the item that followed it.

    Attributes:
        sequences: All histories.
        ends: The user of each case, and where the history ends.
        max_history: Longest history the model sees, in events.
        device: Device to compute on.
        asked_type: Number of the type of the event to be predicted, 0 for an event of any type.
        seen_events: bool [N], the events whose items count as seen by the user; None for all.
    """

    sequences: Sequences
    ends: Cases
    max_history: int
    device: torch.device
    asked_type: int = 0
    seen_events: np.ndarray | None = None

    def __len__(self) -> int:
        """Return the number of cases, M."""
        return len(self.ends)

    @property
    def targets(self) -> np.ndarray:
        """The item that followed each history, int64 [M]."""
        targets: np.ndarray = self.sequences.items[self.ends.stops].astype(np.int64)
        return targets

    def batches(self, *, with_times: bool, order: np.ndarray | None = None) -> Batches:
        """Return the most recent events of each history, in batches.

        Args:
            with_times: Whether the model uses the times of events.
            order: int64 [M], a permutation of the cases; cases close to each other in it share a
                batch if their histories are equally long. None keeps the order of the cases.

        Returns:
            Indices of the cases, and their batch on the device; one at a time.
        """
        windows = case_windows(self.sequences, self.ends, self.max_history)
        collator = Collator(
            self.sequences,
            with_times=with_times,
            device=self.device,
            targets=EventTargets(self.asked_type),
        )
        if order is None:
            return grouped_batches(collator, windows, self.device)
        grouped = grouped_batches(collator, windows.take(order), self.device)
        return ((order[which], batch) for which, batch in grouped)


def grouped_batches(
    collator: Collator, windows: Windows, device: torch.device
) -> Iterator[tuple[np.ndarray, Batch]]:
    """Put windows into batches, windows of similar length together.

    Args:
        collator: The collator for the histories that the windows refer to.
        windows: Any number of windows.
        device: Device of the batches.

    Yields:
        Indices of the windows of a batch, int64 [b], and the batch; the longest windows first.
    """
    groups = sorted_groups(windows, BATCH_POSITIONS)
    ordered = windows.take(np.concatenate(groups)) if groups else windows
    batches = collator.batches(ordered, [len(group) for group in groups])
    for group, batch in zip(groups, batches, strict=True):
        yield group, batch.to(device)
