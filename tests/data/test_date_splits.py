"""Splits at dates, against a loop over users; and training on all events."""

from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sasrec.data.corpus import Corpus, build_corpus
from sasrec.data.date_splits import time_in_words, unit_seconds
from sasrec.data.interactions import from_frame
from sasrec.data.make_split import make_split
from sasrec.errors import DataError
from sasrec.evaluation.protocol import describe_protocol
from sasrec.settings.evaluation import EvaluationSettings

BEGIN = datetime(2024, 1, 1, tzinfo=UTC)
DAY = 86_400


def corpus(rows: list[tuple[str, str, float]], unit: float = 1.0) -> Corpus:
    """Return a data set of (user, item, day) rows, with times in a unit of so many seconds."""
    users, items, days = zip(*rows, strict=True)
    times = [(BEGIN.timestamp() + day * DAY) / unit for day in days]
    frame = pl.DataFrame({"user": users, "item": items, "time": times})
    return build_corpus(from_frame(frame, time="time"), "small")


ROWS = [
    *[("a", f"i{day}", day) for day in range(10)],
    ("b", "i0", 0),
    ("b", "new", 8),
    ("c", "i1", 9),
    ("c", "i2", 9),
]


def targets(found: Corpus, settings: EvaluationSettings) -> dict[str, list[tuple[str, str]]]:
    """Return user and item of the targets of each part."""
    split = make_split(found, settings)
    sequences = split.sequences
    stops = {"validation": split.validation, "test": split.test}
    named = {}
    for part, cases in stops.items():
        users = found.users.tokens(cases.users)
        items = found.items.tokens(sequences.items[cases.stops])
        named[part] = list(zip(users, items, strict=True))
    return named


@pytest.mark.parametrize("unit", [1.0, 1e-3, 1e-6, 1e-9])
@pytest.mark.parametrize("test_from", ["2024-01-09", "2024-01-09T00:00:00+00:00", "36h"])
def test_a_date_or_a_period_splits_all_users_at_one_time(unit: float, test_from: str) -> None:
    settings = EvaluationSettings(test_from=test_from, valid_from="2024-01-07")
    found = targets(corpus(ROWS, unit), settings)
    later = [("a", "i8"), ("a", "i9"), ("b", "new"), ("c", "i2")]
    if test_from == "36h":  # before the last event, at day 9: from 12 o'clock on day 7
        later = [("a", "i8"), ("a", "i9"), ("b", "new"), ("c", "i2")]
    assert found == {"validation": [("a", "i6"), ("a", "i7")], "test": later}


def test_a_number_is_in_the_unit_of_the_times() -> None:
    frame = pl.DataFrame({"user": ["u"] * 5, "item": list("abcde"), "time": [0, 1, 2, 3, 4]})
    small = build_corpus(from_frame(frame, time="time"), "small")
    found = targets(small, EvaluationSettings(test_from=4, valid_from=2))
    assert found == {"validation": [("u", "c"), ("u", "d")], "test": [("u", "e")]}
    with pytest.raises(DataError, match=r"test_from is '2024-01-01', but .*0 to 4, are not Unix"):
        make_split(small, EvaluationSettings(test_from="2024-01-01"))


@pytest.mark.parametrize(
    ("chosen", "expected"),
    [
        ("first", [("a", "i8"), ("b", "new"), ("c", "i2")]),
        ("last", [("a", "i9"), ("b", "new"), ("c", "i2")]),
    ],
)
def test_the_first_or_last_event_of_each_user_may_be_the_target(
    chosen: str, expected: list[tuple[str, str]]
) -> None:
    settings = EvaluationSettings(
        test_from="2024-01-09", valid_from="2024-01-07", period_targets=chosen
    )
    found = targets(corpus(ROWS), settings)
    assert found["test"] == expected
    assert found["validation"] == [("a", "i6" if chosen == "first" else "i7")]


def test_without_valid_from_validation_is_as_long_as_the_test() -> None:
    found = targets(corpus(ROWS), EvaluationSettings(test_from="2024-01-09"))
    assert found["validation"] == [("a", "i7")]  # one day, as from day 8 to the last event


def test_without_test_from_there_is_no_test() -> None:
    found = targets(corpus(ROWS), EvaluationSettings(valid_from="2024-01-10"))
    assert found == {"validation": [("a", "i9"), ("c", "i2")], "test": []}


def test_what_nobody_can_predict_is_counted() -> None:
    settings = EvaluationSettings(test_from="2024-01-09", valid_from="2024-01-09")
    [remark] = make_split(corpus(ROWS), settings).remarks
    assert remark.kind == "unpredictable"
    assert remark.text.startswith("1 user of 3 appears only after the training period")
    # i8, i9 and new: item i2 was trained.
    assert "3 of 4 test targets are items without a training event" in remark.text


def test_a_period_is_described_with_the_event_that_it_refers_to() -> None:
    settings = EvaluationSettings(test_from="2d", valid_from="2024-01-05")
    described = describe_protocol(corpus(ROWS), settings)
    assert described.startswith("validation from 2024-01-05 and test from 2d before the last event")
    described = describe_protocol(corpus(ROWS), EvaluationSettings(test_from="2d"))
    assert described.startswith(
        "test from 2d before the last event and validation as long before it, full ranking"
    )


def test_only_what_occurs_is_told() -> None:
    settings = EvaluationSettings(test_from="2024-01-10", valid_from="2024-01-10")
    rows = [("a", "x", 0), ("a", "y", 1), ("a", "x", 9)]
    [remark] = make_split(corpus([*rows, ("b", "x", 9), ("b", "y", 9)]), settings).remarks
    assert remark.text == (
        "1 user of 2 appears only after the training period (the first event of a user is not a "
        "target, as it has no history)"
    )
    [remark] = make_split(corpus([*rows, ("a", "z", 9)]), settings).remarks
    assert remark.text == (
        "1 of 2 test targets is an item without a training event, which counts as not found"
    )


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"test_from": "2024-02-01"}, "no event is at or after 2024-02-01 00:00:00, so there is"),
        ({"valid_from": "2024-02-01"}, "nothing to validate on; the events are from 2024-01-01"),
        ({"test_from": "2023-01-01"}, "no event is before the validation period"),
        (
            {"test_from": "2024-01-05", "valid_from": "2024-01-06"},
            r"valid_from \(2024-01-06\) is after test_from \(2024-01-05\)",
        ),
    ],
)
def test_points_in_time_outside_the_data_are_refused(
    settings: dict[str, str], message: str
) -> None:
    with pytest.raises(DataError, match=message):
        make_split(corpus(ROWS), EvaluationSettings(**settings))


def test_data_without_times_cannot_be_split_at_dates() -> None:
    frame = pl.DataFrame({"user": ["u"] * 4, "item": list("abcd")})
    found = build_corpus(from_frame(frame, time=None), "small")
    with pytest.raises(DataError, match="set time_column to the column with times"):
        make_split(found, EvaluationSettings(test_from="7d"))


@given(
    rows=st.lists(
        st.tuples(st.integers(0, 4), st.integers(0, 6), st.integers(0, 20)),
        min_size=2,
        max_size=40,
    ),
    cuts=st.tuples(st.integers(1, 20), st.integers(1, 20)).map(sorted),
    chosen=st.sampled_from(["all", "first", "last"]),
)
def test_the_split_equals_a_loop_over_users(
    rows: list[tuple[int, int, int]], cuts: list[int], chosen: str
) -> None:
    found = corpus([(f"u{user}", f"i{item}", float(day)) for user, item, day in rows])
    dates = [(BEGIN + timedelta(days=cut)).strftime("%Y-%m-%d %H:%M") for cut in cuts]
    settings = EvaluationSettings(valid_from=dates[0], test_from=dates[1], period_targets=chosen)
    sequences = found.sequences
    expected: dict[str, list[tuple[int, int]]] = {"validation": [], "test": []}
    trained = 0
    assert sequences.times is not None
    days = (sequences.times - BEGIN.timestamp()) / DAY
    for user in range(sequences.n_users):
        places = range(sequences.offsets[user] + 1, sequences.offsets[user + 1])
        trained += sum(days[place] < cuts[0] for place in places)
        ranges = {"validation": (cuts[0], cuts[1]), "test": (cuts[1], np.inf)}
        for part, (low, high) in ranges.items():
            some = [(user + 1, place) for place in places if low <= days[place] < high]
            kept = {"all": some, "first": some[:1], "last": some[-1:]}[chosen]
            expected[part] += kept
    try:
        split = make_split(found, settings)
    except DataError:
        late = max(days) < cuts[1]
        assert late or not trained or not (expected["validation"] or expected["test"])
        return
    assert split.n_targets == trained
    for part, cases in (("validation", split.validation), ("test", split.test)):
        assert list(zip(cases.users, cases.stops, strict=True)) == expected[part]


def test_training_on_all_events_leaves_no_case() -> None:
    split = make_split(corpus(ROWS), EvaluationSettings(split="none"))
    assert split.is_training().all()
    assert split.n_targets == len(ROWS) - 3
    assert (len(split.validation), len(split.test)) == (0, 0)


def test_training_on_all_events_needs_two_of_a_user() -> None:
    with pytest.raises(DataError, match="no user has at least 2 events"):
        make_split(corpus([("a", "x", 0), ("b", "y", 1)]), EvaluationSettings(split="none"))


@pytest.mark.parametrize(
    ("latest", "unit"),
    [(5.0, None), (1.7e9, 1.0), (1.7e12, 1e-3), (1.7e15, 1e-6), (1.7e18, 1e-9), (1e21, None)],
)
def test_the_unit_of_unix_timestamps_is_recognised(latest: float, unit: float | None) -> None:
    assert unit_seconds(latest) == unit


def test_times_are_shown_as_dates_where_they_are_some() -> None:
    assert time_in_words(1.7e9, 1.7e9) == "2023-11-14 22:13:20"
    assert time_in_words(3, 5) == "3"
