"""Reading new events and earlier ones as the data of the training were read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sasrec.data.corpus import Corpus
from sasrec.data.movielens import Progress
from sasrec.data.sources import load_corpus
from sasrec.data.values.columns import MissingColumnsError
from sasrec.errors import DataError
from sasrec.experiment.known_data import source_for, told_remarks
from sasrec.recommender.recommender import Recommender
from sasrec.settings.content import WITHOUT_CONTENT
from sasrec.settings.resolve import RunSettings

if TYPE_CHECKING:
    from sasrec.data.formats.item_files import ItemSource
    from sasrec.data.sources import Source

ITEM_SETTINGS: dict[str, Any] = {"items_file": None, "item_columns": None, "title_column": None}
"""Settings about facts on items, which a file of events need not have."""


def read_new_events(
    recommender: Recommender,
    source: Source,
    run: RunSettings,
    *,
    items: ItemSource | None,
    fetching: Progress,
) -> Corpus:
    """Return the new events, with the titles and columns of their items if there are any.

    Args:
        recommender: The model.
        source: A name, a path or a data frame.
        run: The settings of the update.
        items: Data frame with a row for each new item; None takes the setting ``items_file``.
        fetching: Called with the progress of a download.

    Returns:
        The data set, in its own numbers.

    Raises:
        DataError: It cannot be read, or is split already.
    """
    is_given = items is not None or run.data.items_file is not None
    named = {name for name in ITEM_SETTINGS if getattr(run.data, name) is not None}
    by_training = not any(run.origins[name].is_given for name in named if name in run.origins)
    try:
        return _read(recommender, source, run, {}, items=items, fetching=fetching)
    except DataError:
        if is_given or not named or not by_training:
            raise
    # The facts about the items of the training came from another table than the events.
    return _read(recommender, source, run, ITEM_SETTINGS, items=None, fetching=fetching)


def read_events(
    recommender: Recommender, source: Source, run: RunSettings, *, fetching: Progress
) -> Corpus:
    """Return earlier events; facts about their items are not read.

    Args:
        recommender: The model.
        source: A name, a path or a data frame.
        run: The settings of the update.
        fetching: Called with the progress of a download.

    Returns:
        The data set, in its own numbers.

    Raises:
        DataError: It cannot be read, or is split already.
    """  # raised by _read
    return _read(recommender, source, run, ITEM_SETTINGS, items=None, fetching=fetching)


def _read(
    recommender: Recommender,
    source: Source,
    run: RunSettings,
    changed: dict[str, Any],
    *,
    items: ItemSource | None,
    fetching: Progress,
) -> Corpus:
    """Return a data set, read as the data of the training.

    Raises:
        DataError: It cannot be read, or is split already.
    """
    data = run.data.model_copy(update={**WITHOUT_CONTENT, **changed})
    own = source_for(recommender, source)
    try:
        corpus = load_corpus(own, data, fetching, items=items, told=told_remarks(recommender))
    except MissingColumnsError as error:
        raise error.with_text(
            f"{error}. The new data are read with the settings of the model's training, unless "
            "others are given (in Python: settings={...})"
        ) from error
    if corpus.target_counts is not None:
        raise DataError(
            f"{corpus.name} is split already, and an update splits the new events itself; give one "
            "table of events"
        )
    return corpus
