import math
from collections import Counter
from dataclasses import replace

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sasrec.data.count_filters import within_counts
from sasrec.data.filters import apply_filters
from sasrec.data.interactions import from_frame
from sasrec.data.values.intervals import Interval, parse_intervals
from sasrec.errors import DataError, SettingsError
from sasrec.settings.data import DataSettings

EVENTS = [("a", "x", 1.0, 5.0), ("a", "y", 2.0, 1.0), ("b", "x", 3.0, 4.0), ("a", "x", 4.0, 3.0)]


def events(rows=EVENTS, **more):
    frame = pl.DataFrame(rows, schema=["user", "item", "time", "rating"], orient="row")
    return replace(from_frame(frame, time="time", values=["rating"]), **more)


def kept(interactions=None, **settings):
    found = apply_filters(interactions or events(), DataSettings(**settings), "it")
    assert found.frame.columns == ["user", "item", "time"]
    return found.with_tokens().rows()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[4,inf)", [Interval(4, math.inf, True, False)]),
        ("(0, 1];[3,4)", [Interval(0, 1, False, True), Interval(3, 4, True, False)]),
        ("(-inf,2.5]", [Interval(-math.inf, 2.5, False, True)]),
    ],
)
def test_intervals_are_read_as_recbole_writes_them(text, expected):
    assert list(parse_intervals(text, "key")) == expected


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("4", "'4' is not an interval"),
        ("[4,5", "'[4,5' is not an interval"),
        ("[4;5]", "'[4' is not an interval"),
        ("", "'' is not an interval"),
        ("[a,5]", "are not numbers"),
        ("[1,2,3]", "are not numbers"),
        ("[5,4]", "'[5,4]' contains no number; write the lower end first"),
        ("[nan,4]", "contains no number"),
    ],
)
def test_invalid_intervals_are_refused(text, reason):
    with pytest.raises(SettingsError) as caught:
        parse_intervals(text, "user_inter_num_interval")
    assert str(caught.value).startswith("user_inter_num_interval: ")
    assert reason in str(caught.value)


def test_values_are_filtered_by_interval_token_and_time():
    assert kept(value_intervals={"rating": "[4,inf)"}) == [("a", "x", 1.0), ("b", "x", 3.0)]
    assert kept(value_intervals={"rating": "[1,1];(4,9)"}) == [("a", "x", 1.0), ("a", "y", 2.0)]
    assert kept(value_intervals={"item_id": ["y"]}) == [("a", "y", 2.0)]
    assert kept(value_intervals={"timestamp": "(1,3]"}) == [("a", "y", 2.0), ("b", "x", 3.0)]


def test_the_first_or_last_of_repeated_events_is_kept():
    assert kept(duplicates="first") == [("a", "x", 1.0), ("a", "y", 2.0), ("b", "x", 3.0)]
    assert kept(duplicates="last") == [("a", "y", 2.0), ("b", "x", 3.0), ("a", "x", 4.0)]


def test_unlisted_users_and_items_are_dropped_on_request():
    listed = {"user": pl.Series(["a"]), "item": pl.Series(["x", "z"])}
    assert kept(events(listed=listed)) == [("a", "x", 1.0), ("a", "x", 4.0)]
    assert len(kept(events(listed=listed), only_listed=False)) == 4


def test_items_without_events_stay_in_the_catalogue_unless_counts_are_filtered():
    listed = {"item": pl.Series(["z", "x"])}
    assert apply_filters(
        events(listed=listed), DataSettings(), "x"
    ).items_without_events.to_list() == ["z"]
    counted = DataSettings(item_interactions="[1,inf)")
    assert apply_filters(events(listed=listed), counted, "x").items_without_events.to_list() == []


def test_counting_is_repeated_until_nothing_changes():
    rows = [(1, 1), (1, 2), (2, 1), (2, 3), (3, 3)]
    frame = pl.DataFrame(rows, schema={"user": pl.Int32, "item": pl.Int32}, orient="row")
    two = parse_intervals("[2,inf)", "key")
    # Item 2 goes, then user 1 has one event left, then item 1, user 2, item 3: the core is empty.
    assert within_counts(frame, users=two, items=two).height == 0
    assert within_counts(frame, users=two, items=()).rows() == rows[:4]
    assert within_counts(frame, users=(), items=()).rows() == rows


@given(st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)), max_size=60), st.integers(1, 3))
def test_the_k_core_equals_that_of_a_plain_implementation(pairs, least):
    frame = pl.DataFrame(pairs, schema={"user": pl.Int32, "item": pl.Int32}, orient="row")
    at_least = parse_intervals(f"[{least},inf)", "key")
    ours = within_counts(frame, users=at_least, items=at_least).rows()
    rows, before = frame.rows(), None
    while rows != before:
        before = rows
        users, items = Counter(user for user, _ in rows), Counter(item for _, item in rows)
        rows = [(u, i) for u, i in rows if users[u] >= least and items[i] >= least]
    assert ours == rows


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"value_intervals": {"rating": "[9,inf)"}}, "removes all interactions"),
        ({"user_interactions": "[9,inf)"}, "user_inter_num_interval '[9,inf)'"),
        ({"value_intervals": {"ratign": "[1,2]"}}, "did you mean 'rating'?"),
    ],
)
def test_filters_that_remove_everything_or_lack_a_column_are_errors(settings, text):
    with pytest.raises(DataError) as caught:
        kept(**settings)
    assert text in str(caught.value)


@pytest.mark.parametrize(
    ("wanted", "ratings"),
    [(("1", "4"), [1.0, 4.0]), ((1, 4), [1.0, 4.0, 3.0]), ((5,), [5.0]), ((1, 3, 5), [5, 1, 3])],
)
def test_a_list_can_select_numbers(wanted, ratings):
    found = kept(value_intervals={"rating": wanted})
    assert found == [row[:3] for row in EVENTS if row[3] in ratings]


def test_a_list_of_texts_is_refused_for_a_column_of_numbers():
    with pytest.raises(SettingsError, match="the column has numbers, but the list contains"):
        kept(value_intervals={"rating": ("good",)})


def test_a_misspelled_column_in_a_second_filter_is_reported():
    wanted = {"rating": "[0,9]", "ratin": "[0,1]"}
    with pytest.raises(DataError, match="did you mean 'rating'"):
        kept(value_intervals=wanted)
