"""Data frames as sources: columns that pandas keeps in the index are not lost without a word."""

import pandas as pd
import pytest

from sasrec.data.sources import load_corpus
from sasrec.errors import DataError
from sasrec.settings.data import DataSettings

EVENTS = pd.DataFrame({"user_id": ["u", "u"], "item_id": ["a", "b"], "timestamp": [2, 1]})
ITEMS = pd.DataFrame({"item_id": ["a", "b"], "price": [1.0, 2.0]})


@pytest.mark.parametrize("index", [["timestamp"], ["user_id", "item_id"]])
def test_needed_columns_in_an_index_are_refused(index: list[str]) -> None:
    frame = EVENTS.set_index(index)
    names = ", ".join(map(repr, index))
    message = f"the index of the data frame has {names}, .* give data as frame.reset_index"
    with pytest.raises(DataError, match=message):
        load_corpus(frame, DataSettings())
    corpus = load_corpus(frame.reset_index(), DataSettings())
    assert corpus.items.tokens(corpus.sequences.items.tolist()) == ["b", "a"]  # in order of time


def test_items_in_an_index_are_refused() -> None:
    with pytest.raises(DataError, match=r"has .item_id., .* give items as frame\.reset_index"):
        load_corpus(EVENTS, DataSettings(), items=ITEMS.set_index("item_id"))


def test_an_index_that_is_not_needed_is_ignored() -> None:
    frame = EVENTS.assign(row=[1, 2]).set_index("row")
    assert load_corpus(frame, DataSettings()).sequences.n_events == 2
    kept = EVENTS.set_index("timestamp", drop=False)
    assert load_corpus(kept, DataSettings()).sequences.times is not None
    without = load_corpus(EVENTS.set_index("timestamp"), DataSettings(time_column="none"))
    assert without.sequences.times is None
