"""Splits: which events train, and which are kept back as validation and test targets.

Every protocol comes down to three numbers a user: how many of the last events are training,
validation and test targets, in this order. A user's first event is nobody's target.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sasrec.data.sequences import Corpus, Sequences
from sasrec.errors import DataError
from sasrec.settings import EvaluationSettings


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
    """

    sequences: Sequences
    train_starts: np.ndarray
    train_stops: np.ndarray
    validation: Cases
    test: Cases

    @property
    def n_targets(self) -> int:
        """Number of training targets an epoch."""
        return int((self.train_stops - self.train_starts).sum())

    def train_items(self) -> np.ndarray:
        """Return the item of each training event, int32 [number of training events].

        A user's first event counts with the targets that follow it; a longer history that was
        given ready does not count, as its events are targets elsewhere.
        """
        first = self.sequences.offsets[:-1]
        begins = np.where(self.train_starts == first + 1, first, self.train_starts)
        lengths = self.sequences.lengths()
        places = np.arange(self.sequences.n_events)
        kept = places < np.repeat(self.train_stops, lengths)
        kept &= places >= np.repeat(np.minimum(begins, self.train_stops), lengths)
        return self.sequences.items[kept]


def make_split(corpus: Corpus, settings: EvaluationSettings) -> Split:
    """Cut a data set by the protocol in the settings, unless its files were split already.

    Args:
        corpus: All histories.
        settings: The protocol.

    Returns:
        The split.

    Raises:
        DataError: Nothing is left to test or validate on, or to train on; or a split by time was
            asked for and the data have no times.
    """
    sequences = corpus.sequences
    if corpus.target_counts is not None:
        return split_by_counts(sequences, corpus.target_counts)
    if settings.split == "leave_one_out":
        return leave_one_out(sequences, settings.leave_out)
    if settings.split == "time":
        return split_by_counts(sequences, time_counts(sequences, settings.ratios))
    if settings.ratio_by == "user":
        return split_by_counts(sequences, ratio_counts(sequences, settings.ratios))
    return split_by_counts(sequences, global_ratio_counts(sequences, settings.ratios))


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
        raise DataError("the split leaves no target to validate or test on; give them a share")
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
    return _shared_out(np.maximum(sequences.lengths() - 1, 0), ratios)


def global_ratio_counts(sequences: Sequences, ratios: tuple[float, float, float]) -> np.ndarray:
    """Return how many of each user's targets go to each part if all targets are cut by time.

    Args:
        sequences: All histories.
        ratios: Shares of training, validation and test; they need not sum to one.

    Returns:
        int64 [U, 3].

    Raises:
        DataError: The data have no times.
    """
    owners, times = _targets(sequences)
    order = np.argsort(times, kind="stable")
    total = _shared_out(np.array([len(order)]), ratios)[0]
    part = np.repeat(np.arange(3), total)
    counts = np.zeros((sequences.n_users, 3), dtype=np.int64)
    np.add.at(counts, (owners[order], part), 1)
    return counts


def time_counts(sequences: Sequences, ratios: tuple[float, float, float]) -> np.ndarray:
    """Return RecBole's temporal split: later than a moment tests, the rest is cut user by user.

    The moment is the quantile of all targets' times that leaves the test its share. Of each user's
    earlier targets the first ``train / (train + validation)``, rounded down, train.

    Args:
        sequences: All histories.
        ratios: Shares of training, validation and test; they need not sum to one.

    Returns:
        int64 [U, 3].

    Raises:
        DataError: The data have no times.
    """
    train, _, test = (ratio / sum(ratios) for ratio in ratios)
    owners, times = _targets(sequences)
    if not len(times):
        return np.zeros((sequences.n_users, 3), dtype=np.int64)
    moment = np.percentile(times.astype(np.float64), 100 * (1 - test))
    earlier = times <= moment.astype(times.dtype)  # it meets times in their own precision there
    before = np.bincount(owners[earlier], minlength=sequences.n_users)
    after = np.bincount(owners[~earlier], minlength=sequences.n_users)
    trained = (before * (train / (1 - test) if test < 1 else 0.0)).astype(np.int64)
    return np.stack([trained, before - trained, after], axis=1)


def _targets(sequences: Sequences) -> tuple[np.ndarray, np.ndarray]:
    """Return owner (from 0) and time of every event after its user's first.

    Args:
        sequences: All histories.

    Returns:
        int64 and float, one each a target.

    Raises:
        DataError: The data have no times.
    """
    times = sequences.compared
    if times is None:
        raise DataError("a split by time needs a time column; name it with time_column")
    owners = np.repeat(np.arange(sequences.n_users), sequences.lengths())
    is_target = np.ones(sequences.n_events, dtype=bool)
    is_target[sequences.offsets[:-1][sequences.lengths() > 0]] = False
    return owners[is_target], times[is_target]


def _shared_out(totals: np.ndarray, ratios: tuple[float, float, float]) -> np.ndarray:
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
