"""Make the split that the settings name, and report where it differs from what they ask for."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from sasrec.data.corpus import Corpus
from sasrec.data.date_splits import split_by_dates, unpredictable
from sasrec.data.splits import (
    Split,
    leave_one_out,
    ratio_counts,
    split_by_counts,
    train_on_all,
)
from sasrec.data.target_types import split_wanted, wanted_targets, with_training_types
from sasrec.data.time_splits import global_ratio_counts, recbole_time_counts, split_by_time
from sasrec.remarks import Remark, log_remarks
from sasrec.settings.evaluation import EvaluationSettings

TOLERANCE = 0.01
"""A share may differ by this much from the requested one without a remark."""
REASONS = {
    "ratio": "each user's parts are rounded, but not to zero; ratio_by=all rounds only once",
    "ratio of all": "parts are rounded down to whole targets, but not to zero",
    "time": "targets with the same time stay in the same part",
    "recbole_time": "RecBole's split by time splits the targets before the test user by user; "
    "split=time splits all users at the same times",
}
"""Protocol to the reason why shares may differ from the requested ones."""


def make_split(corpus: Corpus, settings: EvaluationSettings) -> Split:
    """Split a data set by the protocol in the settings, unless its files are split already.

    Args:
        corpus: All histories.
        settings: The protocol.

    Returns:
        The split.

    Raises:
        DataError: Nothing is left to train on, or to test or validate on; or the protocol needs
            times and the data have none; or no event has a type that is to be predicted.
    """
    wanted = wanted_targets(corpus, settings)
    if wanted is None:
        split = split_events(corpus, settings)
    else:
        split = split_wanted(corpus, settings, wanted, split_events)
    split = replace(with_training_types(split, corpus, settings, wanted), wanted=wanted)
    ignored, reason = _ignored(corpus, settings)
    remarks = split.remarks + _unused_settings(settings, ignored, reason)
    if corpus.target_counts is None and settings.has_dates:
        remarks += unpredictable(split)
    elif "ratios" not in ignored:
        remarks += _share_remarks(replace(split, trains=wanted), settings)
    log_remarks(remarks, corpus.name)
    return replace(split, remarks=remarks)


def _ignored(corpus: Corpus, settings: EvaluationSettings) -> tuple[tuple[str, ...], str]:
    """Return the settings of a split that have no effect, and on what."""
    if corpus.target_counts is not None:
        every = ("split", "leave_out", "ratios", "test_from", "valid_from", "period_targets")
        return every, "data that are split already"
    if settings.has_dates:
        return ("leave_out", "ratios"), "a split at dates"
    ignored = {"leave_one_out": ("ratios",), "none": ("ratios", "leave_out")}
    names = ignored.get(settings.split, ("leave_out",))
    return (*names, "period_targets"), f"split={settings.split}"


def split_events(corpus: Corpus, settings: EvaluationSettings) -> Split:
    """Return the split of the protocol, or that of the files, whatever the types of events.

    Args:
        corpus: All histories.
        settings: The protocol.

    Returns:
        The split.
    """
    sequences, shares = corpus.sequences, settings.ratios
    if corpus.target_counts is not None:
        return split_by_counts(sequences, corpus.target_counts)
    if settings.split == "none":
        return train_on_all(sequences)
    if settings.split == "leave_one_out":
        return leave_one_out(sequences, settings.leave_out)
    if settings.has_dates:
        return split_by_dates(sequences, settings)
    if settings.split == "time":
        return split_by_time(sequences, shares)
    if settings.split == "recbole_time":
        return split_by_counts(sequences, recbole_time_counts(sequences, shares))
    counts = ratio_counts if settings.ratio_by == "user" else global_ratio_counts
    return split_by_counts(sequences, counts(sequences, shares))


def _unused_settings(
    settings: EvaluationSettings, names: tuple[str, ...], on: str
) -> tuple[Remark, ...]:
    """Return a remark on settings that were changed but have no effect, or nothing.

    Args:
        settings: The protocol.
        names: Settings that have no effect.
        on: What they have no effect on.
    """
    defaults = EvaluationSettings()
    changed = [name for name in names if getattr(settings, name) != getattr(defaults, name)]
    if not changed:
        return ()
    verb = "has" if len(changed) == 1 else "have"
    text = f"{' and '.join(changed)} {verb} no effect on {on}"
    return (Remark("split_settings_unheard", len(changed), text),)


def _share_remarks(split: Split, settings: EvaluationSettings) -> tuple[Remark, ...]:
    """Return a remark if the shares of targets differ from the requested ones, or nothing."""
    counts = np.array([split.n_targets, len(split.validation), len(split.test)])
    requested = np.array(settings.ratios) / sum(settings.ratios)
    shares = counts / counts.sum()
    if (abs(shares - requested) <= max(TOLERANCE, 1 / counts.sum())).all():
        return ()
    by_all = settings.split == "ratio" and settings.ratio_by == "all"
    reason = REASONS["ratio of all" if by_all else settings.split]
    shown = ["/".join(f"{share:.2f}" for share in each) for each in (requested, shares)]
    return (
        Remark(
            "shares",
            int(abs(counts - requested * counts.sum()).sum() / 2),
            f"targets are split {shown[1]} into training, validation and test instead of "
            f"{shown[0]}: {reason}",
        ),
    )
