"""The recommender after an update, and the step of its lineage."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import polars as pl
from pydantic import ValidationError

from sasrec.data.corpus import Corpus
from sasrec.data.drift.saved import KEY as PROFILE
from sasrec.data.item_columns import ItemColumns
from sasrec.evaluation.overlap import joined, sketch_from_json, sketch_of_events
from sasrec.evaluation.report import environment
from sasrec.experiment.prepared import Prepared
from sasrec.experiment.run import HASHES
from sasrec.experiment.updating.splitting import EarlierSplit, UpdateSplit
from sasrec.models.contract import NextItemModel
from sasrec.recommender.lineage import LATEST, UPDATE, latest_time, steps_of, with_step
from sasrec.recommender.new_columns import in_earlier_types
from sasrec.recommender.recommender import Recommender
from sasrec.recommender.time_units import KEY as TIME_UNIT
from sasrec.recommender.time_units import unit_of
from sasrec.settings.evaluation import EvaluationSettings, split_settings
from sasrec.system.device import pick_precision


def earlier_splits(recommender: Recommender) -> list[EarlierSplit]:
    """Return by which splits events were held out from a model so far, the first one first.

    Args:
        recommender: The model.
    """
    metrics = recommender.metrics
    steps = [step for step in steps_of(metrics) if step.get("step") == UPDATE]
    found = [
        EarlierSplit(
            _evaluation(step.get("split_before")), latest_time({LATEST: step.get("latest_before")})
        )
        for step in steps
    ]
    own = split_settings(recommender.settings["evaluation"])
    return [*found, EarlierSplit(_evaluation(own), latest_time(metrics))]


def _evaluation(values: object) -> EvaluationSettings:
    """Return evaluation settings from the lineage; the default ones if they were edited."""
    if not isinstance(values, dict):
        return EvaluationSettings()
    try:
        return EvaluationSettings(**values)
    except (ValidationError, TypeError):
        return EvaluationSettings()


def with_update(
    recommender: Recommender,
    prepared: Prepared,
    parts: UpdateSplit,
    *,
    model: NextItemModel,
    facts: Mapping[str, Any],
) -> Recommender:
    """Return a recommender after an update.

    Args:
        recommender: The model before.
        prepared: The data and the settings of the update.
        parts: The events by purpose.
        model: The network after the update.
        facts: What the lineage says about the update.

    Returns:
        The new recommender; its metrics have one step more.
    """
    corpus, run = prepared.corpus, prepared.run
    n_people = len(corpus.users) - len(recommender.users) if recommender.users is not None else None
    times = corpus.sequences.times
    latest = latest_time(recommender.metrics)
    newest = None if times is None else max(float(times.max()), latest or -np.inf)
    step = {
        "step": UPDATE,
        **facts,
        "people_added": n_people,
        "split_before": split_settings(recommender.settings["evaluation"]),
        "latest_before": latest,
        "latest_time": newest,
    }
    metrics = {
        **_without_profile(recommender.metrics),
        HASHES: _hashes(recommender, corpus, parts),
        TIME_UNIT: recommender.metrics.get(TIME_UNIT) or unit_of(times),
        LATEST: newest,
    }
    evaluation = run.as_json()["evaluation"]
    return replace(
        recommender,
        model=model.eval(),
        items=corpus.items,
        counts=prepared.counts,
        titles=_titles(recommender, corpus),
        users=None if recommender.users is None else corpus.users,
        settings={**recommender.settings, "evaluation": evaluation, "source": corpus.source},
        metrics=with_step(metrics, step),
        environment={
            **environment(),
            "device": prepared.device.type,
            "precision": pick_precision(run.training.precision, prepared.device),
        },
        recent=_recent(recommender, prepared, parts),
        learned=_learned(recommender, prepared),
        people=_people(recommender, prepared),
        item_columns=_columns(recommender, corpus),
    )


def _without_profile(metrics: Mapping[str, Any]) -> dict[str, Any]:
    """Return metrics without the profile of the data, which describes earlier events only."""
    return {name: value for name, value in metrics.items() if name != PROFILE}


def _learned(recommender: Recommender, prepared: Prepared) -> np.ndarray | None:
    """Return the items that the model has learned, bool [V]; None if counts say so."""
    if recommender.learned is None:
        return None
    found = np.bincount([0], minlength=len(prepared.counts)) > 1
    found[: len(recommender.learned)] = recommender.learned
    found |= prepared.counts > 0
    return found


def _people(recommender: Recommender, prepared: Prepared) -> np.ndarray | None:
    """Return the people for whom the model has learned a vector, bool [U + 1]."""
    if recommender.users is None:
        return None
    found = np.append(False, prepared.split.train_users())
    n_before = len(recommender.users) + 1
    found[1:n_before] |= True if recommender.people is None else recommender.people[1:]
    return found


def _titles(recommender: Recommender, corpus: Corpus) -> dict[str, str]:
    """Return the titles of all items; those of known items do not change."""
    return {**corpus.item_titles(), **recommender.titles}


def _columns(recommender: Recommender, corpus: Corpus) -> ItemColumns | None:
    """Return the item columns of the model with those of the new items."""
    own = recommender.item_columns
    if own is None:
        return None
    new = corpus.items.entries.slice(len(own.items))
    if not len(new):
        return own
    rows = pl.DataFrame({"#": new})
    if corpus.item_columns is not None:
        table = in_earlier_types(corpus.item_columns.of(corpus.items), dict(own.values.schema))
        names = [name for name in own.values.columns if name in table.values.columns]
        rows = table.values.select(names).tail(len(new)) if names else rows
    values = pl.concat([own.values, rows.drop("#", strict=False)], how="diagonal_relaxed")
    if values.height < len(corpus.items):
        empty = own.values.clear(len(corpus.items) - values.height)  # rows of nulls
        values = pl.concat([values, empty])
    return ItemColumns(corpus.items.entries, values)


def _recent(recommender: Recommender, prepared: Prepared, parts: UpdateSplit) -> np.ndarray | None:
    """Return the latest training events of each item, int64 [V].

    The new events count first; if they are fewer than the popularity window has, earlier ones
    count in proportion.
    """
    before = recommender.recent
    if before is None:
        return None
    n_items = len(prepared.counts) - 1
    sequences, share = prepared.split.sequences, prepared.run.output.popularity_window
    wanted = max(1, round(share * int(prepared.counts.sum())))
    events = np.flatnonzero(parts.learned)
    if sequences.times is not None and len(events) > wanted:
        times = sequences.times[events]
        first = np.partition(times, len(times) - wanted)[len(times) - wanted]
        events = events[times >= first]
    found = np.bincount(sequences.items[events], minlength=n_items + 1)
    missing = 1.0 if share == 1 else max(0, wanted - len(events)) / max(1, int(before.sum()))
    found[: len(before)] += np.round(before * min(1.0, missing)).astype(found.dtype)
    return found


def _hashes(recommender: Recommender, corpus: Corpus, parts: UpdateSplit) -> dict[str, Any] | None:
    """Return the hashes of all events of the model, or of a sample."""
    before = sketch_from_json(recommender.metrics.get(HASHES))
    if before is None:
        return None
    events = np.flatnonzero(parts.is_new)
    return joined(before, sketch_of_events(corpus, events, parts.learned)).as_json()
