"""Fitting: create a model, and train it with validation."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from sasrec.data.batches.batching import CPU, Collator
from sasrec.data.batches.event_types import EventTargets
from sasrec.data.batches.replay import with_earlier_targets
from sasrec.data.batches.training_batches import TrainingBatches
from sasrec.data.splits import Split
from sasrec.errors import SettingsError
from sasrec.evaluation.validation import validation_of
from sasrec.experiment.prepared import Prepared, repeatable
from sasrec.losses.drawing import negatives_generator
from sasrec.losses.objective import training_loss
from sasrec.losses.trial import try_loss
from sasrec.models.contract import Catalogue, NextItemModel
from sasrec.models.trial import try_model
from sasrec.settings.attribution import attributed
from sasrec.settings.registry import MODELS
from sasrec.settings.resolve import RunSettings
from sasrec.system.memory import release_memory_after
from sasrec.system.processes import process_info
from sasrec.training.checkpoint import Keep, TrainState
from sasrec.training.loop import TrainingLoop
from sasrec.training.moments import Moments, restore_moments
from sasrec.training.progress import Observer
from sasrec.training.trackers import TrackedObserver
from sasrec.training.trainer import Checkpoints, Trained, fit


@release_memory_after()
@repeatable
def train_model(
    prepared: Prepared,
    *,
    observer: Observer,
    keep: Keep | None = None,
    resume_from: TrainState | None = None,
    weights: Mapping[str, Tensor] | None = None,
    moments: Moments | None = None,
) -> tuple[NextItemModel, Trained]:
    """Train a model on the training targets, validating on the validation cases.

    Args:
        prepared: The data and the settings; test cases are not used.
        observer: Receives the progress of training.
        keep: Called with the state of training after each epoch.
        resume_from: A state to resume from.
        weights: Initial weights of the model; None draws random ones.
        moments: Initial state of the optimiser; None starts anew.

    Returns:
        The model with its best weights, in evaluation mode, and the course of the training.

    Raises:
        SettingsError: The split is ``none``, and the number of epochs is not set.
    """  # raised by training_loop
    with torch.random.fork_rng():
        loop, generator = training_loop(prepared, _tracked(observer, prepared.run), weights)
        if moments is not None:
            restore_moments(moments, loop)
        validation = validation_of(loop.model, prepared.protocol)
        checkpoints = Checkpoints(keep, resume_from, (generator,))
        trained = fit(loop, validation=validation, checkpoints=checkpoints)
    return loop.model.eval(), trained


def training_loop(
    prepared: Prepared, observer: Observer, weights: Mapping[str, Tensor] | None = None
) -> tuple[TrainingLoop, torch.Generator]:
    """Return the loop that takes the steps of a training, with a new model.

    It seeds torch's default generator; call it within ``torch.random.fork_rng``.

    Args:
        prepared: The data and the settings.
        observer: Receives the progress of training.
        weights: Initial weights of the model; None draws random ones.

    Returns:
        The loop, and the random number generator of the loss.

    Raises:
        SettingsError: The split is ``none``, and the number of epochs is not set.
    """  # raised by _check_epochs
    _check_epochs(prepared)
    run, device, process = prepared.run, prepared.device, process_info()
    torch.manual_seed(run.training.seed)
    model = new_model(prepared)
    if weights is not None:
        model.load_state_dict(weights)
    model.to(device)
    if process.rank:  # all processes have the same weights, but different dropout
        torch.manual_seed(run.training.seed + process.rank)
    batches = training_batches(prepared.split, run, with_times=model.needs_times, device=device)
    if prepared.replay is not None:
        batches = with_earlier_targets(batches, prepared.replay)
    generator = negatives_generator(run.training, device)
    loss = training_loss(run.training, counts=prepared.counts, device=device, generator=generator)
    try_loss(
        run.training.loss,
        loss,
        n_items=prepared.n_items,
        generator=generator,
        by_vectors=model.has_item_table(),
    )
    return TrainingLoop(model, batches, loss, settings=run.training, observer=observer), generator


def _tracked(observer: Observer, run: RunSettings) -> Observer:
    """Return an observer that also sends metrics to trackers, if the settings name any."""
    if not run.output.trackers or process_info().rank:
        return observer
    return TrackedObserver(
        observer,
        trackers=run.output.trackers,
        project=run.output.wandb_project,
        folder=Path(run.output.checkpoint_dir),
        settings={key: value for group in run.groups().values() for key, value in group},
    )


def _check_epochs(prepared: Prepared) -> None:
    """Refuse to guess how long to train if there is no validation to decide it.

    Raises:
        SettingsError: The split is ``none``, and the user has not set the number of epochs.
    """
    run, split = prepared.run, prepared.split
    is_split = len(split.validation) or len(split.test)  # files may be split already
    origin = run.origins.get("epochs")
    is_given = origin is not None and origin.is_given
    if run.evaluation.split == "none" and not is_split and not is_given:
        raise SettingsError(
            "with split=none there is no validation, so early stopping cannot choose the number "
            "of epochs; set epochs, or use --epochs-from=MODEL to train as long as was best for a "
            "model with a split (in Python: epochs=model.metrics['best_epoch'])"
        )


def new_model(prepared: Prepared) -> NextItemModel:
    """Return a model with random weights.

    Args:
        prepared: Settings, and the numbers of items and users.

    Returns:
        The model, on the CPU; its weights are drawn from torch's default generator.

    Raises:
        PluginError: It is a plug-in that fails, or does not satisfy its contract.
    """  # raised by attributed and try_model
    run = prepared.run
    corpus, content = prepared.corpus, prepared.content
    size = Catalogue(
        prepared.n_items,
        len(corpus.users),
        run.data.max_history,
        n_types=len(corpus.event_types),
        content=None if content is None else content.encoded,
    )
    kind: type[NextItemModel] = MODELS[run.model_name]
    with attributed(MODELS, run.model_name, "cannot be created"):
        model = kind(run.model, size)
    try_model(run.model_name, model, size)
    return model


def training_batches(
    split: Split, run: RunSettings, *, with_times: bool = False, device: torch.device = CPU
) -> TrainingBatches:
    """Return the training batches of a run.

    Args:
        split: The training events.
        run: All settings.
        with_times: Whether the model uses the times of events.
        device: Device of the batches.

    Returns:
        The batches.
    """
    return TrainingBatches(
        split,
        max_history=run.data.max_history,
        context=min(int(run.training.context * run.data.max_history), run.data.max_history - 1),
        batch_size=run.training.batch_size,
        collator=Collator(
            split.sequences,
            with_times=with_times,
            device=device,
            targets=EventTargets("true", split.trains),
        ),
        shuffle=run.training.shuffle,
        rank=process_info().rank,
        processes=process_info().processes,
    )
