"""Baseline: recommend the items with the most events lately, before the moment of recommending."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from sasrec.data.batches.batching import Batch
from sasrec.data.splits import Split
from sasrec.models.contract import NextItemModel
from sasrec.models.popularity import counted_events

STEPS = 8
"""A moment is rounded down to a multiple of the window divided by this, so that few different
windows must be counted."""
CACHE_BYTES = 2**26
"""Most bytes of counts that are kept."""


class RecentPopularity(NextItemModel):
    """Scores an item by its number of training events in a window that ends at the last event.

    The moment of a recommendation is the time of the last event of a history, so nothing that
    happened later is counted. Training events are the only ones counted: after the end of the
    training part, the window is the last one of that part. Popularity in all training events breaks
    ties.
    """

    needs_times = True

    def __init__(self, times: Tensor, items: Tensor, *, window: float, n_items: int) -> None:
        """Create the model from training events.

        Args:
            times: float64 [n], ascending; at least one.
            items: int64 [n], item numbers.
            window: Length of the window, in the unit of the times, above 0.
            n_items: Number of items in the catalogue, padding not counted.
        """
        super().__init__()
        self._window, self._n_items = window, n_items
        self._last = float(times[-1])
        self._cache: dict[int, Tensor] = {}
        self.register_buffer("times", times)
        self.register_buffer("items", items)
        counts = torch.bincount(items, minlength=n_items + 1).float()
        # The sum is below 1, so that popularity never outweighs a single event in the window.
        self.register_buffer("prior", counts / (counts.sum() + 1))

    def encode(self, batch: Batch, at: Tensor | None = None) -> Tensor:
        """Return the time of each position's event as its state.

        Args:
            batch: A batch with times.
            at: int64 [S], indices of the positions to compute, or None.

        Returns:
            float64 [P, 1], or [S, 1].

        Raises:
            ValueError: The batch has no times.
        """
        if batch.times is None:
            raise ValueError("the baseline of recent popularity needs times")
        times = batch.times if at is None else batch.times[at]
        return times[:, None]

    def score(self, hidden: Tensor, items: Tensor | None = None) -> Tensor:
        """Return the number of events of items in the window before each moment.

        Args:
            hidden: float64 [P, 1], moments.
            items: int64 [P, K], candidates for each state; None scores the whole catalogue.

        Returns:
            float [P, V], or [P, K] for candidates.
        """
        step = self._window / STEPS
        late = ((self._last - hidden[:, 0]) / step).ceil().clamp(min=0)
        steps, rows = torch.unique(late.long(), return_inverse=True)
        counts = torch.stack([self._counts(each) for each in steps.tolist()])[rows]
        return counts if items is None else counts.gather(1, items)

    def _counts(self, steps_back: int) -> Tensor:
        """Return the counts of the window that ends some steps before the last event, float [V]."""
        if (found := self._cache.get(steps_back)) is not None:
            return found
        end = self._last - steps_back * self._window / STEPS
        limits = torch.tensor([end - self._window, end], dtype=torch.float64)
        times = self.get_buffer("times")
        first, stop = torch.searchsorted(times, limits.to(times.device), right=True).tolist()
        inside = self.get_buffer("items")[first:stop]
        counts = torch.bincount(inside, minlength=self._n_items + 1) + self.get_buffer("prior")
        if len(self._cache) * counts.nbytes < CACHE_BYTES:
            self._cache[steps_back] = counts
        return counts


def fit_recent_popularity(split: Split, n_items: int, window: float) -> RecentPopularity:
    """Return the baseline for a window.

    Args:
        split: Its training events are counted; it has times.
        n_items: Number of items in the catalogue, padding not counted.
        window: Length of the window, in the unit of the times.

    Returns:
        The fitted model.

    Raises:
        ValueError: The data have no times.
    """
    if split.sequences.times is None:
        raise ValueError("the baseline of recent popularity needs times")
    kept = counted_events(split)
    times = split.sequences.times[kept]
    order = np.argsort(times, kind="stable")
    items = split.sequences.items[kept][order].astype(np.int64)
    return RecentPopularity(
        torch.from_numpy(times[order]), torch.from_numpy(items), window=window, n_items=n_items
    )
