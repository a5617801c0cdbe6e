from datetime import UTC, date, datetime

import polars as pl
import pytest

from sasrec.data.interactions import from_frame
from sasrec.errors import DataError


def read(frame, time="time"):
    return from_frame(frame, user="user", item="item", time=time)


def test_numbers_become_text_and_text_stays():
    events = read(pl.DataFrame({"user": [7, 8], "item": ["007", "7"]}), time=None)
    assert events.with_tokens().rows() == [("7", "007"), ("8", "7")]
    assert len(events) == 2
    assert not events.has_times


def test_whole_numbers_that_came_as_floats_lose_their_point():
    events = read(pl.DataFrame({"user": [1.0, 2.0], "item": [3.0, 4.0]}), time=None)
    assert events.with_tokens().rows() == [("1", "3"), ("2", "4")]


def test_the_order_of_the_frame_is_kept():
    events = read(pl.DataFrame({"user": ["b", "a"], "item": ["x", "y"], "time": [2, 1]}))
    assert events.with_tokens().rows() == [("b", "x", 2.0), ("a", "y", 1.0)]
    assert events.has_times


@pytest.mark.parametrize(
    ("moment", "seconds"),
    [
        (date(1970, 1, 2), 86400.0),
        (datetime(1970, 1, 1, 0, 0, 1, 500000), 1.5),
        (datetime(1970, 1, 1, 0, 1, tzinfo=UTC), 60.0),
    ],
)
def test_dates_become_seconds(moment, seconds):
    events = read(pl.DataFrame({"user": ["a"], "item": ["b"], "time": [moment]}))
    assert events.frame["time"].to_list() == [seconds]


def test_categories_are_tokens():
    frame = pl.DataFrame({"user": ["a", "b"], "item": ["x", "y"]}).cast(pl.Categorical)
    assert read(frame, time=None).with_tokens().rows() == [("a", "x"), ("b", "y")]


@pytest.mark.parametrize(
    ("column", "values", "expected"),
    [
        (
            "user",
            ["a", None],
            "the data frame, row 2: 'user' is empty; fill it in or delete the row",
        ),
        (
            "item",
            [None, "a"],
            "the data frame, row 1: 'item' is empty; fill it in or delete the row",
        ),
        (
            "item",
            [1.0, 1.5],
            "the data frame, row 2: 'item' is 1.5; users and items must be text",
        ),
        (
            "item",
            [1.0, float("nan")],
            "the data frame, row 2: 'item' is empty; fill it in or delete the row",
        ),
        ("item", ["a", ""], "the data frame, row 2: 'item' is empty; fill it in or delete the row"),
        ("user", [1.0, float("inf")], "the data frame, row 2: 'user' is inf; users and items"),
        (
            "item",
            [["a"], ["b"]],
            "the data frame: column 'item' has type List(String); convert it",
        ),
        (
            "time",
            [1.0, None],
            "the data frame, row 2: 'time' is empty; fill it in or delete the row (1 of 2",
        ),
        (
            "time",
            ["1", "soon"],
            "the data frame, row 2: 'time' is 'soon'; times must be all",
        ),
        (
            "time",
            [1.0, float("nan")],
            "the data frame, row 2: 'time' is empty; fill it in or delete the row",
        ),
        (
            "time",
            [float("inf"), 1.0],
            "the data frame, row 1: 'time' is inf; times must be all",
        ),
        ("time", [date(2020, 1, 1), None], "the data frame, row 2: 'time' is empty; fill it in"),
    ],
)
def test_a_bad_value_says_its_row_and_column(column, values, expected):
    frame = pl.DataFrame({"user": ["a", "b"], "item": ["x", "y"], "time": [1.0, 2.0]})
    with pytest.raises(DataError) as caught:
        read(frame.with_columns(pl.Series(column, values, strict=False)))
    assert str(caught.value).startswith(expected)


@pytest.mark.parametrize("kind", [pl.Duration("us"), pl.Time])
def test_a_duration_is_not_a_time(kind):
    moments = pl.Series("time", [1], dtype=pl.Int64).cast(kind)
    with pytest.raises(
        DataError,
        match=r"the data frame: column 'time' has type .*; times must be numbers",
    ):
        read(pl.DataFrame({"user": ["a"], "item": ["b"], "time": moments}))


def test_a_missing_column_suggests_the_nearest():
    expected = (
        r"the data frame has no column 'item' \(did you mean 'items'\?\)\. It has: user, items$"
    )
    with pytest.raises(DataError, match=expected):
        read(pl.DataFrame({"user": ["a"], "items": ["b"]}), time=None)


def test_a_frame_without_rows_is_an_error():
    with pytest.raises(DataError, match="the data frame has no interactions; it needs at least"):
        read(pl.DataFrame({"user": [], "item": []}), time=None)


def test_dates_that_are_text_are_times_as_in_a_file():
    dates = ["2024-05-02T10:00:00Z", "2024-05-01 09:30:00", "2024-05-01"]
    frame = pl.DataFrame({"user": ["a"] * 3, "item": ["x", "y", "z"], "time": dates})
    day = 1714521600.0
    assert read(frame).frame["time"].to_list() == [day + 86400 + 36000, day + 34200, day]
