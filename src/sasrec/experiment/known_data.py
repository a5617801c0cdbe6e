"""Data for a trained model: where they are, and their events in the numbers of the model."""

from __future__ import annotations

import logging
from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

import numpy as np

from sasrec.data.corpus import Corpus, renumbered
from sasrec.data.movielens import Progress
from sasrec.data.source_names import text_of
from sasrec.data.sources import load_corpus
from sasrec.data.values.columns import MissingColumnsError, MissingTypesError
from sasrec.errors import DataError, counted
from sasrec.experiment.data_reading import settings_for
from sasrec.recommender.recommender import Recommender
from sasrec.recommender.time_units import check_unit, trained_unit
from sasrec.remarks import Remark
from sasrec.settings.data import DataSettings
from sasrec.settings.files import Layer
from sasrec.settings.plugins import PLUGINS_KEY, require_reader

if TYPE_CHECKING:
    from sasrec.data.sources import Source

logger = logging.getLogger(__name__)


def trained_on(recommender: Recommender) -> str:
    """Return the name or path of the data a model was trained on.

    Args:
        recommender: A loaded model.

    Returns:
        A value for ``--data``.

    Raises:
        DataError: It was trained on a data frame, which is not saved.
    """
    source = recommender.settings.get("source")
    if not source:
        raise DataError("the model was trained on a data frame; give its data with --data or data=")
    return str(source)


def source_for(recommender: Recommender, data: Source | None) -> Source:
    """Return the data to use with a model, after checking that their reader is available.

    Args:
        recommender: A loaded model.
        data: A name, a path or a data frame; None uses the data the model was trained on.

    Returns:
        The name, path or data frame.
    """
    source = trained_on(recommender) if data is None else data
    require_reader(recommender.settings.get(PLUGINS_KEY, []), source, "the model")
    return source


def corpus_for(
    recommender: Recommender, data: Source | None, layers: Sequence[Layer] = ()
) -> tuple[Corpus, tuple[Remark, ...]]:
    """Return the histories of all users, in the numbers of a model, for lists and vectors.

    Args:
        recommender: The model.
        data: A name, a path or a data frame; None uses the data the model was trained on.
        layers: Settings of data that differ from those of the training, as for ``settings_for``.

    Returns:
        The histories, without the events of items that the model does not know; and a remark on
        these events, if there are any.

    Raises:
        DataError: The data cannot be read, or the model knows none of the items and does not
            recommend by user.
    """
    source = source_for(recommender, data)
    settings = settings_for(recommender, data, layers)
    original = load_with_any_types(source, settings, told=told_remarks(recommender))
    corpus, remarks = with_model_numbers(original, recommender)
    if not recommender.model.needs_users:
        check_known_items(corpus, source)
    return corpus, remarks


def load_with_any_types(
    source: Source,
    settings: DataSettings,
    progress: Progress = lambda done, total: None,
    *,
    told: Collection[str] = (),
) -> Corpus:
    """Return a data set to recommend for; if it has no column of event types, types are unknown.

    Args:
        source: A name, a path or a data frame.
        settings: How to read the data, from ``settings_for``.
        progress: Called while a data set of the catalogue is downloaded.
        told: From ``told_remarks``.

    Returns:
        The data set; a remark about missing types is logged.

    Raises:
        DataError: The data cannot be read, or lack a column that the data of the model have.
    """
    try:
        return load_corpus(source, settings, progress, told=told)
    except MissingColumnsError as error:
        raise error.with_text(
            f"{error}. Data for a trained model are read with the settings of its training, unless "
            "others are given (in Python: settings={...})"
        ) from error
    except MissingTypesError:
        logger.warning(
            "%s has no column %r (type_column), so the types of all events are unknown",
            name_of(source),
            settings.type_column,
        )
    without_types = settings.model_copy(update={"type_column": None})
    return load_corpus(source, without_types, progress, told=told)


def told_remarks(recommender: Recommender) -> set[str]:
    """Return the texts of the remarks that training made; reading the same data makes them again.

    Args:
        recommender: The model.
    """
    return {str(each.get("text")) for each in recommender.metrics.get("remarks", ())}


def with_model_numbers(
    original: Corpus, recommender: Recommender
) -> tuple[Corpus, tuple[Remark, ...]]:
    """Return data in the item and user numbers of a model.

    Args:
        original: The data, in their own numbers.
        recommender: The model.

    Returns:
        The data without the events of items that the model does not know; and remarks on these
        events, and on types that it does not know.

    Raises:
        DataError: The model uses times, and those of the data are in another unit than in training.
    """  # raised by check_unit
    if recommender.model.needs_times:
        times = original.sequences.times
        check_unit([times], trained_unit(recommender.metrics), original.name)
    corpus = renumbered(original, recommender.items, recommender.users, recommender.event_types)
    types = unknown_types(original, corpus)
    lost = original.sequences.n_events - corpus.sequences.n_events
    if not lost:
        return corpus, types
    text = f"left out: {counted(lost, 'event')} of items the model does not know"
    return corpus, (Remark("unknown_items", lost, text), *types)


def unknown_types(original: Corpus, corpus: Corpus) -> tuple[Remark, ...]:
    """Return a remark on events whose types a model does not know, or nothing.

    Args:
        original: The data, in their own numbers.
        corpus: The same data in the numbers of a model.
    """
    types = original.sequences.types
    if types is None:
        return ()
    names = [name for name in original.event_types if name not in corpus.event_types]
    counts = np.bincount(types, minlength=len(original.event_types) + 1)[1:]
    pairs = zip(original.event_types, counts, strict=True)
    lost = sum(int(count) for name, count in pairs if name in names)
    if not lost:
        return ()
    shown = ", ".join(map(repr, names[:5])) + (", …" if len(names) > 5 else "")
    text = (
        f"{counted(lost, 'event')} of types the model does not know ({shown}) count as events of "
        "an unknown type"
    )
    return (Remark("unknown_types", lost, text),)


def check_known_items(corpus: Corpus, source: Source) -> None:
    """Raise an error if a model knows none of the items in some data.

    Args:
        corpus: From ``with_model_numbers``.
        source: Where the data come from, for the message.

    Raises:
        DataError: No event is left.
    """
    if not corpus.sequences.n_events:
        raise DataError(
            f"the model knows none of the items in {name_of(source)}; give data with items it "
            "was trained on"
        )


def name_of(source: Source) -> str:
    """Return what to call a source of data in messages.

    Args:
        source: A name, a path or a data frame.
    """
    return text_of(source) or "the data frame"
