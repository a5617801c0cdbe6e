import re
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sasrec.data.formats import pieces
from sasrec.data.formats.csv_files import read_csv
from sasrec.data.formats.readers import read_atomic, read_file
from sasrec.data.formats.user_item_files import read_groups, read_titles
from sasrec.data.interactions import VALUE, Interactions, from_frame
from sasrec.data.saved_events import write_atomic
from sasrec.data.sources import load_corpus
from sasrec.errors import DataError
from sasrec.settings.data import DataSettings

HEADER = "user_id:token\titem_id:token\ttimestamp:float\n"
RATED = "user_id:token\titem_id:token\trating:float\ttimestamp:float\n"
EMPTY = (
    "ml.inter, line 3: {!r} is empty; fill it in or delete the line (1 line lacks a value; "
    "incomplete=drop drops such lines)"
)
NOTED = "user_id:token\titem_id:token\ttimestamp:float\tnote:token\n"


@pytest.fixture
def read(tmp_path):
    def read_text(text, **columns):
        path = tmp_path / "ml.inter"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return read_atomic(path, DataSettings(**columns))

    return read_text


@pytest.fixture
def complaint(read):
    def text_of(text, **columns):
        with pytest.raises(DataError) as caught:
            read(text, **columns)
        return re.sub(r"^.*ml\.inter", "ml.inter", str(caught.value))

    return text_of


def rows(interactions):
    return interactions.with_tokens().rows()


def test_events_are_read_in_file_order(read):
    events = read(HEADER + "u2\ti1\t5\nu1\ti9\t4.5\n")
    assert rows(events) == [("u2", "i1", 5.0), ("u1", "i9", 4.5)]
    assert events.frame.columns == ["user", "item", "time"]


def test_tokens_stay_text(read):
    assert rows(read(HEADER + "007\t7\t1\n7\t007\t2\n")) == [("007", "7", 1.0), ("7", "007", 2.0)]


def test_columns_may_be_in_any_order_and_have_other_names(read):
    events = read(
        "when:float\tx:token_seq\tsong:token\twho:token\n3\ta b\ts\tw\n",
        user_column="who",
        item_column="song",
        time_column="when",
    )
    assert rows(events) == [("w", "s", 3.0)]


def test_another_separator_is_used(read):
    assert rows(read("user_id:token,item_id:token\na,b\n", separator=",")) == [("a", "b")]


def test_a_file_without_times_is_in_order(read):
    events = read("user_id:token\titem_id:token\nb\tx\na\ty\n")
    assert not events.has_times
    assert rows(events) == [("b", "x"), ("a", "y")]


def test_a_byte_order_mark_is_skipped(read):
    assert rows(read("\ufeff" + HEADER + "a\tb\t1\n")) == [("a", "b", 1.0)]


@pytest.mark.parametrize("end", ["\n\n", "\n \n", "\n\n\n\n", ""])
def test_blank_trailing_lines_are_fine(read, end):
    assert rows(read(HEADER + "a\tb\t1\nc\td\t2" + end)) == [("a", "b", 1.0), ("c", "d", 2.0)]


def test_blank_lines_between_events_are_skipped(read):
    assert rows(read(HEADER + "\na\tb\t1\n\nc\td\t2\n")) == [("a", "b", 1.0), ("c", "d", 2.0)]


@pytest.mark.parametrize("blank", ["", "\r\n"])
def test_windows_line_ends_are_not_part_of_values(read, blank):
    text = HEADER.replace("\n", "\r\n") + "a\tb\t1\r\n" + blank + "c\td\t2\r\n"
    assert rows(read(text)) == [("a", "b", 1.0), ("c", "d", 2.0)]


@pytest.mark.parametrize("blank", ["", "\r\n"])
def test_windows_line_ends_are_not_part_of_tokens_in_the_last_column(read, blank):
    text = "timestamp:float\tuser_id:token\titem_id:token\r\n1\ta\tb\r\n" + blank + "2\tc\td\r\n"
    assert rows(read(text)) == [("a", "b", 1.0), ("c", "d", 2.0)]


def test_empty_tokens_before_windows_line_ends_are_found(complaint):
    text = "timestamp:float\tuser_id:token\titem_id:token\r\n1\ta\tb\r\n2\tc\t\r\n"
    assert complaint(text) == EMPTY.format("item_id")


def test_quotes_are_kept_as_they_are(read):
    assert rows(read(HEADER + '"a"\t"b\t1\nc"c\t""\t2\n')) == [
        ('"a"', '"b', 1.0),
        ('c"c', '""', 2.0),
    ]


def test_an_empty_value_in_an_unused_last_column_is_fine(read):
    events = read(NOTED + "a\tb\t1\tgood\nc\td\t2\t\n")
    assert rows(events) == [("a", "b", 1.0), ("c", "d", 2.0)]


def test_an_empty_value_in_an_unused_middle_column_is_fine(read):
    assert rows(read(RATED + "a\tb\t\t1\n")) == [("a", "b", 1.0)]


def test_spaces_around_a_time_are_ignored(read):
    assert rows(read(HEADER + "a\tb\t 1 \n")) == [("a", "b", 1.0)]


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(DataError, match=r"none\.inter cannot be read: No such file or directory"):
        read_atomic(tmp_path / "none.inter", DataSettings())


def test_an_empty_file_is_an_error(complaint):
    assert complaint("") == "ml.inter is empty; its first line must name the columns"


@pytest.mark.parametrize("end", ["", "\n", "\n\n"])
def test_a_file_with_only_a_header_is_an_error(complaint, end):
    assert complaint(HEADER.strip() + end) == (
        "ml.inter has a header but no interactions; add one line per interaction"
    )


def test_a_header_without_types_says_how_to_write_it(complaint):
    assert complaint("user_id\titem_id\na\tb\n") == (
        "ml.inter, line 1: column 'user_id' has no type; write it as 'user_id:token' or "
        "'user_id:float', with '\\t' between the columns"
    )


def test_an_unknown_type_suggests_the_right_one(complaint):
    assert complaint("user_id:tokn\titem_id:token\na\tb\n") == (
        "ml.inter, line 1: column 'user_id' has unknown type 'tokn'; did you mean 'token'? "
        "(types: token, token_seq, float, float_seq)"
    )


def test_a_column_named_twice_is_an_error(complaint):
    assert complaint("user_id:token\tuser_id:token\na\tb\n") == (
        "ml.inter, line 1: two columns are named 'user_id'; rename one"
    )


def test_a_missing_column_suggests_the_nearest(complaint):
    assert complaint("user_id:token\titems_id:token\na\tb\n") == (
        "ml.inter, line 1 has no column 'item_id' (did you mean 'items_id'?); name the right "
        "column with --item-column=items_id (in Python: item_column='items_id'). "
        "It has: user_id, items_id"
    )


def test_times_of_another_type_say_how_to_write_the_header(complaint):
    assert complaint(HEADER.replace("float", "token_seq") + "a\tb\t1\n") == (
        "ml.inter, line 1: 'timestamp' has type 'token_seq'; write it as 'timestamp:float', or as "
        "'timestamp:token' if times are dates"
    )


@pytest.mark.parametrize("blanks", [0, 1, 3])
def test_too_few_values_name_their_line(complaint, blanks):
    text = RATED + "a\tb\t1\t1\n" + "\n" * blanks + "a\tb\t1\na\tb\t1\t2\n"
    assert complaint(text) == (
        f"ml.inter, line {3 + blanks}: 3 columns where the header names 4 "
        "(user_id, item_id, rating, timestamp)"
    )


def test_too_few_values_are_noticed_where_the_last_column_is_unused(complaint):
    assert complaint(NOTED + "a\tb\t1\tx\na\tb\t1\n") == (
        "ml.inter, line 3: 3 columns where the header names 4 (user_id, item_id, timestamp, note)"
    )


def test_a_single_value_is_one_column(complaint):
    assert complaint(HEADER + "a,b,1\n") == (
        "ml.inter, line 2: 1 column where the header names 3 (user_id, item_id, timestamp)"
    )


@pytest.mark.parametrize("header", [HEADER, NOTED])
def test_too_many_values_name_their_line(complaint, header):
    n = header.count(":")
    names = ", ".join(re.findall(r"(\w+):", header))
    good, bad = "\t".join("1" * n), "\t".join("1" * (n + 1))
    assert complaint(f"{header}{good}\n\n{good}\n{bad}\n") == (
        f"ml.inter, line 5: {n + 1} columns where the header names {n} ({names})"
    )


@pytest.mark.parametrize(
    "time", ["soon", "nan", "inf", "-inf", "1_000", "12:30", "٣", "1e999", "0x1"]
)
def test_a_time_that_is_no_number_names_its_line(complaint, time):
    assert complaint(f"{HEADER}a\tb\t1\n\na\tb\t{time}\n") == (
        f"ml.inter, line 4: 'timestamp' is {time!r}; it must be a number"
    )


def test_an_empty_time_names_its_line(complaint):
    assert complaint(f"{HEADER}a\tb\t1\na\tb\t\n") == EMPTY.format("timestamp")


@pytest.mark.parametrize(("line", "name"), [("\tb\t2", "user_id"), ("a\t\t2", "item_id")])
def test_an_empty_token_names_its_line(complaint, line, name):
    assert complaint(f"{HEADER}a\tb\t1\n{line}\n") == EMPTY.format(name)


@pytest.mark.parametrize("filler", [0, 5000])
def test_text_that_is_not_utf8_names_its_line(complaint, filler):
    text = HEADER.encode() + b"a\tb\t1\n" * (1 + filler) + b"caf\xe9\tb\t2\n"
    assert complaint(text) == (
        f"ml.inter, line {3 + filler}: this is not UTF-8 text; save the file as UTF-8"
    )


def test_a_header_that_is_not_utf8_is_named(complaint):
    assert complaint(b"caf\xe9:token\titem_id:token\na\tb\n") == (
        "ml.inter, line 1: this is not UTF-8 text; save the file as UTF-8"
    )


TOKENS = st.text(
    st.characters(codec="utf-8", exclude_characters="\t\n\r", exclude_categories=["Cs"]), min_size=1
)
TIMES = st.floats(allow_nan=False, allow_infinity=False)


@given(st.lists(st.tuples(TOKENS, TOKENS, TIMES), min_size=1, max_size=8))
def test_written_events_are_read_back(tmp_path_factory, events):
    frame = pl.DataFrame(
        events, schema={"user": pl.String, "item": pl.String, "time": pl.Float64}, orient="row"
    )
    path = tmp_path_factory.mktemp("trip") / "new" / "some.inter"
    write_atomic(from_frame(frame, time="time"), path)
    assert read_atomic(path, DataSettings()).with_tokens().equals(frame)


@given(st.lists(st.tuples(TOKENS, TOKENS), min_size=1, max_size=8))
def test_events_written_without_times_are_read_back(tmp_path_factory, events):
    frame = pl.DataFrame(events, schema={"user": pl.String, "item": pl.String}, orient="row")
    path = tmp_path_factory.mktemp("trip") / "some.inter"
    write_atomic(from_frame(frame, time=None), path)
    assert read_atomic(path, DataSettings()).with_tokens().equals(frame)


@pytest.mark.parametrize("token", ["", "a\tb", "a\nb", "a\r"])
def test_a_token_that_cannot_be_written_to_an_atomic_file_is_refused(tmp_path, token):
    frame = pl.DataFrame({"user": [1, 1], "item": [1, 2]})
    events = Interactions(frame, pl.Series(["u"]), pl.Series(["fine", token]))
    with pytest.raises(DataError, match=re.escape(f"cannot be written: item {token!r}")):
        write_atomic(events, tmp_path / "some.inter")
    assert not (tmp_path / "some.inter").exists()


def test_a_path_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    frame = pl.DataFrame({"user": ["u"], "item": ["i"]})
    with pytest.raises(DataError, match=r"some\.inter cannot be written: "):
        write_atomic(from_frame(frame, time=None), tmp_path / "file" / "some.inter")


def test_titles_come_from_the_item_file_beside(tmp_path):
    path = tmp_path / "ml.inter"
    path.write_text(HEADER + "a\t007\t1\n")
    path.with_suffix(".item").write_text(
        'item_id:token\tmovie_title:token_seq\tyear:float\n007\tJames "B"\t1962\n8\t\t\n',
        encoding="utf-8",
    )
    assert read_atomic(path, DataSettings()).titles == {"007": 'James "B"'}


@pytest.mark.parametrize("header", ["item_id:token\tyear:float", "film:token\ttitle:token"])
def test_an_item_file_without_titles_gives_none(tmp_path, header):
    (tmp_path / "ml.item").write_text(header + "\n1\t2\n")
    assert read_titles(tmp_path / "ml.item", DataSettings()) == {}


def test_the_title_may_be_named_or_be_in_upper_case(tmp_path):
    (tmp_path / "ml.item").write_text("item_id:token\tbrand:token\tTitle:token\n1\tA\tTwo\n")
    assert read_titles(tmp_path / "ml.item", DataSettings()) == {"1": "Two"}
    assert read_titles(tmp_path / "ml.item", DataSettings(title_column="brand")) == {"1": "A"}


def test_the_item_column_is_not_the_title(tmp_path):
    (tmp_path / "ml.item").write_text("film_name:token\ttitle:token\n1\tTwo\n")
    assert read_titles(tmp_path / "ml.item", DataSettings(item_column="film_name")) == {"1": "Two"}
    (tmp_path / "ml.item").write_text("category:token\tclass:token_seq\n1\ta b\n")
    settings = DataSettings(item_column="category")
    groups = read_groups(tmp_path / "ml.item", settings, pl.Series(["1"]))
    assert groups == {"1": ["a", "b"]}


@pytest.mark.parametrize("rows", ["", "\n\n"])
def test_a_listed_file_without_rows_lists_nothing(tmp_path, rows):
    path = tmp_path / "ml.inter"
    path.write_text(HEADER + "a\tx\t1\n")
    path.with_suffix(".item").write_text("item_id:token\ttitle:token\n" + rows)
    settings = DataSettings(load_columns={"inter": "*", "item": "*"})
    assert read_atomic(path, settings).listed["item"].to_list() == []
    with pytest.raises(
        DataError, match=r"the filter by the \.user and \.item files removes all interactions"
    ):
        load_corpus(path, settings)


@pytest.mark.parametrize(
    ("last", "expected"),
    [
        ("b", ["5"] * 400 + ["b"]),
        ("2024-05-31", ["5"] * 400 + ["2024-05-31"]),
        ("", ["5"] * 400 + [None]),
    ],
)
def test_a_column_that_is_filtered_by_is_text(tmp_path, monkeypatch, last, expected):
    monkeypatch.setattr(pieces, "SMALLEST", 100)
    monkeypatch.setattr(pieces, "LARGEST", 100)
    path = tmp_path / "log.csv"
    path.write_text("user_id,item_id,kind\n" + "a,x,5\n" * 400 + f"b,y,{last}\n")
    events = read_file(path, DataSettings(value_intervals={"kind": ["5"]}))
    table = events.with_tokens()
    assert table.select("user", "item").rows() == [("a", "x")] * 400 + [("b", "y")]
    assert table[VALUE + "kind"].to_list() == expected


def test_a_broken_item_file_is_named(tmp_path):
    (tmp_path / "ml.item").write_text("item_id:token\ttitle:token\n1\t2\t3\n")
    with pytest.raises(DataError, match=r"ml\.item, line 2: 3 columns where the header names 2"):
        read_titles(tmp_path / "ml.item", DataSettings())


@pytest.mark.parametrize("end", [".csv", ".tsv", ".CSV"])
def test_separated_files_keep_tokens_as_text(tmp_path, end):
    comma = "\t" if end == ".tsv" else ","
    path = tmp_path / f"log{end}"
    path.write_text("user_id,item_id,timestamp\n01,7,5\n1,007,6\n".replace(",", comma))
    assert rows(read_file(path, DataSettings())) == [("01", "7", 5.0), ("1", "007", 6.0)]


def test_dates_in_a_csv_become_seconds(tmp_path):
    path = tmp_path / "log.csv"
    path.write_text("user_id,item_id,timestamp\na,b,1970-01-02T00:00:01\n")
    assert rows(read_file(path, DataSettings())) == [("a", "b", 86401.0)]


def test_parquet_is_read(tmp_path):
    path = tmp_path / "log.parquet"
    pl.DataFrame({"user_id": [1, 2], "item_id": ["x", "y"], "timestamp": [2, 1]}).write_parquet(
        path
    )
    assert rows(read_file(path, DataSettings())) == [("1", "x", 2.0), ("2", "y", 1.0)]


def test_the_suffix_of_an_atomic_file_may_be_in_capitals(tmp_path):
    path = tmp_path / "ML.INTER"
    path.write_text(HEADER + "a\tb\t1\n")
    assert rows(read_file(path, DataSettings())) == [("a", "b", 1.0)]


@pytest.mark.parametrize("name", ["gone.csv", "gone.parquet", "gone.inter"])
def test_a_missing_file_of_any_kind_is_named(tmp_path, name):
    with pytest.raises(DataError, match=rf"{re.escape(name)}: no such file"):
        read_file(tmp_path / name, DataSettings())


def test_an_unknown_suffix_lists_the_known_ones(tmp_path):
    (tmp_path / "log.xls").write_text("x")
    expected = r"log\.xls: unknown file suffix '\.xls'; use \.inter, \.csv, \.tsv, \.parquet"
    with pytest.raises(DataError, match=expected):
        read_file(tmp_path / "log.xls", DataSettings())


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.csv", b""),
        ("a.csv", b"user_id,item_id\na,b,c\n"),
        ("a.csv", b"user_id,item_id\ncaf\xe9,b\n"),
        ("a.csv", b"user_id,item_id,item_id\na,b,c\n"),
        ("a.csv", b'user_id,item_id,timestamp\na,"b,1\na,c",2\n'),
        ("a.parquet", b"no parquet"),
        ("a.parquet", b""),
    ],
)
def test_an_invalid_table_is_named(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(
        DataError, match=rf"{name}(,| cannot be read| is (empty|not UTF-8|not a Parquet file))"
    ):
        read_file(tmp_path / name, DataSettings())


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (
            "user,item_id\na,b\n",
            r"no column 'user_id' \(did you mean 'user'\?\); .*\. It has: user, item_id$",
        ),
        ("user_id,item_id\n", "has no interactions"),
        ("user_id,item_id\na,b\n,c\n", "row 2: 'user_id' is empty; fill it in or delete the row"),
        ("user_id,item_id,timestamp\na,b,1\na,b,soon\n", "row 2: 'timestamp' is 'soon'"),
    ],
)
def test_an_invalid_row_of_a_table_is_located(tmp_path, content, expected):
    (tmp_path / "a.csv").write_text(content)
    with pytest.raises(DataError, match=expected):
        read_csv(tmp_path / "a.csv", DataSettings())


def read_text(tmp_path, text, **columns):
    (tmp_path / "a.csv").write_text(text)
    return rows(read_csv(tmp_path / "a.csv", DataSettings(**columns)))


def test_blank_lines_of_a_table_are_skipped(tmp_path):
    assert read_text(tmp_path, "user_id,item_id\na,b\n\nc,d\n\n") == [("a", "b"), ("c", "d")]


def test_a_column_may_look_different_further_down(tmp_path):
    lines = [f"u,i{n},3,{n}" for n in range(300)] + ["u,i9,3.5,400.5", "u,i9,good,401"]
    read = read_text(tmp_path, "user_id,item_id,rating,timestamp\n" + "\n".join(lines))
    assert read[-2:] == [("u", "i9", 400.5), ("u", "i9", 401.0)]


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("1970-01-02", 86_400),
        ("1970-01-01 01:00", 3_600),
        ("1970-01-01 00:00:01.5", 1.5),
        ("1970-01-01T00:00:02", 2),
        ("1970-01-01T00:00:03Z", 3),
        ("1970-01-01T02:00:04+02:00", 4),
    ],
)
def test_dates_of_a_table_are_seconds_since_1970(tmp_path, text, seconds):
    lines = f"user_id,item_id,timestamp\na,b,1970-01-01\na,c,{text}\n"
    assert read_text(tmp_path, lines)[1] == ("a", "c", seconds)


def test_file_names_are_not_read_as_patterns(tmp_path):
    for name, token in (("x[1].csv", "right"), ("x1.csv", "wrong")):
        (tmp_path / name).write_text(f"user_id,item_id\n{token},b\n")
    assert rows(read_file(tmp_path / "x[1].csv", DataSettings())) == [("right", "b")]
    (tmp_path / "y[2].inter").write_text("user_id:token\titem_id:token\nright\tb\n")
    (tmp_path / "y2.inter").write_text("user_id:token\titem_id:token\nwrong\tb\n")
    assert rows(read_file(tmp_path / "y[2].inter", DataSettings())) == [("right", "b")]


def test_a_time_column_given_by_name_must_exist(tmp_path):
    text = "user_id,item_id,timestamp\na,b,1\n"
    with pytest.raises(DataError, match=r"no column 'tiemstamp' \(did you mean 'timestamp'"):
        read_text(tmp_path, text, time_column="tiemstamp")


def test_events_without_times_are_mentioned_once(tmp_path, caplog):
    (tmp_path / "a.csv").write_text("user_id,item_id\na,b\n")
    corpus = load_corpus(tmp_path / "a.csv", DataSettings())
    assert [remark.kind for remark in corpus.remarks] == ["no_times"]
    assert caplog.messages == [
        f"{tmp_path}/a.csv: there is no column 'timestamp', so the order of the rows is used"
    ]


def test_a_line_with_a_value_in_an_unused_column_is_not_blank(tmp_path):
    path = tmp_path / "odd.inter"
    head = "user_id:token\titem_id:token\ttimestamp:float\trating:float\tshop:token"
    path.write_text(f"{head}\n1\t2\t3\t4\ta\n\n\t\t\t5\t\n1\t3\t4\t4\ta\n")
    with pytest.raises(DataError, match="line 4: 'user_id' is empty"):
        read_atomic(path, DataSettings())


def test_a_line_with_too_many_values_in_unused_columns_is_named(
    tmp_path: Path,
) -> None:
    path = tmp_path / "x.inter"
    head = "user_id:token\titem_id:token\trating:float\tnote:token\n"
    path.write_text(head + "a\tx\t1\tgood\n\na\ty\t1\tgood\tand\tmore\n")
    with pytest.raises(DataError, match=r"x\.inter, line 4: 6 columns where the header names 4"):
        read_file(path, DataSettings())
