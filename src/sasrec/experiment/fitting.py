"""Fitting: a model is made, trained on the training targets, and validated."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from sasrec.data.batches.batching import CPU, Collator, TrainingBatches
from sasrec.data.splits import Split
from sasrec.evaluation.report import measure
from sasrec.experiment.prepared import Prepared, repeatable
from sasrec.losses.drawing import negatives_generator
from sasrec.losses.objective import training_loss
from sasrec.models.contract import Catalogue, NextItemModel
from sasrec.settings.evaluation import EvaluationSettings
from sasrec.settings.metric_names import smaller_is_better, split_key
from sasrec.settings.registry import MODELS
from sasrec.settings.resolve import RunSettings
from sasrec.system.memory import memory_of_a_run
from sasrec.system.processes import my_place
from sasrec.training.checkpoint import Keep, TrainState
from sasrec.training.progress import Observer
from sasrec.training.trackers import TrackedObserver
from sasrec.training.trainer import Checkpoints, Trained, TrainingLoop, Validation, fit


@memory_of_a_run()
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
    run, device, place = prepared.run, prepared.device, my_place()
    with repeatable(run, device), torch.random.fork_rng():
        torch.manual_seed(run.training.seed)
        model = new_model(prepared)
        if weights is not None:
            model.load_state_dict(weights)
        model.to(device)
        if place.rank:  # the same weights everywhere, but dropout of its own
            torch.manual_seed(run.training.seed + place.rank)
        source = negatives_generator(run.training, device)
        loop = TrainingLoop(
            model,
            training_batches(prepared.split, run, with_times=model.needs_times, device=device),
            training_loss(run.training, counts=prepared.counts, device=device, generator=source),
            settings=run.training,
            observer=_tracked(observer, run),
        )
        trained = fit(
            loop,
            validation=validator(prepared, model),
            checkpoints=Checkpoints(keep, begin, (source,)),
        )
    return model.eval(), trained


def _tracked(observer: Observer, run: RunSettings) -> Observer:
    """Return an observer that tells the trackers too, if any are asked for."""
    if not run.output.trackers or my_place().rank:
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
        rank=my_place().rank,
        processes=my_place().processes,
    )


def validator(prepared: Prepared, model: NextItemModel) -> Validation:
    """Return how epochs are judged: by the watched metric.

    Args:
        prepared: The validation cases, and which metric is watched.
        model: Being trained.

    Returns:
        How; without validation cases they are not.
    """
    run, split = prepared.run, prepared.split
    key = run.evaluation.valid_metric
    if not len(split.validation):
        return Validation(None, key, smaller_is_better(key))
    name, k = split_key(key)
    only = EvaluationSettings(
        metrics=(name,),
        topk=(max(k, 1),),
        valid_metric=key,
        remove_seen=run.evaluation.remove_seen,
        tail_ratio=run.evaluation.tail_ratio,
        sampled_by=run.evaluation.sampled_by,
    )

    def score() -> float:
        values, _ = measure(
            model,
            split,
            split.validation,
            settings=only,
            counts=prepared.counts,
            max_history=run.data.max_history,
            device=prepared.device,
            candidates=run.evaluation.validation_candidates,
        )
        return values.get(key, math.nan)  # a metric may have no value on these data

    return Validation(score, key, smaller_is_better(key))
