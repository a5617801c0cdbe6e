"""Trains each model of a comparison with each seed, unless a result was kept earlier."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from sasrec.comparison.entries import Timing, Training
from sasrec.comparison.kept import KeptTrainings, dependencies
from sasrec.errors import Interrupted, ModelError, counted
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
    """The trainings of a comparison, and the results of those that are done.

    Attributes:
        prepared: The data set, split, and the settings that all models share.
        observer: Model name and seed to an observer of that training.
        kept: Results on disk, which are reused; None keeps none.
        runs: Settings of each model, adapted to the data.
        seeds: Each model is trained once with each seed.
        done: Model name and seed to the result of that training.
    """

    prepared: Prepared
    observer: Callable[[str, int], Observer]
    kept: KeptTrainings | None
    runs: list[RunSettings] = field(default_factory=list)
    seeds: Sequence[int] = ()
    done: dict[tuple[str, int], Training] = field(default_factory=dict)

    @property
    def n_all(self) -> int:
        """Number of all trainings, done or not."""
        return len(self.runs) * len(self.seeds)

    def begin(self, runs: list[RunSettings], seeds: Sequence[int]) -> None:
        """Load trainings that finished earlier, and log how many are reused.

        Args:
            runs: Settings of each model.
            seeds: Each model is trained once with each seed.
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
                "reusing %d of %s that finished earlier: %s",
                *(len(self.done), counted(self.n_all, "training"), which),
            )
        if others := self.kept.others():
            logger.warning(
                "ignoring %s in %s, made with other settings, data or versions",
                *(counted(others, "training"), self.kept.folder),
            )

    def outcome(self, run: RunSettings, seed: int) -> Training:
        """Return the result of a training; train the model unless this was done earlier.

        Args:
            run: Settings of the model.
            seed: Seed of the training.
        """
        key = run.model_name, seed
        if key not in self.done:
            self.done[key] = self._trained(run, seed)
            if self.kept is not None:
                self.kept.keep(*key, self._about(run, seed), self.done[key])
        return self.done[key]

    def progress(self) -> str:
        """Return a text on how many trainings are finished, and how to resume."""
        if not self.done:
            return "no training was finished"
        if self.kept is None:
            return "finished trainings were not kept"
        return (
            f"{len(self.done)} of {counted(self.n_all, 'training')} kept in {self.kept.folder}; "
            "run the same command again to resume"
        )

    def _about(self, run: RunSettings, seed: int) -> dict[str, Any]:
        return dependencies(
            self.prepared.corpus, self.prepared.split, _seeded(run, seed), self.prepared.device
        )

    def _trained(self, run: RunSettings, seed: int) -> Training:
        """Train a model and rank the targets of the test cases.

        Args:
            run: Settings of the model.
            seed: Seed of the training.

        Returns:
            The result.

        Raises:
            Interrupted: The user stopped the training, so it has no result.
            ModelError: The training failed.
        """
        reset_peak()
        prepared = with_settings(self.prepared, _seeded(run, seed))
        name, observer = run.model_name, self.observer(run.model_name, seed)
        try:
            model, trained = train_model(prepared, observer=observer)
        except ModelError as error:
            raise ModelError(f"{name}, seed {seed}: {error}; {self.progress()}") from error
        if trained.interrupted:
            raise Interrupted(f"the training of {name} with seed {seed} was interrupted")
        report = measured(prepared, name, model)
        timing = Timing([epoch.seconds for epoch in trained.epochs], trained.best_epoch)
        return Training(report.ranks["test"], timing, n_weights(model), peak_bytes() / 1e6)


def n_weights(model: NextItemModel) -> int:
    """Return the number of weights of a model."""
    return sum(weight.numel() for weight in model.parameters())


def _seeded(run: RunSettings, seed: int) -> RunSettings:
    return replace(run, training=run.training.model_copy(update={"seed": seed}))
