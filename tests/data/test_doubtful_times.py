"""Doubtful times are counted, or refused if their order would be wrong."""

from datetime import UTC, date, datetime
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from sasrec.data.sources import load_corpus
from sasrec.errors import DataError
from sasrec.remarks import Remark
from sasrec.settings.data import DataSettings

NOW = 1_700_000_000


def remarks(times: list[object], path: Path | None = None) -> tuple[Remark, ...]:
    """Return the remarks on events at some times, read from a file if a path is given."""
    columns = {"user_id": ["u"] * len(times), "item_id": [f"i{n}" for n in range(len(times))]}
    frame = pl.DataFrame(columns | {"timestamp": times}, strict=False)
    if path is None:
        return load_corpus(frame, DataSettings()).remarks
    if path.suffix == ".parquet":
        frame.write_parquet(path)
    elif path.suffix == ".inter":
        kinds = {"user_id": "token", "item_id": "token", "timestamp": "float"}
        named = frame.rename({name: f"{name}:{kind}" for name, kind in kinds.items()})
        named.write_csv(path, separator="\t", quote_style="never")
    else:
        frame.write_csv(path)
    return load_corpus(path, DataSettings()).remarks


FORMS = ["frame", "csv", "inter", "parquet"]


@pytest.fixture(params=FORMS)
def remarks_on(request: pytest.FixtureRequest, tmp_path: Path):
    path = None if request.param == "frame" else tmp_path / f"some.{request.param}"
    return lambda times: remarks(times, path)


@pytest.mark.parametrize(
    "times",
    [
        [1, 2, 3, 700],
        [NOW + n for n in range(9)],
        [0.5, 0.25, 0.75],
        [5, 5, 6],
        [-3, 10**12, 5],
    ],
)
def test_timestamps_in_seconds_and_counters_cause_no_remark(remarks_on, times: list[float]) -> None:
    assert remarks_on(times) == ()


def test_counters_from_zero_are_not_taken_for_two_units(remarks_on) -> None:
    assert [each.kind for each in remarks_on(list(range(0, 10**9, 10**7)))] == ["implausible_times"]


@pytest.mark.parametrize("scale", [10**3, 10**6, 10**9])
def test_two_units_in_one_column_are_refused(remarks_on, scale: int) -> None:
    times = [NOW + n for n in range(6)] + [(NOW + n) * scale for n in range(4)]
    with pytest.raises(DataError, match=r"6 times in 'timestamp' look like seconds since 1970, su"):
        remarks_on(times)
    with pytest.raises(
        DataError, match=r"and 4 look like [mn].*events cannot be sorted; convert all times to on"
    ):
        remarks_on(times)


def test_a_few_times_in_another_unit_cause_a_remark(remarks_on) -> None:
    [remark] = remarks_on([NOW + n for n in range(300)] + [NOW * 1000])
    assert (remark.kind, remark.count) == ("mixed_time_units", 1)
    assert (
        "300 times in 'timestamp' look like seconds since 1970, such as 1700000000" in remark.text
    )
    assert (
        "and 1 looks like milliseconds, such as 1700000000000; convert all times to one unit"
        in remark.text
    )


@pytest.mark.parametrize("odd", [0, -1, -9_000_000, 32_503_680_000, 20_231_115])
def test_times_far_from_all_others_are_reported(remarks_on, odd: int) -> None:
    [remark] = remarks_on([NOW + n for n in range(8)] + [odd, odd])
    assert (remark.kind, remark.count) == ("implausible_times", 2)
    assert f"2 of 10 times in 'timestamp' are before 1973 or in the future, such as {odd} (" in (
        remark.text
    )


def test_dates_far_from_all_others_are_reported() -> None:
    dates = [datetime(2023, 1, 1 + n, tzinfo=UTC) for n in range(9)]
    for odd in (datetime(1900, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, tzinfo=UTC)):
        [remark] = remarks([*dates, odd])
        assert remark.kind == "implausible_times"
        assert f"({odd:%Y-%m-%d})" in remark.text


@pytest.mark.parametrize(
    ("times", "said"),
    [
        ([20231115, 20231116, 20240101], "(YYYYMMDD), such as 20231115"),
        ([202311151030, 202311161030], "(YYYYMMDDhhmm), such as 202311151030"),
        ([20231115103000, 20231116235959], "(YYYYMMDDhhmmss), such as 20231115103000"),
    ],
)
def test_dates_written_as_numbers_are_reported(remarks_on, times: list[int], said: str) -> None:
    [remark] = remarks_on(times)
    assert (remark.kind, remark.count) == ("compact_dates", len(times))
    assert said in remark.text
    letters = remark.text.partition("time_format=")[2].removesuffix(" reads them as dates")
    frame = pl.DataFrame({"user_id": "a", "item_id": "b", "timestamp": times})
    found = load_corpus(frame, DataSettings(time_format=letters)).sequences.times
    assert found is not None
    assert datetime.fromtimestamp(found[0], UTC).date() == date(2023, 11, 15)


@pytest.mark.parametrize("times", [[15112023, 1122022], [11152023, 12312022], [1011970, 31122023]])
def test_dates_as_numbers_with_the_day_first_are_refused(remarks_on, times: list[int]) -> None:
    with pytest.raises(DataError, match="2 of 2 times in 'timestamp' look like dates written as"):
        remarks_on(times)


@pytest.mark.parametrize("text", ["07-06-22", "7-6-22", "15.11.2023", "12023-01-01", "023-01-01"])
@pytest.mark.parametrize("form", ["frame", "csv"])
def test_a_year_has_four_digits(text: str, form: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=f"row 2: 'timestamp' is '{text}'; times must be all numb"):
        remarks(["2022-06-07", text], None if form == "frame" else tmp_path / "some.csv")


@pytest.mark.parametrize("form", ["frame", "csv", "parquet"])
def test_zoned_and_naive_dates_are_counted(form: str, tmp_path: Path) -> None:
    times: list[object] = ["2024-05-02T10:00:00Z", "2024-05-01 09:30:00", "2024-05-01"]
    path = None if form == "frame" else tmp_path / f"some.{form}"
    [remark] = remarks(times, path)
    assert (remark.kind, remark.count) == ("mixed_zones", 1)
    assert remark.text.startswith(
        "1 time in 'timestamp' has a time zone, such as '2024-05-02T10:00:00Z', and 2 have none, "
        "such as '2024-05-01 09:30:00'; times without a zone are read as UTC"
    )
    assert not remarks(times[1:], path)
    assert not remarks([times[0], "2024-05-02T10:00:00+05:30"], path)


def test_a_text_for_a_missing_time_names_the_setting(tmp_path: Path) -> None:
    path = tmp_path / "some.csv"
    path.write_text("user_id,item_id,timestamp\nu,a,5\nu,b,NULL\nu,c,NULL\n")
    with pytest.raises(
        DataError, match=r"row 2: .*'NULL'.*\(2 values are not\); if .* missing_val"
    ):
        load_corpus(path, DataSettings())
    for settings in ({"missing_values": "NULL"}, {"missing_values": "x,NULL"}):
        with pytest.raises(DataError, match=r"row 2: 'timestamp' is empty; .*2 of 3 rows are inc"):
            load_corpus(path, DataSettings(**settings))
        corpus = load_corpus(path, DataSettings(incomplete="drop", **settings))
        assert corpus.sequences.times is not None
        assert corpus.sequences.times.tolist() == [5.0]


def test_blocks_of_any_size_give_the_same_remarks(monkeypatch: pytest.MonkeyPatch) -> None:
    from sasrec.data.checks import doubtful_times

    times = np.array([NOW] * 200 + [0, NOW * 1000.0])
    expected = doubtful_times.time_remarks(times, "t", "here")
    monkeypatch.setattr(doubtful_times, "BLOCK", 7)
    assert doubtful_times.time_remarks(times, "t", "here") == expected
    assert [remark.kind for remark in expected] == ["mixed_time_units", "implausible_times"]
