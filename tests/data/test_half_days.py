"""Clocks of which only some have AM or PM."""

import re
from datetime import datetime
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sasrec.data.sources import load_corpus
from sasrec.data.values.timestamps import TimeReader
from sasrec.errors import DataError
from sasrec.settings.data import DataSettings

MIXED = "some times in 't' have AM or PM, such as '12/31/2010 8:26 AM', and others do not, such as "


def read(*pieces: list[str | None], time_format: str | None = None) -> list[datetime | None]:
    reader = TimeReader(time_format)
    for piece in pieces:
        reader.add(pl.Series("t", piece, dtype=pl.String))
    return reader.series("t", "log.csv").to_list()


@pytest.mark.parametrize(
    "other",
    [
        "12/30/2010 3:00",
        "12/30/2010 03:00:00",
        "12/30/2010 12:59",
        "12/30/2010 1:00 UTC",
        "12/30/2010, 1:00:07.25 +02:00",
        "12/30/2010T11:00Z",
    ],
)
@pytest.mark.parametrize("time_format", [None, "month_first"])
def test_a_clock_that_may_be_in_either_half_of_the_day_is_refused(
    other: str, time_format: str | None
) -> None:
    for pieces in (["12/31/2010 8:26 AM", other],), ([other], [None], ["12/31/2010 8:26 AM"]):
        with pytest.raises(DataError, match=re.escape(MIXED + repr(other))):
            read(*pieces, time_format=time_format)


def test_clear_clocks_and_dates_may_stand_beside_am_and_pm() -> None:
    texts = ["12/31/2010 8:26 PM", "12/31/2010 14:30", "12/30/2010", "12/30/2010 0:05", None]
    assert read(texts) == [
        datetime(2010, 12, 31, 20, 26),
        datetime(2010, 12, 31, 14, 30),
        datetime(2010, 12, 30),
        datetime(2010, 12, 30, 0, 5),
        None,
    ]


MARKS = st.sampled_from(["am", "PM", " AM", " p.m."])
CLOCKS = st.tuples(st.integers(0, 23), st.integers(0, 59), st.booleans())


@given(st.lists(CLOCKS, min_size=1, max_size=6), MARKS)
def test_times_are_right_or_refused(clocks: list[tuple[int, int, bool]], mark: str) -> None:
    texts, expected = [], []
    for hour, minute, is_marked in clocks:
        is_late = "p" in mark.lower()
        shown = hour % 12 or 12 if is_marked else hour
        texts.append(f"2010-12-31 {shown}:{minute:02}{mark if is_marked else ''}")
        actual = hour % 12 + 12 * is_late if is_marked else hour
        expected.append(datetime(2010, 12, 31, actual, minute))
    has_mark = any(clock[2] for clock in clocks)
    is_unclear = any(not is_marked and 1 <= hour <= 12 for hour, _, is_marked in clocks)
    if has_mark and is_unclear:
        with pytest.raises(DataError, match="which half of the day"):
            read(texts)
    else:
        assert read(texts) == expected


def test_the_parts_of_a_folder_are_one_column(tmp_path: Path) -> None:
    for name, clock in (("a", "8:26 AM"), ("b", "9:00")):
        (tmp_path / f"{name}.csv").write_text(f"user_id,item_id,t\nu,i,12/31/2010 {clock}\n")
    with pytest.raises(DataError, match="which half of the day"):
        load_corpus(tmp_path, DataSettings(time_column="t"))
