"""Facts of a data set that a preset may look at."""

from __future__ import annotations

import numpy as np

from sasrec.data.splits import Split
from sasrec.settings.presets import DataFacts


def facts_of(split: Split, *, n_items: int) -> DataFacts:
    """Return what a preset may know of a data set.

    Args:
        split: Its training part is looked at, nothing else.
        n_items: Size of the catalogue.

    Returns:
        The facts.
    """
    starts = split.sequences.offsets[:-1]
    return DataFacts(
        items=n_items,
        targets=split.n_targets,
        histories=split.train_stops - starts,
        times_informative=_times_tell(split),
    )


def _times_tell(split: Split) -> bool:
    """Return whether events of the training part lie apart by more than one distance."""
    times = split.sequences.times
    if times is None:
        return False
    gaps = np.diff(times)
    gaps = gaps[_within_training(split)]
    return len(np.unique(gaps)) > 1


def _within_training(split: Split) -> np.ndarray:
    """Return which steps from one event to the next lie in one user's training part, bool."""
    lengths = split.sequences.lengths()
    places = np.arange(split.sequences.n_events)
    is_training = places < np.repeat(split.train_stops, lengths)
    owners = np.repeat(np.arange(len(lengths)), lengths)
    inside: np.ndarray = is_training[1:] & (owners[1:] == owners[:-1])
    return inside
