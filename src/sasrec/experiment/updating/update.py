"""update: brings a saved model up to date with new events, instead of training it again."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack

from sasrec.experiment.data_reading import GIVEN
from sasrec.experiment.updating.into_folder import UpdatePlan, update_by_plan
from sasrec.experiment.updating.updated import Updated
from sasrec.recommender.recommender import Recommender
from sasrec.settings.arguments import path_argument
from sasrec.settings.files import Layer
from sasrec.settings.keywords import Keywords, given_layers
from sasrec.settings.origin import Origin
from sasrec.training.bars import default_observer
from sasrec.training.progress import Observer

if TYPE_CHECKING:
    from sasrec.data.formats.item_files import ItemSource
    from sasrec.data.sources import Source


def update(
    model: Recommender | str | Path,
    data: Source,
    settings: Mapping[str, Any] | None = None,
    *,
    history: Source | None = None,
    items: ItemSource | None = None,
    replay: float | None = None,
    out: str | Path | None = None,
    overwrite: bool = False,
    observer: Observer | None = None,
    **keywords: Unpack[Keywords],
) -> Updated:
    """Bring a model up to date with new events, in a small part of the time of a training.

    New items and people are added. The model that is given, and its folder, do not change.

    >>> update("saved/shop", "today.parquet", history="before.parquet",
    ...        out="saved/shop-today")  # doctest: +SKIP

    Args:
        model: A recommender, or the folder of one.
        data: The new events: a name, a path or a data frame, with the columns of the training. It
            may contain earlier events too.
        settings: Settings of data, training and evaluation that differ from those of the training.
        history: The events before: they are the context of the new ones, and some of them are
            learned again, against forgetting.
        items: A table with a row for each new item: titles, columns, and the content from which
            their vectors begin, if the model was trained with content.
        replay: Earlier targets that are learned again for each new one; None for the default, 0 for
            none.
        out: Folder to save the new model in; None saves nothing.
        overwrite: Replace a model that is already in ``out``.
        observer: Receives the progress of training; None as in ``train``.
        **keywords: Settings by name; they override ``settings``.

    Returns:
        The new model, what was added, and metrics before and after.

    Raises:
        SasrecError: Settings, data or the model cannot be used, or the folder cannot be written.
        Interrupted: The update was interrupted; nothing is saved.
    """  # raised by the parts
    plan = UpdatePlan(
        model=model if isinstance(model, Recommender) else path_argument("model", model),
        data=data,
        history=history,
        items=None if isinstance(items, str | Path) else items,
        replay=replay,
        folder=None if out is None else path_argument("out", out),
        overwrite=overwrite,
    )
    layers = given_layers(settings, keywords, GIVEN)
    if isinstance(items, str | Path):
        layers.append(Layer(Origin("python", "the argument items"), {"items_file": str(items)}))
    return update_by_plan(plan, layers, default_observer(4) if observer is None else observer)
