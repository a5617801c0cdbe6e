"""Experiment: the wiring. Settings and data in; a recommender and reports out."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from sasrec.data.batches.batching import CPU, Collator, TrainingBatches
from sasrec.data.checks.remarks import Remark, tell
from sasrec.data.corpus import Corpus
from sasrec.data.sources import load_corpus
from sasrec.data.splits import Split, make_split
from sasrec.evaluation.overlap import sketch_of
from sasrec.evaluation.report import Report, environment, evaluate_model, measure
from sasrec.evaluation.verdict import worse_than_counts
from sasrec.experiment.facts import facts_of
from sasrec.losses.drawing import negatives_generator
from sasrec.losses.objective import training_loss
from sasrec.models.contract import Catalogue, NextItemModel
from sasrec.models.popularity import item_counts, recent_counts
from sasrec.recommender.folder import check_target
from sasrec.recommender.recommender import Recommender
from sasrec.settings.evaluation import EvaluationSettings
from sasrec.settings.metric_names import smaller_is_better, split_key
from sasrec.settings.presets import DEFAULT
from sasrec.settings.registry import BASELINES, MODELS, model_called
from sasrec.settings.resolve import RunSettings, adapted, resolve_settings
from sasrec.system.device import pick_device, pick_precision
from sasrec.system.processes import my_place
from sasrec.training.checkpoint import Keep, TrainState
from sasrec.training.progress import LogObserver, Observer
from sasrec.training.trackers import TrackedObserver
from sasrec.training.trainer import Trained, fit

if TYPE_CHECKING:
    from sasrec.data.sources import Source

HASHES = "event_hashes"
"""Key of what a model remembers of its training events, for evaluation to recognise them."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What training came to.

    Attributes:
        recommender: Ready for use.
        reports: The model's, then the baselines', on the same cases.
        trained: Epoch by epoch.
        folder: Where the model was saved, or None.
    """

    recommender: Recommender
    reports: list[Report]
    trained: Trained
    folder: Path | None = field(default=None)


def train(
    data: Source,
    settings: Mapping[str, Any] | None = None,
    *,
    model: str = "SASRec",
    out: str | Path | None = None,
    overwrite: bool = False,
    observer: Observer | None = None,
) -> Recommender:
    """Train a model on a data set and return a recommender.

    Args:
        data: A name, a path, or a Polars or pandas data frame.
        settings: Setting to value, such as ``{"epochs": 20}``; the rest takes its default.
        model: Name of the model, such as ``GRU4Rec``; upper and lower case do not matter.
        out: Folder to save the model in; None saves nothing.
        overwrite: Replace a model already in ``out``.
        observer: Told how training goes; None writes to the log.

    Returns:
        The recommender; its ``metrics`` hold validation and test figures beside two baselines.

    Raises:
        SasrecError: Settings or data cannot be used, or the model cannot be saved.
    """  # raised by the parts
    name = model_called(model)
    run = resolve_settings(settings, name, DEFAULT if name == "SASRec" else None)
    if out is not None:
        check_target(Path(out), overwrite=overwrite)
    corpus = load_corpus(data, run.data)
    outcome = run_experiment(corpus, run, observer=observer or LogObserver())
    if out is not None:
        outcome.recommender.save(out, overwrite=overwrite)
    return outcome.recommender


def run_experiment(
    corpus: Corpus,
    run: RunSettings,
    *,
    observer: Observer,
    keep: Keep | None = None,
    begin: TrainState | None = None,
    weights: Mapping[str, Tensor] | None = None,
) -> Outcome:
    """Train a model on a data set and measure it beside the baselines.

    Random numbers come from the seed in the settings; the caller's generators are left as found.

    Args:
        corpus: The data set.
        run: All settings.
        observer: Told how training goes.
        keep: Given the state of training after each epoch.
        begin: A state to go on from; of the same data and settings.
        weights: Of the model, to begin with instead of fresh ones.

    Returns:
        The outcome; nothing is written.
    """
    split = make_split(corpus, run.evaluation)
    run = fitted(run, corpus, split)
    device = prepared_device(run)
    model, trained = train_model(
        corpus,
        split,
        run,
        device=device,
        observer=observer,
        keep=keep,
        begin=begin,
        weights=weights,
    )
    reports = [
        evaluate(run.model_name, model, corpus, split, run=run, device=device),
        *baseline_reports(corpus, split, run, device=device),
    ]
    counts = item_counts(split, len(corpus.items))
    remarks = [
        *untrained_items(corpus, counts),
        *(untrained_users(corpus, split) if model.uses_users else []),
        *worse_than_counts(reports, run.evaluation.valid_metric),
    ]
    hashes = sketch_of(corpus, split).as_json()
    tell(remarks, corpus.name)
    recommender = Recommender(
        model=model,
        items=corpus.items,
        counts=counts,
        titles=corpus.item_titles(),
        users=corpus.users if model.uses_users else None,
        settings={**run.as_json(), "source": corpus.source},
        metrics=_metrics((*corpus.remarks, *split.remarks, *remarks), reports, trained, hashes),
        environment={
            **environment(),
            "device": device.type,
            "precision": pick_precision(run.training.precision, device),
        },
        recent=recent_counts(split, len(corpus.items), run.output.popularity_window),
        people=np.append(False, split.train_users()) if model.uses_users else None,
    )
    return Outcome(recommender, reports, trained)


def fitted(run: RunSettings, corpus: Corpus, split: Split | None = None) -> RunSettings:
    """Return the settings with what their preset makes of a data set.

    Args:
        run: All settings.
        corpus: The data set.
        split: Of it, if that has been made already.

    Returns:
        The settings; the user's own values stay.
    """
    cut = make_split(corpus, run.evaluation) if split is None else split
    return adapted(run, facts_of(cut, n_items=len(corpus.items)))


def baseline_reports(
    corpus: Corpus, split: Split, run: RunSettings, *, device: torch.device
) -> list[Report]:
    """Measure the models that need no training on the same cases.

    Args:
        corpus: The data set.
        split: What they count, and what they are measured on.
        run: Metrics, cut-offs, longest history.
        device: Where to compute.

    Returns:
        One report a baseline.
    """
    reports = []
    for name in BASELINES:
        fitted: NextItemModel = BASELINES[name](split, len(corpus.items))
        reports.append(evaluate(name, fitted.to(device), corpus, split, run=run, device=device))
    return reports


def prepared_device(run: RunSettings) -> torch.device:
    """Return the device of a run, set up as its settings ask.

    Args:
        run: All settings.

    Returns:
        The device.
    """
    device = pick_device(run.training.device, run.training.gpu_id, my_place().local)
    if device.type == "cuda" and run.training.deterministic:
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # else cuBLAS may vary
        torch.use_deterministic_algorithms(True, warn_only=True)
    return device


def train_model(
    corpus: Corpus,
    split: Split,
    run: RunSettings,
    *,
    device: torch.device,
    observer: Observer,
    keep: Keep | None = None,
    begin: TrainState | None = None,
    weights: Mapping[str, Tensor] | None = None,
) -> tuple[NextItemModel, Trained]:
    """Train a model on the training targets, validating on the validation cases.

    Args:
        corpus: The data set.
        split: Of its histories; test cases are not looked at.
        run: All settings, adapted to the data.
        device: Where to compute.
        observer: Told how training goes.
        keep: Given the state of training after each epoch.
        begin: A state to go on from.
        weights: Of the model, to begin with instead of fresh ones.

    Returns:
        The model at its best weights, in evaluation mode, and how training went.
    """
    n_items, place = len(corpus.items), my_place()
    if run.output.trackers and place.rank == 0:
        observer = TrackedObserver(
            observer,
            trackers=run.output.trackers,
            project=run.output.wandb_project,
            folder=Path(run.output.checkpoint_dir),
            settings={key: value for group in run.groups().values() for key, value in group},
        )
    counts = item_counts(split, n_items)
    with torch.random.fork_rng():
        torch.manual_seed(run.training.seed)
        model = new_model(run, corpus)
        if weights is not None:
            model.load_state_dict(weights)
        model.to(device)
        if place.rank:  # the same weights everywhere, but dropout of its own
            torch.manual_seed(run.training.seed + place.rank)
        source = negatives_generator(run.training, device)
        trained = fit(
            model,
            training_batches(split, run, with_times=model.needs_times, device=device),
            training_loss(run.training, counts=counts, device=device, generator=source),
            validate=validator(model, split, run, counts=counts, device=device),
            settings=run.training,
            observer=observer,
            watched=run.evaluation.valid_metric,
            smaller_is_better=smaller_is_better(run.evaluation.valid_metric),
            generators=(source,),
            keep=keep,
            begin=begin,
        )
    return model.eval(), trained


def new_model(run: RunSettings, corpus: Corpus) -> NextItemModel:
    """Return a model with fresh weights.

    Args:
        run: All settings, adapted to the data.
        corpus: How many items and users there are.

    Returns:
        The model, on the CPU; its weights come from torch's own generator.
    """
    model: NextItemModel = MODELS[run.model_name](
        run.model, Catalogue(len(corpus.items), len(corpus.users), run.data.max_history)
    )
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


def validator(
    model: NextItemModel,
    split: Split,
    run: RunSettings,
    *,
    counts: np.ndarray,
    device: torch.device,
) -> Callable[[], float] | None:
    """Return a function that measures the watched metric.

    Args:
        model: Being trained.
        split: Its validation cases.
        run: The watched metric.
        counts: int64 [V], training events of each item.
        device: Where to compute.

    Returns:
        The function, or None if there are no validation cases.
    """
    if not len(split.validation):
        return None
    key = run.evaluation.valid_metric
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
            counts=counts,
            max_history=run.data.max_history,
            device=device,
            candidates=run.evaluation.validated_against,
        )
        return values.get(key, math.nan)  # a metric may have no value on these data

    return score


def evaluate(
    name: str,
    model: NextItemModel,
    corpus: Corpus,
    split: Split,
    *,
    run: RunSettings,
    device: torch.device,
) -> Report:
    """Measure a model on a data set's validation and test cases.

    Args:
        name: What to call the model.
        model: On ``device``.
        corpus: The data set.
        split: Its cases.
        run: Metrics, cut-offs, longest history.
        device: Where to compute.

    Returns:
        The report.
    """
    return evaluate_model(
        name,
        model,
        corpus,
        split,
        settings=run.evaluation,
        counts=item_counts(split, len(corpus.items)),
        max_history=run.data.max_history,
        device=device,
    )


def untrained_items(corpus: Corpus, counts: np.ndarray) -> list[Remark]:
    """Return a remark if the model has learned nothing of some items.

    Args:
        corpus: The data set.
        counts: int64 [V], training events of each item.

    Returns:
        One, or none.
    """
    found = np.flatnonzero(counts[1:] == 0) + 1
    if not len(found):
        return []
    text = (
        f"{len(found):,} of {len(corpus.items):,} items occur in no training event, such as "
        f"{corpus.items.tokens(found[:1])[0]!r}, so nothing was learned of them; they are not "
        "recommended unless named as candidates, and their score is NaN (item_interactions "
        "leaves rare items out)"
    )
    return [Remark("untrained_items", len(found), text)]


def untrained_users(corpus: Corpus, split: Split) -> list[Remark]:
    """Return a remark if a model that learns of people has learned nothing of some.

    Args:
        corpus: The data set.
        split: What trains.

    Returns:
        One, or none.
    """
    found = np.flatnonzero(~split.train_users()) + 1
    if not len(found):
        return []
    text = (
        f"{len(found):,} of {len(corpus.users):,} people have no training target, such as "
        f"{corpus.users.tokens(found[:1])[0]!r}, so nothing was learned of them; for "
        "recommendations they are nobody in particular"
    )
    return [Remark("untrained_users", len(found), text)]


def only(run: RunSettings, key: str) -> RunSettings:
    """Return settings that measure one metric and nothing else.

    Args:
        run: All settings.
        key: Of the metric, such as ``ndcg@10``.

    Returns:
        The settings.
    """
    name, k = split_key(key)
    change = {"metrics": (name,), "topk": (max(k, 1),)}
    return replace(run, evaluation=run.evaluation.model_copy(update=change))


def _metrics(
    remarks: tuple[Remark, ...], reports: list[Report], trained: Trained, hashes: dict[str, Any]
) -> dict[str, Any]:
    return {
        "remarks": [remark.as_json() for remark in remarks],
        "untrained_items": sum(each.count for each in remarks if each.kind == "untrained_items"),
        "reports": [report.as_json() for report in reports],
        "best_epoch": trained.best_epoch,
        "stopped_because": trained.stopped_because,
        "epochs": [
            {
                "epoch": each.epoch,
                "loss": each.loss,
                "seconds": each.seconds,
                "score": each.score,
            }
            for each in trained.epochs
        ],
        HASHES: hashes,
    }
