"""Arguments that are refused: with the same words as by ``sasrec``."""

from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from exported_forms import recommender_of
from hypothesis import given
from hypothesis import strategies as st

import sasrec
import sasrec_serve
from sasrec.data.values.cleaning import cleaned_token as cleaned_there
from sasrec.recommender.histories import time_arrays as arrays_there
from sasrec.recommender.time_units import check_unit as check_there
from sasrec_serve.times import check_unit, time_arrays
from sasrec_serve.tokens import cleaned_token

Both = tuple[sasrec.Recommender, sasrec_serve.Recommender]
RECOMMEND: dict[str, dict[str, Any]] = {
    "histories are a text": {"histories": "i1"},
    "histories are a number": {"histories": 7},
    "histories are a set": {"histories": {("i1",)}},
    "histories are a data frame": {"histories": pd.DataFrame({"a": [1]})},
    "a history is a text": {"histories": ["i1"]},
    "a history is bytes": {"histories": [b"i1"]},
    "a history is a set": {"histories": [{"i1"}]},
    "a history is None": {"histories": [None]},
    "an item is None": {"histories": [["i1", None]]},
    "an item is a fraction": {"histories": [[1.5]]},
    "an item is a flag": {"histories": [[True]]},
    "an item is a large float": {"histories": [[2.0**53]]},
    "k is zero": {"histories": [], "k": 0},
    "k is a text": {"histories": [], "k": "3"},
    "k is a flag": {"histories": [], "k": True},
    "candidates are a text": {"histories": [], "candidates": "i1"},
    "candidates are numbers": {"histories": [], "candidates": [1.5]},
    "no candidate is known": {"histories": [], "candidates": ["x"]},
    "no candidates": {"histories": [], "candidates": []},
    "times are a text": {"histories": [["i1"]], "times": "1"},
    "times are for other histories": {"histories": [["i1"]], "times": [[1], [2]]},
    "times are too few": {"histories": [["i1", "i2"]], "times": [[1]]},
    "times are nested": {"histories": [["i1"]], "times": [[[1]]]},
    "times are flags": {"histories": [["i1"]], "times": [[True]]},
    "times are NaN": {"histories": [["i1"]], "times": [[float("nan")]]},
    "times are no dates": {"histories": [["i1"]], "times": [["yesterday"]]},
    "times are dates and numbers": {"histories": [["i1", "i2"]], "times": [["2024-05-31", "5"]]},
    "times have an uncertain order": {"histories": [["i1"]], "times": [["03/04/2024"]]},
    "times are durations": {"histories": [["i1"]], "times": [[np.timedelta64(1, "s")]]},
    "times are milliseconds": {"histories": [["i1"]], "times": [[1.6e12]]},
    "times are dates as numbers": {"histories": [["i1"]], "times": [[20240531]]},
    "users are a text": {"histories": [["i1"]], "users": "u1"},
    "users are too many": {"histories": [["i1"]], "users": ["u1", "u2"]},
    "a user is a list": {"histories": [["i1"]], "users": [["u1"]]},
    "users come from a short iterator": {"histories": [["i1"]], "users": iter([])},
    "users come from a long iterator": {"histories": [["i1"]], "users": iter(["u1", "u2"])},
    "types are a text": {"histories": [["i1"]], "types": "view"},
    "types of a history are a text": {"histories": [["i1"]], "types": ["view"]},
    "types are too few": {"histories": [["i1"]], "types": [[]]},
    "a type is a fraction": {"histories": [["i1"]], "types": [[1.5]]},
    "next_type is unknown": {"histories": [["i1"]], "next_type": "byu"},
}


@pytest.fixture(scope="module", params=["next_type", "BPR"])
def both(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Both:
    recommender = recommender_of(request.param)
    recommender.metrics["time_unit"] = "seconds"
    folder = tmp_path_factory.mktemp("exports") / "out"
    sasrec.export(recommender, folder)
    return recommender, sasrec_serve.load(folder)


def outcome(recommender: Any, arguments: dict[str, Any]) -> Any:
    """Return the text of the error, or the items."""
    try:
        return [each.items for each in recommender.recommend(**arguments)]
    except (sasrec.errors.DataError, sasrec_serve.DataError) as error:
        return str(error)


@pytest.mark.parametrize("case", RECOMMEND)
def test_what_sasrec_refuses_is_refused_in_the_same_words(both: Both, case: str) -> None:
    make = RECOMMEND[case]
    arguments = [
        {
            key: iter(list(value)) if hasattr(value, "__next__") else value
            for key, value in make.items()
        }
        for _ in both
    ]
    if any(hasattr(value, "__next__") for value in make.values()):
        users = {
            "users come from a short iterator": [],
            "users come from a long iterator": ["a", "b"],
        }
        arguments = [make | {"users": iter(users[case])} for _ in both]
    expected, found = (outcome(one, each) for one, each in zip(both, arguments, strict=True))
    assert found == expected
    if both[0].event_types:
        assert isinstance(found, str)


@pytest.mark.parametrize(
    ("items", "k"), [(["i1", "j2"], 3), (["i40"], 3), ("i1", 3), (["i1"], 0), ([1.5], 3)]
)
def test_similar_refuses_in_the_same_words(both: Both, items: Any, k: int) -> None:
    texts = []
    for recommender, kind in zip(
        both, (sasrec.errors.DataError, sasrec_serve.DataError), strict=True
    ):
        with pytest.raises(kind) as caught:
            recommender.similar(items, k)
        texts.append(str(caught.value))
    assert texts[0] == texts[1]


def test_unknown_types_and_untrained_items_are_logged(
    both: Both, caplog: pytest.LogCaptureFixture
) -> None:
    for recommender in both:
        recommender.score([["i1", "i2"]], ["i1", "i40"], types=[["view", "steal"]])
    texts = [record.getMessage() for record in caplog.records]
    assert texts[: len(texts) // 2] == texts[len(texts) // 2 :] != []


def test_numbers_are_tokens_too(tmp_path: Path) -> None:
    recommender = recommender_of("FMC")
    sasrec.export(recommender, tmp_path / "out")
    served = sasrec_serve.load(tmp_path / "out")
    given = [[np.int64(3), Decimal(4), 5.0, "i1"]]
    assert served.recommend(given)[0].unknown == ["3", "4", "5"]
    assert [each.items for each in served.recommend(iter(given))] == [
        each.items for each in recommender.recommend(given)
    ]


DATES = st.datetimes(datetime(1971, 1, 1), datetime(2067, 1, 1))
FORMS = st.sampled_from(
    [
        *("%Y-%m-%d", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M", "%Y-%m-%d %H:%M:%S.%f", "%Y/%m/%d"),
        *(
            "%Y-%m-%dT%H:%M:%SZ",
            "%Y-%m-%dT%H:%M:%S+02:00",
            "%Y-%m-%d %H:%M:%S -0830",
            "%Y%m%dT%H%M",
        ),
        *("%d.%m.%Y", "%d/%m/%Y %H:%M", "%m/%d/%Y %I:%M %p", "%d-%m-%y", "%m/%d/%y", "%y/%m/%d"),
        *("%b %d, %Y", "%d-%b-%Y", "%B %d %Y", "%d %B %Y %H:%M:%S", "%a %b %d %H:%M:%S UTC %Y"),
        *("%a, %d %b %Y %H:%M:%S GMT", "%Y-%b-%d", "%Y.%m.%d %H:%M:%S,%f", "%Y%m%d %H:%M:%S"),
        *("%Y-%m-%d %I:%M:%S %p", "%Y-%m-%d %H:%M:%S UTC", "%Y-%m-%dT%H:%M:%S.%fZ", "%Y-%m-%d %H"),
        *(
            "%H:%M",
            "%Y",
            "%Y%m%d",
            "%j",
            "  %Y-%m-%d ",
            "%Y-%m-%dT%H:%M:%S (CET)",
            "%d/%m/%YZ",
            "%Y-%m-%d%H:%M:%S",
            "%Y-%m-%d %H:%M:60",
            "%b %d %Y %H:%M:%S.%f0000",
            "%d %m %Y",
        ),
    ]
)
NUMBERS = st.sampled_from(["5", "1.5e9", " 12 ", "-3", "1_000", "nan", "inf", "", " ", "x", "0x10"])


def read_by(function: Any, texts: list[str]) -> Any:
    try:
        [found] = function([texts], [len(texts)])
        return found.tolist()
    except (sasrec.errors.DataError, sasrec_serve.DataError) as error:
        return str(error)


@given(
    form=FORMS, dates=st.lists(DATES, min_size=1, max_size=4), others=st.lists(NUMBERS, max_size=1)
)
def test_dates_in_text_are_read_alike(form: str, dates: list[datetime], others: list[str]) -> None:
    texts = [each.strftime(form) for each in dates] + others
    assert read_by(time_arrays, texts) == read_by(arrays_there, texts)


@given(texts=st.lists(NUMBERS, min_size=1, max_size=3))
def test_numbers_in_text_are_read_alike(texts: list[str]) -> None:
    assert read_by(time_arrays, texts) == read_by(arrays_there, texts)


@given(text=st.text("0123456789-/.:, TZ+apmAPMNovJuly()", max_size=24))
def test_any_text_is_read_alike(text: str) -> None:
    assert read_by(time_arrays, [text]) == read_by(arrays_there, [text])


@pytest.mark.parametrize(
    "times",
    [
        [date(2024, 5, 31), date(2024, 6, 1)],
        [datetime(2024, 5, 31, 12), datetime(2024, 5, 31, 13, tzinfo=UTC)],
        np.array(["2024-05-31", "NaT"], "datetime64[D]"),
        np.array(["2024-05-31T10", "2024-05-31T11"], "datetime64[ns]"),
        [pd.Timestamp("2024-05-31"), pd.Timestamp("2024-06-01", tz="UTC")],
        [date(2024, 5, 31), 5],
        [1j, 2],
        [b"1", b"2"],
        [Decimal(5), Decimal(7)],
        [10**400, 1],
        [None, 1],
    ],
)
def test_times_of_any_type_are_read_alike(times: Any) -> None:
    assert read_by(time_arrays, times) == read_by(arrays_there, times)


@given(
    time=st.floats(-1e21, 1e21)
    | st.integers(19_000_000, 21_500_000).map(float)
    | st.integers(190_000_000_000, 215_000_000_000).map(float)
    | st.integers(19_000_000_000_000, 21_500_000_000_000).map(float),
    unit=st.sampled_from([None, "seconds", "milliseconds", "microseconds", "nanoseconds"]),
)
def test_units_of_times_are_checked_alike(time: float, unit: str | None) -> None:
    texts = []
    for function in (
        lambda t: check_unit(t, unit),
        lambda t: check_there(t, unit, "times of histories"),
    ):
        try:
            function([None, np.array([time]), np.zeros(0)])
            texts.append("")
        except (sasrec.errors.DataError, sasrec_serve.DataError) as error:
            texts.append(str(error))
    assert texts[0] == texts[1]


@given(
    token=st.text() | st.sampled_from([" 9.0", "É", "E\u0301", "0.0", "09.0", "\u200bX", "9.0\n"]),
    names=st.sets(st.sampled_from(["spaces", "unicode", "numbers", "case"])),
)
def test_tokens_are_cleaned_alike(token: str, names: set[str]) -> None:
    assert cleaned_token(token, names) == cleaned_there(token, names)


def test_tokens_are_cleaned_before_they_are_looked_up(tmp_path: Path) -> None:
    recommender = recommender_of("BPR")
    cleanings = ("spaces", "case")
    recommender.settings["data"]["clean_tokens"] = cleanings
    sasrec.export(recommender, tmp_path / "out")
    served = sasrec_serve.load(tmp_path / "out")
    assert served.items.numbers([" I1\n", "i1", "x"]).tolist() == [1, 1, 0]
    assert served.titles[" I1"] == "Ä <b>title</b>"
    [one], [two] = (served.recommend([["i1"]], users=[user]) for user in ("u1", " U1 "))
    assert one == two
    assert not one.by_popularity
