"""The trainer: epochs, validation, early stopping, best weights."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sasrec.data.batches.batching import Batch
from sasrec.data.batches.training_batches import TrainingBatches
from sasrec.errors import Interrupted, ModelError, counted
from sasrec.losses.contract import Objective, PairObjective
from sasrec.models.contract import NextItemModel
from sasrec.models.epochs import Epochs, Training
from sasrec.settings.training import TrainingSettings
from sasrec.system.device import pick_precision
from sasrec.system.processes import (
    average_gradients,
    from_first_process,
    process_info,
    sum_over_processes,
)
from sasrec.training.averaging import WeightAverage
from sasrec.training.best import Best
from sasrec.training.checkpoint import Keep, TrainState, captured, restore
from sasrec.training.divergence import gone_wrong, warn_of_rise
from sasrec.training.flat import FlatWeights
from sasrec.training.optimisers import decay_groups, make_optimiser, make_schedule
from sasrec.training.progress import EpochResult, Observer

ROUND_ROWS = 64
"""States are computed for a multiple of so many positions."""


@dataclass(frozen=True, slots=True)
class Trained:
    """How training went; the model itself holds the best weights.

    Attributes:
        epochs: What each epoch came to.
        best_epoch: The epoch whose weights were kept, from 1.
        stopped_because: In words.
        interrupted: Whether the user stopped it.
    """

    epochs: list[EpochResult]
    best_epoch: int
    stopped_because: str
    interrupted: bool


@dataclass(frozen=True, slots=True)
class Validation:
    """How epochs are judged.

    Attributes:
        measure: Returns the watched metric; None trains all epochs and keeps the last weights.
        watched: What to call it.
        smaller_is_better: Whether it shall be low.
    """

    measure: Callable[[], float] | None = None
    watched: str = "score"
    smaller_is_better: bool = False


@dataclass(frozen=True, slots=True)
class Checkpoints:
    """How the state of training is kept and gone on from.

    Attributes:
        keep: Given the state after each epoch; None keeps nothing.
        begin: A state to go on from, as if training had never stopped; None begins anew.
        generators: Sources of the loss's random numbers, which are part of the state.
    """

    keep: Keep | None = None
    begin: TrainState | None = None
    generators: Sequence[torch.Generator] = ()


def fit(
    run: TrainingLoop,
    *,
    validation: Validation = Validation(),
    checkpoints: Checkpoints = Checkpoints(),
) -> Trained:
    """Train a model until early stopping, the last epoch, or Ctrl-C; leave it at its best weights.

    As in RecBole, a validation equal to the best counts as progress, and training stops after
    more than ``patience`` validations in a row without any.

    Args:
        run: The model, its batches, the loss and the settings.
        validation: How epochs are judged.
        checkpoints: Where the state goes after each epoch, and comes from at first.

    Returns:
        How it went.

    Raises:
        Interrupted: Ctrl-C came before the first validation, so there is nothing to keep.
        ModelError: The loss was no longer a finite number.
    """
    settings, observer, best = run.settings, run.observer, Best(run.model)
    observer.started(settings.epochs, run.batches.n_targets)
    reason, interrupted = f"reached {counted(settings.epochs, 'epoch')}", False
    begin, generators = checkpoints.begin, checkpoints.generators
    epochs = [] if begin is None else restore(begin, run, best, generators)
    try:
        for epoch in range(len(epochs) + 1, settings.epochs + 1):
            if best.stale > settings.patience:
                break
            epochs.append(_trained_and_judged(run, epoch, best, validation))
            observer.finished_epoch(epochs[-1])
            if checkpoints.keep is not None:
                checkpoints.keep(captured(run, best, epochs, generators))
        if best.stale > settings.patience:
            reason = f"no new best in {best.stale} validations"
    except KeyboardInterrupt:
        reason, interrupted = f"interrupted; the weights of epoch {best.epoch} are kept", True
        if not best.epoch:
            observer.stopped("interrupted")
            raise Interrupted("stopped before the first validation; nothing was saved") from None
    except BaseException:
        observer.stopped("an error")
        raise
    observer.stopped(reason)
    run.flat.release()
    best.restore()
    return Trained(epochs, best.epoch, reason, interrupted)


def _trained_and_judged(
    run: TrainingLoop, epoch: int, best: Best, validation: Validation
) -> EpochResult:
    """Train an epoch and measure the average of the weights, if that is due.

    Args:
        run: The training.
        epoch: From 1.
        best: Told of the score.
        validation: How the epoch is judged.

    Returns:
        What it came to.
    """
    settings = run.settings
    measure = validation.measure if settings.validate_every else None
    mean_loss, seconds, targets = run.epoch(epoch)
    with run.average.applied():
        score = None
        if measure is not None and _is_due(epoch, settings):
            score = from_first_process(measure() if run.place.rank == 0 else None)
        merit = -score if score is not None and validation.smaller_is_better else score
        is_best = best.consider(epoch, merit, always=measure is None)
    return EpochResult(
        epoch=epoch,
        loss=mean_loss,
        seconds=seconds,
        targets=targets,
        score=score,
        is_best=is_best,
        checks_left=settings.patience + 1 - best.stale,
        watched=validation.watched,
        smaller_is_better=validation.smaller_is_better,
    )


def _is_due(epoch: int, settings: TrainingSettings) -> bool:
    return epoch % settings.validate_every == 0 or epoch == settings.epochs


class TrainingLoop:
    """What lasts from one epoch to the next: optimiser, order, precision."""

    def __init__(
        self,
        model: NextItemModel,
        batches: TrainingBatches,
        loss: Objective,
        *,
        settings: TrainingSettings,
        observer: Observer,
    ) -> None:
        """Make the optimiser and the source of order.

        Args:
            model: On the device it shall be trained on.
            batches: Where epochs come from.
            loss: What to lower.
            settings: Rates, seed, precision.
            observer: Told how far an epoch is.
        """
        self.model, self.batches, self.loss = model, batches, loss
        self.settings, self.observer = settings, observer
        self.device = next(model.parameters()).device
        self.order = np.random.default_rng(settings.seed)
        self.flat = FlatWeights(*decay_groups(model, matrices_only=settings.decay_matrices_only))
        decaying, undecayed = self.flat.groups
        self.optimiser = make_optimiser(decaying, settings, undecayed)
        steps = batches.n_steps if settings.schedule == "cosine" else 1
        self.schedule = make_schedule(
            self.optimiser, settings, total_steps=max(1, steps * settings.epochs)
        )
        self.clip_norm, self.clip_norm_type = settings.clip_norm, settings.clip_norm_type
        self.average = WeightAverage(self.flat.weights, settings.averaging)
        self.place = process_info()
        # On a GPU this would be to wait for it; of several processes all must stop at once.
        self.asks_each_step = self.device.type == "cpu" and self.place.processes == 1
        self.first_loss: float | None = None
        self.own_epochs = self._epochs_of_its_own()
        self.half = pick_precision(settings.precision, self.device) == "bfloat16"

    def epoch(self, number: int) -> tuple[float, float, int]:
        """Train one epoch.

        Args:
            number: From 1.

        Returns:
            Mean loss, seconds, and targets supervised.

        Raises:
            ModelError: The loss was no longer a finite number.
        """
        self.model.train()
        started = time.perf_counter()
        losses: list[Tensor] = []
        counts: list[int] = []
        done, in_all = 0, self.batches.n_targets
        own = self.own_epochs
        steps = self._steps() if own is None else own.epoch(self.order)
        for loss, count in steps:
            losses.append(loss)
            counts.append(count)
            if self.asks_each_step and not loss.isfinite():
                break
            done += count
            self.observer.advanced(number, min(done * self.place.processes, in_all))
        mean, done = self._mean(losses, counts)
        rate = self.optimiser.param_groups[0]["lr"]
        if not math.isfinite(mean):
            raise ModelError(gone_wrong(self.model, losses, epoch=number, rate=rate))
        if number == 1:
            self.first_loss = float(losses[0]) if losses else 0.0
        if self.first_loss is not None and warn_of_rise(
            mean, self.first_loss, epoch=number, rate=rate
        ):
            self.first_loss = None  # it is said once
        return mean, time.perf_counter() - started, done

    def _epochs_of_its_own(self) -> Epochs | None:
        """Return the epochs of a model that takes its steps itself, where that is possible."""
        if self.place.processes > 1 or self.schedule is not None or self.clip_norm is not None:
            return None
        draw = self.loss.draw if isinstance(self.loss, PairObjective) else None
        return self.model.own_epochs(
            Training(self.batches, draw, self.optimiser, self.flat, self.average)
        )

    def _steps(self) -> Iterator[tuple[Tensor, int]]:
        """Take the steps of an epoch; yield the loss and the number of targets of each."""
        on_cpu = self.device.type == "cpu"
        epoch = self.batches.padded_epoch if on_cpu else self.batches.epoch
        for batch in epoch(self.order):
            batch = self.model.prepare(batch)
            count = batch.n_supervised
            if count is None:  # a model has chosen targets of its own
                count = int((batch.targets > 0).sum())
            yield self.step(batch.to(self.device)), count

    def _mean(self, losses: list[Tensor], counts: list[int]) -> tuple[float, int]:
        """Return the mean loss over the targets of all processes, and how many these are."""
        weights = torch.tensor(counts, dtype=torch.float64).to(self.device)
        total = (torch.stack(losses).double() * weights).sum() if losses else weights.sum()
        loss, done = sum_over_processes(torch.stack([total, weights.sum()])).tolist()
        return loss / max(done, 1), int(done)  # the one synchronisation of the epoch

    def step(self, batch: Batch) -> Tensor:
        """Take one optimiser step.

        Args:
            batch: On the device, prepared.

        Returns:
            The loss before the step, detached.
        """
        supervised = batch.supervised
        # A round number of them, as of windows; those added are cut off again.
        extra = -len(supervised) % ROUND_ROWS
        with self._autocast():
            hidden = self.model(batch, F.pad(supervised, (0, extra)))[: len(supervised)]
            table = self.model.item_table
            scorer = self.model.score if table is None else table
            loss = self.loss(hidden, batch.targets[supervised], scorer)
            penalty = self.model.penalty()
            if penalty is not None:
                loss = loss + penalty
        if self.asks_each_step and not loss.isfinite():
            return loss.detach()  # weights and gradients stay as the last step left them
        self.flat.forget_gradients()
        loss.backward()  # type: ignore[no-untyped-call]
        self.flat.gather_gradients()
        if self.place.processes > 1:
            average_gradients(self.flat.weights, len(supervised))
        if self.clip_norm is not None:
            nn.utils.clip_grad_norm_(self.flat.weights, self.clip_norm, self.clip_norm_type)
        self.optimiser.step()
        if self.schedule is not None:
            self.schedule.step()
        self.average.update()
        return loss.detach()

    def _autocast(self) -> AbstractContextManager[object]:
        if not self.half:
            return nullcontext()
        return torch.autocast(self.device.type, dtype=torch.bfloat16)
