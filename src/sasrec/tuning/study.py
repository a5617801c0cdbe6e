"""Study: a search that is kept, resumed and shared, and ends hopeless trials early.

Each trial is claimed from the storage before it is trained, so several processes or machines work
on one study without doing anything twice. A process that is killed leaves its trial marked as
running; whoever comes next sees that its owner is gone and queues the trial again.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from sasrec.errors import Interrupted, SasrecError, SettingsError
from sasrec.training.progress import EpochResult, Observer
from sasrec.tuning.plan import SearchPlan, points_of, pruner_of, sampler_of
from sasrec.tuning.storage import open_study, optuna_here, shown_storage
from sasrec.tuning.suggestions import meant, suggested
from sasrec.tuning.trials import check_study

if TYPE_CHECKING:
    import optuna

SILENCE = 900.0
"""Seconds without a sign of life after which a trial on another machine counts as lost."""
Train = Callable[[dict[str, Any], Observer], float]
"""Trains with some settings, tells the observer of each epoch, and returns the best validation
score, higher being better."""


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
            minute a trial may begin in; not a number while all trials have failed.
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


class Search:
    """One process at work on a study."""

    def __init__(
        self,
        plan: SearchPlan,
        *,
        storage: str,
        name: str,
        about: Mapping[str, Any] | None = None,
    ) -> None:
        """Open the study, or make it; the minutes of the plan count from here.

        Args:
            plan: How to search.
            storage: A file or a database URL.
            name: Of the study.
            about: What else a trial's score depends on, such as the model and the data; a study
                that is there must say the same.
        """
        self.plan, self._storage = plan, shown_storage(storage)
        self.study: optuna.Study = open_study(
            storage,
            name,
            about={"space": [[p.name, p.kind, list(p.values)] for p in plan.space]}
            | dict(about or {}),
            sampler=sampler_of(plan, 0),
            pruner=pruner_of(plan),
            points=points_of(plan) if plan.algorithm == "exhaustive" else (),
        )
        check_study(self.study, [each.name for each in plan.space], self._storage)
        # Processes of one study, and a search that is taken up again, must not draw what was drawn.
        self.study.sampler = sampler_of(plan, len(self.study.get_trials(deepcopy=False)))
        self._begun, self._done_before = time.monotonic(), len(self.done())
        self._owner = f"{socket.gethostname()}:{os.getpid()}"

    def run(self, train: Train, told: Callable[[Standing], None]) -> str:
        """Do trials until there are none left, or a limit is reached.

        Args:
            train: Trains with some settings.
            told: Hears how the search stands after each trial.

        Returns:
            Why the search ended, in words.

        Raises:
            Interrupted: Ctrl-C; the trial at hand is queued again, all others are kept.
            SettingsError: The storage cannot be written.
        """
        while True:
            try:
                self._reclaim()
                if (reason := self._finished()) is not None:
                    return reason
                trial = self._claim()
                if trial is None:
                    return "all combinations are done or taken by other processes"
                self._one(trial, train)
                told(self._standing(trial.number))
            except (KeyboardInterrupt, Interrupted):
                self._give_back()
                raise Interrupted("the search was stopped; what is done is kept") from None
            except OSError as error:  # a full disk, say
                raise SettingsError(
                    f"the storage {self._storage} cannot be written: {error.strerror or error}; "
                    "what is done is kept, and the same command goes on"
                ) from error

    def _one(self, trial: optuna.Trial, train: Train) -> None:
        trial.set_user_attr("owner", self._owner)
        trial.set_user_attr("beat", time.time())
        settings = {each.name: suggested(trial, each) for each in self.plan.space}
        optuna = optuna_here()
        watcher = _Watcher(trial, prunes=self.plan.prune != "none")
        try:
            score = _timed(trial, lambda: train(settings, watcher))
        except optuna.TrialPruned:
            self.study.tell(trial, state=optuna.trial.TrialState.PRUNED)
        except Interrupted:
            raise
        except SasrecError as error:
            trial.set_user_attr("error", " ".join(str(error).split()))
            self.study.tell(trial, state=optuna.trial.TrialState.FAIL)
        else:
            if np.isfinite(score):
                self.study.tell(trial, score)
            else:
                trial.set_user_attr("error", "no validation gave a number")
                self.study.tell(trial, state=optuna.trial.TrialState.FAIL)

    def _claim(self) -> optuna.Trial | None:
        """Return the next trial; None if all combinations of an exhaustive search are taken."""
        optuna = optuna_here()
        if self.plan.algorithm != "exhaustive":
            return self.study.ask()
        waiting = (optuna.trial.TrialState.WAITING,)
        if not self.study.get_trials(deepcopy=False, states=waiting):
            return None
        trial = self.study.ask()
        if "point" in trial.user_attrs:
            return trial
        # Another process took the last one between the two lines above.
        self.study.tell(trial, state=optuna.trial.TrialState.FAIL)
        return None

    def _reclaim(self) -> None:
        """Queue the trials again whose processes are gone."""
        optuna = optuna_here()
        running = (optuna.trial.TrialState.RUNNING,)
        for trial in self.study.get_trials(deepcopy=False, states=running):
            if _is_lost(trial):
                self._requeue(trial)

    def _give_back(self) -> None:
        """Queue this process's own trial again, if it has one."""
        optuna = optuna_here()
        running = (optuna.trial.TrialState.RUNNING,)
        for trial in self.study.get_trials(deepcopy=False, states=running):
            if trial.user_attrs.get("owner") == self._owner:
                self._requeue(trial)

    def _requeue(self, trial: optuna.trial.FrozenTrial) -> None:
        optuna = optuna_here()
        try:
            self.study.tell(trial.number, state=optuna.trial.TrialState.FAIL)
        except (ValueError, RuntimeError):  # another process was quicker
            return
        point = trial.user_attrs.get("point")
        if point is not None:
            self.study.enqueue_trial(points_of(self.plan)[point], user_attrs={"point": point})
        elif set(trial.params) == {each.name for each in self.plan.space}:
            self.study.enqueue_trial(trial.params)

    def _frozen(self, number: int) -> optuna.trial.FrozenTrial:
        return self.study.get_trials(deepcopy=False)[number]

    def done(self) -> list[optuna.trial.FrozenTrial]:
        """Return the trials that came to an end of their own, in the order they did."""
        ended = [trial for trial in self.study.get_trials(deepcopy=False) if _ended(trial)]
        return sorted(ended, key=lambda trial: (trial.datetime_complete, trial.number))

    def failed(self) -> list[optuna.trial.FrozenTrial]:
        """Return the trials that ended in an error, in the order they did."""
        return [trial for trial in self.done() if trial.state.name == "FAIL"]

    def judged(self) -> int:
        """Return how many trials ended with a score to choose by; failed ones did not."""
        return len(self.done()) - len(self.failed())

    def best(self) -> optuna.trial.FrozenTrial | None:
        """Return the best finished trial, or None."""
        finished = [trial for trial in self.done() if trial.state.name == "COMPLETE"]
        return max(finished, key=lambda trial: (trial.value, -trial.number), default=None)

    def settings_of(self, trial: optuna.trial.FrozenTrial) -> dict[str, Any]:
        """Return the settings a trial stands for.

        Args:
            trial: Of this study.

        Returns:
            Setting to value.
        """
        return meant(self.plan.space, trial.params)

    def _finished(self) -> str | None:
        plan, done = self.plan, self.done()
        if len(done) >= plan.total:
            return f"{len(done)} of {plan.total} trials are done"
        if plan.minutes is not None and time.monotonic() - self._begun >= 60 * plan.minutes:
            return f"{plan.minutes:g} minutes are over"
        if plan.early_stop is not None:
            stale = _stale(done)
            if stale >= plan.early_stop:
                return f"{stale} trials in a row brought no progress"
        return None

    def _standing(self, number: int) -> Standing:
        trial, done, best = self._frozen(number), self.done(), self.best()
        outcome = {"COMPLETE": "finished", "PRUNED": "pruned"}.get(
            trial.state.name, f"failed: {trial.user_attrs.get('error')}"
        )
        seen = trial.intermediate_values.values()
        score = trial.value if trial.state.name == "COMPLETE" else max(seen, default=None)
        spent = time.monotonic() - self._begun
        total = self.plan.total
        left = max(total - len(done), 0) * spent / max(len(done) - self._done_before, 1)
        if all(each.state.name == "FAIL" for each in done):
            left = float("nan")
        if self.plan.minutes is not None:
            left = min(left, max(60 * self.plan.minutes - spent, 0))
        return Standing(
            place=[each.number for each in done].index(number) + 1,
            settings=self.settings_of(trial),
            outcome=outcome,
            score=score,
            is_best=best is not None and best.number == number,
            done=len(done),
            total=total,
            best=None if best is None else best.value,
            seconds_left=left,
        )


def _timed(trial: optuna.Trial, work: Callable[[], float]) -> float:
    """Return what some work returns; note how long it took by a clock that does not jump."""
    begun = time.monotonic()
    try:
        return work()
    finally:
        trial.set_user_attr("seconds", time.monotonic() - begun)


class _Watcher:
    """Tells the storage of each validation, and ends a trial that fell behind."""

    def __init__(self, trial: optuna.Trial, *, prunes: bool) -> None:
        self._trial = trial
        self._prunes = prunes
        self._validations = 0

    def started(self, epochs: int, targets: int) -> None:
        """Take no notice."""

    def advanced(self, epoch: int, targets: int) -> None:
        """Take no notice."""

    def finished_epoch(self, result: EpochResult) -> None:
        """Report the score.

        Args:
            result: Of the epoch.

        Raises:
            TrialPruned: The trial has fallen behind.
        """  # Optuna's
        self._trial.set_user_attr("beat", time.time())
        if result.merit is None or not np.isfinite(result.merit):
            return
        self._validations += 1
        self._trial.report(result.merit, self._validations)
        if self._prunes and self._trial.should_prune():
            raise optuna_here().TrialPruned

    def stopped(self, reason: str) -> None:
        """Take no notice."""


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


def _is_lost(trial: optuna.trial.FrozenTrial) -> bool:
    """Return whether the process that works on a trial is gone."""
    host, _, process = str(trial.user_attrs.get("owner", "")).rpartition(":")
    if host == socket.gethostname():
        return not _is_alive(int(process))
    started = trial.datetime_start.timestamp() if trial.datetime_start else 0.0
    return time.time() - float(trial.user_attrs.get("beat", started)) > SILENCE


def _is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _ended(trial: optuna.trial.FrozenTrial) -> bool:
    """Return whether a trial ended of its own; one that was lost or interrupted did not."""
    return trial.state.name in {"COMPLETE", "PRUNED"} or (
        trial.state.name == "FAIL" and "error" in trial.user_attrs
    )


def _stale(done: Sequence[optuna.trial.FrozenTrial]) -> int:
    """Return how many of the last trials brought no new best."""
    best, stale = -np.inf, 0
    for trial in done:
        value = trial.value if trial.state.name == "COMPLETE" and trial.value is not None else None
        if value is not None and value > best:
            best, stale = value, 0
        else:
            stale += 1
    return stale
