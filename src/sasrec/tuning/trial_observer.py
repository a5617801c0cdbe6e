"""Reports the progress of a training to its trial in the study."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import numpy as np

from sasrec.training.progress import EpochResult
from sasrec.tuning.owners import HEARTBEAT_SECONDS, record_heartbeat
from sasrec.tuning.storage import import_optuna

if TYPE_CHECKING:
    import optuna


class TrialObserver:
    """Reports each validation score to the study, and stops trials that the pruner rejects."""

    def __init__(self, trial: optuna.Trial) -> None:
        """Create the observer of a trial.

        Args:
            trial: The trial about to be trained.
        """
        self._trial = trial
        self._validations = 0
        self._last_beat = time.monotonic()

    def started(self, epochs: int, targets: int) -> None:
        """Do nothing."""

    def advanced(self, epoch: int, targets: int) -> None:
        """Record a heartbeat from time to time, because an epoch may take hours.

        Args:
            epoch: The epoch, from 1.
            targets: Number of targets done.
        """
        if time.monotonic() - self._last_beat >= HEARTBEAT_SECONDS:
            self._heartbeat()

    def finished_epoch(self, result: EpochResult) -> None:
        """Report the validation score, if there is one.

        Args:
            result: The result of the epoch.

        Raises:
            TrialPruned: The pruner stops the trial (an exception of Optuna).
        """
        self._heartbeat()
        if result.merit is None or not np.isfinite(result.merit):
            return
        self._validations += 1
        self._trial.report(result.merit, self._validations)
        if self._trial.should_prune():
            raise import_optuna().TrialPruned

    def stopped(self, reason: str) -> None:
        """Do nothing."""

    def _heartbeat(self) -> None:
        record_heartbeat(self._trial)
        self._last_beat = time.monotonic()
