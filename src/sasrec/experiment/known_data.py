"""Data for a trained model: where they are, and their events in the numbers of the model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sasrec.data.corpus import Corpus, renumbered
from sasrec.data.source_names import text_of
from sasrec.data.sources import load_corpus
from sasrec.errors import DataError, counted
from sasrec.recommender.recommender import Recommender
from sasrec.remarks import Remark
from sasrec.settings.content import WITHOUT_CONTENT
from sasrec.settings.data import DataSettings
from sasrec.settings.plugins import PLUGINS_KEY, require_reader

if TYPE_CHECKING:
    from sasrec.data.sources import Source


TRAINING_RULES = (
    *("since", "until", "max_user_events"),
    *("user_interactions", "item_interactions"),
)
"""Settings of data that choose what to train on; they do not apply to other data."""


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


def settings_for(recommender: Recommender, data: Source | None) -> DataSettings:
    """Return how to read data for lists and vectors.

    Args:
        recommender: A loaded model.
        data: A name, a path or a data frame; None uses the data the model was trained on.

    Returns:
        The settings of the training; for other data, without limits on dates and numbers of
        events, which are rules for training only.
    """
    saved = data_settings_of(recommender)
    return DataSettings(**(saved if data is None else {**saved, **dict.fromkeys(TRAINING_RULES)}))


def corpus_for(recommender: Recommender, data: Source | None) -> tuple[Corpus, tuple[Remark, ...]]:
    """Return the histories of all users, in the numbers of a model, for lists and vectors.

    Args:
        recommender: The model.
        data: A name, a path or a data frame; None uses the data the model was trained on.

    Returns:
        The histories, without the events of items that the model does not know; and a remark on
        these events, if there are any.

    Raises:
        DataError: The data cannot be read, or the model knows none of the items and does not
            recommend by user.
    """
    source = source_for(recommender, data)
    corpus, remarks = with_model_numbers(
        load_corpus(source, settings_for(recommender, data)), recommender
    )
    if not recommender.model.needs_users:
        check_known_items(corpus, source)
    return corpus, remarks


def data_settings_of(recommender: Recommender) -> dict[str, Any]:
    """Return the data settings of a model without those about content, which it has learned.

    Args:
        recommender: The model.
    """
    return {**recommender.settings["data"], **WITHOUT_CONTENT}


def with_model_numbers(
    original: Corpus, recommender: Recommender
) -> tuple[Corpus, tuple[Remark, ...]]:
    """Return data in the item and user numbers of a model.

    Args:
        original: The data, in their own numbers.
        recommender: The model.

    Returns:
        The data without the events of items that the model does not know; and a remark on these
        events, if there are any.
    """
    corpus = renumbered(original, recommender.items, recommender.users)
    lost = original.sequences.n_events - corpus.sequences.n_events
    if not lost:
        return corpus, ()
    text = f"left out: {counted(lost, 'event')} of items the model does not know"
    return corpus, (Remark("unknown_items", lost, text),)


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
