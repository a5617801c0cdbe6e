"""Study: the search engine. It proposes settings, keeps what came of them, and knows when to end.

Whoever trains asks for a trial and tells how it ended: ``Search.run`` in this process, helpers in
other processes, or RecBole's ``HyperTuning``, alone or on Ray. A study may be kept in a storage.
Then each trial is claimed there before it is trained, so that several processes or machines work
on one study without doing anything twice. A process that is killed leaves its trial marked as
running; whoever comes next sees that its owner is gone and queues the trial again.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from sasrec.errors import Interrupted, SasrecError, SettingsError
from sasrec.training.progress import Observer
from sasrec.tuning.outcomes import (
    Standing,
    best_of,
    ended_of,
    outcome_of,
    trials_without_progress,
)
from sasrec.tuning.owners import claim_for, is_lost, owner_here
from sasrec.tuning.plan import SearchPlan, points_of, pruner_of, sampler_of
from sasrec.tuning.storage import alone_in_sqlite, open_study, optuna_here
from sasrec.tuning.suggestions import meant, suggested
from sasrec.tuning.trials import check_study
from sasrec.tuning.urls import shown_storage
from sasrec.tuning.watching import Watcher

if TYPE_CHECKING:
    import optuna

Train = Callable[[dict[str, Any], Observer], float]
"""Trains with some settings, tells the observer of each epoch, and returns the best validation
score, higher being better."""


class Search:
    """One process at work on a study."""

    def __init__(
        self,
        plan: SearchPlan,
        *,
        storage: str | None = None,
        name: str = "sasrec",
        about: Mapping[str, Any] | None = None,
    ) -> None:
        """Open the study, or make it; the minutes of the plan count from here.

        Args:
            plan: How to search.
            storage: A file or a database URL; None keeps the study in memory, for this object only.
            name: Of the study.
            about: What else a trial's score depends on, such as the model and the data; a study
                that is there must say the same.
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
        # Processes of one study, and a search that is taken up again, must not draw what was drawn.
        self.study.sampler = sampler_of(plan, len(self.study.get_trials(deepcopy=False)))
        self._started, self._done_before = time.monotonic(), len(self.done())

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
        try:
            while (trial := self.ask()) is not None:
                self._do(trial, train)
                told(self.standing(trial))
        except (KeyboardInterrupt, Interrupted):
            self._give_back()
            raise Interrupted("the search was stopped; what is done is kept") from None
        except OSError as error:  # a full disk, say
            raise SettingsError(
                f"the storage {self._storage} cannot be written: {error.strerror or error}; "
                "what is done is kept, and the same command goes on"
            ) from error
        return self.reason_to_end() or "all combinations are done or taken by other processes"

    def _do(self, trial: optuna.Trial, train: Train) -> None:
        """Train with the settings of a trial, and tell the study how it ended.

        Args:
            trial: From ``ask``.
            train: Trains with some settings.

        Raises:
            Interrupted: Somebody has stopped the training.
        """
        optuna = optuna_here()
        started = time.monotonic()  # a clock that does not jump
        try:
            score = train(self.settings_of(trial), Watcher(trial))
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
        """Return the next trial, which belongs to this process from now on.

        Returns:
            The trial, with its settings drawn; None if there is nothing left to do.
        """
        with alone_in_sqlite(self._where):
            self._take_back_lost()
            trial = None if self.reason_to_end() else self._claimed()
            if trial is not None:
                claim_for(trial, owner_here())
        if trial is not None:
            for each in self.plan.space:
                suggested(trial, each)
        return trial

    def finish(self, trial: optuna.Trial, score: float) -> None:
        """Tell that a trial ended.

        Args:
            trial: From ``ask``.
            score: Higher is better; the trial failed if it is NaN or infinite.
        """
        if np.isfinite(score):
            self.study.tell(trial, score)
        else:
            self.fail(trial, "no validation gave a number")

    def fail(self, trial: optuna.Trial, reason: str) -> None:
        """Tell that a trial ended without a score.

        Args:
            trial: From ``ask``.
            reason: What went wrong.
        """
        trial.set_user_attr("error", " ".join(reason.split()))
        self.study.tell(trial, state=optuna_here().trial.TrialState.FAIL)

    def _claimed(self) -> optuna.Trial | None:
        """Return the next trial; None if all combinations of an exhaustive search are taken."""
        if self.plan.algorithm != "exhaustive":
            return self.study.ask()
        while self._in_state("WAITING"):
            trial = self.study.ask()
            if "point" in trial.user_attrs and not self._is_double(trial):
                return trial
            # Another process took the last one between the two lines above; or processes that began
            # together have queued a combination twice.
            self.study.tell(trial, state=optuna_here().trial.TrialState.FAIL)
        return None

    def _is_double(self, trial: optuna.Trial) -> bool:
        """Return whether an earlier trial of the same combination is done, or will be."""
        return any(
            each.user_attrs.get("point") == trial.user_attrs["point"]
            for each in self.study.get_trials(deepcopy=False)[: trial.number]
            if each.state.name != "FAIL" or "error" in each.user_attrs
        )

    def _in_state(self, name: str) -> list[optuna.trial.FrozenTrial]:
        state = optuna_here().trial.TrialState[name]
        return self.study.get_trials(deepcopy=False, states=(state,))

    def _take_back_lost(self) -> None:
        """Queue the trials again whose processes are gone."""
        for trial in self._in_state("RUNNING"):
            if is_lost(trial):
                self._queue_again(trial)

    def _give_back(self) -> None:
        """Queue this process's own trial again, if it has one."""
        for trial in self._in_state("RUNNING"):
            if trial.user_attrs.get("owner") == owner_here():
                self._queue_again(trial)

    def _queue_again(self, trial: optuna.trial.FrozenTrial) -> None:
        try:
            self.study.tell(trial.number, state=optuna_here().trial.TrialState.FAIL)
        except (ValueError, RuntimeError):  # another process was quicker
            return
        point = trial.user_attrs.get("point")
        if point is not None:
            self.study.enqueue_trial(points_of(self.plan)[point], user_attrs={"point": point})
        elif set(trial.params) == {each.name for each in self.plan.space}:
            self.study.enqueue_trial(trial.params)

    def done(self) -> list[optuna.trial.FrozenTrial]:
        """Return the trials that came to an end of their own, in the order they did."""
        return ended_of(self.study.get_trials(deepcopy=False))

    def failed(self) -> list[optuna.trial.FrozenTrial]:
        """Return the trials that ended in an error, in the order they did."""
        return [trial for trial in self.done() if trial.state.name == "FAIL"]

    def judged(self) -> int:
        """Return how many trials ended with a score to choose by; failed ones did not."""
        return len(self.done()) - len(self.failed())

    def without_progress(self) -> int:
        """Return how many of the last trials brought no new best."""
        return trials_without_progress(self.done())

    def best(self) -> optuna.trial.FrozenTrial | None:
        """Return the best finished trial, or None."""
        return best_of(self.done())

    def settings_of(self, trial: optuna.Trial | optuna.trial.FrozenTrial) -> dict[str, Any]:
        """Return the settings a trial stands for.

        Args:
            trial: Of this study.

        Returns:
            Setting to value.
        """
        return meant(self.plan.space, trial.params)

    def reason_to_end(self) -> str | None:
        """Return the limit of the plan that is reached, in words; None if none is."""
        plan, done = self.plan, self.done()
        if len(done) >= plan.total:
            return f"{len(done)} of {plan.total} trials are done"
        if plan.minutes is not None and time.monotonic() - self._started >= 60 * plan.minutes:
            return f"{plan.minutes:g} minutes are over"
        if plan.early_stop is not None:
            without_progress = trials_without_progress(done)
            if without_progress >= plan.early_stop:
                return f"{without_progress} trials in a row brought no progress"
        return None

    def standing(self, trial: optuna.Trial) -> Standing:
        """Return how the search stands after a trial.

        Args:
            trial: That has just ended.

        Returns:
            Of this trial, and of all.
        """
        done = self.done()
        best = best_of(done)
        ended = next(each for each in done if each.number == trial.number)
        outcome, score = outcome_of(ended)
        return Standing(
            place=done.index(ended) + 1,
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
