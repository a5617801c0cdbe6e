"""Windows: pieces of histories, stored as indices; each training target is supervised once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from sasrec.data.sequences import Sequences
from sasrec.data.splits import Cases, Split


@dataclass(frozen=True, slots=True)
class Windows:
    """W pieces of histories, as indices into ``Sequences``.

    Attributes:
        starts: int64 [W], index of the first event.
        lengths: int64 [W], number of events, at least 1.
        supervised: int64 [W], number of supervised positions, which are the last of the window;
            their target is the next event.
        users: int64 [W], user numbers.
        chosen: int64 [W], how many of the supervised positions have a target, if only some events
            are targets; None if all have.
    """

    starts: np.ndarray
    lengths: np.ndarray
    supervised: np.ndarray
    users: np.ndarray
    chosen: np.ndarray | None = None

    @property
    def targets(self) -> np.ndarray:
        """Number of targets in each window, int64 [W]."""
        return self.supervised if self.chosen is None else self.chosen

    def __len__(self) -> int:
        """Return the number of windows."""
        return len(self.starts)

    def take(self, which: np.ndarray) -> Windows:
        """Return some of the windows.

        Args:
            which: int64 [w], indices of the windows.

        Returns:
            Those windows, in that order.
        """
        return Windows(
            self.starts[which],
            self.lengths[which],
            self.supervised[which],
            self.users[which],
            None if self.chosen is None else self.chosen[which],
        )


def joined(parts: Sequence[Windows]) -> Windows:
    """Return the concatenation of several sets of windows.

    Args:
        parts: At least one set.

    Returns:
        All windows, in order.
    """
    return Windows(
        np.concatenate([part.starts for part in parts]),
        np.concatenate([part.lengths for part in parts]),
        np.concatenate([part.supervised for part in parts]),
        np.concatenate([part.users for part in parts]),
        None if parts[0].chosen is None else np.concatenate([part.targets for part in parts]),
    )


def training_windows(
    split: Split, *, max_history: int, context: int, generator: np.random.Generator
) -> Windows:
    """Cut every user's training events into windows that supervise each target exactly once.

    A history with up to ``max_history`` events before its last one is a single window. A longer one
    is cut at a random offset ("phase"), different in each epoch: the first window supervises all
    its positions; each later one begins ``context`` events before its first supervised position.

    With ``max_history=4, context=2`` the eight positions ``01234567`` become, at phase 1,
    ``[012]``, ``1 2 [34]``, ``3 4 [56]``, ``5 6 [7]`` (supervised positions in brackets).

    Args:
        split: The training targets.
        max_history: Length of the longest window, from 1.
        context: Number of events before the first supervised position in later windows of a user, 0
            to ``max_history - 1``.
        generator: Random generator for the phases.

    Returns:
        The windows, user by user.
    """
    first = split.sequences.offsets[:-1]
    n_positions = split.train_stops - first - 1  # a user's last training event is only a target
    skipped = split.train_starts - first - 1  # positions before the first supervised one
    users = np.flatnonzero(n_positions > skipped)
    first, n_positions, skipped = first[users], n_positions[users], skipped[users]
    stride = max_history - context
    phase = generator.integers(stride, size=len(users))
    first_end = np.where(n_positions <= max_history, n_positions, max_history - phase)
    # If events precede the first target, as in histories that are one row each, the first window
    # is cut at a random offset too.
    first_end = np.where(skipped > 0, np.minimum(skipped + stride - phase, n_positions), first_end)
    n_windows = 1 + -(-(n_positions - first_end) // stride)

    owner = np.repeat(np.arange(len(users)), n_windows)
    rank = np.arange(len(owner)) - np.repeat(np.cumsum(n_windows) - n_windows, n_windows)
    end = np.minimum(first_end[owner] + rank * stride, n_positions[owner])
    supervised_from = np.where(rank == 0, skipped[owner], first_end[owner] + (rank - 1) * stride)
    begin = np.maximum(supervised_from - context, 0)
    begin = np.where(skipped[owner] > 0, np.maximum(end - max_history, 0), begin)
    windows = Windows(
        starts=first[owner] + begin,
        lengths=end - begin,
        supervised=end - supervised_from,
        users=users[owner] + 1,
    )
    return windows if split.trains is None else _with_targets(windows, split.trains)


def _with_targets(windows: Windows, trains: np.ndarray) -> Windows:
    """Return the windows that have a target, with the number of their targets.

    Args:
        windows: Windows in which every supervised position has a target.
        trains: bool [N], the events that are targets.
    """
    before = np.concatenate(([0], np.cumsum(trains, dtype=np.int64)))
    ends = windows.starts + windows.lengths + 1  # the last target is the event after the window
    counts = before[ends] - before[ends - windows.supervised]
    return replace(windows, chosen=counts).take(np.flatnonzero(counts))


def case_windows(sequences: Sequences, cases: Cases, max_history: int) -> Windows:
    """Return for each case the window of its most recent events; only the last is supervised.

    Args:
        sequences: All histories.
        cases: The cases to predict.
        max_history: Length of the longest window, from 1.

    Returns:
        M windows, in the order of the cases.
    """
    starts = np.maximum(sequences.offsets[cases.users - 1], cases.stops - max_history)
    ones = np.ones(len(cases), dtype=np.int64)
    known = cases.users if sequences.model_users is None else sequences.model_users[cases.users - 1]
    return Windows(starts, cases.stops - starts, ones, known)
