"""Watching: a trial's training is told to its study as it goes on."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import numpy as np

from sasrec.training.progress import EpochResult
from sasrec.tuning.owners import BEAT_SECONDS, beat
from sasrec.tuning.storage import optuna_here

if TYPE_CHECKING:
    import optuna


class Watcher:
    """Tells the study of each validation, and ends a trial that fell behind."""

    def __init__(self, trial: optuna.Trial) -> None:
        """Watch a trial.

        Args:
            trial: About to be trained.
        """
        self._trial = trial
        self._validations = 0
        self._last_beat = time.monotonic()

    def started(self, epochs: int, targets: int) -> None:
        """Take no notice."""

    def advanced(self, epoch: int, targets: int) -> None:
        """Give a sign of life now and then, as an epoch may take hours.

        Args:
            epoch: From 1.
            targets: That are done.
        """
        if time.monotonic() - self._last_beat >= BEAT_SECONDS:
            self._beat()

    def finished_epoch(self, result: EpochResult) -> None:
        """Report the score.

        Args:
            result: Of the epoch.

        Raises:
            TrialPruned: The trial has fallen behind.
        """  # Optuna's
        self._beat()
        if result.merit is None or not np.isfinite(result.merit):
            return
        self._validations += 1
        self._trial.report(result.merit, self._validations)
        if self._trial.should_prune():
            raise optuna_here().TrialPruned

    def stopped(self, reason: str) -> None:
        """Take no notice."""

    def _beat(self) -> None:
        beat(self._trial)
        self._last_beat = time.monotonic()
