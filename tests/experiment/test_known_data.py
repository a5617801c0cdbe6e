"""Data for a model that is trained already."""

import polars as pl
import pytest

import sasrec
from sasrec.experiment.known_data import corpus_for

SMALL = {"epochs": 1, "hidden_size": 8, "inner_size": 8, "n_layers": 1, "n_heads": 1}


def log(repeats: int) -> pl.DataFrame:
    """Return a log in which each user repeats the first item some times."""
    items = [*["first"] * repeats, "second", "third", "fourth"]
    rows = [(user, item, step) for user in range(9) for step, item in enumerate(items)]
    return pl.DataFrame(rows, schema=["user_id", "item_id", "timestamp"], orient="row")


def test_a_remark_of_the_training_is_not_repeated_when_its_data_are_read_again(
    caplog: pytest.LogCaptureFixture,
) -> None:
    recommender = sasrec.train(log(2), SMALL)
    assert "9 of 45 events have the same item as the user's previous event" in caplog.text
    caplog.clear()
    corpus_for(recommender, log(2))
    assert caplog.text == ""
    corpus_for(recommender, log(3))
    assert "18 of 54 events have the same item as the user's previous event" in caplog.text
