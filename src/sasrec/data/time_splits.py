"""Splits by time: the protocols that compare the times of different users' events."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from sasrec.data.sequences import Sequences
from sasrec.data.splits import Split, shared_out, split_by_counts
from sasrec.errors import DataError


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
    total = shared_out(np.array([len(order)]), ratios)[0]
    part = np.repeat(np.arange(3), total)
    counts = np.zeros((sequences.n_users, 3), dtype=np.int64)
    np.add.at(counts, (owners[order], part), 1)
    return counts


def split_by_time(sequences: Sequences, ratios: tuple[float, float, float]) -> Split:
    """Cut all histories at two moments: what lies before both trains, what lies after both tests.

    The moments are those at which the shares come nearest to those asked for; targets of one
    moment stay together. So every validation target is later than every training target, and
    every test target later than both.

    Args:
        sequences: All histories, each in the order of its times.
        ratios: Shares of training, validation and test; they need not sum to one.

    Returns:
        The split; the first events of users who come after the first moment are none of training.

    Raises:
        DataError: The data have no times, or all share one; or nothing is left to train on, or to
            test or validate on.
    """
    owners, times = _targets(sequences)
    moments = np.sort(times)
    if len(moments) and moments[0] == moments[-1]:
        raise DataError(
            "all events have the same time, so no moment parts them; choose split=leave_one_out"
        )
    train, validation, _ = (ratio / sum(ratios) for ratio in ratios)
    first = _cut(moments, train)
    second = max(first, _cut(moments, train + validation))
    starts = [moments[cut] if cut < len(moments) else np.inf for cut in (first, second)]
    counts = np.zeros((sequences.n_users, 3), dtype=np.int64)
    np.add.at(counts, (owners, np.searchsorted(starts, times, side="right")), 1)
    split = split_by_counts(sequences, counts)
    return replace(split, first_trains=_first_times(sequences) < starts[0])


def _cut(moments: np.ndarray, share: float) -> int:
    """Return how many of the first moments come nearest to a share without parting equal ones.

    Args:
        moments: float64 [n], ascending.
        share: From 0 to 1.
    """
    wanted = round(share * len(moments))
    if wanted in {0, len(moments)}:
        return wanted
    low, high = (int(moments.searchsorted(moments[wanted], side)) for side in ("left", "right"))
    return low if wanted - low <= high - wanted else high


def recbole_time_counts(sequences: Sequences, ratios: tuple[float, float, float]) -> np.ndarray:
    """Return RecBole's split by time: later than a moment tests, the rest is cut user by user.

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
    times = _times(sequences)
    owners = np.repeat(np.arange(sequences.n_users), sequences.lengths())
    is_target = np.ones(sequences.n_events, dtype=bool)
    is_target[sequences.offsets[:-1][sequences.lengths() > 0]] = False
    return owners[is_target], times[is_target]


def _first_times(sequences: Sequences) -> np.ndarray:
    """Return the time of each user's first event, float64 [U]; NaN of users without any."""
    begun = np.full(sequences.n_users, np.nan)
    has_some = sequences.lengths() > 0
    begun[has_some] = _times(sequences)[sequences.offsets[:-1][has_some]]
    return begun


def _times(sequences: Sequences) -> np.ndarray:
    times = sequences.compared
    if times is None:
        raise DataError("a split by time needs a time column; name it with time_column")
    return times
