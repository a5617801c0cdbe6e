"""Popularity baseline: recommend the items with the most training events to all users."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from sasrec.data.batches.batching import Batch
from sasrec.data.splits import Split
from sasrec.models.contract import NextItemModel


class Popularity(NextItemModel):
    """Scores an item by its number of training events."""

    def __init__(self, counts: Tensor) -> None:
        """Create the model from counts.

        Args:
            counts: [V], number of events of each item; 0 for padding.
        """
        super().__init__()
        self.register_buffer("counts", counts.float())

    @property
    def item_table(self) -> Tensor:
        """Counts as item vectors of width one, [V, 1]."""
        counts: Tensor = self.get_buffer("counts")
        return counts[:, None]

    def encode(self, batch: Batch, at: Tensor | None = None) -> Tensor:
        """Return the same state for every history.

        Args:
            batch: Any batch.
            at: int64 [S], indices of the positions to compute, or None.

        Returns:
            Ones, [P, 1], or [S, 1].
        """
        positions = batch.items if at is None else at
        return torch.ones(len(positions), 1, device=batch.items.device)


def item_counts(split: Split, n_items: int) -> np.ndarray:
    """Return the number of training events of each item.

    Args:
        split: The split; its training part is counted.
        n_items: Number of items in the catalogue, padding not counted.

    Returns:
        int64 [V]; 0 for padding.
    """
    return np.bincount(split.train_items(), minlength=n_items + 1)


def counted_events(split: Split) -> np.ndarray:
    """Return which training events baselines count: those that could be a test target.

    Args:
        split: The split.

    Returns:
        bool [N].
    """
    kept = split.is_training()
    return kept if split.wanted is None else kept & split.wanted


def wanted_counts(split: Split, counts: np.ndarray) -> np.ndarray:
    """Return the number of training events of each item that baselines count.

    Args:
        split: The split.
        counts: int64 [V], all training events of each item.

    Returns:
        int64 [V].
    """
    if split.wanted is None:
        return counts
    return np.bincount(split.sequences.items[counted_events(split)], minlength=len(counts))


def recent_counts(split: Split, n_items: int, share: float) -> np.ndarray:
    """Return the number of events of each item among the latest training events.

    Args:
        split: The split; its training part is counted.
        n_items: Number of items in the catalogue, padding not counted.
        share: Share of the training events to count, latest first, above 0 and up to 1. Events
            with the same timestamp as the earliest counted one are counted too.

    Returns:
        int64 [V]; 0 for padding. If the data have no timestamps, all training events are counted.
    """
    kept = split.is_training()
    times = split.sequences.times
    if times is not None and share < 1 and kept.any():
        timestamps = times[kept]
        first = len(timestamps) - max(1, round(share * len(timestamps)))
        kept &= times >= np.partition(timestamps, first)[first]
    return np.bincount(split.sequences.items[kept], minlength=n_items + 1)


def fit_popularity(split: Split, counts: np.ndarray) -> Popularity:
    """Return the popularity baseline.

    Args:
        split: Tells which events are counted, if not all are.
        counts: int64 [V], training events of each item.

    Returns:
        The fitted model.
    """
    return Popularity(torch.from_numpy(wanted_counts(split, counts)))
