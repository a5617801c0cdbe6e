"""A filter has the same meaning in every data format."""

import numpy as np
import pandas as pd
import polars as pl
import pytest

from sasrec.data.sources import load_corpus
from sasrec.data.values.value_filter import ValueFilter
from sasrec.errors import DataError, SettingsError
from sasrec.settings.data import DataSettings
from sasrec.settings.files import layer_from_options, yaml_file
from sasrec.settings.resolve import resolve_layers

CODES = ["01234", "1234", "5", "n/a", "7.0", "7"]
NAMES = ["user_id", "item_id", "timestamp", "code", "price", "category", "flag", "word"]
TYPES = ["token", "token", "float", "token", "float", "float", "token", "token"]
ROWS = [
    (
        f"u{n % 3}",
        str(n % 4),
        n,
        CODES[n % 6],
        n % 5 + 0.5,
        n % 5,
        n % 2 == 0,
        ["True", "False"][n % 2],
    )
    for n in range(60)
]
FORMATS = ["polars", "pandas", "csv", "tsv", "parquet", "inter"]


@pytest.fixture(params=FORMATS)
def data(request, tmp_path):
    frame = pl.DataFrame(ROWS, schema=NAMES, orient="row")
    if request.param == "polars":
        return frame
    if request.param == "pandas":
        return pd.DataFrame(frame.to_dict(as_series=False))
    path = tmp_path / f"log.{request.param}"
    if request.param == "parquet":
        frame.write_parquet(path)
        return path
    head = [f"{n}:{t}" for n, t in zip(NAMES, TYPES, strict=True)]
    typed = frame.rename(dict(zip(NAMES, head, strict=True)))
    mark = "," if request.param == "csv" else "\t"
    (typed if request.param == "inter" else frame).write_csv(path, separator=mark)
    return path


@pytest.mark.parametrize(
    ("field", "wanted", "kept"),
    [
        ("code", ["01234"], lambda row: row[3] == "01234"),
        ("code", ["1234"], lambda row: row[3] == "1234"),
        ("code", [1234], lambda row: row[3] == "1234"),
        ("code", [1234, "n/a"], lambda row: row[3] in {"1234", "n/a"}),
        ("code", ["7"], lambda row: row[3] == "7"),
        ("code", [7], lambda row: row[3] in {"7", "7.0"}),
        ("code", "[6,2000]", lambda row: row[3] not in {"5", "n/a"}),
        ("price", [0.5, 2.5, 4.5], lambda row: row[4] in {0.5, 2.5, 4.5}),
        ("price", "(0.5,2.5]", lambda row: 0.5 < row[4] <= 2.5),
        ("category", [1, 3, 4], lambda row: row[5] in {1, 3, 4}),
        ("category", ["1", "3"], lambda row: row[5] in {1, 3}),
        ("category", 3, lambda row: row[5] == 3),
        ("flag", [True], lambda row: row[6]),
        ("flag", ["FALSE"] * 1 + ["false"], lambda row: not row[6]),
        ("word", [True], lambda row: row[7] == "True"),
        ("item_id", [1, "2"], lambda row: row[1] in {"1", "2"}),
        ("item_id", [1, 3], lambda row: row[1] in {"1", "3"}),
        ("item_id", np.array([1, 3]), lambda row: row[1] in {"1", "3"}),
        ("item_id", "[1,3)", lambda row: row[1] in {"1", "2"}),
        ("timestamp", "[10,20)", lambda row: 10 <= row[2] < 20),
    ],
)
def test_a_filter_means_the_same_in_every_format(data, field, wanted, kept):
    found = load_corpus(data, DataSettings(value_intervals={field: wanted}))
    assert found.sequences.n_events == sum(map(kept, ROWS))


@pytest.mark.parametrize("odd", [[], ["n/a"], ["x"] * 30])
def test_a_single_value_does_not_change_the_meaning_of_a_filter(odd):
    texts = pl.Series([*(["01234", "1234", "4.0", "5"] * 10), *odd])
    for wanted, count in ((("01234",), 10), ((4, 5), 20), ("[4,5]", 20), ((4,), 10), (("4",), 0)):
        assert ValueFilter("code", wanted).matches(texts).sum() == count


@pytest.mark.parametrize(
    ("column", "wanted", "taken", "text"),
    [
        (
            [1.0, 2.0, 3.0],
            (1, 3),
            3,
            "as the numbers from 1 to 3; for the two values 1 and 3 write",
        ),
        ([1, 2, 3], (1, 3), 2, "the two values 1 and 3; for the numbers from 1 to 3 write '[1,3]'"),
        (["1", "2", "3"], (1, 3), 2, "is read as the two values 1 and 3"),
    ],
)
def test_two_numbers_are_an_interval_or_two_values_and_a_remark_says_which(
    column, wanted, taken, text
):
    rule = ValueFilter("stars", wanted)
    assert rule.matches(pl.Series(column)).sum() == taken
    [remark] = rule.remarks()
    assert remark.kind == "filter_taken_as"
    assert text in remark.text
    assert remark.text.startswith("value_intervals of 'stars', [1, 3], is read as ")


@pytest.mark.parametrize("wanted", [(3, 1), ("1", "3"), (1, 2, 3), (True, False)])
def test_lists_that_cannot_be_intervals_cause_no_remark(wanted):
    rule = ValueFilter("stars", wanted)
    rule.matches(pl.Series([1, 2, 3, 0]))
    assert rule.remarks() == ()


def test_texts_in_a_column_filtered_by_interval_are_counted_over_all_pieces():
    rule = ValueFilter("price", "[4,inf)")
    assert rule.matches(pl.Series(["5", "n/a", None, "3"])).to_list() == [True, False, False, False]
    assert rule.matches(pl.Series(["nan", "", "?", " 9"])).to_list() == [False, False, False, True]
    [remark] = rule.remarks()
    assert (remark.kind, remark.count) == ("filter_no_numbers", 2)
    assert "2 values that are not numeric, such as 'n/a', are dropped" in remark.text


def test_listed_values_without_rows_are_counted():
    rule = ValueFilter("shop", ("a", 8, "gone", 2.5, True))
    rule.matches(pl.Series(["a", "b"]))
    rule.matches(pl.Series(["8.0", "TRUE"]))
    [remark] = rule.remarks()
    assert (remark.kind, remark.count) == ("filter_unmatched", 2)
    assert "2 of 5 listed values occur in no row, such as 'gone'" in remark.text


def test_whole_numbers_beyond_the_precision_of_floats_are_distinguished():
    large = 2**53
    column = pl.Series([large, large + 1, large + 2])
    assert ValueFilter("n", (large + 1, 10**400)).matches(column).to_list() == [False, True, False]
    texts = column.cast(pl.String)
    assert ValueFilter("n", (large + 1,)).matches_tokens(texts).sum() == 1


def test_a_column_of_booleans_needs_booleans():
    column = pl.Series([True, False, None])
    assert ValueFilter("sold", (True,)).matches(column).to_list() == [True, False, False]
    assert ValueFilter("sold", "false").matches(column).to_list() == [False, True, False]
    with pytest.raises(SettingsError, match="write true or false instead of 'often'"):
        ValueFilter("sold", ("often",)).matches(column)


def test_the_message_describes_the_column_if_no_row_is_left(tmp_path):
    path = tmp_path / "x.csv"
    path.write_text("user_id,item_id,price\nu,a,1.0\nu,b,soon\n")
    with pytest.raises(DataError, match=r"compared as text, and one of its values is '1\.0'"):
        load_corpus(path, DataSettings(value_intervals={"price": ["1"]}))
    with pytest.raises(DataError, match="; 1 value is not a number, such as 'soon'"):
        load_corpus(path, DataSettings(value_intervals={"price": "[5,6]"}))


def test_remarks_on_filters_reach_the_corpus(tmp_path):
    path = tmp_path / "x.csv"
    path.write_text("user_id,item_id,price\nu,a,1.0\nu,b,soon\n")
    corpus = load_corpus(path, DataSettings(value_intervals={"price": "[0,6]"}))
    assert "filter_no_numbers" in [remark.kind for remark in corpus.remarks]
    (tmp_path / "y").mkdir()
    (tmp_path / "y/y.inter").write_text("user_id:token\titem_id:token\nu\ta\nu\tb\n")
    (tmp_path / "y/y.item").write_text("item_id:token\tyear:token\na\t1999\nb\tsoon\n")
    loaded = {"inter": "*", "item": "*"}
    settings = DataSettings(value_intervals={"year": "[1990,2000]"}, load_columns=loaded)
    corpus = load_corpus(tmp_path / "y", settings)
    assert corpus.sequences.n_events == 1
    assert "filter_no_numbers" in [remark.kind for remark in corpus.remarks]


@pytest.mark.parametrize(
    "text", ["{'code': [010, 'NO', 1.10, 8]}", "{code: [010, NO, 1.10, 8]}"], ids=["line", "file"]
)
def test_values_keep_the_spelling_they_were_written_in(text, tmp_path):
    if "'code'" in text:
        layer = layer_from_options([f"--value_intervals={text}"])
    else:
        (tmp_path / "my.yaml").write_text(f"val_interval: {text}\n")
        layer = yaml_file(tmp_path / "my.yaml")
    data = resolve_layers([layer]).data
    assert data.value_intervals == {"code": ("010", "NO", "1.10", 8)}
    assert DataSettings(**data.model_dump(mode="json")) == data
    codes = pl.Series(["010", "10", "8", "NO", "1.1", "1.10"])
    rule = ValueFilter("code", data.value_intervals["code"])
    assert codes.filter(rule.matches(codes)).to_list() == ["010", "8", "NO", "1.10"]
    assert ValueFilter("code", ("010", "1.10")).matches(pl.Series([10.0, 1.1, 8.0])).sum() == 2


@pytest.mark.parametrize(
    ("wanted", "text"),
    [
        ("{'code': [NO]}", "with quotation marks around each text"),
        ({"code": ["a", None]}, "the list contains null; put it in quotation marks"),
    ],
)
def test_filters_without_a_sensible_meaning_are_refused(wanted, text):
    with pytest.raises(SettingsError, match=text):
        resolve_layers([layer_from_options([f"--value_intervals={wanted}"])])


LARGE = 2**63


@pytest.mark.parametrize("kind", [pl.UInt64, pl.String])
@pytest.mark.parametrize(
    ("wanted", "kept"),
    [
        ((LARGE + 1,), [1]),
        ((LARGE + 1, LARGE + 3), [1, 3]),
        (f"[{LARGE + 2},inf)", [2, 3]),
        (f"({LARGE},{LARGE + 2})", [1]),
        (f"(-inf,{LARGE}]", [0]),
    ],
)
def test_long_numbers_are_compared_by_all_their_digits(kind, wanted, kept):
    values = pl.Series([LARGE + n for n in range(4)], dtype=pl.UInt64).cast(kind)
    assert np.flatnonzero(ValueFilter("order", wanted).matches(values)).tolist() == kept


def test_lists_with_inexact_floats_are_refused():
    with pytest.raises(SettingsError, match="can stand for several whole numbers; remove such"):
        ValueFilter("order", (LARGE + 1,)).matches(pl.Series([float(LARGE)]))


def test_the_message_names_a_text_that_looks_like_an_interval():
    rule = ValueFilter("day", "[2024-01-02,inf)")
    assert not rule.matches(pl.Series(["2024-01-01"])).any()
    assert rule.hint.startswith("; '[2024-01-02,inf)' is not an interval of two numbers")
