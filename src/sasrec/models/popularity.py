"""Popularity: the items most people met, the same for everybody. The baseline to beat."""

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
        """Keep the counts.

        Args:
            counts: [V], events of each item; 0 for padding.
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
            at: int64 [S], the positions wanted, or None.

        Returns:
            Ones, [P, 1], or [S, 1].
        """
        wanted = batch.items if at is None else at
        return torch.ones(len(wanted), 1, device=batch.items.device)


def item_counts(split: Split, n_items: int) -> np.ndarray:
    """Return how many training events each item has.

    Args:
        split: What trains.
        n_items: Items in the catalogue, padding not counted.

    Returns:
        int64 [V]; 0 for padding.
    """
    return np.bincount(split.train_items(), minlength=n_items + 1)


def recent_counts(split: Split, n_items: int, share: float) -> np.ndarray:
    """Return how many of the latest training events each item has.

    Args:
        split: What trains.
        n_items: Items in the catalogue, padding not counted.
        share: Of the training events, above 0 to 1; with those at the same moment as the first.

    Returns:
        int64 [V]; 0 for padding. Of all training events where the data have no times.
    """
    kept = split.is_training()
    times = split.sequences.times
    if times is not None and share < 1 and kept.any():
        moments = times[kept]
        first = len(moments) - max(1, round(share * len(moments)))
        kept &= times >= np.partition(moments, first)[first]
    return np.bincount(split.sequences.items[kept], minlength=n_items + 1)


def fit_popularity(split: Split, counts: np.ndarray) -> Popularity:
    """Return the baseline that recommends what most training events are of.

    Args:
        split: What trains; it is counted already.
        counts: int64 [V], training events of each item.

    Returns:
        The fitted model.
    """
    return Popularity(torch.from_numpy(counts))
