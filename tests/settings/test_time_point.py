"""Points in time: dates, numbers and periods."""

import math
from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sasrec.errors import SettingsError
from sasrec.settings.evaluation import EvaluationSettings
from sasrec.settings.resolve import resolve_settings
from sasrec.settings.time_point import TimePoint, time_point, time_text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1970-01-02", TimePoint("date", 86_400)),
        ("1970-01-02 01:00", TimePoint("date", 90_000)),
        ("1970-01-02T01:00:00+01:00", TimePoint("date", 86_400)),
        ("1970-01-02T00:00:00Z", TimePoint("date", 86_400)),
        ("7d", TimePoint("period", 7 * 86_400)),
        ("1.5 h", TimePoint("period", 5_400)),
        ("90min", TimePoint("period", 5_400)),
        ("1717113600", TimePoint("number", 1_717_113_600)),
        ("-3", TimePoint("number", -3)),
        ("1e3", TimePoint("number", 1_000)),
        ("20240501", TimePoint("number", 20_240_501)),
    ],
)
def test_a_point_in_time_is_read(text: str, expected: TimePoint) -> None:
    assert time_point(text) == expected


@pytest.mark.parametrize(
    "text", ["", "yesterday", "0d", "-7d", "7 days", "2024-13-01", "2024-02-30", "24-05-01", "nan"]
)
def test_other_texts_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="this is not a"):
        time_point(text)


@given(st.text(max_size=20))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        point = time_point(text)
    except ValueError:
        return
    assert math.isfinite(point.value) or point.kind == "number"


@given(st.datetimes(min_value=datetime(1900, 1, 1), max_value=datetime(2100, 1, 1)))
def test_dates_are_seconds_in_utc(moment: datetime) -> None:
    for text in (moment.isoformat(), moment.isoformat(" ")):
        assert time_point(text).value == moment.replace(tzinfo=UTC).timestamp()


def test_values_of_yaml_and_python_become_text() -> None:
    assert time_text(date(2024, 5, 1)) == "2024-05-01"
    assert time_text(datetime(2024, 5, 1, 12)) == "2024-05-01T12:00:00"
    assert time_text(1717113600) == "1717113600"
    assert time_text(None) is None


def test_a_point_in_time_implies_a_split_by_time() -> None:
    assert EvaluationSettings(test_from="7d").split == "time"
    assert EvaluationSettings(valid_from="7d").split == "time"
    assert EvaluationSettings().split == "leave_one_out"


def test_another_split_contradicts_it() -> None:
    with pytest.raises(SettingsError, match="test_from needs split=time, but split is ratio"):
        resolve_settings({"test_from": "7d", "split": "ratio"})


def test_a_mistake_names_the_key_and_the_forms() -> None:
    with pytest.raises(SettingsError, match=r"test_from is 'soon': this is not a point in time"):
        resolve_settings({"test_from": "soon"})
