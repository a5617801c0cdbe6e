"""Trainings of a search: on data prepared once, each trial has settings of its own."""

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
    """What all trials of a search share.

    Attributes:
        prepared: The data set, read, split and counted.
        fixed: Settings of all trials, by our names.
        model: Name of the model.
        preset: Name of settings to begin with, or None.
    """

    prepared: Prepared
    fixed: Mapping[str, Any]
    model: str
    preset: str | None

    def __post_init__(self) -> None:
        """Check the data.

        Raises:
            SettingsError: They leave nothing to validate on.
        """
        if not len(self.prepared.split.validation):
            raise SettingsError("a search needs validation cases, and these data have none")

    def settings_with(self, settings: Mapping[str, Any]) -> RunSettings:
        """Return all settings of a training.

        Args:
            settings: Its own, by name.

        Returns:
            The settings.
        """
        return resolve_settings({**self.fixed, **settings}, self.model, self.preset)

    def score(self, settings: Mapping[str, Any], observer: Observer) -> float:
        """Train a model; test cases are not looked at.

        Args:
            settings: Of the trial.
            observer: Told how training goes.

        Returns:
            The best validation score; higher is better.

        Raises:
            KeyboardInterrupt: Somebody has stopped the training.
            ModelError: It was never validated.
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
        """Train a model, and measure it on the test cases.

        Args:
            settings: Of the best trial.
            seed: Of all random numbers.

        Returns:
            Metric to value.
        """
        run = self.settings_with({**settings, "seed": seed})
        outcome = run_prepared(with_settings(self.prepared, run), observer=LogObserver())
        return outcome.reports[0].test
