"""The trainer: epochs, validation, early stopping and the best weights."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch

from sasrec.errors import Interrupted, counted
from sasrec.settings.training import TrainingSettings
from sasrec.system.processes import from_first_process
from sasrec.training.best import Best
from sasrec.training.checkpoint import Keep, TrainState, captured, restore
from sasrec.training.loop import TrainingLoop
from sasrec.training.progress import EpochResult


@dataclass(frozen=True, slots=True)
class Trained:
    """The course of a training; the model itself has the best weights.

    Attributes:
        epochs: Results of each epoch.
        best_epoch: Epoch of the best weights, from 1.
        stopped_because: Reason why training ended, as text.
        interrupted: Whether the user stopped training.
    """

    epochs: list[EpochResult]
    best_epoch: int
    stopped_because: str
    interrupted: bool


@dataclass(frozen=True, slots=True)
class Validation:
    """How each epoch is validated.

    Attributes:
        measure: Returns the validation score; None trains all epochs and keeps the last weights.
        watched: Name of the validation metric.
        smaller_is_better: Whether a lower score is better.
    """

    measure: Callable[[], float] | None = None
    watched: str = "score"
    smaller_is_better: bool = False


@dataclass(frozen=True, slots=True)
class Checkpoints:
    """How the state of training is saved and resumed.

    Attributes:
        keep: Called with the state after each epoch; None saves nothing.
        resume_from: The state to resume from; None starts a new training.
        generators: Random number generators of the loss, which are part of the state.
    """

    keep: Keep | None = None
    resume_from: TrainState | None = None
    generators: Sequence[torch.Generator] = ()


def fit(
    loop: TrainingLoop,
    *,
    validation: Validation = Validation(),
    checkpoints: Checkpoints = Checkpoints(),
) -> Trained:
    """Train a model until early stopping, the last epoch or Ctrl-C, and load its best weights.

    As in RecBole, a score equal to the best counts as progress, and training stops after more than
    ``patience`` validations in a row without progress.

    Args:
        loop: The training loop, with model, batches, loss and settings.
        validation: How each epoch is validated.
        checkpoints: How the state of training is saved and resumed.

    Returns:
        The course of the training.

    Raises:
        Interrupted: Ctrl-C was pressed before the first validation, so there is nothing to keep.
        ModelError: The loss became NaN or infinite.
    """
    settings, observer, best = loop.settings, loop.observer, Best(loop.model)
    observer.started(settings.epochs, loop.batches.n_targets)
    reason, interrupted = f"reached {counted(settings.epochs, 'epoch')}", False
    resume_from, generators = checkpoints.resume_from, checkpoints.generators
    epochs = [] if resume_from is None else restore(resume_from, loop, best, generators)
    try:
        for epoch in range(len(epochs) + 1, settings.epochs + 1):
            if best.stale > settings.patience:
                break
            epochs.append(_trained_and_validated(loop, epoch, best, validation))
            # Saved before it is shown, so that an interrupt in between does not lose the epoch.
            if checkpoints.keep is not None:
                checkpoints.keep(captured(loop, best, epochs, generators))
            observer.finished_epoch(epochs[-1])
        if best.stale > settings.patience:
            reason = f"no new best in {best.stale} validations"
    except KeyboardInterrupt:
        reason, interrupted = f"interrupted; the weights of epoch {best.epoch} are kept", True
        if not best.epoch:
            observer.stopped("interrupted")
            raise Interrupted(
                "training was interrupted before the first validation; nothing was saved"
            ) from None
    except BaseException:
        observer.stopped("an error")
        raise
    observer.stopped(reason)
    loop.flat.release()
    best.restore()
    return Trained(epochs, best.epoch, reason, interrupted)


def _trained_and_validated(
    loop: TrainingLoop, epoch: int, best: Best, validation: Validation
) -> EpochResult:
    """Train an epoch, and validate the averaged weights if this epoch is to be validated.

    Args:
        loop: The training loop.
        epoch: Number of the epoch, from 1.
        best: Stores the weights if they are the best.
        validation: How the epoch is validated.

    Returns:
        Results of the epoch.
    """
    settings = loop.settings
    measure = validation.measure if settings.validate_every else None
    mean_loss, seconds, targets = loop.epoch(epoch)
    with loop.average.applied():
        score = None
        if measure is not None and _is_due(epoch, settings):
            score = from_first_process(measure() if loop.process.rank == 0 else None)
        merit = -score if score is not None and validation.smaller_is_better else score
        is_best = best.consider(epoch, merit)
        if measure is None:
            best.keep_latest(epoch)
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
