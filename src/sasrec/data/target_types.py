"""Splits whose targets are events of some types only; all events stay in the histories."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from sasrec.data.checks.given_away import given_away
from sasrec.data.corpus import Corpus
from sasrec.data.date_splits import split_by_dates
from sasrec.data.sequences import Sequences
from sasrec.data.splits import Split
from sasrec.data.time_splits import boundaries, split_at
from sasrec.errors import DataError, counted, did_you_mean
from sasrec.remarks import Remark
from sasrec.settings.evaluation import EvaluationSettings
from sasrec.settings.event_types import ALL_TYPES

MakeSplit = Callable[[Corpus, EvaluationSettings], Split]
"""Splits a data set by the protocol in the settings."""


def wanted_targets(corpus: Corpus, settings: EvaluationSettings) -> np.ndarray | None:
    """Return which events may be validation or test targets.

    Args:
        corpus: All histories with their types.
        settings: Its ``target_types``.

    Returns:
        bool [N]; None if all may.

    Raises:
        DataError: The data have no types, or no event has one of the types.
    """  # raised by _of_types
    if settings.target_types is None:
        return None
    return _of_types(corpus, settings.target_types, "target_types")


def seen_events(corpus: Corpus, settings: EvaluationSettings) -> np.ndarray | None:
    """Return which events count as seen where items seen before are removed from rankings.

    Args:
        corpus: All histories with their types.
        settings: Its ``seen_types``.

    Returns:
        bool [N]; None if all events count.

    Raises:
        DataError: The data have no types, or not one of these.
    """
    if settings.seen_types is None:
        return None
    types, known = corpus.sequences.types, corpus.event_types
    if types is None:
        raise DataError(
            "seen_types needs the types of events, and the data have none; set type_column"
        )
    for name in settings.seen_types:
        if name not in known:
            raise DataError(
                f"seen_types has {name!r}, a type that does not exist{did_you_mean(name, known)} "
                f"(known: {', '.join(known)})"
            )
    numbers = [known.index(name) + 1 for name in settings.seen_types]
    found: np.ndarray = np.isin(types, numbers)
    return found


def asked_type(event_types: Sequence[str], settings: EvaluationSettings) -> int:
    """Return the number of the type that a model is asked to predict, 0 for an event of any type.

    With several target types it is 0, because the type of the next event is not known in advance.

    Args:
        event_types: The types that the model knows, number 1 first.
        settings: Its ``target_types``.
    """
    wanted = settings.target_types or ()
    if len(wanted) != 1 or wanted[0] not in event_types:
        return 0
    return list(event_types).index(wanted[0]) + 1


def split_wanted(
    corpus: Corpus, settings: EvaluationSettings, wanted: np.ndarray, make: MakeSplit
) -> Split:
    """Split a data set as if the wanted events were the only targets.

    Leave-one-out tests on the last wanted event of each user, and validates on the one before. Of
    the other events, those before a user's first held-out target are training events.

    Args:
        corpus: All histories.
        settings: The protocol.
        wanted: bool [N], the events that may be targets.
        make: Makes a split in which all events may be targets.

    Returns:
        The split of all events.

    Raises:
        DataError: Nothing is left to train on, or to test or validate on.
    """
    sequences, names = corpus.sequences, _names(settings.target_types or ())
    small, positions = _reduced(sequences, wanted)
    if corpus.target_counts is not None or settings.split == "none":
        split = make(corpus, settings)
    elif settings.has_dates:
        split = split_by_dates(sequences, settings, wanted)
    elif settings.split == "time":
        split = split_at(sequences, *boundaries(small, settings.ratios))
    else:
        _check_enough(small, settings, names)
        reduced = make(replace(corpus, sequences=small), settings)
        split = _expanded(reduced, sequences, positions)
        if settings.split == "ratio" and settings.ratio_by == "all":
            split = _until_last_target(split, wanted)
    split = replace(split, validation=split.validation.where(wanted), test=split.test.where(wanted))
    if settings.split != "none" and not len(split.validation) and not len(split.test):
        raise DataError(
            f"no event of type {names} (target_types) is left to validate or test on; choose other "
            "types, or another split"
        )
    remarks = (_remark(corpus, small, wanted, names), *given_away(split, corpus.event_types))
    return replace(split, remarks=(*split.remarks, *remarks))


def with_training_types(
    split: Split, corpus: Corpus, settings: EvaluationSettings, wanted: np.ndarray | None
) -> Split:
    """Return a split that trains on targets of the types in ``train_target_types`` only.

    Args:
        split: All events of its training part are targets.
        corpus: All histories with their types.
        settings: Its ``train_target_types``.
        wanted: bool [N], validation and test targets, which are those of training by default.

    Returns:
        The split.

    Raises:
        DataError: The data have no types, or no training target is left.
    """
    names = settings.train_target_types
    if names is not None:
        wanted = None if names == ALL_TYPES else _of_types(corpus, names, "train_target_types")
    if wanted is None or wanted.all():
        return split
    split = replace(split, trains=wanted)
    if not split.n_targets:
        key = "target_types" if names is None else "train_target_types"
        shown = _names(names or settings.target_types or ())
        raise DataError(
            f"no event of type {shown} ({key}) is left to train on; set train_target_types=all to "
            "train on events of every type"
        )
    return split


def _of_types(corpus: Corpus, names: Sequence[str], key: str) -> np.ndarray:
    """Return which events have one of some types, bool [N].

    Raises:
        DataError: The data have no types, or no event has a type.
    """
    types, known = corpus.sequences.types, corpus.event_types
    if types is None:
        raise DataError(f"{key} needs the types of events, and the data have none; set type_column")
    counts = np.bincount(types, minlength=len(known) + 1)
    have = {name: int(count) for name, count in zip(known, counts[1:], strict=True)}
    for name in names:
        if not have.get(name):
            counted_types = {each: count for each, count in have.items() if count}
            shown = ", ".join(f"{each} {count:,}" for each, count in counted_types.items())
            raise DataError(
                f"no event has the type {name!r} ({key}){did_you_mean(name, list(counted_types))} "
                f"(numbers of events: {shown or 'none of a known type'})"
            )
    chosen = np.zeros(len(known) + 1, dtype=bool)
    chosen[[list(known).index(name) + 1 for name in names]] = True
    found: np.ndarray = chosen[types]
    return found


def _names(names: Sequence[str]) -> str:
    return " or ".join(map(repr, names))


def _reduced(sequences: Sequences, wanted: np.ndarray) -> tuple[Sequences, np.ndarray]:
    """Return the histories of only first events and wanted ones, and the index of each, int64."""
    kept = wanted.copy()
    kept[sequences.offsets[:-1][sequences.lengths() > 0]] = True
    times, rounded = sequences.times, sequences.rounded
    small = Sequences(
        items=sequences.items[kept],
        times=None if times is None else times[kept],
        offsets=np.concatenate(([0], np.cumsum(kept, dtype=np.int64)))[sequences.offsets],
        rounded=None if rounded is None else rounded[kept],
    )
    return small, np.flatnonzero(kept)


def _check_enough(small: Sequences, settings: EvaluationSettings, names: str) -> None:
    """Refuse leave-one-out if no user has two targets.

    Raises:
        DataError: No user has.
    """
    most = max(0, int(small.lengths().max(initial=0)) - 1)
    if settings.split == "leave_one_out" and most < 2:
        raise DataError(
            f"no user has at least 2 events of type {names} (target_types) after the first event "
            f"(the most is {most}), so leave-one-out has nothing to test on; split by time with "
            "test_from"
        )


def _expanded(reduced: Split, sequences: Sequences, positions: np.ndarray) -> Split:
    """Return a split of all events from that of first and wanted events."""
    ends, small = sequences.offsets[1:], reduced.sequences
    is_held_out = reduced.train_stops < small.offsets[1:]
    places = positions[np.minimum(reduced.train_stops, len(positions) - 1)]
    stops = np.where(is_held_out, places, ends)
    validation, test = (
        replace(cases, stops=positions[cases.stops]) for cases in (reduced.validation, reduced.test)
    )
    return replace(
        reduced,
        sequences=sequences,
        train_starts=np.minimum(sequences.offsets[:-1] + 1, stops),
        train_stops=stops,
        validation=validation,
        test=test,
    )


def _until_last_target(split: Split, wanted: np.ndarray) -> Split:
    """Return a split without training events that are later than the last training target."""
    sequences = split.sequences
    times = sequences.compared
    targets = split.is_training() & wanted
    if times is None or not targets.any():
        return split
    before = np.concatenate(([0], np.cumsum(times <= times[targets].max(), dtype=np.int64)))
    counts = before[sequences.offsets[1:]] - before[sequences.offsets[:-1]]
    stops = np.minimum(split.train_stops, sequences.offsets[:-1] + counts)
    return replace(split, train_stops=stops, train_starts=np.minimum(split.train_starts, stops))


def _remark(corpus: Corpus, small: Sequences, wanted: np.ndarray, names: str) -> Remark:
    """Return how many events are targets, and how many users have none."""
    without = int((small.lengths() < 2).sum())
    text = (
        f"{int(wanted.sum()):,} of {counted(len(wanted), 'event')} are of type {names} "
        f"(target_types); {without:,} of {counted(len(corpus.users), 'user')} have no such target"
    )
    return Remark("target_types", int(wanted.sum()), text)
