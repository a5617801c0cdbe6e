"""Trains the models of a search: all trials share the prepared data, each has its own settings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sasrec.errors import ModelError, SettingsError
from sasrec.experiment.fitting import train_model
from sasrec.experiment.prepared import Prepared, with_settings
from sasrec.experiment.run import run_prepared
from sasrec.settings.resolve import RunSettings, resolve_settings
from sasrec.training.progress import LogObserver, Observer


@dataclass(frozen=True, slots=True)
class Trainings:
    """Trains models with the data and fixed settings that all trials of a search share.

    Attributes:
        prepared: The prepared data set.
        fixed: Settings that all trials have in common, by our names.
        model: Name of the model.
        preset: Name of the preset, or None.
    """

    prepared: Prepared
    fixed: Mapping[str, Any]
    model: str
    preset: str | None

    def __post_init__(self) -> None:
        """Check that there are validation cases.

        Raises:
            SettingsError: There are no validation cases.
        """
        if not len(self.prepared.split.validation):
            raise SettingsError(
                "a search needs validation cases, but there are none; change split or leave_out"
            )

    def settings_with(self, settings: Mapping[str, Any]) -> RunSettings:
        """Return all settings of a training.

        Args:
            settings: The settings of the trial, by name.

        Returns:
            The settings, including the fixed ones.
        """
        return resolve_settings({**self.fixed, **settings}, self.model, self.preset)

    def score(self, settings: Mapping[str, Any], observer: Observer) -> float:
        """Train a model without using the test cases.

        Args:
            settings: The settings of the trial.
            observer: Receives the progress of the training.

        Returns:
            The best validation score; higher is better.

        Raises:
            KeyboardInterrupt: The training was interrupted.
            ModelError: The model was never validated.
        """
        run = self.settings_with(settings)
        _, trained = train_model(with_settings(self.prepared, run), observer=observer)
        if trained.interrupted:
            raise KeyboardInterrupt
        merits = [each.merit for each in trained.epochs if each.merit is not None]
        if not merits:
            raise ModelError("the trial was never validated")
        return max(merits)

    def test(self, settings: Mapping[str, Any], seed: int) -> dict[str, float]:
        """Train a model, and evaluate it on the test cases.

        Args:
            settings: The settings of the best trial.
            seed: Seed of all random numbers.

        Returns:
            Test metric to value.
        """
        run = self.settings_with({**settings, "seed": seed})
        outcome = run_prepared(with_settings(self.prepared, run), observer=LogObserver())
        return outcome.reports[0].test
