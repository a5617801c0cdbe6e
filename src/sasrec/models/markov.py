"""Markov baseline: recommend the items that most often came directly after the last item."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from sasrec.data.batches.batching import Batch
from sasrec.data.splits import Split
from sasrec.models.contract import NextItemModel
from sasrec.models.popularity import wanted_counts


class MarkovCounts(NextItemModel):
    """Scores an item by how often it followed the last one; popularity breaks ties.

    The counts form a sparse matrix by rows: ``followers[starts[i]:starts[i + 1]]`` are the items
    that followed item i.
    """

    def __init__(
        self, starts: Tensor, followers: Tensor, counts: Tensor, *, popularity: Tensor
    ) -> None:
        """Create the model from counts.

        Args:
            starts: int64 [V + 1], index of each item's first follower.
            followers: int64 [n], item numbers.
            counts: [n], how often each follower came after the item.
            popularity: [V], training events of each item.
        """
        super().__init__()
        self.register_buffer("starts", starts)
        self.register_buffer("followers", followers)
        self.register_buffer("counts", counts.float())
        # The sum is below 1, so that popularity never outweighs a single observed transition.
        self.register_buffer("prior", popularity.float() / (popularity.sum() + 1))

    def encode(self, batch: Batch, at: Tensor | None = None) -> Tensor:
        """Return each position's item as its state.

        Args:
            batch: Any batch.
            at: int64 [S], indices of the positions to compute, or None.

        Returns:
            float64 [P, 1], or [S, 1], item numbers.
        """
        items = batch.items if at is None else batch.items[at]
        return items[:, None].double()

    def score(self, hidden: Tensor, items: Tensor | None = None) -> Tensor:
        """Return how often items followed the last item, plus the popularity term.

        Args:
            hidden: [P, 1], item numbers.
            items: int64 [P, K], candidates for each state; None scores the whole catalogue.

        Returns:
            float [P, V], or [P, K] for candidates.
        """
        last = hidden[:, 0].long()
        starts = self.get_buffer("starts")
        lengths = starts[last + 1] - starts[last]
        rows = torch.repeat_interleave(torch.arange(len(last), device=last.device), lengths)
        begins = torch.repeat_interleave(starts[last] - lengths.cumsum(0) + lengths, lengths)
        indices = torch.arange(len(rows), device=last.device) + begins
        scores = self.get_buffer("prior").repeat(len(last), 1)
        scores[rows, self.get_buffer("followers")[indices]] += self.get_buffer("counts")[indices]
        return scores if items is None else scores.gather(1, items)


def count_transitions(split: Split, counts: np.ndarray) -> MarkovCounts:
    """Count the transitions between consecutive training events of a user.

    Args:
        split: The split; its training part is counted.
        counts: int64 [V], training events of each item.

    Returns:
        The fitted model.
    """
    sequences, n_items = split.sequences, len(counts) - 1
    indices = np.arange(1, sequences.n_events)
    owner_start = np.repeat(sequences.offsets[:-1], sequences.lengths())[1:]
    owner_stop = np.repeat(split.train_stops, sequences.lengths())[1:]
    inside = (indices > owner_start) & (indices < owner_stop)
    if split.wanted is not None:  # only transitions to events that are to be predicted
        inside &= split.wanted[1:]
    items = sequences.items.astype(np.int64)
    pairs = items[indices[inside] - 1] * (n_items + 1) + items[indices[inside]]
    seen, times = np.unique(pairs, return_counts=True)
    starts = np.searchsorted(seen, np.arange(n_items + 2) * (n_items + 1))
    return MarkovCounts(
        torch.from_numpy(starts),
        torch.from_numpy(seen % (n_items + 1)),
        torch.from_numpy(times),
        popularity=torch.from_numpy(wanted_counts(split, counts)),
    )
