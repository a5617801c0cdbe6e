"""Which events an update learns: new ones that are not held out, and earlier ones to replay."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from sasrec.data.batches.replay import Replay
from sasrec.data.corpus import Corpus
from sasrec.data.make_split import make_split, split_events
from sasrec.data.sequences import Sequences
from sasrec.data.splits import Split, split_by_counts, split_by_shares
from sasrec.data.target_types import split_wanted, wanted_targets, with_training_types
from sasrec.errors import DataError, counted
from sasrec.experiment.updating.merged import Merged
from sasrec.settings.evaluation import EvaluationSettings


@dataclass(frozen=True, slots=True)
class UpdateSplit:
    """The events of an update by their purpose.

    Attributes:
        split: New training targets, and new events to validate and test on.
        is_new: bool [N], all new events.
        learned: bool [N], new events that train the model, as targets or as a first event.
        earlier: bool [N], earlier events that were targets before and may be replayed.
        held_out: Number of new events that are held out for validation and test.
    """

    split: Split
    is_new: np.ndarray
    learned: np.ndarray
    earlier: np.ndarray
    held_out: int

    def replay(self, count: int) -> Replay | None:
        """Return the earlier targets to replay, or None if there are none.

        Args:
            count: How many to replay in an epoch.
        """
        return Replay(self.earlier, count) if count and self.earlier.any() else None


@dataclass(frozen=True, slots=True)
class EarlierSplit:
    """A split by which events were held out before.

    Attributes:
        settings: The evaluation settings.
        latest: Time of the latest event of that time; None if it is not known.
    """

    settings: EvaluationSettings
    latest: float | None


def split_for_update(
    merged: Merged, settings: EvaluationSettings, before: Sequence[EarlierSplit]
) -> UpdateSplit:
    """Split new events by the protocol, and leave out what was held out before.

    Args:
        merged: New and earlier events.
        settings: The protocol; with ``none``, everything is learned, also what was held out before.
        before: The splits of the training and of earlier updates, the first one first.

    Returns:
        The events by purpose.

    Raises:
        DataError: No new event is left to learn.
    """
    corpus, is_new = merged.corpus, merged.is_new
    whole = _by_rule(corpus, settings, is_new)
    sequences = whole.sequences
    indices, lengths = np.arange(sequences.n_events), sequences.lengths()
    inside = indices < np.repeat(whole.train_stops, lengths)
    follows = indices > np.repeat(sequences.offsets[:-1], lengths)  # a first event has no history
    wanted = inside & follows
    if whole.trains is not None:
        wanted &= whole.trains
    held_before = np.zeros(len(is_new), dtype=bool)
    if settings.split != "none":
        for each in before:
            held_before |= held_out_before(corpus, is_new, each)
    targets = wanted & is_new
    if not targets.any():
        raise DataError(_nothing_left(merged, settings))
    split = replace(
        whole,
        train_starts=_first_targets(sequences, targets, whole.train_stops),
        trains=targets,
        validation=whole.validation.where(is_new),
        test=whole.test.where(is_new),
    )
    return UpdateSplit(
        split,
        is_new=is_new,
        learned=inside & is_new,
        earlier=wanted & ~is_new & ~held_before,
        held_out=int((is_new & ~inside).sum()),
    )


def held_out_before(corpus: Corpus, is_new: np.ndarray, before: EarlierSplit) -> np.ndarray:
    """Return the events that an earlier split of the same people held out.

    Args:
        corpus: New and earlier events.
        is_new: bool [N], the new events.
        before: The split.

    Returns:
        bool [N].
    """
    sequences = corpus.sequences
    then = ~is_new
    if before.latest is not None and sequences.times is not None:
        then &= sequences.times <= before.latest
    found = np.zeros(len(then), dtype=bool)
    if before.settings.split == "none" or not then.any():
        return found
    small, places = _only(sequences, then)
    try:
        split = _quietly_split(replace(corpus, sequences=small), before.settings)
    except DataError:  # nobody has enough events, so nothing was held out
        return found
    outside = np.arange(small.n_events) >= np.repeat(split.train_stops, small.lengths())
    found[places[outside]] = True
    return found


def _only(sequences: Sequences, kept: np.ndarray) -> tuple[Sequences, np.ndarray]:
    """Return the histories of some events only, and the index of each of these, int64."""
    before = np.concatenate(([0], np.cumsum(kept, dtype=np.int64)))
    times, types = sequences.times, sequences.types
    small = Sequences(
        items=sequences.items[kept],
        times=None if times is None else times[kept],
        offsets=before[sequences.offsets],
        types=None if types is None else types[kept],
    )
    return small, np.flatnonzero(kept)


def _quietly_split(corpus: Corpus, settings: EvaluationSettings) -> Split:
    """Return the split of the protocol; remarks on it were made when it was first used."""
    wanted = wanted_targets(corpus, settings)
    if wanted is None:
        return split_events(corpus, settings)
    return split_wanted(corpus, settings, wanted, split_events)


def _by_rule(corpus: Corpus, settings: EvaluationSettings, is_new: np.ndarray) -> Split:
    """Return the split of the protocol; shares are those of the new events."""
    if settings.has_dates or settings.split not in {"ratio", "time", "recbole_time"}:
        return make_split(corpus, settings)
    sequences = corpus.sequences
    if settings.split == "ratio" and settings.ratio_by == "user":
        before = np.concatenate(([0], np.cumsum(is_new, dtype=np.int64)))
        totals = np.maximum(sequences.lengths() - 1, 0)
        counts = split_by_shares(
            np.minimum(np.diff(before[sequences.offsets]), totals), settings.ratios
        )
        counts[:, 0] = totals - counts[:, 1:].sum(1)
        split = split_by_counts(sequences, counts)
        return with_training_types(split, corpus, settings, None)
    return make_split(corpus, _with_dates(sequences, settings, is_new))


def _with_dates(
    sequences: Sequences, settings: EvaluationSettings, is_new: np.ndarray
) -> EvaluationSettings:
    """Return the protocol with the points in time that split new events by the shares.

    Raises:
        DataError: The data have no times.
    """
    if sequences.times is None:
        raise DataError("a split by time needs times; set time_column to the column with times")
    times = np.sort(sequences.times[is_new])
    train, validation, test = (ratio / sum(settings.ratios) for ratio in settings.ratios)
    begins = [
        repr(float(times[min(round(share * len(times)), len(times) - 1)]))
        for share in (train, train + validation)
    ]
    values: dict[str, object] = {"split": "time", "ratios": EvaluationSettings().ratios}
    values |= {"valid_from": begins[0] if validation else None}
    values |= {"test_from": begins[1] if test else None}
    return settings.model_copy(update=values)


def _first_targets(sequences: Sequences, targets: np.ndarray, stops: np.ndarray) -> np.ndarray:
    """Return the index of each user's first target, or the end of training without one, int64."""
    found = np.flatnonzero(targets)
    begins = np.searchsorted(found, sequences.offsets[:-1])
    padded = np.append(found, sequences.n_events)
    first: np.ndarray = np.minimum(padded[begins], stops)
    return first


def _nothing_left(merged: Merged, settings: EvaluationSettings) -> str:
    """Return why there is nothing to learn."""
    count = int(merged.is_new.sum())
    if settings.split == "none":
        return (
            f"{counted(count, 'new event has', 'new events have')} no earlier event of the same "
            "user, so there is nothing to learn; give the earlier events with --history (in "
            "Python: history=)"
        )
    return (
        f"{counted(count, 'new event')}: all are held out for validation and test by "
        f"split={settings.split}, or have no earlier event of the same user, so there is nothing "
        "to learn; train on all events with --split=none, or choose the test with --test-from"
    )
