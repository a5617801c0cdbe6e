"""Outcomes: how the trials of a study ended, and how a search stands."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import optuna


@dataclass(frozen=True, slots=True)
class Standing:
    """How a search stands after a trial.

    Attributes:
        place: Of the trial among those done, from 1, as in the report.
        settings: Tried.
        outcome: ``finished``, ``pruned``, or ``failed`` and why.
        score: Best validation score of the trial, or None.
        is_best: Whether it is the best so far.
        done: Trials done.
        total: Trials there are to do.
        best: The best score so far, or None.
        seconds_left: At the pace of this run, all its processes together, and until the last
            minute a trial may begin in; NaN while all trials have failed.
    """

    place: int
    settings: dict[str, Any]
    outcome: str
    score: float | None
    is_best: bool
    done: int
    total: int
    best: float | None
    seconds_left: float


def ended_of(trials: Iterable[optuna.trial.FrozenTrial]) -> list[optuna.trial.FrozenTrial]:
    """Return the trials that ended of their own; those that were lost or interrupted did not.

    Args:
        trials: All of a study.

    Returns:
        In the order they ended.
    """
    ended = [
        trial
        for trial in trials
        if trial.state.name in {"COMPLETE", "PRUNED"}
        or (trial.state.name == "FAIL" and "error" in trial.user_attrs)
    ]
    return sorted(ended, key=lambda trial: (trial.datetime_complete, trial.number))


def best_of(ended: Iterable[optuna.trial.FrozenTrial]) -> optuna.trial.FrozenTrial | None:
    """Return the trial with the highest score.

    Args:
        ended: Trials.

    Returns:
        The best finished one, of equal ones the first; None if none finished.
    """
    finished = [trial for trial in ended if trial.state.name == "COMPLETE"]
    return max(finished, key=lambda trial: (trial.value, -trial.number), default=None)


def outcome_of(trial: optuna.trial.FrozenTrial) -> tuple[str, float | None]:
    """Return how a trial ended.

    Args:
        trial: Done.

    Returns:
        ``finished``, ``pruned``, or ``failed`` and why; its best score, or None.
    """
    if trial.state.name == "COMPLETE":
        return "finished", trial.value
    reached = max(trial.intermediate_values.values(), default=None)
    if trial.state.name == "PRUNED":
        return "pruned", reached
    return f"failed: {trial.user_attrs.get('error')}", reached


def trials_without_progress(ended: Sequence[optuna.trial.FrozenTrial]) -> int:
    """Return how many of the last trials brought no new best.

    Args:
        ended: In the order they ended.

    Returns:
        0 if the last one is the best.
    """
    best, count = -np.inf, 0
    for trial in ended:
        value = trial.value if trial.state.name == "COMPLETE" and trial.value is not None else None
        if value is not None and value > best:
            best, count = value, 0
        else:
            count += 1
    return count


def seconds_of(trial: optuna.trial.FrozenTrial) -> float:
    """Return how long a trial took.

    Args:
        trial: Done; those of older versions tell only when they began and ended.

    Returns:
        Seconds, never negative.
    """
    told = trial.user_attrs.get("seconds")
    if isinstance(told, int | float) and told >= 0:
        return float(told)
    return max(0.0, trial.duration.total_seconds()) if trial.duration else 0.0
