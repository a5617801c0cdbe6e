"""Cases to evaluate: histories, and the item that followed each of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from sasrec.data.batches.batching import Collator
from sasrec.data.batches.windows import Windows, case_windows
from sasrec.data.sequences import Sequences
from sasrec.data.splits import Cases
from sasrec.models.contract import NextItemModel


@dataclass(frozen=True, slots=True)
class EvaluationCases:
    """M cases: a history each, and the item that followed it.

    Attributes:
        sequences: All histories.
        ends: Whose history each case is, and where it ends.
        max_history: Longest history the model sees, in events.
        device: Where to compute.
    """

    sequences: Sequences
    ends: Cases
    max_history: int
    device: torch.device

    def __len__(self) -> int:
        """Return the number of cases, M."""
        return len(self.ends)

    @property
    def targets(self) -> np.ndarray:
        """The item that followed each history, int64 [M]."""
        targets: np.ndarray = self.sequences.items[self.ends.stops].astype(np.int64)
        return targets

    def windows(self) -> Windows:
        """Return the most recent events of each history, in the order of the cases."""
        return case_windows(self.sequences, self.ends, self.max_history)

    def collator(self, model: NextItemModel) -> Collator:
        """Return what makes batches of these histories.

        Args:
            model: Which parts of the events it needs.

        Returns:
            A collator; its batches are on the device.
        """
        return Collator(self.sequences, with_times=model.needs_times, device=self.device)
