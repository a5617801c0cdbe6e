"""Splits: which events train, and which are kept back as validation and test targets.

Every protocol comes down to three numbers a user: how many of the last events are training,
validation and test targets, in this order. A user's first event is nobody's target.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sasrec.data.checks.remarks import Remark
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
    """One data set cut into training targets and two sets of cases.

    Attributes:
        sequences: All histories; shared, never cut.
        train_starts: int64 [U], index of user u's first training target at ``u - 1``; all events
            before it are history only.
        train_stops: int64 [U], index after the last training target.
        validation: Cases early stopping looks at.
        test: Cases looked at once, at the end.
        first_trains: bool [U], whether a user's first event is one of training; None where all
            are.
        remarks: How the shares differ from those that were asked for, and what has no effect.
    """

    sequences: Sequences
    train_starts: np.ndarray
    train_stops: np.ndarray
    validation: Cases
    test: Cases
    first_trains: np.ndarray | None = None
    remarks: tuple[Remark, ...] = ()

    @property
    def n_targets(self) -> int:
        """Number of training targets an epoch."""
        return int((self.train_stops - self.train_starts).sum())

    def train_items(self) -> np.ndarray:
        """Return the item of each training event, int32 [number of training events]."""
        found: np.ndarray = self.sequences.items[self.trains()]
        return found

    def train_users(self) -> np.ndarray:
        """Return which users have a training target, bool [U]; of others nothing is learned."""
        found: np.ndarray = self.train_stops > self.train_starts
        return found

    def trains(self) -> np.ndarray:
        """Return which events are training events, bool [N].

        A user's first event counts with the targets that follow it; a longer history that was
        given ready does not count, as its events are targets elsewhere.
        """
        first = self.sequences.offsets[:-1]
        counts = self.train_starts == first + 1
        if self.first_trains is not None:
            counts &= self.first_trains
        begins = np.where(counts, first, self.train_starts)
        lengths = self.sequences.lengths()
        places = np.arange(self.sequences.n_events)
        kept: np.ndarray = places < np.repeat(self.train_stops, lengths)
        kept &= places >= np.repeat(np.minimum(begins, self.train_stops), lengths)
        return kept


def split_by_counts(sequences: Sequences, counts: np.ndarray) -> Split:
    """Cut each user's last events into training, validation and test targets.

    Args:
        sequences: All histories.
        counts: int32 or int64 [U, 3], targets of each kind; their sum is less than the user's
            events.

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


def leave_one_out(sequences: Sequences, leave_out: str = "valid_and_test") -> Split:
    """Keep each user's last events as targets: the last for the test, the one before to validate.

    A user with n events has n - 1 targets and gives min(2, n - 2) of them away, the test's first
    (RecBole's rule): two events only train, three train and test, four or more do all.

    Args:
        sequences: All histories.
        leave_out: ``valid_and_test``; or ``valid_only`` or ``test_only``, which keep one back.

    Returns:
        The split.

    Raises:
        DataError: No user has three events, so there is nothing to test on.
    """
    targets = np.maximum(sequences.lengths() - 1, 0)
    kinds = 2 if leave_out == "valid_and_test" else 1
    given = np.clip(targets - 1, 0, kinds)
    if not given.any():
        longest = int(sequences.lengths().max(initial=0))
        raise DataError(
            f"no user has three events (the longest history has {longest}), so leave-one-out has "
            "nothing to test on; check the user column, or bring longer histories"
        )
    last = np.minimum(given, 1)
    zero = np.zeros_like(given)
    validation, test = {
        "valid_and_test": (given - last, last),
        "valid_only": (last, zero),
        "test_only": (zero, last),
    }[leave_out]
    return split_by_counts(sequences, np.stack([targets - given, validation, test], axis=1))


def ratio_counts(sequences: Sequences, ratios: tuple[float, float, float]) -> np.ndarray:
    """Return how many of each user's targets go to each part, by shares.

    Args:
        sequences: All histories.
        ratios: Shares of training, validation and test; they need not sum to one.

    Returns:
        int64 [U, 3].
    """
    return shared_out(np.maximum(sequences.lengths() - 1, 0), ratios)


def shared_out(totals: np.ndarray, ratios: tuple[float, float, float]) -> np.ndarray:
    """Return totals cut by shares, [n, 3]; parts are rounded down, but not to nothing.

    RecBole's rule (``Dataset._calcu_split_ids``): the first part gets what rounding leaves; then,
    from the last part on, one that should get something and got less than one is given one, as
    long as the first part keeps more than one.
    """
    shares = [ratio / sum(ratios) for ratio in ratios]
    counts = np.stack([(share * totals).astype(np.int64) for share in shares], axis=1)
    counts[:, 0] = totals - counts[:, 1:].sum(1)
    for part in (2, 1):
        wanted = shares[part] * totals
        given = (counts[:, 0] > 1) & (wanted > 0) & (wanted < 1)
        counts[:, part] += given
        counts[:, 0] -= given
    return counts


def _cases(begins: np.ndarray, counts: np.ndarray) -> Cases:
    """Return ``counts[u]`` cases a user from event ``begins[u]`` on."""
    owners = np.repeat(np.arange(len(counts)), counts)
    within = np.arange(len(owners)) - np.repeat(np.cumsum(counts) - counts, counts)
    return Cases(users=owners + 1, stops=begins[owners] + within)
