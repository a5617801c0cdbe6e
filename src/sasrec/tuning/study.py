"""The search engine: it proposes settings, records their scores, and decides when to stop.

The code that trains asks for a trial and reports how it ended: ``Search.run`` in this process,
worker processes, or RecBole's ``HyperTuning``, alone or on Ray. A study may be kept in a storage.
Each trial is then claimed in the storage before it is trained, so that several processes or
machines can work on one study without repeating a trial. A process that is killed leaves its trial
with the state "running"; the next process sees that its owner has ended and queues the trial again.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from sasrec.errors import Interrupted, SasrecError, SettingsError, counted
from sasrec.training.progress import Observer
from sasrec.tuning.outcomes import (
    SearchProgress,
    best_of,
    ended_trials,
    outcome_of,
    trials_without_progress,
)
from sasrec.tuning.owners import claim_for, is_lost, this_process
from sasrec.tuning.plan import SearchPlan, points_of, pruner_of, sampler_of
from sasrec.tuning.storage import import_optuna, open_study, sqlite_lock
from sasrec.tuning.suggestions import settings_from_params, suggest_value
from sasrec.tuning.trial_observer import TrialObserver
from sasrec.tuning.trials import check_study
from sasrec.tuning.urls import shown_storage

if TYPE_CHECKING:
    import optuna

Train = Callable[[dict[str, Any], Observer], float]
"""Trains with given settings, reports each epoch to the observer, and returns the best validation
score, where higher is better."""


class Search:
    """A study, as used by one process."""

    def __init__(
        self,
        plan: SearchPlan,
        *,
        storage: str | None = None,
        name: str = "sasrec",
        about: Mapping[str, Any] | None = None,
    ) -> None:
        """Open the study, or create it; the time limit of the plan starts now.

        Args:
            plan: How to search.
            storage: A file or a database URL; None keeps the study in memory, for this object only.
            name: Name of the study.
            about: Name to value of everything else the scores depend on, such as the model and the
                data; an existing study must have the same values.
        """
        self.plan, self._where = plan, storage
        self._storage = "memory" if storage is None else shown_storage(storage)
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
        # Another process, or a resumed search, must not draw the same values again.
        self.study.sampler = sampler_of(plan, len(self.study.get_trials(deepcopy=False)))
        self._started, self._done_before = time.monotonic(), len(self.done())

    def run(self, train: Train, on_progress: Callable[[SearchProgress], None]) -> str:
        """Run trials until none are left or a limit is reached.

        Args:
            train: Trains with given settings.
            on_progress: Called with the progress of the search after each trial.

        Returns:
            Why the search ended, as text.

        Raises:
            Interrupted: Ctrl-C was pressed; the running trial is queued again, all others are kept.
            SettingsError: The storage cannot be written.
        """
        try:
            while (trial := self.ask()) is not None:
                self._run_trial(trial, train)
                on_progress(self.progress(trial))
        except (KeyboardInterrupt, Interrupted):
            self._queue_own_again()
            raise Interrupted("the search was interrupted; finished trials are kept") from None
        except OSError as error:  # such as a full disk
            raise SettingsError(
                f"the storage {self._storage} cannot be written: {error.strerror or error}; "
                "finished trials are kept; free some space and run the same command again"
            ) from error
        return self.reason_to_end() or "all combinations are done or run by other processes"

    def _run_trial(self, trial: optuna.Trial, train: Train) -> None:
        """Train with the settings of a trial, and record in the study how it ended.

        Args:
            trial: A trial from ``ask``.
            train: Trains with given settings.

        Raises:
            Interrupted: The training was interrupted.
        """
        optuna = import_optuna()
        started = time.monotonic()  # not affected by changes of the system clock
        try:
            score = train(self.settings_of(trial), TrialObserver(trial))
        except optuna.TrialPruned:
            trial.set_user_attr("seconds", time.monotonic() - started)
            self.study.tell(trial, state=optuna.trial.TrialState.PRUNED)
        except Interrupted:
            raise
        except SasrecError as error:
            trial.set_user_attr("seconds", time.monotonic() - started)
            self.fail(trial, str(error))
        else:
            trial.set_user_attr("seconds", time.monotonic() - started)
            self.finish(trial, score)

    def ask(self) -> optuna.Trial | None:
        """Return the next trial, claimed for this process.

        Returns:
            The trial, with its settings drawn; None if the search has ended.
        """
        with sqlite_lock(self._where):
            self._queue_lost_again()
            trial = None if self.reason_to_end() else self._claimed()
            if trial is not None:
                claim_for(trial, this_process())
        if trial is not None:
            for each in self.plan.space:
                suggest_value(trial, each)
        return trial

    def finish(self, trial: optuna.Trial, score: float) -> None:
        """Record the score of a trial.

        Args:
            trial: A trial from ``ask``.
            score: The score, where higher is better; if it is NaN or infinite, the trial is
                recorded as failed.
        """
        if np.isfinite(score):
            self.study.tell(trial, score)
        else:
            self.fail(trial, "the validation score is NaN or infinite")

    def fail(self, trial: optuna.Trial, reason: str) -> None:
        """Record that a trial failed.

        Args:
            trial: A trial from ``ask``.
            reason: What went wrong.
        """
        trial.set_user_attr("error", " ".join(reason.split()))
        self.study.tell(trial, state=import_optuna().trial.TrialState.FAIL)

    def _claimed(self) -> optuna.Trial | None:
        """Return the next trial; None if no combination of an exhaustive search is left."""
        if self.plan.algorithm != "exhaustive":
            return self.study.ask()
        while self._in_state("WAITING"):
            trial = self.study.ask()
            if "point" in trial.user_attrs and not self._is_duplicate(trial):
                return trial
            # Either another process took the last combination between the two lines above, or
            # processes that started together queued a combination twice.
            self.study.tell(trial, state=import_optuna().trial.TrialState.FAIL)
        return None

    def _is_duplicate(self, trial: optuna.Trial) -> bool:
        """Return whether an earlier trial of the same combination has ended, runs or is queued."""
        return any(
            each.user_attrs.get("point") == trial.user_attrs["point"]
            for each in self.study.get_trials(deepcopy=False)[: trial.number]
            if each.state.name != "FAIL" or "error" in each.user_attrs
        )

    def _in_state(self, name: str) -> list[optuna.trial.FrozenTrial]:
        state = import_optuna().trial.TrialState[name]
        return self.study.get_trials(deepcopy=False, states=(state,))

    def _queue_lost_again(self) -> None:
        """Queue the trials of processes that no longer exist again."""
        for trial in self._in_state("RUNNING"):
            if is_lost(trial):
                self._queue_again(trial)

    def _queue_own_again(self) -> None:
        """Queue the running trial of this process again, if there is one."""
        for trial in self._in_state("RUNNING"):
            if trial.user_attrs.get("owner") == this_process():
                self._queue_again(trial)

    def _queue_again(self, trial: optuna.trial.FrozenTrial) -> None:
        try:
            self.study.tell(trial.number, state=import_optuna().trial.TrialState.FAIL)
        except (ValueError, RuntimeError):  # another process did it first
            return
        point = trial.user_attrs.get("point")
        if point is not None:
            self.study.enqueue_trial(points_of(self.plan)[point], user_attrs={"point": point})
        elif set(trial.params) == {each.name for each in self.plan.space}:
            self.study.enqueue_trial(trial.params)

    def done(self) -> list[optuna.trial.FrozenTrial]:
        """Return the trials that finished, were pruned or failed, in the order they ended."""
        return ended_trials(self.study.get_trials(deepcopy=False))

    def failed(self) -> list[optuna.trial.FrozenTrial]:
        """Return the trials that failed, in the order in which they ended."""
        return [trial for trial in self.done() if trial.state.name == "FAIL"]

    def judged(self) -> int:
        """Return the number of trials that ended without failing, and so have a score."""
        return len(self.done()) - len(self.failed())

    def without_progress(self) -> int:
        """Return the number of trials since the last new best."""
        return trials_without_progress(self.done())

    def best(self) -> optuna.trial.FrozenTrial | None:
        """Return the best finished trial, or None."""
        return best_of(self.done())

    def settings_of(self, trial: optuna.Trial | optuna.trial.FrozenTrial) -> dict[str, Any]:
        """Return the settings of a trial.

        Args:
            trial: A trial of this study.

        Returns:
            Setting to value.
        """
        return settings_from_params(self.plan.space, trial.params)

    def reason_to_end(self) -> str | None:
        """Return which limit of the plan is reached, as text; None if no limit is reached."""
        plan, done = self.plan, self.done()
        if len(done) >= plan.total:
            return f"{len(done)} of {plan.total} trials are done"
        if plan.minutes is not None and time.monotonic() - self._started >= 60 * plan.minutes:
            return f"the limit of {plan.minutes:g} minutes is reached"
        if plan.early_stop is not None:
            without_progress = trials_without_progress(done)
            if without_progress >= plan.early_stop:
                return f"{counted(without_progress, 'trial')} in a row without a new best score"
        return None

    def progress(self, trial: optuna.Trial) -> SearchProgress:
        """Return the progress of the search after a trial.

        Args:
            trial: The trial that has just ended.

        Returns:
            The result of this trial, and the progress of the search.
        """
        done = self.done()
        best = best_of(done)
        ended = next(each for each in done if each.number == trial.number)
        outcome, score = outcome_of(ended)
        return SearchProgress(
            number=done.index(ended) + 1,
            settings=self.settings_of(ended),
            outcome=outcome,
            score=score,
            is_best=best is not None and best.number == trial.number,
            done=len(done),
            total=self.plan.total,
            best=None if best is None else best.value,
            seconds_left=self._seconds_left(done),
        )

    def _seconds_left(self, done: list[optuna.trial.FrozenTrial]) -> float:
        spent = time.monotonic() - self._started
        left = max(self.plan.total - len(done), 0) * spent / max(len(done) - self._done_before, 1)
        if all(each.state.name == "FAIL" for each in done):
            left = float("nan")
        if self.plan.minutes is not None:
            left = min(left, max(60 * self.plan.minutes - spent, 0))
        return left
