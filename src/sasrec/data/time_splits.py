"""Splits by time: the protocols that compare the times of different users' events."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from sasrec.data.sequences import Sequences
from sasrec.data.splits import Split, split_by_counts, split_by_shares
from sasrec.errors import DataError


def global_ratio_counts(sequences: Sequences, ratios: tuple[float, float, float]) -> np.ndarray:
    """Return how many of each user's targets go to each part if all targets are split by time.

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
    total = split_by_shares(np.array([len(order)]), ratios)[0]
    part = np.repeat(np.arange(3), total)
    counts = np.zeros((sequences.n_users, 3), dtype=np.int64)
    np.add.at(counts, (owners[order], part), 1)
    return counts


def split_by_time(sequences: Sequences, ratios: tuple[float, float, float]) -> Split:
    """Split all histories at two times: targets before both train, targets after both test.

    Args:
        sequences: All histories, each sorted by time.
        ratios: Shares of training, validation and test; they need not sum to one.

    Returns:
        The split; the first event of a user belongs to training only if it is before the first
        time.

    Raises:
        DataError: The data have no times, or all times are equal; or nothing is left to train on,
            or to test or validate on.
    """  # raised by boundaries and split_at
    return split_at(sequences, *boundaries(sequences, ratios))


def boundaries(sequences: Sequences, ratios: tuple[float, float, float]) -> tuple[float, float]:
    """Return the times at which validation and test begin.

    The times are those that give shares closest to the requested ones; targets with the same time
    stay in the same part. So every validation target is later than every training target, and
    every test target is later than both.

    Args:
        sequences: All histories, each sorted by time.
        ratios: Shares of training, validation and test; they need not sum to one.

    Returns:
        The two times; infinity for a part without targets.

    Raises:
        DataError: The data have no times, or all times are equal.
    """
    _, times = _targets(sequences)
    ascending = np.sort(times)
    if len(ascending) and ascending[0] == ascending[-1]:
        raise DataError(
            "all events have the same time, so they cannot be split by time; choose "
            "split=leave_one_out"
        )
    train, validation, _ = (ratio / sum(ratios) for ratio in ratios)
    first = _cut(ascending, train)
    second = max(first, _cut(ascending, train + validation))
    starts = [float(ascending[cut]) if cut < len(ascending) else np.inf for cut in (first, second)]
    return starts[0], starts[1]


def split_at(sequences: Sequences, validation: float, test: float) -> Split:
    """Split all histories at two times.

    Args:
        sequences: All histories, each sorted by time.
        validation: Targets from this time on are for validation.
        test: Targets from this time on are for the test; infinity for no test.

    Returns:
        The split; the first event of a user belongs to training only if it is before
        ``validation``.

    Raises:
        DataError: The data have no times; or nothing is left to train on, or to test or validate
            on.
    """
    owners, times = _targets(sequences)
    counts = np.zeros((sequences.n_users, 3), dtype=np.int64)
    np.add.at(counts, (owners, np.searchsorted([validation, test], times, side="right")), 1)
    split = split_by_counts(sequences, counts)
    return replace(split, first_trains=_first_times(sequences) < validation)


def _cut(times: np.ndarray, share: float) -> int:
    """Return the index closest to a share at which to cut without separating equal times.

    Args:
        times: float64 [n], ascending.
        share: From 0 to 1.
    """
    exact = round(share * len(times))
    if exact in {0, len(times)}:
        return exact
    low, high = (int(times.searchsorted(times[exact], side)) for side in ("left", "right"))
    return low if exact - low <= high - exact else high


def recbole_time_counts(sequences: Sequences, ratios: tuple[float, float, float]) -> np.ndarray:
    """Return RecBole's split by time: later targets test, earlier ones are split user by user.

    The boundary is the quantile of all targets' times that gives the test its share. Of each user's
    earlier targets the first ``train / (train + validation)``, rounded down, are for training.

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
    cut = np.percentile(times.astype(np.float64), 100 * (1 - test))
    earlier = times <= cut.astype(times.dtype)  # RecBole compares in the precision of the times
    before = np.bincount(owners[earlier], minlength=sequences.n_users)
    after = np.bincount(owners[~earlier], minlength=sequences.n_users)
    trained = (before * (train / (1 - test) if test < 1 else 0.0)).astype(np.int64)
    return np.stack([trained, before - trained, after], axis=1)


def _targets(sequences: Sequences) -> tuple[np.ndarray, np.ndarray]:
    """Return the user, from 0, and the time of every target: each event but a user's first.

    Args:
        sequences: All histories.

    Returns:
        int64 and float, [number of targets] each.

    Raises:
        DataError: The data have no times.
    """
    times = _times(sequences)
    owners = np.repeat(np.arange(sequences.n_users), sequences.lengths())
    is_target = np.ones(sequences.n_events, dtype=bool)
    is_target[sequences.offsets[:-1][sequences.lengths() > 0]] = False
    return owners[is_target], times[is_target]


def _first_times(sequences: Sequences) -> np.ndarray:
    """Return the time of each user's first event, float64 [U]; NaN for users without events."""
    first = np.full(sequences.n_users, np.nan)
    has_events = sequences.lengths() > 0
    first[has_events] = _times(sequences)[sequences.offsets[:-1][has_events]]
    return first


def _times(sequences: Sequences) -> np.ndarray:
    times = sequences.compared
    if times is None:
        raise DataError("a split by time needs times; set time_column to the column with times")
    return times
