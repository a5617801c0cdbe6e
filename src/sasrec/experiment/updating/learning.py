"""Learning new events: a model and two data sets in, a new model out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from sasrec.data.content.encoding import ItemContent
from sasrec.data.corpus import Corpus
from sasrec.errors import Interrupted
from sasrec.evaluation.report import Report
from sasrec.evaluation.validation import validation_score
from sasrec.experiment.facts import facts_of
from sasrec.experiment.fitting import new_model, train_model
from sasrec.experiment.measuring import measured
from sasrec.experiment.prepared import Prepared, prepared_device
from sasrec.experiment.updating.amounts import Amounts, adapted_to_amounts, replayed
from sasrec.experiment.updating.checks import check_new_events
from sasrec.experiment.updating.growing import Growth, grown_content, grown_weights, growth_of
from sasrec.experiment.updating.merged import Merged, merged
from sasrec.experiment.updating.splitting import UpdateSplit, split_for_update
from sasrec.experiment.updating.steps import earlier_splits, with_update
from sasrec.experiment.updating.updated import Updated
from sasrec.models.contract import NextItemModel
from sasrec.recommender.lineage import latest_time, steps_of
from sasrec.recommender.recommender import Recommender
from sasrec.remarks import Remark, log_remarks
from sasrec.settings.metric_names import smaller_is_better
from sasrec.settings.origin import Origin
from sasrec.settings.resolve import RunSettings
from sasrec.training.moments import Moments
from sasrec.training.progress import Observer
from sasrec.training.trainer import Trained

BEFORE = "before the update"


@dataclass(frozen=True, slots=True)
class Way:
    """How to learn, besides the settings.

    Attributes:
        replay: Earlier targets to learn again for each new one; None for the default.
        moments: State of the optimiser to go on with; None starts it anew.
    """

    replay: float | None = None
    moments: Moments | None = None


@dataclass(frozen=True, slots=True)
class Ready:
    """Everything that is needed to train.

    Attributes:
        prepared: Data and settings.
        parts: The events by purpose.
        growth: How the model grows.
        weights: Initial weights: those of the model, with more rows.
    """

    prepared: Prepared
    parts: UpdateSplit
    growth: Growth
    weights: Mapping[str, Tensor]


def learn(
    recommender: Recommender,
    run: RunSettings,
    new: Corpus,
    history: Corpus | None,
    *,
    way: Way,
    observer: Observer,
) -> Updated:
    """Return a model that learned new events.

    Args:
        recommender: The model before; it is not changed.
        run: The settings of the update.
        new: The new events, in their own numbers.
        history: Earlier events, in their own numbers; None if there are none.
        way: How much is replayed, and how the optimiser starts.
        observer: Receives the progress of training.

    Returns:
        The new model; nothing is saved.

    Raises:
        Interrupted: The user stopped it.
    """
    whole = merged(recommender, new, history, latest=latest_time(recommender.metrics))
    remarks = [*check_new_events(recommender, new, history, whole), *whole.remarks]
    ready = _ready(recommender, run, whole, way.replay)
    before = _measured(ready, ready.weights, BEFORE)
    model, trained = train_model(
        ready.prepared, observer=observer, weights=ready.weights, moments=way.moments
    )
    if trained.interrupted:
        raise Interrupted("the update was interrupted; nothing was saved")
    worse = _worse(ready, model, before[1])
    if worse is not None:
        remarks.append(worse)
        model = before[0]
    report = measured(ready.prepared, run.model_name, model)
    log_remarks(remarks, new.name)
    facts = {
        **_facts(ready, trained, whole),
        "source": new.source or None,
        "fingerprint": new.sequences.fingerprint(),
        "history_fingerprint": None if history is None else history.sequences.fingerprint(),
        "optimiser": "new" if way.moments is None else "continued",
    }
    found = with_update(recommender, ready.prepared, ready.parts, model=model, facts=facts)
    step = steps_of(found.metrics)[-1]
    return Updated(found, step, report, before[1], tuple(remarks))


def _ready(
    recommender: Recommender, run: RunSettings, whole: Merged, replay: float | None
) -> Ready:
    """Return data, settings and initial weights."""
    parts = split_for_update(whole, run.evaluation, earlier_splits(recommender))
    sequences, corpus = parts.split.sequences, whole.corpus
    n_items = len(corpus.items)
    growth = growth_of(
        recommender,
        sequences,
        parts.learned,
        sizes=(n_items, len(corpus.users)),
        seed=run.training.seed,
    )
    amounts = Amounts(
        new=parts.split.n_targets,
        earlier=int(parts.earlier.sum()),
        trained=int(recommender.counts.sum()),
        best_epoch=_best_epoch(recommender),
    )
    n_replayed = replayed(amounts, replay)
    counts = np.bincount(sequences.items[parts.learned], minlength=n_items + 1)
    counts[: len(recommender.counts)] += recommender.counts
    prepared = Prepared(
        corpus=corpus,
        split=parts.split,
        counts=counts,
        facts=facts_of(parts.split, n_items=n_items),
        run=_with_amounts(run, amounts, n_replayed),
        device=prepared_device(run),
        content=_content(recommender, growth),
        replay=parts.replay(n_replayed),
    )
    return Ready(prepared, parts, growth, grown_weights(recommender, growth))


def _best_epoch(recommender: Recommender) -> int | None:
    """Return the number of epochs of the training; None if it is not known."""
    found = recommender.metrics.get("best_epoch")
    return found if type(found) is int and found > 0 else None


def _with_amounts(run: RunSettings, amounts: Amounts, n_replayed: int) -> RunSettings:
    """Return the settings with those that depend on the amounts, unless the user gave them."""
    found = {
        name: value
        for name, value in adapted_to_amounts(run, amounts, n_replayed).items()
        if name not in run.origins or run.origins[name].kind == "model"
    }
    origins = run.origins | dict.fromkeys(found, Origin("update"))
    return replace(run, training=run.training.model_copy(update=found), origins=origins)


def _content(recommender: Recommender, growth: Growth) -> ItemContent | None:
    """Return the content of all items, as the model has it."""
    encoded = grown_content(recommender, growth)
    if encoded is None:
        return None
    known = np.zeros(growth.n_items + 1, dtype=bool)
    learned = recommender.learned
    if learned is not None:
        known[: len(learned)] = learned
    return ItemContent(recommender.content, encoded, known, ())


def _measured(
    ready: Ready, weights: Mapping[str, Tensor], name: str
) -> tuple[NextItemModel, Report]:
    """Return a model with some weights, and its report."""
    prepared = ready.prepared
    with torch.random.fork_rng():
        torch.manual_seed(prepared.run.training.seed)
        model = new_model(prepared)
    model.load_state_dict(weights)
    model.to(prepared.device).eval()
    return model, measured(prepared, name, model)


def _worse(ready: Ready, model: NextItemModel, before: Report) -> Remark | None:
    """Return a remark if the new model is worse on the validation cases than the one before."""
    prepared, key = ready.prepared, ready.prepared.run.evaluation.valid_metric
    cases = prepared.split.validation
    if not len(cases):
        return None
    was = before.validation.get(key)
    if was is None:
        was = validation_score(_measured(ready, ready.weights, BEFORE)[0], prepared.protocol)
    now = validation_score(model, prepared.protocol)
    gain = was - now if smaller_is_better(key) else now - was
    if gain >= 0:
        return None
    text = (
        f"learning the new events made {key} on the validation cases worse ({was:.4f} before, "
        f"{now:.4f} after), so the weights were kept as they were; only new items, new people and "
        "the popularity of items were added"
    )
    return Remark("not_better", len(cases), text)


def _facts(ready: Ready, trained: Trained, whole: Merged) -> dict[str, Any]:
    """Return what the lineage says about this update, besides sizes and times."""
    training, parts = ready.prepared.run.training, ready.parts
    replay = ready.prepared.replay
    return {
        "events_new": int(whole.is_new.sum()),
        "events_learned": int(parts.learned.sum()),
        "events_held_out": parts.held_out,
        "targets": parts.split.n_targets,
        "targets_replayed": 0 if replay is None else replay.count,
        "items_first_learned": int(ready.growth.begins.sum()),
        "epochs": len(trained.epochs),
        "best_epoch": trained.best_epoch,
        "learning_rate": training.learning_rate,
        "batch_size": training.batch_size,
        "warmup_steps": training.warmup_steps,
        "seed": training.seed,
    }
