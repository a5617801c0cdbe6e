"""A run: train a model on a data set, and measure it and the baselines."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from sasrec.data.corpus import Corpus
from sasrec.data.drift.profile import profile_of
from sasrec.data.drift.saved import KEY as PROFILE
from sasrec.data.drift.saved import profile_as_json
from sasrec.evaluation.baseline_check import worse_than_counts
from sasrec.evaluation.overlap import sketch_of
from sasrec.evaluation.report import Report, environment
from sasrec.experiment.fitting import train_model
from sasrec.experiment.measuring import baselines, measured
from sasrec.experiment.prepared import Prepared, prepare
from sasrec.experiment.remarks import cold_items, learned_items, untrained_items, untrained_users
from sasrec.models.contract import NextItemModel
from sasrec.models.popularity import recent_counts
from sasrec.recommender.lineage import LATEST
from sasrec.recommender.recommender import Recommender
from sasrec.recommender.time_units import KEY as TIME_UNIT
from sasrec.recommender.time_units import unit_of
from sasrec.remarks import Remark, log_remarks
from sasrec.settings.resolve import RunSettings
from sasrec.system.device import pick_precision
from sasrec.training.checkpoint import Keep, TrainState
from sasrec.training.progress import Observer
from sasrec.training.trainer import Trained

HASHES = "event_hashes"
"""Key in ``metrics.json`` of the hashes of training events, by which evaluation finds overlaps."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """A trained model with its reports.

    Attributes:
        recommender: The trained model.
        reports: Report of the model, then those of the baselines, on the same cases.
        trained: The course of the training.
        folder: Folder the model was saved in, or None.
    """

    recommender: Recommender
    reports: list[Report]
    trained: Trained
    folder: Path | None = field(default=None)


def run_experiment(
    corpus: Corpus,
    run: RunSettings,
    *,
    observer: Observer,
    keep: Keep | None = None,
    resume_from: TrainState | None = None,
    weights: Mapping[str, Tensor] | None = None,
) -> Outcome:
    """Train a model on a data set, and measure it and the baselines.

    Random numbers come from the seed in the settings; global random states are not changed.

    Args:
        corpus: The data set.
        run: All settings.
        observer: Receives the progress of training.
        keep: Called with the state of training after each epoch.
        resume_from: A state of a training with the same data and settings, to resume from.
        weights: Initial weights of the model; None draws random ones.

    Returns:
        The trained model with its reports; nothing is saved.
    """
    return run_prepared(
        prepare(corpus, run), observer=observer, keep=keep, resume_from=resume_from, weights=weights
    )


def run_prepared(
    prepared: Prepared,
    *,
    observer: Observer,
    keep: Keep | None = None,
    resume_from: TrainState | None = None,
    weights: Mapping[str, Tensor] | None = None,
) -> Outcome:
    """Train a model on prepared data, and measure it and the baselines.

    Args:
        prepared: The data and the settings.
        observer: Receives the progress of training.
        keep: Called with the state of training after each epoch.
        resume_from: A state of a training with the same data and settings, to resume from.
        weights: Initial weights of the model; None draws random ones.

    Returns:
        The trained model with its reports; nothing is saved.
    """
    model, trained = train_model(
        prepared, observer=observer, keep=keep, resume_from=resume_from, weights=weights
    )
    unknown = [*cold_items(prepared), *untrained_items(prepared)]
    unknown += untrained_users(prepared) if model.uses_users else []
    models = chain([(prepared.run.model_name, model)], baselines(prepared))
    reports = [measured(prepared, name, each) for name, each in models]
    worse = worse_than_counts(reports, prepared.run.evaluation.valid_metric)
    remarks = [*unknown, *worse]
    log_remarks(remarks, prepared.corpus.name)
    return Outcome(_recommender(prepared, model, remarks, reports, trained), reports, trained)


def _recommender(
    prepared: Prepared,
    model: NextItemModel,
    remarks: list[Remark],
    reports: list[Report],
    trained: Trained,
) -> Recommender:
    """Return the recommender, with everything that its folder will contain."""
    corpus, split, run = prepared.corpus, prepared.split, prepared.run
    content = () if prepared.content is None else prepared.content.remarks
    all_remarks = (*corpus.remarks, *content, *split.remarks, *remarks)
    metrics = _metrics(all_remarks, reports, trained, sketch_of(corpus, split).as_json())
    times = split.sequences.times
    metrics[TIME_UNIT] = unit_of(times)
    metrics[LATEST] = None if times is None else float(times.max())
    metrics[PROFILE] = profile_as_json(profile_of(corpus))
    recent = recent_counts(split, prepared.n_items, run.output.popularity_window)
    return Recommender(
        model=model,
        items=corpus.items,
        counts=prepared.counts,
        titles=corpus.item_titles(),
        users=corpus.users if model.uses_users else None,
        settings={**run.as_json(corpus.source), "source": corpus.source},
        metrics=metrics,
        environment={
            **environment(),
            "device": prepared.device.type,
            "precision": pick_precision(run.training.precision, prepared.device),
        },
        recent=recent,
        people=np.append(False, split.train_users()) if model.uses_users else None,
        learned=learned_items(prepared),
        item_columns=None if corpus.item_columns is None else corpus.item_columns.of(corpus.items),
        event_types=corpus.event_types,
        content=() if prepared.content is None else prepared.content.columns,
    )


def _metrics(
    remarks: tuple[Remark, ...], reports: list[Report], trained: Trained, hashes: dict[str, Any]
) -> dict[str, Any]:
    return {
        "remarks": [remark.as_json() for remark in remarks],
        "untrained_items": sum(each.count for each in remarks if each.kind == "untrained_items"),
        "cold_items": sum(each.count for each in remarks if each.kind == "cold_items"),
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
