"""A run: settings and data in; a trained model, its figures and those of baselines out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from sasrec.data.checks.remarks import Remark, tell
from sasrec.data.corpus import Corpus
from sasrec.evaluation.overlap import sketch_of
from sasrec.evaluation.report import Report, environment
from sasrec.evaluation.verdict import worse_than_counts
from sasrec.experiment.fitting import train_model
from sasrec.experiment.measuring import baseline_reports, measured
from sasrec.experiment.prepared import Prepared, prepare
from sasrec.experiment.remarks import untrained_items, untrained_users
from sasrec.models.contract import NextItemModel
from sasrec.models.popularity import recent_counts
from sasrec.recommender.recommender import Recommender
from sasrec.settings.resolve import RunSettings
from sasrec.system.device import pick_precision
from sasrec.training.checkpoint import Keep, TrainState
from sasrec.training.progress import Observer
from sasrec.training.trainer import Trained

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
    return run_prepared(
        prepare(corpus, run), observer=observer, keep=keep, begin=begin, weights=weights
    )


def run_prepared(
    prepared: Prepared,
    *,
    observer: Observer,
    keep: Keep | None = None,
    begin: TrainState | None = None,
    weights: Mapping[str, Tensor] | None = None,
) -> Outcome:
    """Train a model on prepared data and measure it beside the baselines.

    Args:
        prepared: Data and settings.
        observer: Told how training goes.
        keep: Given the state of training after each epoch.
        begin: A state to go on from; of the same data and settings.
        weights: Of the model, to begin with instead of fresh ones.

    Returns:
        The outcome; nothing is written.
    """
    model, trained = train_model(
        prepared, observer=observer, keep=keep, begin=begin, weights=weights
    )
    reports = [measured(prepared, prepared.run.model_name, model), *baseline_reports(prepared)]
    remarks = [
        *untrained_items(prepared),
        *(untrained_users(prepared) if model.uses_users else []),
        *worse_than_counts(reports, prepared.run.evaluation.valid_metric),
    ]
    tell(remarks, prepared.corpus.name)
    return Outcome(_recommender(prepared, model, remarks, reports, trained), reports, trained)


def _recommender(
    prepared: Prepared,
    model: NextItemModel,
    remarks: list[Remark],
    reports: list[Report],
    trained: Trained,
) -> Recommender:
    """Return a model ready for use, with all that its folder tells of it."""
    corpus, split, run = prepared.corpus, prepared.split, prepared.run
    told = (*corpus.remarks, *split.remarks, *remarks)
    metrics = _metrics(told, reports, trained, sketch_of(corpus, split).as_json())
    recent = recent_counts(split, prepared.n_items, run.output.popularity_window)
    return Recommender(
        model=model,
        items=corpus.items,
        counts=prepared.counts,
        titles=corpus.item_titles(),
        users=corpus.users if model.uses_users else None,
        settings={**run.as_json(), "source": corpus.source},
        metrics=metrics,
        environment={
            **environment(),
            "device": prepared.device.type,
            "precision": pick_precision(run.training.precision, prepared.device),
        },
        recent=recent,
        people=np.append(False, split.train_users()) if model.uses_users else None,
    )


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
