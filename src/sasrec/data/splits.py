"""Splits: which events are training targets, and which are validation and test targets.

Every protocol results in three numbers per user: how many of the user's last events are training,
validation and test targets, in this order. The first event of a user is never a target.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sasrec.data.sequences import Sequences
from sasrec.errors import DataError, counted
from sasrec.remarks import Remark


@dataclass(frozen=True, slots=True)
class Cases:
    """M prediction tasks, as indices into ``Sequences``; events are not copied.

    Attributes:
        users: int64 [M], user numbers from 1.
        stops: int64 [M], index of the target event; the history is the user's events before it.
    """

    users: np.ndarray
    stops: np.ndarray

    def __len__(self) -> int:
        """Return the number of cases."""
        return len(self.stops)

    def where(self, wanted: np.ndarray | None) -> Cases:
        """Return the cases with wanted targets.

        Args:
            wanted: bool [N], whether each event is a wanted target; None for all.
        """
        if wanted is None:
            return self
        kept = wanted[self.stops]
        return Cases(self.users[kept], self.stops[kept])


@dataclass(frozen=True, slots=True)
class Split:
    """A data set split into training targets and two sets of cases.

    Attributes:
        sequences: All histories, complete.
        train_starts: int64 [U], index of each user's first training target; row u - 1 is user u.
            Earlier events are only history.
        train_stops: int64 [U], index after each user's last training target.
        validation: Cases for early stopping.
        test: Cases for the final evaluation.
        first_trains: bool [U], whether a user's first event belongs to the training part; None if
            it does for all users.
        remarks: Settings that have no effect, and shares that differ from the requested ones.
        trains: bool [N], whether an event of the training part is a target and not only history;
            None if all are.
        wanted: bool [N], whether an event may be a validation or test target, which baselines
            count; None if all may.
    """

    sequences: Sequences
    train_starts: np.ndarray
    train_stops: np.ndarray
    validation: Cases
    test: Cases
    first_trains: np.ndarray | None = None
    remarks: tuple[Remark, ...] = ()
    trains: np.ndarray | None = None
    wanted: np.ndarray | None = None

    @property
    def n_targets(self) -> int:
        """Number of training targets per epoch."""
        return int(self._target_counts().sum())

    def _target_counts(self) -> np.ndarray:
        """Return the number of training targets of each user, int64 [U]."""
        if self.trains is None:
            every: np.ndarray = self.train_stops - self.train_starts
            return every
        before = np.concatenate(([0], np.cumsum(self.trains, dtype=np.int64)))
        starts = np.minimum(self.train_starts, self.train_stops)
        counts: np.ndarray = before[self.train_stops] - before[starts]
        return counts

    def train_items(self) -> np.ndarray:
        """Return the item of each training event, int32 [number of training events]."""
        found: np.ndarray = self.sequences.items[self.is_training()]
        return found

    def train_users(self) -> np.ndarray:
        """Return which users have a training target, bool [U]; others do not train the model."""
        found: np.ndarray = self._target_counts() > 0
        return found

    def is_training(self) -> np.ndarray:
        """Return which events are training events, bool [N].

        A user's first event is one if the next event is a training target. If several events
        precede the first training target, as in histories that are one row each, they are not:
        they are targets of other rows.
        """
        first = self.sequences.offsets[:-1]
        counts = self.train_starts == first + 1
        if self.first_trains is not None:
            counts &= self.first_trains
        begins = np.where(counts, first, self.train_starts)
        lengths = self.sequences.lengths()
        indices = np.arange(self.sequences.n_events)
        found: np.ndarray = indices < np.repeat(self.train_stops, lengths)
        found &= indices >= np.repeat(np.minimum(begins, self.train_stops), lengths)
        return found


def split_by_counts(sequences: Sequences, counts: np.ndarray) -> Split:
    """Split each user's last events into training, validation and test targets.

    Args:
        sequences: All histories.
        counts: int32 or int64 [U, 3], number of training, validation and test targets; their sum is
            less than the user's number of events.

    Returns:
        The split.

    Raises:
        DataError: There is no training target, or neither a validation nor a test target.
    """
    starts = sequences.offsets[1:] - counts.sum(1)
    train_stops = starts + counts[:, 0]
    if not counts[:, 0].any():
        raise DataError("the split leaves no target to train on; give training a larger share")
    if not counts[:, 1:].any():
        raise DataError(
            "the split leaves no target to validate or test on; give them a larger share"
        )
    return Split(
        sequences=sequences,
        train_starts=starts,
        train_stops=train_stops,
        validation=_cases(train_stops, counts[:, 1]),
        test=_cases(train_stops + counts[:, 1], counts[:, 2]),
    )


def train_on_all(sequences: Sequences) -> Split:
    """Use all events for training, without validation and test.

    Args:
        sequences: All histories.

    Returns:
        The split.

    Raises:
        DataError: No user has two events, so there is nothing to train on.
    """
    stops = sequences.offsets[1:]
    starts = np.minimum(sequences.offsets[:-1] + 1, stops)
    if not (stops > starts).any():
        raise DataError("no user has at least 2 events, so there is nothing to train on")
    none = Cases(np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64))
    return Split(sequences, starts, stops, validation=none, test=none)


def leave_one_out(sequences: Sequences, leave_out: str = "valid_and_test") -> Split:
    """Use each user's last event as test target, and the one before it as validation target.

    A user with n events has n - 1 targets. As in RecBole, at most n - 2 of these are left out of
    training, first for the test: with two events a user has only a training target, with three a
    training and a test target, with four or more all kinds.

    Args:
        sequences: All histories.
        leave_out: ``valid_and_test``; or ``valid_only`` or ``test_only``, which leave out one
            target per user.

    Returns:
        The split.

    Raises:
        DataError: No user has three events, so there is nothing to test on.
    """
    targets = np.maximum(sequences.lengths() - 1, 0)
    most = 2 if leave_out == "valid_and_test" else 1
    left_out = np.clip(targets - 1, 0, most)
    if not left_out.any():
        longest = int(sequences.lengths().max(initial=0))
        raise DataError(
            "no user has at least 3 events (the longest history has "
            f"{counted(longest, 'event')}), so leave-one-out has nothing to test on; check the "
            "user column, or use data with longer histories"
        )
    last = np.minimum(left_out, 1)
    zero = np.zeros_like(left_out)
    validation, test = {
        "valid_and_test": (left_out - last, last),
        "valid_only": (last, zero),
        "test_only": (zero, last),
    }[leave_out]
    return split_by_counts(sequences, np.stack([targets - left_out, validation, test], axis=1))


def ratio_counts(sequences: Sequences, ratios: tuple[float, float, float]) -> np.ndarray:
    """Return how many of each user's targets go to each part, by shares of the user's targets.

    Args:
        sequences: All histories.
        ratios: Shares of training, validation and test; they need not sum to one.

    Returns:
        int64 [U, 3].
    """
    return split_by_shares(np.maximum(sequences.lengths() - 1, 0), ratios)


def split_by_shares(totals: np.ndarray, ratios: tuple[float, float, float]) -> np.ndarray:
    """Return totals split by shares, [n, 3]; parts are rounded down, but not to 0 if avoidable.

    RecBole's rule (``Dataset._calcu_split_ids``): the second and third part are rounded down, and
    the first part gets the rest. Then a part with a share between 0 and 1 target gets one from the
    first part, if that has more than one: first the third part, then the second.

    Args:
        totals: int64 [n].
        ratios: Shares of the three parts; they need not sum to one.
    """
    shares = [ratio / sum(ratios) for ratio in ratios]
    counts = np.stack([(share * totals).astype(np.int64) for share in shares], axis=1)
    counts[:, 0] = totals - counts[:, 1:].sum(1)
    for part in (2, 1):
        exact = shares[part] * totals
        moves = (counts[:, 0] > 1) & (exact > 0) & (exact < 1)
        counts[:, part] += moves
        counts[:, 0] -= moves
    return counts


def _cases(begins: np.ndarray, counts: np.ndarray) -> Cases:
    """Return cases for each user: ``counts[u]`` targets from event ``begins[u]`` on."""
    owners = np.repeat(np.arange(len(counts)), counts)
    within = np.arange(len(owners)) - np.repeat(np.cumsum(counts) - counts, counts)
    return Cases(users=owners + 1, stops=begins[owners] + within)
