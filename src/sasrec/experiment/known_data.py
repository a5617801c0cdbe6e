"""Data in the numbers of a trained model, for its recommendations and vectors."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from sasrec.data.corpus import Corpus, renumbered
from sasrec.data.source_names import text_of
from sasrec.data.sources import load_corpus
from sasrec.errors import DataError, counted
from sasrec.experiment.evaluate import trained_on
from sasrec.recommender.recommender import Recommender
from sasrec.remarks import Remark
from sasrec.settings.data import DataSettings

if TYPE_CHECKING:
    from sasrec.data.sources import Source


def corpus_for(recommender: Recommender, data: Source | None) -> tuple[Corpus, int]:
    """Return the histories of all users, with a model's numbers.

    Args:
        recommender: The model.
        data: A name, a path or a data frame; None uses the data the model was trained on.

    Returns:
        The histories, without the events of items that the model does not know; and the number of
        those events.

    Raises:
        DataError: The data cannot be read, or the model knows none of the items.
    """
    saved: dict[str, Any] = recommender.settings["data"]
    if data is not None:  # a minimum of events is about training
        saved = {**saved, "user_interactions": None, "item_interactions": None}
    source = trained_on(recommender) if data is None else data
    original = load_corpus(source, DataSettings(**saved))
    corpus = renumbered(original, recommender.items, recommender.users)
    if not corpus.sequences.n_events and not recommender.model.needs_users:
        where = text_of(source) or "the data frame"
        raise DataError(
            f"the model knows none of the items in {where}; give data with items it was trained on"
        )
    return corpus, original.sequences.n_events - corpus.sequences.n_events


def lost_events(lost: int) -> Iterator[Remark]:
    """Yield a remark on events that were left out, if there are any.

    Args:
        lost: Their number.

    Yields:
        The remark.
    """
    if lost:
        text = f"left out: {counted(lost, 'event')} of items the model does not know"
        yield Remark("unknown_items", lost, text)
