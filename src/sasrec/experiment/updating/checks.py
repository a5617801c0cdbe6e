"""Checks of the new events before anything is learned from them."""

from __future__ import annotations

import numpy as np

from sasrec.data.corpus import Corpus
from sasrec.data.date_splits import time_in_words
from sasrec.errors import DataError, counted
from sasrec.experiment.known_data import unknown_types
from sasrec.experiment.updating.merged import Merged
from sasrec.recommender.lineage import LATEST
from sasrec.recommender.recommender import Recommender
from sasrec.recommender.time_units import check_unit, trained_unit
from sasrec.remarks import Remark


def check_new_events(
    recommender: Recommender, new: Corpus, history: Corpus | None, whole: Merged
) -> list[Remark]:
    """Raise an error if a model cannot learn from new events; return remarks on them.

    Args:
        recommender: The model.
        new: The new events.
        history: Earlier events, or None.
        whole: Both together.

    Returns:
        Remarks on types that the model does not know, and on what is missing.

    Raises:
        DataError: The data are of another shop, end before those of the model, or have no times or
            times in another unit.
    """
    for each in (new, *([] if history is None else [history])):
        _check_times(recommender, each)
    n_known = len(recommender.items)
    is_known = whole.corpus.sequences.items[whole.is_new] <= n_known
    if not len(is_known):
        raise DataError(_nothing_new(whole))
    if not is_known.any():
        present = np.unique(new.sequences.items)
        raise DataError(
            f"the model knows none of the {counted(len(present), 'item')} in the "
            f"{counted(len(is_known), 'new event')}, such as "
            f"{new.items.tokens(present[:1])[0]!r} (it knows {counted(n_known, 'item')}, such as "
            f"{recommender.items.tokens([1])[0]!r}); these are data of another shop, or the item "
            "column or its spelling differs: check item_column and clean_tokens"
        )
    corpus = whole.corpus
    remarks = list(unknown_types(new, corpus)) if recommender.event_types else []
    if history is None:
        text = (
            "no history is given, so the model sees new events of known people without what they "
            "did before, except what the new data contain, and no earlier events are replayed "
            "against forgetting but these; give it with --history (in Python: history=)"
        )
        remarks.append(Remark("no_history", int(whole.is_new.sum()), text))
    return remarks


def _check_times(recommender: Recommender, corpus: Corpus) -> None:
    """Refuse data without times, or with times in another unit, if the model's data had times.

    Raises:
        DataError: The times are missing or in another unit.
    """
    times = corpus.sequences.times
    unit = trained_unit(recommender.metrics)
    if times is None and (unit is not None or recommender.metrics.get(LATEST) is not None):
        raise DataError(
            f"{corpus.name} has no times, but the model's events had; set time_column to the "
            "column with times"
        )
    check_unit([times], unit, corpus.name)


def _nothing_new(whole: Merged) -> str:
    times, latest = whole.corpus.sequences.times, whole.latest
    if times is None or latest is None:
        return "the new data have no event that is not in the history too; give newer data"
    last = float(times.max())
    shown = [time_in_words(each, max(last, latest)) for each in (last, latest)]
    return (
        f"the data end at {shown[0]}, and the model was made from events until {shown[1]}, so "
        "there is nothing new to learn; give newer data"
    )
