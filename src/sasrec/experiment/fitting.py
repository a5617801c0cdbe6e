"""Fitting: a model is made, trained on the training targets, and validated."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from sasrec.data.batches.batching import CPU, Collator
from sasrec.data.batches.training_batches import TrainingBatches
from sasrec.data.splits import Split
from sasrec.evaluation.validation import validation_of
from sasrec.experiment.prepared import Prepared, repeatable
from sasrec.losses.drawing import negatives_generator
from sasrec.losses.objective import training_loss
from sasrec.models.contract import Catalogue, NextItemModel
from sasrec.settings.registry import MODELS
from sasrec.settings.resolve import RunSettings
from sasrec.system.memory import release_memory_after
from sasrec.system.processes import process_info
from sasrec.training.checkpoint import Keep, TrainState
from sasrec.training.loop import TrainingLoop
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
    begin: TrainState | None = None,
    weights: Mapping[str, Tensor] | None = None,
) -> tuple[NextItemModel, Trained]:
    """Train a model on the training targets, validating on the validation cases.

    Args:
        prepared: The data and the settings; test cases are not looked at.
        observer: Told how training goes.
        keep: Given the state of training after each epoch.
        begin: A state to go on from.
        weights: Of the model, to begin with instead of fresh ones.

    Returns:
        The model at its best weights, in evaluation mode, and how training went.
    """
    run, device, place = prepared.run, prepared.device, process_info()
    with torch.random.fork_rng():
        torch.manual_seed(run.training.seed)
        model = new_model(prepared)
        if weights is not None:
            model.load_state_dict(weights)
        model.to(device)
        if place.rank:  # every process has the same weights, but its own dropout
            torch.manual_seed(run.training.seed + place.rank)
        tracked = _tracked(observer, run)
        batches = training_batches(prepared.split, run, with_times=model.needs_times, device=device)
        source = negatives_generator(run.training, device)
        loss = training_loss(run.training, counts=prepared.counts, device=device, generator=source)
        loop = TrainingLoop(model, batches, loss, settings=run.training, observer=tracked)
        validation = validation_of(model, prepared.protocol)
        checkpoints = Checkpoints(keep, begin, (source,))
        trained = fit(loop, validation=validation, checkpoints=checkpoints)
    return model.eval(), trained


def _tracked(observer: Observer, run: RunSettings) -> Observer:
    """Return an observer that tells the trackers too, if any are asked for."""
    if not run.output.trackers or process_info().rank:
        return observer
    return TrackedObserver(
        observer,
        trackers=run.output.trackers,
        project=run.output.wandb_project,
        folder=Path(run.output.checkpoint_dir),
        settings={key: value for group in run.groups().values() for key, value in group},
    )


def new_model(prepared: Prepared) -> NextItemModel:
    """Return a model with fresh weights.

    Args:
        prepared: Settings, and how many items and users there are.

    Returns:
        The model, on the CPU; its weights come from torch's own generator.
    """
    run = prepared.run
    size = Catalogue(prepared.n_items, len(prepared.corpus.users), run.data.max_history)
    model: NextItemModel = MODELS[run.model_name](run.model, size)
    return model


def training_batches(
    split: Split, run: RunSettings, *, with_times: bool = False, device: torch.device = CPU
) -> TrainingBatches:
    """Return where the epochs of a run come from.

    Args:
        split: What trains.
        run: All settings.
        with_times: Whether the model looks at the times of events.
        device: Where batches are put together.

    Returns:
        The batches.
    """
    return TrainingBatches(
        split,
        max_history=run.data.max_history,
        context=min(int(run.training.context * run.data.max_history), run.data.max_history - 1),
        batch_size=run.training.batch_size,
        collator=Collator(split.sequences, with_times=with_times, device=device),
        shuffle=run.training.shuffle,
        rank=process_info().rank,
        processes=process_info().processes,
    )
