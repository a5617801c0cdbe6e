"""Replay: training batches of new targets, joined in each epoch by some earlier ones."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from sasrec.data.batches.event_types import EventTargets
from sasrec.data.batches.training_batches import TrainingBatches
from sasrec.data.batches.windows import Windows
from sasrec.data.splits import Split


@dataclass(frozen=True, slots=True)
class Replay:
    """Earlier targets, some of which are trained on again in each epoch.

    Attributes:
        targets: bool [N], the events that may be replayed.
        count: How many of them an epoch has at least, if there are so many.
    """

    targets: np.ndarray
    count: int


@dataclass(frozen=True, slots=True)
class ReplayedBatches(TrainingBatches):
    """Batches of the targets of a split and, in each epoch, of earlier ones of random users.

    Whole histories are replayed, because a window costs the same for one target as for many.

    Attributes:
        replay: The earlier targets, and how many of them an epoch has.
    """

    replay: Replay | None = None

    def _shares(self, generator: np.random.Generator) -> list[Windows]:
        """Return the windows of each batch of an epoch that this process trains on."""
        split = (
            self.split if self.replay is None else with_replay(self.split, self.replay, generator)
        )
        return TrainingBatches._shares(replace(self, split=split, replay=None), generator)

    @property
    def n_targets(self) -> int:
        """Number of training targets per epoch, roughly."""
        earlier = (
            0 if self.replay is None else min(self.replay.count, int(self.replay.targets.sum()))
        )
        return self.split.n_targets + earlier


def with_earlier_targets(batches: TrainingBatches, replay: Replay) -> ReplayedBatches:
    """Return the same batches with replayed targets.

    Args:
        batches: Batches of new targets; their split names the targets event by event.
        replay: The earlier targets.
    """
    targets = EventTargets("true", replay.targets | chosen_targets(batches.split))
    return ReplayedBatches(
        batches.split,
        max_history=batches.max_history,
        context=batches.context,
        batch_size=batches.batch_size,
        collator=batches.collator.choosing(targets),
        shuffle=batches.shuffle,
        rank=batches.rank,
        processes=batches.processes,
        replay=replay,
    )


def with_replay(split: Split, replay: Replay, generator: np.random.Generator) -> Split:
    """Return a split that also trains on the earlier targets of some users, drawn at random.

    Args:
        split: The new targets.
        replay: The earlier targets.
        generator: Random generator for the users.

    Returns:
        The split for one epoch.
    """
    offsets = split.sequences.offsets
    before = np.concatenate(([0], np.cumsum(replay.targets, dtype=np.int64)))
    counts = np.diff(before[offsets])
    users = generator.permutation(np.flatnonzero(counts))
    enough = int(np.searchsorted(np.cumsum(counts[users]), replay.count)) + 1
    drawn = np.zeros(len(counts), dtype=bool)
    drawn[users[:enough]] = True
    lengths = split.sequences.lengths()
    trains = replay.targets & np.repeat(drawn, lengths)
    trains |= chosen_targets(split)
    starts = np.where(drawn, np.minimum(offsets[:-1] + 1, split.train_stops), split.train_starts)
    return replace(split, train_starts=starts, trains=trains)


def chosen_targets(split: Split) -> np.ndarray:
    """Return which events are training targets, bool [N].

    Args:
        split: The split.
    """
    indices = np.arange(split.sequences.n_events)
    lengths = split.sequences.lengths()
    found: np.ndarray = indices >= np.repeat(split.train_starts, lengths)
    found &= indices < np.repeat(split.train_stops, lengths)
    return found if split.trains is None else found & split.trains
