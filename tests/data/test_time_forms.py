"""Times as people write them are recognised; two readings that both fit are asked about."""

from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pandas as pd
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sasrec.data.formats import pieces
from sasrec.data.sources import load_corpus
from sasrec.data.values import timestamps
from sasrec.data.values.timestamps import TimeReader
from sasrec.errors import DataError, SettingNeeded, SettingsError
from sasrec.settings.data import DataSettings
from sasrec.settings.resolve import resolve_settings
from sasrec.settings.time_format import polars_form

SECONDS = 1_569_920_758
"""2019-10-01 09:05:58 in UTC."""
PUBLISHED = [
    ("2019-10-01 09:05:58 UTC", 0),
    ("2019-10-01 09:05:58+00", 0),
    ("2019-10-01T09:05:58.000Z", 0),
    ("2019-10-01T11:05:58+0200", 0),
    ("2019-10-01 05:35:58-03:30", 0),
    ("2019-10-01T09:05Z", -58),
    ("2019-10-01 9:05 AM", -58),
    ("2019/10/01 09:05:58", 0),
    ("2019.10.1 9:05:58", 0),
    ("2019-10-01 09:05:58,500", 0.5),
    ("20191001T090558Z", 0),
    ("20191001T0905", -58),
    ("20191001 09:05:58", 0),
    ("2019-10-01 09:05:58 +0000 UTC", 0),
    ("Tue Oct 01 02:05:58 -0700 2019", 0),
    ("Tue Oct  1 09:05:58 UTC 2019", 0),
    ("Tue Oct 1 09:05:58 2019", 0),
    ("Tue, 01 Oct 2019 09:05:58 GMT", 0),
    ("Tue Oct 01 2019 11:05:58 GMT+0200 (Central European Summer Time)", 0),
    ("October 1, 2019 9:05:58 a.m.", 0),
    ("1st Oct. 2019 09:05", -58),
    ("01-OCT-2019 09:05:58", 0),
    ("2019-Oct-01 09:05:58", 0),
]
NOT_DATES = [
    *("2019-02-30", "31.02.2019", "13/13/2019", "2019-10-01 24:05", "12019-10-01", "019-10-01"),
    *("2019-10-01 13:05 PM", "2019-10-01 09:05:58 EST", "Okt 1, 2019", "1.10.", "soon", "1:2"),
]


def events(times: list[object]) -> dict[str, list[object]]:
    return {
        "user_id": ["u"] * len(times),
        "item_id": [f"i{index}" for index in range(len(times))],
        "timestamp": times,
    }


def saved(times: list[str], path: Path) -> Path:
    """Write events with some times to a file in the format of its suffix."""
    frame = pl.DataFrame(events(list(times)))
    if path.suffix == ".parquet":
        frame.write_parquet(path)
    elif path.suffix == ".jsonl":
        frame.write_ndjson(path)
    elif path.suffix == ".inter":
        named = frame.rename({name: f"{name}:token" for name in frame.columns})
        named.write_csv(path, separator="\t", quote_style="never")
    elif path.suffix == ".txt":
        frame.write_csv(path, separator="|")
    else:
        frame.write_csv(path)
    return path


SOURCES = ["polars", "pandas", "csv", "txt", "jsonl", "parquet", "inter"]


def source(times: list[str], form: str, folder: Path) -> object:
    """Return events as one kind of source."""
    if form == "polars":
        return pl.DataFrame(events(list(times)))
    if form == "pandas":
        return pd.DataFrame(events(list(times)))
    return saved(times, folder / f"some.{form}")


def read(data: object, **settings: object) -> list[float]:
    corpus = load_corpus(data, DataSettings(**settings))  # type: ignore[arg-type]
    assert corpus.sequences.times is not None
    return corpus.sequences.times.tolist()


def kinds(data: object, **settings: object) -> list[str]:
    corpus = load_corpus(data, DataSettings(**settings))  # type: ignore[arg-type]
    return [remark.kind for remark in corpus.remarks]


@pytest.mark.parametrize(("text", "later"), PUBLISHED, ids=[text for text, _ in PUBLISHED])
def test_published_forms_are_read(text: str, later: float) -> None:
    assert read(pl.DataFrame(events([text]))) == [SECONDS + later]


@pytest.mark.parametrize("text", NOT_DATES)
def test_what_is_no_date_is_told_with_row_and_value(text: str, tmp_path: Path) -> None:
    path = saved(["2019-10-01", text], tmp_path / "some.csv")
    with pytest.raises(DataError) as caught:
        read(path)
    assert str(caught.value) == (
        f"{path}, row 2: 'timestamp' is {text!r}; times must be all numbers, or all dates such as "
        "2024-05-31 18:30:00 or 5/31/2024, or of a form that time_format names"
    )


@pytest.mark.parametrize("form", SOURCES)
def test_a_day_above_twelve_tells_the_order(form: str, tmp_path: Path) -> None:
    german = source(["03.04.2020 14:05", "31.12.2020 14:05"], form, tmp_path)
    expected = [datetime(2020, 4, 3, 14, 5, tzinfo=UTC), datetime(2020, 12, 31, 14, 5, tzinfo=UTC)]
    assert read(german) == [each.timestamp() for each in expected]
    [remark] = [
        each for each in load_corpus(german, DataSettings()).remarks if "dates" in each.kind
    ]
    assert (remark.kind, remark.count) == ("dates_day_first", 2)
    assert remark.text == (
        "times in 'timestamp' are read as dates with the day first, such as '03.04.2020 14:05' as "
        "2020-04-03 14:05; time_format names another form"
    )
    us = source(["12/1/10 8:26", "12/31/10 8:26"], form, tmp_path)
    assert read(us) == [1_291_191_960.0, 1_293_783_960.0]
    assert kinds(us)[0] == "dates_month_first"


@pytest.mark.parametrize("form", SOURCES)
def test_two_readings_that_both_fit_are_asked_about(form: str, tmp_path: Path) -> None:
    data = source(["03/03/2020", "03/04/2020 10:30"], form, tmp_path)
    with pytest.raises(SettingNeeded) as caught:
        read(data)
    assert str(caught.value).endswith(
        ": times in 'timestamp' such as '03/04/2020 10:30' can be read with the day first "
        "(2020-04-03 10:30) or with the month first (2020-03-04 10:30), and no value rules one "
        "out; add --time-format=day_first or --time-format=month_first (in Python: "
        "time_format='day_first' or time_format='month_first')"
    )
    assert caught.value.choices == ({"time_format": "day_first"}, {"time_format": "month_first"})
    day, month = (read(data, time_format=order)[-1] for order in ("day-first", "month_first"))
    assert day == datetime(2020, 4, 3, 10, 30, tzinfo=UTC).timestamp()
    assert month == datetime(2020, 3, 4, 10, 30, tzinfo=UTC).timestamp()
    assert "dates_day_first" not in kinds(data, time_format="day_first")


def test_readings_that_mean_the_same_need_no_question(tmp_path: Path) -> None:
    assert read(saved(["03/03/2020", "4/4/2020"], tmp_path / "e.csv"))[0] == 1_583_193_600.0
    three = saved(["10/11/12"], tmp_path / "three.csv")
    with pytest.raises(SettingNeeded, match=r"day first .2012-11-10.* or .*month.* or .*year fir"):
        read(three)
    assert read(three, time_format="year_first") == [datetime(2010, 11, 12, tzinfo=UTC).timestamp()]


def test_contradicting_orders_are_told_with_the_rarer_one(tmp_path: Path) -> None:
    path = saved(["13/04/2020", "04/13/2020", "14/04/2020"], tmp_path / "e.csv")
    with pytest.raises(DataError) as caught:
        read(path)
    assert str(caught.value) == (
        f"{path}, row 2: 'timestamp' is '04/13/2020'; 2 others are dates with the day first, such "
        "as '13/04/2020', but this is none; correct it, or name the form of all with time_format"
    )


@pytest.mark.parametrize("form", SOURCES)
def test_a_form_that_the_user_names(form: str, tmp_path: Path) -> None:
    data = source(["3|Apr|2020 14h05", "4|Apr|2020 00h00"], form, tmp_path)
    with pytest.raises(DataError, match=r"row 1: 'timestamp' is '3\|Apr\|2020 14h05'"):
        read(data)
    assert read(data, time_format="%d|%b|%Y %Hh%M") == [1_585_922_700.0, 1_585_958_400.0]
    with pytest.raises(DataError, match=r"row 1: .*has not the form time_format='%d/%m/%Y' \(2 va"):
        read(data, time_format="%d/%m/%Y")


def test_named_forms_apply_to_numbers_and_have_no_effect_on_dates(tmp_path: Path) -> None:
    compact = pl.DataFrame(events([20200403, 20200404]))
    assert read(compact, time_format="%Y%m%d") == [1_585_872_000.0, 1_585_958_400.0]
    assert read(compact.cast({"timestamp": pl.Float64}), time_format="%Y%m%d")[0] == 1_585_872_000.0
    compact.write_parquet(tmp_path / "e.parquet")
    assert read(tmp_path / "e.parquet", time_format="%Y%m%d")[0] == 1_585_872_000.0
    dates = compact.with_columns(timestamp=pl.lit("2020-04-03").str.to_date())
    dates.write_parquet(tmp_path / "e.parquet")
    for data in (dates, tmp_path / "e.parquet"):
        assert read(data, time_format="%Y%m%d") == [1_585_872_000.0] * 2
        assert "unused_time_format" in kinds(data, time_format="%Y%m%d")
    with pytest.raises(DataError, match=r"row 1: 'timestamp' is '20/04/03'; it has not the form"):
        read(pl.DataFrame(events(["20/04/03"])), time_format="%Y/%m/%d")  # not the year 20


@pytest.mark.parametrize("size", [1, 2, 1000])
@pytest.mark.parametrize("late", [True, False])
def test_pieces_of_any_size_share_one_reading(
    size: int, late: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pieces, "SMALLEST", size)
    monkeypatch.setattr(pieces, "LARGEST", size)
    monkeypatch.setattr(timestamps, "BLOCK", size)
    times = ["01/02/2020"] * 5 + [""] + (["31/12/2020"] if late else [])
    path = saved(times, tmp_path / "e.csv")
    if late:
        assert read(path, incomplete="drop")[0] == datetime(2020, 2, 1, tzinfo=UTC).timestamp()
    else:
        with pytest.raises(SettingNeeded, match="such as '01/02/2020'"):
            read(path, incomplete="drop")


def test_parts_share_one_reading(tmp_path: Path) -> None:
    folder = tmp_path / "months"
    folder.mkdir()
    saved(["01/02/2020", "02/02/2020"], folder / "a.csv")
    saved(["13/02/2020"], folder / "b.csv")
    assert read(folder)[0] == datetime(2020, 2, 1, tzinfo=UTC).timestamp()
    saved(["02/13/2020"], folder / "c.csv")
    with pytest.raises(DataError) as caught:
        read(folder)
    assert str(caught.value) == (
        f"column 'timestamp' holds dates such as '01/02/2020' in {folder}/a.csv but dates such as "
        f"'02/13/2020' in {folder}/c.csv; convert one of the files, so that all parts have the "
        "same type"
    )
    saved(["2020-02-13"], folder / "c.csv")
    with pytest.raises(DataError, match=r"such as '01/02/2020' in .* such as '2020-02-13' in"):
        read(folder)
    saved(["5"], folder / "c.csv")
    with pytest.raises(DataError, match=r"holds dates in .*a\.csv but numbers in .*c\.csv; conv"):
        read(folder)
    saved(["14/02/2020", "soon"], folder / "c.csv")
    with pytest.raises(DataError, match=r"c\.csv, row 2: 'timestamp' is 'soon'; 4 others are date"):
        read(folder)


def test_split_parts_with_different_orders_are_refused(tmp_path: Path) -> None:
    folder = tmp_path / "shop"
    folder.mkdir()
    saved(["13/02/2020", "14/02/2020", "15/02/2020"], folder / "shop.train.inter")
    saved(["02/20/2020"], folder / "shop.test.inter")
    with pytest.raises(DataError, match=r"shop: the dates of the parts have different orders \(sh"):
        load_corpus(folder, DataSettings(split_files=("train", "test")))


@pytest.mark.parametrize(
    ("scale", "unit"), [(1000, "milliseconds"), (10**6, "microseconds"), (10**9, "nanoseconds")]
)
@pytest.mark.parametrize("form", ["polars", "csv"])
def test_the_unit_of_timestamps_is_told(scale: int, unit: str, form: str, tmp_path: Path) -> None:
    times = [str((SECONDS + each) * scale) for each in (0, 86_400)]
    corpus = load_corpus(source(times, form, tmp_path), DataSettings())
    [remark] = [each for each in corpus.remarks if each.kind == "time_unit"]
    assert remark.count == 2
    assert remark.text == (
        f"times in 'timestamp' are read as {unit} since 1970, from 2019-10-01 to 2019-10-02"
    )


@pytest.mark.parametrize(
    ("form", "said"),
    [
        ("%d.%m.%Y %Hh", "give hour and minute both"),
        ("%d.%m.", "it has no year"),
        ("dayfirst", "did you mean 'day_first'?"),
        ("%Y-%m-%d %Z", "names of time zones cannot be read"),
        ("%Y-%m-%d %Q", "%Q is unknown"),
        ("%Y-%m-%", "a letter is missing after the last %"),
        ("%Y-%m-%d %I:%M", "add %p"),
        ("%Y-%m-%d %H:%M:%S,%f", "write .%f"),
    ],
)
def test_a_form_that_is_none_is_refused(form: str, said: str) -> None:
    with pytest.raises(SettingsError, match="time_format") as caught:
        resolve_settings({"time_format": form})
    assert said in str(caught.value)


def result(reader: TimeReader) -> tuple[list[object], tuple[object, ...]]:
    """Return the column, or the choices that the user has."""
    try:
        return reader.series("t", "here").to_list(), ()
    except SettingNeeded as error:
        return [], error.choices


MOMENTS = st.datetimes(datetime(1970, 1, 1), datetime(2068, 12, 31)).map(
    lambda moment: moment.replace(microsecond=0)
)
CLOCKS = ["", " %H:%M", " %H:%M:%S", " %I:%M:%S %p", "T%H:%M:%S", ", %H:%M"]
WRITTEN = {
    "year_first": ["%Y-%m-%d", "%Y/%m/%d", "%Y.%m.%d"],
    "day_first": ["%d.%m.%Y", "%d/%m/%Y", "%d-%m-%Y", "%d.%m.%y"],
    "month_first": ["%m/%d/%Y", "%m-%d-%Y", "%m/%d/%y"],
}


@given(
    moments=st.lists(MOMENTS, min_size=1, max_size=20),
    data=st.data(),
    order=st.sampled_from(sorted(WRITTEN)),
    clock=st.sampled_from(CLOCKS),
)
def test_every_recognised_form_is_read_as_it_was_written(
    moments: list[datetime], data: st.DataObject, order: str, clock: str
) -> None:
    form = data.draw(st.sampled_from(WRITTEN[order])) + clock
    texts = [moment.strftime(form) for moment in moments]
    expected = [datetime.strptime(text, form) for text in texts]
    named, own = TimeReader(polars_form(form)), TimeReader(order)
    for reader in (named, own):
        reader.add(pl.Series(texts))
        assert reader.series("t", "here").to_list() == expected
    reader = TimeReader()  # without the order, it is the right one, or asked about
    reader.add(pl.Series(texts))
    found, choices = result(reader)
    assert found == expected or {"time_format": order} in choices


@given(
    moment=MOMENTS,
    minutes=st.integers(-14 * 60, 14 * 60),
    form=st.sampled_from(
        ["%Y-%m-%d %H:%M:%S%z", "%Y-%m-%dT%H:%M:%S %z", "%a %b %d %H:%M:%S %z %Y"]
    ),
)
def test_offsets_are_applied(moment: datetime, minutes: int, form: str) -> None:
    zoned = moment.replace(tzinfo=timezone(timedelta(minutes=minutes)))
    reader = TimeReader()
    reader.add(pl.Series([zoned.strftime(form)]))
    assert reader.series("t", "here").to_list() == [zoned.astimezone(UTC).replace(tzinfo=None)]


@given(texts=st.lists(st.text("0123456789-/.: TZ+AMPMJan", max_size=20), max_size=5))
def test_any_text_is_read_or_refused(texts: list[str]) -> None:
    reader = TimeReader()
    reader.add(pl.Series(texts, dtype=pl.String))
    if not reader.has_failed:
        found, choices = result(reader)
        assert len(found) == len(texts) or len(choices) > 1
