"""train, resume: the Python versions of the commands of the same names."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack

from sasrec.data.presplit.sources import as_parts
from sasrec.data.sources import load_corpus
from sasrec.experiment.plan import Replaces, TrainingPlan, unfinished_plan
from sasrec.experiment.prepared import prepare
from sasrec.experiment.run import run_prepared
from sasrec.experiment.train_into import train_by_plan
from sasrec.recommender.recommender import Recommender
from sasrec.settings.arguments import path_argument, whole_number
from sasrec.settings.files import Layer
from sasrec.settings.keywords import Keywords, given_layers
from sasrec.settings.origin import Origin
from sasrec.settings.presets import DEFAULT
from sasrec.settings.registry import canonical_model
from sasrec.settings.resolve import resolve_layers
from sasrec.training.bars import default_observer
from sasrec.training.progress import Observer

if TYPE_CHECKING:
    from sasrec.data.formats.item_files import ItemSource
    from sasrec.data.sources import Source


def train(
    data: Source,
    settings: Mapping[str, Any] | None = None,
    *,
    model: str = "SASRec",
    valid: Source | None = None,
    test: Source | None = None,
    items: ItemSource | None = None,
    out: str | Path | None = None,
    overwrite: bool = False,
    observer: Observer | None = None,
    **keywords: Unpack[Keywords],
) -> Recommender:
    """Train a model on a data set and return a recommender.

    With ``out``, the state of training is kept beside that folder after each epoch, so that
    ``resume`` can resume it if it was interrupted. Ctrl-C ends training early and returns
    the best weights so far.

    >>> recommender = train("ml-100k", epochs=20, out="saved/films")  # doctest: +SKIP

    Args:
        data: A name, a path, or a Polars or pandas data frame.
        settings: Values by the name of the setting, such as ``{"epochs": 20}``; all others have
            their default.
        model: Name of the model, such as ``GRU4Rec``, in upper or lower case.
        valid: Events to validate on, if the data are split already: a later part of the histories
            in ``data``, as a path or a data frame. None takes them from ``data``.
        test: Events to test on, likewise.
        items: A table with a row for each item, for titles and for columns that rules can use: a
            path or a data frame. None reads ``items_file``, or the .item file beside the data.
        out: Folder to save the model in; None saves nothing.
        overwrite: Replace a model that is already in ``out``.
        observer: Receives the progress of training; None shows a progress bar in a notebook or an
            interactive session, and otherwise logs.
        **keywords: Settings by name, such as ``epochs=20``; they override ``settings``.

    Returns:
        The recommender; its ``metrics`` contain validation and test metrics, and those of the
        baselines.

    Raises:
        SasrecError: Settings or data cannot be used, or the model cannot be saved.
        Interrupted: Training was interrupted before there was anything to return.
    """  # raised by the parts
    data = as_parts(data, valid, test)
    name = canonical_model(model)
    layers = given_layers(settings, keywords)
    if isinstance(items, str | Path):
        layers.append(Layer(Origin("python", "the argument items"), {"items_file": str(items)}))
    run = resolve_layers(layers, name, DEFAULT if name == "SASRec" else None)
    table = None if isinstance(items, str | Path) else items
    folder = None if out is None else path_argument("out", out)
    watching = default_observer(run.output.loss_decimals) if observer is None else observer
    if folder is None:
        prepared = prepare(load_corpus(data, run.data, items=table), run)
        return run_prepared(prepared, observer=watching).recommender
    replaces: Replaces = "anything" if overwrite else "nothing"
    plan = TrainingPlan(run, data, folder, replaces, items=table)
    return train_by_plan(plan, watching).recommender


def resume(
    folder: str | Path,
    *,
    epochs: int | None = None,
    data: Source | None = None,
    items: ItemSource | None = None,
    observer: Observer | None = None,
) -> Recommender:
    """Resume an interrupted training; the result is the same as without the interruption.

    Args:
        folder: Where its model was going to be saved.
        epochs: Total number of epochs; None for the number that was planned.
        data: The data frame it was trained on, or ``sasrec.Parts(train, valid, test)`` of several;
            None if the data were a name or a path.
        items: The table of items it was trained with; None if that was a path, or there was none.
        observer: As in ``train``.

    Returns:
        The recommender; it is saved in ``folder``.

    Raises:
        ModelError: There is no checkpoint, or it is damaged.
        DataError: The data have changed, or the data frame is not given.
        SettingsError: ``epochs`` is fewer than are done, or more than were planned.
        Interrupted: Training was interrupted again, before the end of the first new epoch.
    """  # raised by the parts
    total = None if epochs is None else whole_number("epochs", epochs, least=0)
    plan = unfinished_plan(path_argument("folder", folder), epochs=total, data=data, items=items)
    watching = default_observer(plan.run.output.loss_decimals) if observer is None else observer
    return train_by_plan(plan, watching).recommender
