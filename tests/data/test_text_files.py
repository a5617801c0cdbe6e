"""Text files as they are published: without a header, with words, in any encoding."""

import re
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sasrec.data.formats.readers import read_file
from sasrec.data.interactions import VALUE
from sasrec.data.sources import load_corpus
from sasrec.errors import DataError
from sasrec.settings.data import DataSettings

PUBLISHED = {
    "ratings.dat": ("1::10::5::978300760\n1::11::3::978302109\n2::10::4::978301968\n", "::"),
    "u.data": ("1\t10\t5\t978300760\n1\t11\t3\t978302109\n2\t10\t4\t978301968\n", "\t"),
    "ratings_Beauty.csv": ("1,10,5.0,978300760\n1,11,3.0,978302109\n2,10,4.0,978301968\n", ","),
    "log.txt": ("1 10 5 978300760\n1 11 3 978302109\n2 10 4 978301968\n", " "),
    "pipes.txt": ("1|10|5|978300760\n1|11|3|978302109\n2|10|4|978301968\n", "|"),
}
EVENTS = [("1", "10", 978300760.0), ("1", "11", 978302109.0), ("2", "10", 978301968.0)]


def rows(path, **columns):
    return read_file(path, DataSettings(**columns)).with_tokens().rows()


def saved(folder, name, text, encoding="utf-8"):
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode(encoding))
    return path


def complaint(path, **columns):
    with pytest.raises(DataError) as caught:
        rows(path, **columns)
    return str(caught.value).replace(f"{path.parent}/", "")


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_file_without_header_is_refused_with_the_option_that_reads_it(name, tmp_path):
    path = saved(tmp_path, name, PUBLISHED[name][0])
    message = complaint(path)
    assert message.startswith(f"{name}: the first line is data, not names of columns (1")
    option = re.findall(r"--columns=(user,item\S*)", message)[-1]
    assert option == "user,item,rating,time"
    assert rows(path, columns=option) == EVENTS


@pytest.mark.parametrize("name", PUBLISHED)
def test_columns_may_be_given_by_number(name, tmp_path):
    path = saved(tmp_path, name, PUBLISHED[name][0])
    assert rows(path, user_column="1", item_column="2", time_column="4") == EVENTS
    assert complaint(path, user_column="1", item_column="7") == (
        f"{name} has no column 7; it has 4 columns"
    )


def test_numbers_count_the_columns_of_a_header_too(tmp_path):
    path = saved(tmp_path, "e.csv", "who,what,when\na,x,5\na,y,6\n")
    assert rows(path, user_column="1", item_column="2", time_column="when") == [
        ("a", "x", 5.0),
        ("a", "y", 6.0),
    ]


def test_numbers_are_refused_if_the_first_line_may_be_data_or_a_header(tmp_path):
    path = saved(tmp_path, "e.csv", "who,what\na,x\nb,y\n")
    assert complaint(path, user_column="1", item_column="2") == (
        "e.csv: the first line (who, what) may be data or names of columns; if it is data, use "
        "columns=user,item instead of numbers, otherwise these names"
    )


def test_columns_can_be_skipped_and_named_for_filters(tmp_path):
    text = "1::10::5::9\n1::11::3::8\n2::10::4::7\n"
    path = saved(tmp_path, "ratings.dat", text)
    columns = {"columns": "user,item,_,time"}
    assert [row[2] for row in rows(path, **columns)] == [9.0, 8.0, 7.0]
    columns = {"columns": ["user", "item", "stars", "time"], "value_intervals": {"stars": "[4,5]"}}
    events = read_file(path, DataSettings(**columns))
    assert events.frame[VALUE + "stars"].to_list() == ["5", "3", "4"]
    assert load_corpus(path, DataSettings(**columns)).sequences.n_events == 2


def test_the_words_stand_for_the_columns_of_the_settings(tmp_path):
    path = saved(tmp_path, "e.csv", "5,a,x\n6,a,y\n")
    settings = {"user_column": "u", "item_column": "i", "time_column": "t"}
    expected = [("a", "x", 5.0), ("a", "y", 6.0)]
    assert rows(path, columns="time,user,item", **settings) == expected
    assert rows(path, columns="t,u,i", **settings) == expected


def test_another_number_of_values_than_columns_is_told(tmp_path):
    path = saved(tmp_path, "e.csv", "1,10,5.0,978300760\n1,11,3.0,978302109\n")
    assert complaint(path, columns="user,item,time") == (
        "e.csv, line 1: 4 values where columns=user,item,time names 3; name each column, or write "
        "_ to skip it, as in columns=user,item,rating,time"
    )


def test_columns_of_a_file_with_another_header_are_refused(tmp_path):
    path = saved(tmp_path, "e.csv", "who,what,when\na,x,5\na,y,6\n")
    assert complaint(path, columns="user,item,time") == (
        "e.csv, line 1: the first line is a header (who, what, when), so columns=user,item,time is "
        "not needed; remove it and use user_column, item_column and time_column"
    )


def test_columns_have_no_effect_if_the_file_has_the_names(tmp_path):
    path = saved(tmp_path, "e.csv", "timestamp,user_id,item_id\n5,a,x\n6,a,y\n")
    events = read_file(path, DataSettings(columns="user,item,time"))
    assert events.with_tokens().rows() == [("a", "x", 5.0), ("a", "y", 6.0)]
    [remark] = [each for each in events.remarks if each.kind == "unused_columns"]
    assert remark.text == (
        "columns=user,item,time has no effect: the names of the columns are in the data"
    )


@pytest.mark.parametrize(
    ("columns", "text"),
    [
        ("user,time", "columns=user,time has no item; write the word item for that column"),
        ("user,user,item", "'user' is listed twice"),
        ("items,user", "write columns=user,items"),
    ],
)
def test_columns_without_a_meaning_are_refused(columns, text):
    with pytest.raises(ValueError, match=re.escape(text)):
        DataSettings(columns=columns)


def test_words_are_read_as_the_paper_wrote_them(tmp_path):
    path = saved(tmp_path, "ml-1m.txt", "1 10\n1 11\n2  12 \r\n\n2\t10")
    assert rows(path) == [("1", "10"), ("1", "11"), ("2", "12"), ("2", "10")]


def test_lines_of_different_length_are_histories(tmp_path):
    path = saved(tmp_path, "Beauty.txt", "1 10 11 12\n2 11\n3 7 7 8 9\n")
    assert rows(path) == [
        *(("1", item) for item in ("10", "11", "12")),
        ("2", "11"),
        *(("3", item) for item in "7789"),
    ]


def test_lines_of_equal_length_may_be_histories_or_events(tmp_path):
    path = saved(tmp_path, "Beauty.txt", "1 10 11 12\n2 11 12 13\n")
    assert complaint(path) == (
        "Beauty.txt: the first line is data, not names of columns (1 10 11 12); add "
        "--columns=user,items if a line is a user and all items of this user, in order, or "
        "--columns=user,item,_,time if a line is one event (the words user, item and time say what "
        "a column is, _ skips one)"
    )
    assert rows(path, columns="user,items")[:3] == [("1", "10"), ("1", "11"), ("1", "12")]


@pytest.mark.parametrize("separator", [",", "\t", "::", "|"])
def test_histories_may_have_any_separator(separator, tmp_path):
    path = saved(tmp_path, "h.txt", f"a{separator}x{separator}y\nb{separator}z\n")
    expected = [("a", "x"), ("a", "y"), ("b", "z")]
    assert rows(path, columns="user,items") == expected
    assert rows(path, columns="user,items", separator=separator) == expected


@pytest.mark.parametrize("line", ["3", "3,,5", "3,"])
def test_a_history_without_items_or_with_an_empty_one_is_named(line, tmp_path):
    path = saved(tmp_path, "h.csv", f"1,2,3\n\n{line}\n4,5\n")
    assert complaint(path, columns="user,items") == (
        "h.csv, line 3: a line must be a user and at least one item, with none of them empty; "
        "correct or delete it"
    )


def test_a_line_with_other_words_than_the_first_is_named(tmp_path):
    path = saved(tmp_path, "e.txt", "1 10 5\n\n1 11 6\n1 12 7 8\n")
    assert complaint(path, columns="user,item,time") == (
        "e.txt, line 4: 4 values where there must be 3, as in the first line"
    )


@given(
    st.lists(
        st.tuples(
            st.text("ab.-é", min_size=1, max_size=4),
            st.lists(st.text("xyé:", min_size=1, max_size=4), min_size=1, max_size=6),
        ),
        min_size=1,
        max_size=30,
    ),
    st.sampled_from([" ", "\t", ","]),
    st.sampled_from(["\n", "\r\n"]),
)
def test_histories_are_what_was_written(tmp_path_factory, histories, separator, end):
    lines = [separator.join([user, *items]) for user, items in histories]
    path = saved(tmp_path_factory.mktemp("h"), "h.txt", end.join(lines) + end)
    found = rows(path, columns="user,items", separator=separator)
    assert found == [(user, item) for user, items in histories for item in items]


@given(
    st.lists(st.tuples(st.text("ab 1é|", min_size=1), st.integers(0, 99)), min_size=1, max_size=30),
    st.sampled_from(["::", "||", "~", "<;>"]),
)
def test_long_separators_split_columns(tmp_path_factory, events, separator):
    events = [(user.replace(separator, ""), item) for user, item in events]
    events = [(user if user.strip("|") else "u", item) for user, item in events]
    if separator == "||":
        events = [(user.replace("|", ""), item) for user, item in events]
    text = "".join(f"{user or 'u'}{separator}{item}\n" for user, item in events)
    path = saved(tmp_path_factory.mktemp("e"), "e.dat", text)
    found = rows(path, columns="user,item", separator=separator)
    assert found == [(user or "u", str(item)) for user, item in events]


def test_quotation_marks_do_not_stop_a_long_separator(tmp_path):
    text = 'user_id::item_id::title\na::1::12" TV\na::2::"so "called""\nb::1::x\n'
    assert rows(saved(tmp_path, "e.dat", text)) == [("a", "1"), ("a", "2"), ("b", "1")]


def test_the_first_line_of_excel_names_the_separator(tmp_path):
    for text in ("sep=;\nuser_id;item_id\na;1,5\n", '"sep=;"\r\nuser_id;item_id\r\na;1,5\r\n'):
        assert rows(saved(tmp_path, "e.csv", text)) == [("a", "1,5")]
    assert rows(saved(tmp_path, "e.csv", "sep=|\na|x\na|y\n"), columns="user,item") == [
        ("a", "x"),
        ("a", "y"),
    ]


@pytest.mark.parametrize(
    "text",
    [
        "user_id,item_id,,\na,1,,\nb,2,,\n",
        "user_id,item_id\na,1,,\nb,2,,\n",
        "user_id,item_id\na,1\nb,2,,\n",
        'user_id,item_id,note\na,1,"x, y",\nb,2,z,,\n',
    ],
)
def test_empty_columns_at_the_end_are_ignored(text, tmp_path):
    assert rows(saved(tmp_path, "e.csv", text)) == [("a", "1"), ("b", "2")]


def test_only_needed_columns_must_have_different_names(tmp_path):
    text = "user_id,note,item_id,note\na,x,1,y\nb,x,2,y\n"
    path = saved(tmp_path, "e.csv", text)
    assert rows(path) == [("a", "1"), ("b", "2")]
    expected = "e.csv, line 1: two columns are named 'note'; rename one"
    assert complaint(path, value_intervals={"note": ["x"]}) == expected


@pytest.mark.parametrize("encoding", ["latin-1", "utf-16", "utf-16-le", "cp1252", "utf-32"])
@pytest.mark.parametrize("name", ["e.csv", "e.txt"])
def test_encodings_are_read_by_name(encoding, name, tmp_path):
    text = "user_id,item_id\nJosé,Café\nJosé,Zürich\n"
    path = saved(tmp_path, name, text, encoding)
    assert rows(path, encoding=encoding) == [("José", "Café"), ("José", "Zürich")]


def test_a_text_in_another_encoding_proposes_one(tmp_path):
    text = "user_id,item_id\nJosé,Café\n"
    assert complaint(saved(tmp_path, "e.csv", text, "latin-1")) == (
        "e.csv is not UTF-8 text; set its encoding, such as encoding=cp1252, or save the file as "
        "UTF-8"
    )
    assert "set encoding=utf-16" in complaint(saved(tmp_path, "e.csv", text, "utf-16"))
    assert complaint(saved(tmp_path, "e.csv", text, "latin-1"), encoding="utf-16").startswith(
        "e.csv: the text after line 1 is not utf-16 ("
    )


def test_the_encoding_is_that_of_the_titles_too(tmp_path):
    saved(tmp_path, "f.inter", "user_id:token\titem_id:token\né\ti\n", "latin-1")
    saved(tmp_path, "f.item", "item_id:token\ttitle:token\ni\tCafé\n", "latin-1")
    corpus = load_corpus(tmp_path / "f.inter", DataSettings(encoding="latin-1"))
    assert corpus.item_titles() == {"i": "Café"}
    assert corpus.users.entries.to_list() == ["é"]


def test_an_unknown_encoding_is_refused():
    with pytest.raises(ValueError, match="'latn-1' is not an encoding; did you mean 'latin-1'"):
        DataSettings(encoding="latn-1")
    with pytest.raises(ValueError, match="'base64' is not an encoding"):
        DataSettings(encoding="base64")


def test_a_first_line_is_a_header_if_there_are_only_numbers_below(tmp_path):
    lines = "".join(f"{row % 7} {row % 5} {row}\n" for row in range(30))
    path = saved(tmp_path, "e.txt", "u i t\n" + lines)
    assert "the first line is a header (u, i, t)" in complaint(path, columns="user,item,time")
    assert "has no column 'user_id', no column 'item_id'" in complaint(path)
    assert complaint(path).endswith("It has: u, i, t")
    path = saved(tmp_path, "few.txt", "u i\n1 2\n")  # ids may be words and numbers
    assert rows(path, columns="user,item") == [("u", "i"), ("1", "2")]


@given(st.lists(st.lists(st.sampled_from(["1", "a", "", "2024-01-02", "7.5", "x y"]), min_size=1)))
def test_any_small_table_is_read_or_refused(tmp_path_factory, table):
    text = "\n".join(",".join(row) for row in table)
    path = saved(tmp_path_factory.mktemp("any"), "any.csv", text)
    for settings in ({}, {"columns": "user,item"}, {"user_column": "1", "item_column": "2"}):
        try:
            events = read_file(Path(path), DataSettings(**settings))
        except DataError as error:
            assert str(path) in str(error)  # noqa: PT017 - either outcome is fine
        else:
            assert isinstance(events.frame, pl.DataFrame)
