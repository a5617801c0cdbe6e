"""Facts about a data set on which a preset may depend."""

from __future__ import annotations

import numpy as np

from sasrec.data.splits import Split
from sasrec.settings.presets import DataFacts


def facts_of(split: Split, *, n_items: int) -> DataFacts:
    """Return the facts about a data set on which a preset may depend.

    Args:
        split: Only its training part is used.
        n_items: Items in the catalogue.

    Returns:
        The facts.
    """
    starts = split.sequences.offsets[:-1]
    return DataFacts(
        items=n_items,
        targets=split.n_targets,
        histories=split.train_stops - starts,
        times_informative=_times_informative(split),
    )


def _times_informative(split: Split) -> bool:
    """Return whether the gaps between consecutive training events differ at all."""
    times = split.sequences.times
    if times is None:
        return False
    gaps = np.diff(times)
    gaps = gaps[_within_training(split)]
    return len(np.unique(gaps)) > 1


def _within_training(split: Split) -> np.ndarray:
    """Return for each pair of consecutive events whether both are training events of one user."""
    lengths = split.sequences.lengths()
    positions = np.arange(split.sequences.n_events)
    is_training = positions < np.repeat(split.train_stops, lengths)
    owners = np.repeat(np.arange(len(lengths)), lengths)
    inside: np.ndarray = is_training[1:] & (owners[1:] == owners[:-1])
    return inside
