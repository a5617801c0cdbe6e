"""A model that uses times is never given times in another unit than those of its training."""

from pathlib import Path

import polars as pl
import pytest

import sasrec
from sasrec.errors import DataError

SMALL = {"hidden_size": 8, "inner_size": 8, "n_layers": 1, "n_heads": 1, "epochs": 1}
FIRST = 1_700_000_000
ROWS = [
    (f"u{user}", f"i{(3 * user + n) % 9}", FIRST + 60 * n * n)
    for user in range(12)
    for n in range(6)
]
LOG = pl.DataFrame(ROWS, schema=["user_id", "item_id", "timestamp"], orient="row")
LATER = LOG.with_columns(pl.col("timestamp") * 1000)
MESSAGE = "are milliseconds since 1970, but the model was trained with times in seconds"
HISTORY = [["i1", "i2"]]


@pytest.fixture(scope="module")
def recommender() -> sasrec.Recommender:
    return sasrec.train(LOG, SMALL, relative_bias="time")


def test_other_data_in_another_unit_are_refused(
    recommender: sasrec.Recommender, tmp_path: Path
) -> None:
    loaded = sasrec.load(recommender.save(tmp_path / "model"))
    with pytest.raises(DataError, match=MESSAGE):
        sasrec.recommend_all(loaded, LATER, out=tmp_path / "lists.csv")
    with pytest.raises(DataError, match=MESSAGE):
        sasrec.evaluate(loaded, LATER)
    assert not (tmp_path / "lists.csv").exists()
    dates = LOG.with_columns(pl.from_epoch("timestamp"))
    assert sasrec.recommend_all(loaded, dates, out=tmp_path / "lists.csv").n_users == 12


@pytest.mark.parametrize(
    ("times", "shown"),
    [
        ([FIRST * 1000, FIRST * 1000 + 1], MESSAGE),
        ([20240531183000, 20240531183001], "are dates written as numbers, but the model was"),
    ],
)
def test_times_of_histories_in_another_unit_are_refused(
    recommender: sasrec.Recommender, times: list[float], shown: str
) -> None:
    with pytest.raises(DataError, match=shown):
        recommender.recommend(HISTORY, times=[times])
    with pytest.raises(DataError, match=shown):
        recommender.score(HISTORY, ["i3"], times=[times])


def test_times_that_differ_by_the_same_are_the_same(recommender: sasrec.Recommender) -> None:
    found = recommender.recommend(HISTORY, times=[[FIRST, FIRST + 60]])
    assert recommender.recommend(HISTORY, times=[[0, 60]]) == found
    assert recommender.recommend(HISTORY, times=[["2024-05-01", "2024-05-01 00:01"]]) == found


def test_dates_are_refused_by_a_model_of_milliseconds() -> None:
    trained = sasrec.train(LATER, SMALL, relative_bias="time")
    with pytest.raises(DataError, match="are seconds since 1970, but the model was trained with"):
        trained.recommend(HISTORY, times=[["2024-05-01", "2024-05-02"]])


def test_models_without_a_time_bias_take_any_times(tmp_path: Path) -> None:
    trained = sasrec.train(LOG, SMALL, relative_bias="none")
    assert sasrec.recommend_all(trained, LATER, out=tmp_path / "lists.csv").n_users == 12
