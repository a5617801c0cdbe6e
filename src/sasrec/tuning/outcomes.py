"""How the trials of a study ended, and the progress of a search."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import optuna


@dataclass(frozen=True, slots=True)
class SearchProgress:
    """The progress of a search after a trial.

    Attributes:
        number: Number of the trial in the order in which trials ended, from 1, as in the report.
        settings: The settings of the trial.
        outcome: ``finished``, ``pruned``, or ``failed`` with the reason.
        score: Best validation score of the trial, or None.
        is_best: Whether the trial is the best so far.
        done: Number of trials that have ended.
        total: Number of trials to run in all.
        best: The best score so far, or None.
        seconds_left: Estimated seconds until the end of the search, from the speed of all processes
            in this run and the time limit; NaN while all trials have failed.
    """

    number: int
    settings: dict[str, Any]
    outcome: str
    score: float | None
    is_best: bool
    done: int
    total: int
    best: float | None
    seconds_left: float


def ended_trials(trials: Iterable[optuna.trial.FrozenTrial]) -> list[optuna.trial.FrozenTrial]:
    """Return the trials that finished, were pruned or failed, but not lost or interrupted ones.

    Args:
        trials: All trials of a study.

    Returns:
        The trials, in the order in which they ended.
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
        ended: Trials that have ended.

    Returns:
        The best finished trial (of several with the same score, the first); None if none finished.
    """
    finished = [trial for trial in ended if trial.state.name == "COMPLETE"]
    return max(finished, key=lambda trial: (trial.value, -trial.number), default=None)


def outcome_of(trial: optuna.trial.FrozenTrial) -> tuple[str, float | None]:
    """Return how a trial ended.

    Args:
        trial: A trial that has ended.

    Returns:
        ``finished``, ``pruned``, or ``failed`` with the reason; and its best score, or None.
    """
    if trial.state.name == "COMPLETE":
        return "finished", trial.value
    reached = max(trial.intermediate_values.values(), default=None)
    if trial.state.name == "PRUNED":
        return "pruned", reached
    return f"failed: {trial.user_attrs.get('error')}", reached


def trials_without_progress(ended: Sequence[optuna.trial.FrozenTrial]) -> int:
    """Return the number of trials since the last new best.

    Args:
        ended: Trials, in the order in which they ended.

    Returns:
        The number; 0 if the last trial is the best.
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
        trial: A trial that has ended; trials of older versions only have start and end times.

    Returns:
        Seconds, never negative.
    """
    seconds = trial.user_attrs.get("seconds")
    if isinstance(seconds, int | float) and seconds >= 0:
        return float(seconds)
    return max(0.0, trial.duration.total_seconds()) if trial.duration else 0.0
