"""Markov counts: what most often came right after the last item. The second baseline to beat."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from sasrec.data.batches.batching import Batch
from sasrec.data.splits import Split
from sasrec.models.contract import NextItemModel


class MarkovCounts(NextItemModel):
    """Scores an item by how often it followed the last one; popularity breaks ties.

    The counts are kept as rows of followers: row i holds ``followers[starts[i]:starts[i + 1]]``.
    """

    def __init__(
        self, starts: Tensor, followers: Tensor, counts: Tensor, *, popularity: Tensor
    ) -> None:
        """Keep the counts.

        Args:
            starts: int64 [V + 1], where each item's followers begin.
            followers: int64 [n], item numbers.
            counts: [n], how often each followed.
            popularity: [V], training events of each item.
        """
        super().__init__()
        self.register_buffer("starts", starts)
        self.register_buffer("followers", followers)
        self.register_buffer("counts", counts.float())
        # Below one altogether, so that it never outweighs a transition seen once.
        self.register_buffer("prior", popularity.float() / (popularity.sum() + 1))

    def encode(self, batch: Batch, at: Tensor | None = None) -> Tensor:
        """Return each position's item as its state.

        Args:
            batch: Any batch.
            at: int64 [S], the positions wanted, or None.

        Returns:
            float64 [P, 1], or [S, 1], item numbers.
        """
        items = batch.items if at is None else batch.items[at]
        return items[:, None].double()

    def score(self, hidden: Tensor, items: Tensor | None = None) -> Tensor:
        """Return how often items followed.

        Args:
            hidden: [P, 1], item numbers.
            items: int64 [P, K], candidates of each state; None scores the whole catalogue.

        Returns:
            float [P, V], or [P, K] for candidates.
        """
        last = hidden[:, 0].long()
        starts = self.get_buffer("starts")
        lengths = starts[last + 1] - starts[last]
        rows = torch.repeat_interleave(torch.arange(len(last), device=last.device), lengths)
        begins = torch.repeat_interleave(starts[last] - lengths.cumsum(0) + lengths, lengths)
        places = torch.arange(len(rows), device=last.device) + begins
        scores = self.get_buffer("prior").repeat(len(last), 1)
        scores[rows, self.get_buffer("followers")[places]] += self.get_buffer("counts")[places]
        return scores if items is None else scores.gather(1, items)


def count_transitions(split: Split, counts: np.ndarray) -> MarkovCounts:
    """Count which item followed which in the training events.

    Args:
        split: What trains.
        counts: int64 [V], training events of each item.

    Returns:
        The fitted model.
    """
    sequences, n_items = split.sequences, len(counts) - 1
    places = np.arange(1, sequences.n_events)
    owner_start = np.repeat(sequences.offsets[:-1], sequences.lengths())[1:]
    owner_stop = np.repeat(split.train_stops, sequences.lengths())[1:]
    inside = (places > owner_start) & (places < owner_stop)
    items = sequences.items.astype(np.int64)
    pairs = items[places[inside] - 1] * (n_items + 1) + items[places[inside]]
    seen, times = np.unique(pairs, return_counts=True)
    starts = np.searchsorted(seen, np.arange(n_items + 2) * (n_items + 1))
    return MarkovCounts(
        torch.from_numpy(starts),
        torch.from_numpy(seen % (n_items + 1)),
        torch.from_numpy(times),
        popularity=torch.from_numpy(counts),
    )
