"""Training batches: the batches of each epoch, for one process or for several."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from sasrec.data.batches.batching import Batch, Collator
from sasrec.data.batches.grouping import shuffled_groups
from sasrec.data.batches.windows import Windows, joined, training_windows
from sasrec.data.splits import Split


@dataclass(frozen=True, slots=True)
class TrainingBatches:
    """Creates the batches of each epoch.

    Attributes:
        split: The training targets.
        max_history: Length of the longest window.
        context: Number of events before the first supervised position in later windows of a user.
        batch_size: Upper limit on the mean number of targets per batch.
        collator: A collator for the sequences of the split.
        shuffle: Whether each epoch has a new order of windows.
        rank: Rank of this process among those that train together, from 0.
        processes: Number of these processes; each gets its share of every batch.
    """

    split: Split
    max_history: int
    context: int
    batch_size: int
    collator: Collator
    shuffle: bool = True
    rank: int = 0
    processes: int = 1

    def epoch(self, generator: np.random.Generator) -> Iterator[Batch]:
        """Yield every training target once, in random order, or this process's share of each batch.

        Args:
            generator: Random generator for window boundaries and order.

        Yields:
            Batches of about ``batch_size`` targets.
        """
        shares = self._shares(generator)
        if shares:
            yield from self.collator.batches(joined(shares), [len(share) for share in shares])

    def padded_epoch(self, generator: np.random.Generator) -> Iterator[Batch]:
        """Yield the batches of ``epoch`` with windows padded to one length; faster on a CPU.

        Args:
            generator: Random generator for window boundaries and order.

        Yields:
            Batches of about ``batch_size`` targets.
        """
        for share in self._shares(generator):
            yield self.collator.rectangle(share, self.max_history)

    def _shares(self, generator: np.random.Generator) -> list[Windows]:
        """Return the windows of each batch of an epoch that this process trains on."""
        windows = training_windows(
            self.split,
            max_history=self.max_history,
            context=self.context,
            generator=generator,
        )
        order = generator if self.shuffle else np.random.default_rng(0)
        groups = shuffled_groups(windows, batch_size=self.batch_size, generator=order)
        return [self._share(windows, group) for group in groups]

    def _share(self, windows: Windows, group: np.ndarray) -> Windows:
        own = windows.take(group[self.rank :: self.processes])
        if len(own):
            return own
        # Fewer windows than processes: this process joins the step with an unsupervised window.
        first = windows.take(group[:1])
        none = np.zeros_like(first.supervised)
        return replace(first, supervised=none, chosen=None if first.chosen is None else none)

    def sizes(self, generator: np.random.Generator) -> np.ndarray:
        """Return the number of positions of each batch of an epoch after padding, int64 [steps].

        Args:
            generator: In the same state as for ``padded_epoch``, for the same batches.
        """
        shares = self._shares(generator)
        return np.array([len(each) * int(each.lengths.max(initial=0)) for each in shares])

    @property
    def n_steps(self) -> int:
        """Approximate number of batches per epoch.

        Each window is in one batch, so there are at most as many batches as windows.
        """
        windows = training_windows(
            self.split,
            max_history=self.max_history,
            context=self.context,
            generator=np.random.default_rng(0),
        )
        return max(1, min(-(-self.n_targets // self.batch_size), len(windows)))

    @property
    def n_targets(self) -> int:
        """Number of training targets per epoch."""
        return self.split.n_targets
