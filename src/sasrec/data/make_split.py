"""Make the split that the settings name, and report where it differs from what they ask for."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from sasrec.data.checks.remarks import Remark, tell
from sasrec.data.corpus import Corpus
from sasrec.data.splits import Split, leave_one_out, ratio_counts, split_by_counts
from sasrec.data.time_splits import global_ratio_counts, recbole_time_counts, split_by_time
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
    if corpus.target_counts is not None:
        unused = _unused_settings(
            settings, ("split", "leave_out", "ratios"), "data that are split already"
        )
        tell(unused, corpus.name)
        return replace(split_by_counts(sequences, corpus.target_counts), remarks=unused)
    other = "ratios" if settings.split == "leave_one_out" else "leave_out"
    unused = _unused_settings(settings, (other,), f"split={settings.split}")
    tell(unused, corpus.name)
    if settings.split == "leave_one_out":
        return replace(leave_one_out(sequences, settings.leave_out), remarks=unused)
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
    return replace(split, remarks=unused + remarks)


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
