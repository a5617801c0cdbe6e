"""Splits: which events train, and which are kept back as validation and test targets."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sasrec.data.sequences import Sequences
from sasrec.errors import DataError


@dataclass(frozen=True, slots=True)
class Cases:
    """M questions "what comes next?", as pointers into ``Sequences``; nothing is copied.

    Attributes:
        users: int64 [M], user numbers from 1.
        stops: int64 [M], index of the target event; the history is the user's events before it.
    """

    users: np.ndarray
    stops: np.ndarray

    def __len__(self) -> int:
        """Return the number of cases."""
        return len(self.stops)


@dataclass(frozen=True, slots=True)
class Split:
    """One data set cut into training events and two sets of cases.

    Attributes:
        sequences: All histories; shared, never cut.
        train_stops: int64 [U]; user u trains on events ``offsets[u - 1]`` to
            ``train_stops[u - 1]``.
        validation: Cases early stopping looks at.
        test: Cases looked at once, at the end.
    """

    sequences: Sequences
    train_stops: np.ndarray
    validation: Cases
    test: Cases

    @property
    def n_targets(self) -> int:
        """Number of training targets an epoch: each training event after a user's first."""
        lengths = self.train_stops - self.sequences.offsets[:-1]
        return int(np.maximum(lengths - 1, 0).sum())

    def train_items(self) -> np.ndarray:
        """Return the item of each training event, int32 [number of training events]."""
        kept = np.arange(self.sequences.n_events) < np.repeat(
            self.train_stops, self.sequences.lengths()
        )
        return self.sequences.items[kept]


def leave_one_out(sequences: Sequences) -> Split:
    """Keep each user's last event for the test and the one before it for validation.

    A user with n events has n - 1 targets and gives min(2, n - 2) of them away, the test's first
    (RecBole's rule): two events only train, three train and test, four or more do all.

    Args:
        sequences: All histories.

    Returns:
        The split.

    Raises:
        DataError: No user has three events, so there is nothing to test on.
    """
    lengths = sequences.lengths()
    ends = sequences.offsets[1:]
    given = np.clip(lengths - 2, 0, 2)
    if not (given > 0).any():
        raise DataError(
            f"no user has three events (the longest history has {int(lengths.max(initial=0))}), so "
            "leave-one-out has nothing to test on; check the user column, or bring longer histories"
        )
    tested = np.flatnonzero(given >= 1)
    validated = np.flatnonzero(given == 2)
    return Split(
        sequences=sequences,
        train_stops=ends - given,
        validation=Cases(users=validated + 1, stops=ends[validated] - 2),
        test=Cases(users=tested + 1, stops=ends[tested] - 1),
    )
