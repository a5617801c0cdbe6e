"""Rows are chosen by date and by value before everything else, and every removal is counted."""

from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sasrec.data.row_conditions import possible_columns, rows_that_meet
from sasrec.data.sources import load_corpus
from sasrec.errors import DataError, SasrecError, SettingsError
from sasrec.settings.data import DataSettings

LOG = """user_id,item_id,timestamp,Quantity,event,price
ann,tea,2024-01-01,2,view,1.5
ann,tea,2024-01-02,1,purchase,1.5
ann,cup,2024-01-03,-1,purchase,4
bob,cup,2024-01-02,10,cart,
bob,pot,2024-01-05,3,purchase,20
cle,tea,2024-01-06,-2,view,1.5
"""


@pytest.fixture(params=["csv", "parquet", "frame", "jsonl"])
def log(request, tmp_path: Path):
    """Return the same events as text, as typed columns of a file, and as a data frame."""
    csv = tmp_path / "log.csv"
    csv.write_text(LOG)
    if request.param == "csv":
        return csv
    frame = pl.read_csv(csv)
    if request.param == "jsonl":
        frame.write_ndjson(tmp_path / "log.jsonl")
        return tmp_path / "log.jsonl"
    if request.param == "parquet":
        frame.write_parquet(tmp_path / "log.parquet")
        return tmp_path / "log.parquet"
    return frame


def kept(source: object, **settings: object) -> list[str]:
    """Return the events that remain, as ``user item``, in order of users and times."""
    corpus = load_corpus(source, DataSettings(**settings))  # type: ignore[arg-type]
    offsets = corpus.sequences.offsets
    return [
        f"{user} {item}"
        for number, user in enumerate(corpus.users.entries)
        for item in corpus.items.tokens(
            corpus.sequences.items[offsets[number] : offsets[number + 1]].tolist()
        )
    ]


def told(source: object, **settings: object) -> list[str]:
    corpus = load_corpus(source, DataSettings(**settings))  # type: ignore[arg-type]
    return [each.text for each in corpus.remarks if each.kind.startswith("removed_by_")]


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        ("Quantity>0", ["ann tea", "ann tea", "bob cup", "bob pot"]),
        ("event=purchase", ["ann tea", "ann cup", "bob pot"]),
        ("event = 'purchase'", ["ann tea", "ann cup", "bob pot"]),
        ("event != view", ["ann tea", "ann cup", "bob cup", "bob pot"]),
        ("event in ('cart', 'view')", ["ann tea", "bob cup", "cle tea"]),
        ("price >= 4 and price < 1e2", ["ann cup", "bob pot"]),
        (["Quantity>0", "event=purchase"], ["ann tea", "bob pot"]),
        ("user_id=ann", ["ann tea", "ann tea", "ann cup"]),
        ("item_id <> tea", ["ann cup", "bob cup", "bob pot"]),
    ],
)
def test_rows_are_chosen_by_their_values(log, where: object, expected: list[str]) -> None:
    assert kept(log, where=where) == expected


def test_what_a_condition_removes_is_counted(log) -> None:
    assert told(log, where="Quantity > 0") == [
        "where='Quantity > 0' removed 2 of 6 events (33.3%), among them all events of 1 of 3 users"
    ]
    assert told(log, where="price > 0") == [
        "where='price > 0' removed 1 of 6 events (16.7%); 1 row had a missing value there"
    ]
    assert told(log, where="item_id=tea")[0].endswith(
        "removed 3 of 6 events (50.0%), among them all events of 1 of 3 users and 2 of 3 items"
    )
    assert told(log, where="Quantity > -100") == []


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"since": "2024-01-03"}, ["ann cup", "bob pot", "cle tea"]),
        ({"until": "2024-01-03"}, ["ann tea", "ann tea", "bob cup"]),
        ({"since": "2024-01-02", "until": "2024-01-03"}, ["ann tea", "bob cup"]),
        ({"since": "2d"}, ["bob pot", "cle tea"]),
        ({"until": "1d"}, ["ann tea", "ann tea", "ann cup", "bob cup", "bob pot"]),
    ],
)
def test_events_are_chosen_by_date(log, settings: dict[str, str], expected: list[str]) -> None:
    assert kept(log, **settings) == expected
    [text] = told(log, **settings)[:1]
    assert text.startswith(next(f"{key}={value} removed" for key, value in settings.items()))


def test_since_and_until_share_the_events_between_them(log) -> None:
    both = kept(log, since="2024-01-03") + kept(log, until="2024-01-03")
    assert sorted(both) == sorted(kept(log))


def test_rows_are_chosen_before_duplicates_are_removed(log) -> None:
    assert kept(log, where="event=purchase", duplicates="first")[0] == "ann tea"
    assert told(log, where="event=view", duplicates="first") == [
        "where='event=view' removed 4 of 6 events (66.7%), among them all events of 1 of 3 users "
        "and 2 of 3 items"
    ]


def test_users_with_very_many_events_are_removed(log) -> None:
    assert kept(log, max_user_events=2) == ["bob cup", "bob pot", "cle tea"]
    assert told(log, max_user_events=2) == [
        "max_user_events=2 removed 3 of 6 events (50.0%), among them all events of 1 of 3 users"
    ]
    assert told(log, max_user_events=3) == []


def test_every_filter_tells_what_it_removes(log) -> None:
    kinds = [
        ({"duplicates": "last"}, "duplicates=last removed 1 of 6"),
        ({"value_intervals": {"price": "[2,inf)"}}, "value_intervals {'price': '[2,inf)'} removed"),
        ({"user_interactions": "[2,inf)"}, "user_inter_num_interval '[2,inf)' removed 1 of 6"),
    ]
    for settings, text in kinds:
        assert told(log, **settings)[0].startswith(text)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"where": "Quantty>0"}, r"no column 'Quantty'; did you mean 'Quantity'\? \(columns: user"),
        ({"where": "Quantity >"}, "where: 'Quantity >' is not an expression"),
        ({"where": "Quantity > lots"}, "the data have no column 'lots'.*write texts as 'text'"),
        ({"where": "event=purchse"}, "no row has event = 'purchse'; did you mean 'purchase'"),
        ({"where": "event > 3"}, "compares numbers, but column 'event' holds text, such as 'view'"),
        ({"where": "Quantity"}, "gives whole numbers, not true or false"),
        ({"where": "timestamp > 3"}, "choose events by time with since and until"),
        ({"where": "Quantity > 1000"}, "removes all interactions; loosen the filter"),
        ({"where": "sum(Quantity) > 1"}, "something other than the values of one row"),
        ({"where": ["Quantity>0", "size=9"]}, "the data have no column 'size'"),
        ({"since": "2025-01-01"}, "since=2025-01-01 removes all interactions; .* from 2024-01-01"),
        ({"since": "yesterday"}, "not a point in time"),
        ({"until": "2024-13-01"}, "this is not a date"),
        ({"since": "2024-01-01", "time_column": "none"}, "since needs times"),
        ({"max_user_events": 0}, "max_user_events"),
    ],
)
def test_a_wrong_choice_of_rows_is_refused(log, settings: dict[str, object], message: str) -> None:
    with pytest.raises((SasrecError, ValueError), match=message):
        kept(log, **settings)


def test_texts_that_are_not_all_numbers_are_not_compared_by_size(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    path.write_text(LOG.replace(",10,", ",n/a,"))
    with pytest.raises(SettingsError, match=r"holds text, such as 'n/a'; correct .*missing_values"):
        kept(path, where="Quantity>0")
    assert kept(path, where="Quantity>0", missing_values=["n/a"]) == ["ann tea"] * 2 + ["bob pot"]


def test_decimal_commas_are_read_and_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "log.csv"
    path.write_text(
        "user_id;item_id;timestamp;price\na;b;1;5,62\na;c;2;1.005,40\na;d;3;7\na;e;4;\n"
    )
    assert kept(path, where="price>5,62") == ["a c", "a d"]
    assert "2 values of column 'price' have decimal commas: 5,62 is read as 5.62" in caplog.text
    path.write_text(path.read_text().replace("1.005,40", "1,005"))
    with pytest.raises(SettingsError, match=r"such as '5,62'; correct the column"):
        kept(path, where="price>5")


def test_words_of_a_file_without_a_header_name_its_columns(tmp_path: Path) -> None:
    path = tmp_path / "ratings.dat"
    path.write_text("1::10::5::978300760\n1::11::3::978302109\n2::10::4::978301968\n")
    settings = {"columns": "user,item,rating,time"}
    assert kept(path, where="rating>=4", **settings) == ["1 10", "2 10"]
    assert kept(path, where=["user=1", "item != 11"], **settings) == ["1 10"]


def test_numbers_in_a_typed_text_column_are_texts() -> None:
    frame = pl.DataFrame({"user_id": ["a", "b"], "item_id": ["x", "y"], "code": ["7", "10"]})
    assert kept(frame, where="code=10", time_column="none") == ["b y"]
    with pytest.raises(SettingsError, match="holds text; convert the column to numbers"):
        kept(frame, where="code>8", time_column="none")


def test_facts_about_items_come_from_the_chosen_rows(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    path.write_text(LOG.replace("cle,tea,2024-01-06,-2,view,1.5", "cle,tea,2024-01-06,-2,view,0"))
    settings = DataSettings(where="Quantity>0", item_columns=["price"])
    columns = load_corpus(path, settings).item_columns
    assert columns is not None
    assert dict(zip(columns.items, columns.values["price"], strict=True))["tea"] == 1.5


def test_columns_of_types_and_content_can_be_used_in_conditions(log) -> None:
    settings = DataSettings(
        where=["event in ('purchase', 'cart')", "price > 1"],
        type_column="event",
        content_columns=["price:float"],
    )
    corpus = load_corpus(log, settings)
    assert corpus.event_types == ("purchase",)
    assert corpus.sequences.types is not None
    assert corpus.sequences.types.tolist() == [1, 1, 1]
    assert corpus.item_columns is not None
    found = zip(corpus.item_columns.items, corpus.item_columns.values["price"], strict=True)
    assert dict(found) == {"tea": 1.5, "cup": 4.0, "pot": 20.0}


def test_a_date_leaves_the_columns_of_types_and_content(log) -> None:
    settings = DataSettings(
        since="2024-01-02", type_column="event", content_columns=["price:float"]
    )
    corpus = load_corpus(log, settings)
    assert corpus.event_types == ("cart", "purchase", "view")
    assert corpus.item_columns is not None


def test_data_without_dates_take_numbers_but_no_dates() -> None:
    frame = pl.DataFrame({"user_id": ["a"] * 3, "item_id": ["x", "y", "z"], "timestamp": [1, 2, 3]})
    assert kept(frame, since=2) == ["a y", "a z"]
    with pytest.raises(DataError, match="not Unix timestamps; give since as a number"):
        kept(frame, since="2024-01-01")


@given(
    values=st.lists(st.one_of(st.none(), st.integers(-5, 5)), min_size=1, max_size=30),
    sign=st.sampled_from(["<", "<=", ">", ">=", "=", "==", "!=", "<>"]),
    bound=st.integers(-5, 5),
)
def test_plain_comparisons_mean_what_they_say(
    values: list[int | None], sign: str, bound: int
) -> None:
    compare = {
        "<": int.__lt__,
        "<=": int.__le__,
        ">": int.__gt__,
        ">=": int.__ge__,
        "=": int.__eq__,
        "==": int.__eq__,
        "!=": int.__ne__,
        "<>": int.__ne__,
    }[sign]
    column = pl.Series(values, dtype=pl.Int64)
    met, unknown = rows_that_meet(f"n {sign}{bound}", {"n": column})
    assert met.tolist() == [each is not None and compare(each, bound) for each in values]
    assert unknown == column.null_count()


@given(st.text(max_size=40))
def test_any_text_is_a_condition_or_refused(text: str) -> None:
    columns = {"a": pl.Series([1, 2]), "b": pl.Series(["x", "y z"])}
    try:
        possible_columns(text)
        met, _ = rows_that_meet(text, columns)
    except SettingsError:
        return
    assert met.shape == (2,)


DATES = ["2024-01-01", "2024-01-02", "2024-01-03"]


@pytest.mark.parametrize(
    ("text", "expected", "unknown"),
    [
        ("price > 1", [True, False, False], 2),
        ("price != 1", [True, False, False], 2),
        ("stock / stock >= 1 or 4 / stock > 100", [False, False, True], 2),
        ("sqrt(stock - 1) > 0 or stock = 0", [True, True, False], 0),
    ],
)
def test_nan_and_quotients_by_zero_are_missing_values(
    text: str, expected: list[bool], unknown: int
) -> None:
    columns = {"price": pl.Series([2.0, float("nan"), None]), "stock": pl.Series([0, 0, 1])}
    met, count = rows_that_meet(text, columns)
    assert (met.tolist(), count) == (expected, unknown)


def test_a_misspelt_text_in_a_list_is_refused() -> None:
    columns = {"event": pl.Series(["view", "purchase", "cart"])}
    with pytest.raises(SettingsError, match="event = 'purchas'; did you mean 'purchase'"):
        rows_that_meet("event in ('cart', 'purchas')", columns)
    with pytest.raises(SettingsError, match="no row has event = 'click'"):
        rows_that_meet("event not in ('click')", columns)
    met, _ = rows_that_meet("event in ('cart', 'order')", columns)  # today, nobody ordered
    assert met.tolist() == [False, False, True]


@pytest.mark.parametrize("first", [1234567890123456700, 12345678901234567000])
def test_ids_too_large_for_floats_are_compared_by_all_digits(tmp_path: Path, first: int) -> None:
    rows = "".join(f"u{n % 2},i{n},{n},{first + n}\n" for n in range(9))
    (tmp_path / "log.csv").write_text("user_id,item_id,timestamp,visit\n" + rows)
    assert kept(tmp_path / "log.csv", where=[f"visit={first + 3}"]) == ["u1 i3"]


def test_floats_are_not_compared_with_ids_that_they_cannot_tell_apart() -> None:
    with pytest.raises(SettingsError, match="2\\^53 or more, but column 'visit' holds floats"):
        rows_that_meet("visit=12345678901234567", {"visit": pl.Series([1.0, None])})


@pytest.mark.parametrize("text", ["since<2022-01-01", "since < '2022-01-01' and since != 'x'"])
def test_dates_that_texts_do_not_sort_are_not_compared_by_size(text: str) -> None:
    columns = {"since": pl.Series(["12/31/2020", "01/05/2023", "x"])}
    with pytest.raises(SettingsError, match="not the order of time for '12/31/2020'"):
        rows_that_meet(text, columns)
    columns = {"since": pl.Series(["2021-05-01 18:30", "2023-05-01", "2022-01-01 00:00"])}
    assert rows_that_meet("since<2022-01-01", columns)[0].tolist() == [True, False, False]


@pytest.mark.parametrize("key", ["since", "until"])
@pytest.mark.parametrize("value", ["2024", "20240102", "1704153600000"])
def test_a_number_in_another_unit_than_the_times_is_refused(key: str, value: str) -> None:
    log = pl.DataFrame({"user_id": "u", "item_id": DATES, "timestamp": DATES})
    with pytest.raises(DataError, match=f"{key} is {value}, but the times of the data are seconds"):
        kept(log, **{key: value})
    assert kept(log, since="1704153600") == [f"u {day}" for day in DATES[1:]]


@pytest.mark.parametrize(
    ("first", "form"), [(20240101000000, "%Y%m%d%H%M%S"), (202401010000, "%Y%m%d%H%M")]
)
def test_dates_written_as_numbers_are_no_timestamps(first: int, form: str) -> None:
    day = 10 ** (len(str(first)) - 8)
    times = [first + n * day for n in range(3)]
    log = pl.DataFrame({"user_id": "u", "item_id": DATES, "timestamp": times})
    with pytest.raises(DataError, match=f"add --time-format={form}"):
        kept(log, since="2024-01-02")
    assert kept(log, since="2024-01-02", time_format=form) == [f"u {day}" for day in DATES[1:]]
    assert kept(log, since=str(times[1])) == [f"u {day}" for day in DATES[1:]]


def test_a_column_of_a_condition_may_have_other_uses(tmp_path: Path) -> None:
    (tmp_path / "log.csv").write_text(LOG)
    settings = DataSettings(where=("event != cart",), type_column="event")
    assert load_corpus(tmp_path / "log.csv", settings).event_types == ("purchase", "view")
    settings = DataSettings(where=("price > 1",), content_columns=("price",))
    content = load_corpus(tmp_path / "log.csv", settings).content
    assert content is not None
    assert list(content.types) == ["price"]


def test_a_value_that_is_also_the_name_of_a_column_is_not_guessed() -> None:
    columns = {"event": pl.Series(["view", "cart"]), "view": pl.Series(["view", "no"])}
    with pytest.raises(SettingsError, match="can mean the text 'view' or the column of this name"):
        rows_that_meet("event=view", columns)
    assert rows_that_meet("event = 'view'", columns)[0].tolist() == [True, False]
    other = {"event": pl.Series(["a", "b"]), "view": pl.Series(["a", "x"])}
    assert rows_that_meet("event=view", other)[0].tolist() == [True, False]


@pytest.mark.parametrize("text", ["1 = 1", "true"])
def test_a_condition_without_a_column_is_refused(log: object, text: str) -> None:
    with pytest.raises(SettingsError, match="names no column"):
        kept(log, where=[text])


def test_is_not_true_is_refused_because_missing_values_would_not_meet_it() -> None:
    with pytest.raises(SettingsError, match="'is not true', which does not hold here"):
        rows_that_meet("new is not true", {"new": pl.Series([True, None])})
