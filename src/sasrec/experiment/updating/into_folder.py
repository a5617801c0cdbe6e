"""An update from the model's folder to a new one: written completely or not at all."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from sasrec.data.movielens import Progress
from sasrec.errors import Interrupted, ModelError, SettingsError
from sasrec.experiment.updating.earlier_optimiser import moments_beside
from sasrec.experiment.updating.growing import check_model
from sasrec.experiment.updating.learning import Way, learn
from sasrec.experiment.updating.new_content import with_content_of
from sasrec.experiment.updating.reading import read_events, read_new_events
from sasrec.experiment.updating.update_settings import settings_for_update
from sasrec.experiment.updating.updated import Updated
from sasrec.recommender.contents import read_without_weights
from sasrec.recommender.folder import check_target
from sasrec.recommender.lineage import KEY, steps_of, with_origin
from sasrec.recommender.loading import load
from sasrec.recommender.recommender import Recommender
from sasrec.settings.files import Layer
from sasrec.settings.resolve import RunSettings
from sasrec.system.locks import exclusive_lock
from sasrec.training.moments import Moments
from sasrec.training.progress import Observer

if TYPE_CHECKING:
    from sasrec.data.formats.item_files import ItemSource
    from sasrec.data.sources import Source


@dataclass(frozen=True, slots=True)
class UpdatePlan:
    """What to update with what, and where to save the result; as for ``sasrec.update``.

    Attributes:
        model: The model, or its folder.
        data: The new events.
        history: The events before, or None.
        items: Data frame with a row for each new item; None takes the setting ``items_file``.
        replay: Earlier targets for each new one; None for the default.
        folder: Folder to write; None saves nothing.
        overwrite: Replace a model that is already there.
    """

    model: Recommender | Path
    data: Source
    history: Source | None = None
    items: ItemSource | None = None
    replay: float | None = None
    folder: Path | None = None
    overwrite: bool = False


def update_by_plan(
    plan: UpdatePlan,
    layers: Sequence[Layer],
    observer: Observer,
    fetching: Progress = lambda done, total: None,
) -> Updated:
    """Update a model and save the result; the model before is not touched.

    Args:
        plan: What to update with what.
        layers: Settings that differ from those of the training.
        observer: Receives the progress of training.
        fetching: Called with the progress of a download.

    Returns:
        The new model; if the plan names a folder, it is saved there.

    Raises:
        SasrecError: Settings, data, the model or the folder cannot be used.
        Interrupted: The user stopped it; nothing is saved.
    """  # raised by the parts
    started = time.perf_counter()
    check_replay(plan.replay)
    with _exclusive(plan), _interrupt_explained(plan):
        recommender = plan.model if isinstance(plan.model, Recommender) else load(plan.model)
        check_model(recommender)
        run = settings_for_update(recommender, layers)
        new = read_new_events(recommender, plan.data, run, items=plan.items, fetching=fetching)
        history = None
        if plan.history is not None:
            history = read_events(recommender, plan.history, run, fetching=fetching)
        table = run.data.items_file if plan.items is None else plan.items
        longer = with_content_of(recommender, table, run.data.item_vectors)
        way = Way(plan.replay, _moments(plan, recommender, run))
        found = learn(longer, run, new, history, way=way, observer=observer)
        return _saved(found, plan, len(recommender.items), started)


def _moments(plan: UpdatePlan, recommender: Recommender, run: RunSettings) -> Moments | None:
    """Return the state of the optimiser that the update goes on with, or None."""
    if isinstance(plan.model, Recommender):
        return None
    return moments_beside(plan.model, recommender, run)


def check_replay(replay: float | None) -> None:
    """Raise an error if the share of replayed targets is not a number from 0.

    Args:
        replay: The share, or None.

    Raises:
        SettingsError: It is something else.
    """
    is_number = isinstance(replay, int | float) and not isinstance(replay, bool)
    if replay is not None and not (is_number and 0 <= replay <= 1000):
        raise SettingsError(
            f"replay is {replay!r}; it must be a number from 0 to 1000: how many earlier targets "
            "are learned again for each new one"
        )


def _saved(found: Updated, plan: UpdatePlan, n_items: int, started: float) -> Updated:
    """Return the update with its lineage completed, after saving it."""
    metrics = found.recommender.metrics
    steps = steps_of(metrics)
    times = {"seconds": round(time.perf_counter() - started, 3)}
    sizes = {"items_before": n_items, "items_added": len(found.recommender.items) - n_items}
    steps[-1] |= times | sizes
    if isinstance(plan.model, Path):
        manifest = read_without_weights(plan.model).manifest
        steps = with_origin(steps, plan.model, None if manifest is None else manifest.digest)
    recommender = replace(found.recommender, metrics={**metrics, KEY: steps})
    if plan.folder is not None:
        recommender.save(plan.folder, overwrite=plan.overwrite)
    return replace(found, recommender=recommender, step=steps[-1], folder=plan.folder)


@contextmanager
def _exclusive(plan: UpdatePlan) -> Iterator[None]:
    """Prevent another process from writing to the same folder.

    Args:
        plan: The update.

    Yields:
        Nothing.

    Raises:
        ModelError: Another process writes there, or the folder cannot be written.
    """
    if plan.folder is None:
        yield
        return
    check_target(plan.folder, overwrite=plan.overwrite)
    if isinstance(plan.model, Path) and plan.folder.resolve() == plan.model.resolve():
        raise ModelError(
            f"{plan.folder} is the folder of the model itself, which an update never changes, so "
            "that it can be undone; choose another folder with --out"
        )
    try:
        lock = exclusive_lock(plan.folder, wait=False)
        with lock:
            yield
    except BlockingIOError as error:
        raise ModelError(
            f"another process is writing to {plan.folder}; wait until it has finished, or choose "
            "another folder with --out"
        ) from error


@contextmanager
def _interrupt_explained(plan: UpdatePlan) -> Iterator[None]:
    """Say that nothing was saved if an interrupt comes.

    Args:
        plan: The update.

    Yields:
        Nothing.

    Raises:
        Interrupted: There was an interrupt.
    """
    try:
        yield
    except KeyboardInterrupt:
        raise Interrupted("the update was interrupted; nothing was saved") from None
