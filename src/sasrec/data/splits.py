"""Splits: which events train, and which are kept back as validation and test targets.

Every protocol comes down to three numbers a user: how many of the last events are training,
validation and test targets, in this order. A user's first event is nobody's target.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from sasrec.data.checks.remarks import Remark, tell
from sasrec.data.corpus import Corpus
from sasrec.data.sequences import Sequences
from sasrec.errors import DataError
from sasrec.settings.evaluation import EvaluationSettings

TOLERANCE = 0.01
"""How far a share may be from the one asked for before it is told."""
WHY = {
    "ratio": "parts of a user's targets are rounded, but not to nothing; ratio_by=all rounds once",
    "ratio of all": "parts are rounded down to whole targets, but not to nothing",
    "time": "targets of one moment stay together",
    "recbole_time": "RecBole's split by time cuts what is earlier than the test user by user; "
    "split=time cuts all users at the same moments",
}
"""Protocol to why the shares obtained may differ."""


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
    sequences, shares = corpus.sequences, settings.ratios
    unheard = _unheard(settings, ready=corpus.target_counts is not None)
    tell(unheard, corpus.name)
    if corpus.target_counts is not None:
        return replace(split_by_counts(sequences, corpus.target_counts), remarks=unheard)
    if settings.split == "leave_one_out":
        return replace(leave_one_out(sequences, settings.leave_out), remarks=unheard)
    if settings.split == "time":
        split = split_by_time(sequences, shares)
    elif settings.split == "recbole_time":
        split = split_by_counts(sequences, recbole_time_counts(sequences, shares))
    elif settings.ratio_by == "user":
        split = split_by_counts(sequences, ratio_counts(sequences, shares))
    else:
        split = split_by_counts(sequences, global_ratio_counts(sequences, shares))
    remarks = _shares_obtained(split, settings)
    tell(remarks, corpus.name)
    return replace(split, remarks=unheard + remarks)


def _unheard(settings: EvaluationSettings, *, ready: bool) -> tuple[Remark, ...]:
    """Return a remark on settings of a split that were changed and have no effect on this one.

    Args:
        settings: The protocol.
        ready: Whether the data are split already.
    """
    usual = EvaluationSettings()
    heard_by = {
        "split": not ready,
        "leave_out": not ready and settings.split == "leave_one_out",
        "ratios": not ready and settings.split != "leave_one_out",
    }
    names = [
        name
        for name, is_heard in heard_by.items()
        if not is_heard and getattr(settings, name) != getattr(usual, name)
    ]
    if not names:
        return ()
    why = "data that are split already" if ready else f"split={settings.split}"
    text = f"{' and '.join(names)} {'has' if len(names) == 1 else 'have'} no effect on {why}"
    return (Remark("split_settings_unheard", len(names), text),)


def _shares_obtained(split: Split, settings: EvaluationSettings) -> tuple[Remark, ...]:
    """Return a remark if the shares of targets are not those asked for, or nothing."""
    given = np.array([split.n_targets, len(split.validation), len(split.test)])
    asked = np.array(settings.ratios) / sum(settings.ratios)
    obtained = given / given.sum()
    if (abs(obtained - asked) <= max(TOLERANCE, 1 / given.sum())).all():
        return ()
    by_all = settings.split == "ratio" and settings.ratio_by == "all"
    why = WHY["ratio of all" if by_all else settings.split]
    shown = ["/".join(f"{share:.2f}" for share in shares) for shares in (asked, obtained)]
    return (
        Remark(
            "shares",
            int(abs(given - asked * given.sum()).sum() / 2),
            f"the targets are split {shown[1]} into training, validation and test, where "
            f"{shown[0]} was asked for: {why}",
        ),
    )


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
