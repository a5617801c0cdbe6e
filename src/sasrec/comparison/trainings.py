"""Trainings: each model of a comparison with each seed, trained here or kept from before."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from sasrec.comparison.entries import Course, Training
from sasrec.comparison.kept import KeptTrainings, dependencies
from sasrec.errors import Interrupted, ModelError
from sasrec.experiment.fitting import train_model
from sasrec.experiment.measuring import measured
from sasrec.experiment.prepared import Prepared, with_settings
from sasrec.models.contract import NextItemModel
from sasrec.settings.resolve import RunSettings
from sasrec.system.memory import peak_bytes, reset_peak
from sasrec.training.progress import Observer

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class Trainings:
    """What is to be trained, on what, and what of it is done.

    Attributes:
        prepared: The data set, split, and the settings that all models share.
        observer: From model and seed to somebody who watches.
        kept: Where outcomes are kept and looked for; None keeps none.
        runs: Settings of each model, adapted to the data.
        seeds: Each model is trained with each.
        done: Model and seed to what the training came to.
    """

    prepared: Prepared
    observer: Callable[[str, int], Observer]
    kept: KeptTrainings | None
    runs: list[RunSettings] = field(default_factory=list)
    seeds: Sequence[int] = ()
    done: dict[tuple[str, int], Training] = field(default_factory=dict)

    @property
    def n_all(self) -> int:
        """How many trainings there are to be."""
        return len(self.runs) * len(self.seeds)

    def begin(self, runs: list[RunSettings], seeds: Sequence[int]) -> None:
        """Look for what is done already, and say what of it is used.

        Args:
            runs: Settings of each model.
            seeds: Each model is trained with each.
        """
        self.runs = [with_settings(self.prepared, run).run for run in runs]
        self.seeds = seeds
        if self.kept is None:
            return
        self.kept.open()
        for run in self.runs:
            for seed in seeds:
                found = self.kept.find(run.model_name, seed, self._about(run, seed))
                if found is not None:
                    self.done[run.model_name, seed] = found
        if self.done:
            which = ", ".join(f"{model} (seed {seed})" for model, seed in self.done)
            logger.warning(
                "%d of %d trainings were finished before and are not repeated: %s",
                *(len(self.done), self.n_all, which),
            )
        if others := self.kept.others():
            logger.warning(
                "%d trainings in %s are of other settings, data or versions, and are not used",
                *(others, self.kept.folder),
            )

    def outcome(self, run: RunSettings, seed: int) -> Training:
        """Return what a training came to; it takes place unless it did before.

        Args:
            run: Settings of the model.
            seed: Of its random numbers.
        """
        key = run.model_name, seed
        if key not in self.done:
            self.done[key] = self._trained(run, seed)
            if self.kept is not None:
                self.kept.keep(*key, self._about(run, seed), self.done[key])
        return self.done[key]

    def left(self) -> str:
        """Return what is kept of a comparison that was stopped, in words."""
        if not self.done:
            return "no training was finished"
        if self.kept is None:
            return "nothing was kept"
        return (
            f"{len(self.done)} of {self.n_all} trainings are kept in {self.kept.folder}, and the "
            "same command goes on from there"
        )

    def _about(self, run: RunSettings, seed: int) -> dict[str, Any]:
        return dependencies(
            self.prepared.corpus, self.prepared.split, _seeded(run, seed), self.prepared.device
        )

    def _trained(self, run: RunSettings, seed: int) -> Training:
        """Return what a model comes to that is trained now.

        Args:
            run: Its settings.
            seed: Of its random numbers.

        Returns:
            The ranks of the test cases, and the cost.

        Raises:
            Interrupted: Somebody stopped it; its weights are those of no finished training.
            ModelError: It went wrong.
        """
        reset_peak()
        prepared = with_settings(self.prepared, _seeded(run, seed))
        name, watcher = run.model_name, self.observer(run.model_name, seed)
        try:
            model, trained = train_model(prepared, observer=watcher)
        except ModelError as error:
            raise ModelError(f"{name}, seed {seed}: {error}; {self.left()}") from error
        if trained.interrupted:
            raise Interrupted(f"the training of {name} with seed {seed} was stopped")
        report = measured(prepared, name, model)
        course = Course([epoch.seconds for epoch in trained.epochs], trained.best_epoch)
        return Training(report.ranks["test"], course, n_weights(model), peak_bytes() / 1e6)


def n_weights(model: NextItemModel) -> int:
    """Return how many weights a model has."""
    return sum(weight.numel() for weight in model.parameters())


def _seeded(run: RunSettings, seed: int) -> RunSettings:
    return replace(run, training=run.training.model_copy(update={"seed": seed}))
