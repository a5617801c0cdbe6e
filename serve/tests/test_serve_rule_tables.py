"""Tables of items are read as ``sasrec`` reads them: the same types, the same values."""

import csv
import itertools
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sasrec.data.formats.item_files import item_table
from sasrec.data.item_columns import ItemColumns
from sasrec.data.values.parsed_texts import parsed_texts
from sasrec.data.vocabulary import Vocabulary as OwnVocabulary
from sasrec.recommender.columns_file import item_columns_as_json
from sasrec.settings.data import DataSettings
from sasrec_serve.errors import DataError, ExportError
from sasrec_serve.rules.columns import exported_columns, shop_columns
from sasrec_serve.rules.recognised import from_python, from_texts
from sasrec_serve.rules.tables import read_table
from sasrec_serve.rules.values import Values
from sasrec_serve.vocabulary import Vocabulary

KINDS = {
    pl.String: "text",
    pl.Int64: "whole",
    pl.Float64: "number",
    pl.Boolean: "flag",
    pl.Date: "date",
    pl.Datetime: "time",
    pl.List: "texts",
}
DATA = {"item_column": "item_id", "user_column": "user_id", "title_column": None}


def python(values: Values) -> list[Any]:
    """Return values as Python objects, days and microseconds as numbers."""
    mask = values.mask.tolist()
    if values.offsets is not None:
        texts = [values.entries[place] for place in values.data]
        ends = values.offsets.tolist()
        whole: list[Any] = [texts[a:b] for a, b in itertools.pairwise(ends)]
    elif values.kind == "text":
        whole = [values.entries[place] if values.entries else None for place in values.data]
    else:
        whole = values.data.tolist()
    return [each if known else None for each, known in zip(whole, mask, strict=True)]


def polars(column: pl.Series) -> list[Any]:
    """Return a column as Python objects, days and microseconds as numbers."""
    if column.dtype == pl.Datetime:
        return column.dt.cast_time_unit("us").cast(pl.Int64).to_list()
    return (column.cast(pl.Int32) if column.dtype == pl.Date else column).to_list()


pieces = st.sampled_from(
    [
        *("", " ", "a", "007", "0", "-0", "7", "-12", "1.5", "1e5", "1e400", "0.10", ".5", "nan"),
        *("9223372036854775807", "9223372036854775808", "true", "False", "TRUE", "yes", " 3 "),
        *("2024-05-31", "2024-02-30", "2024-05-31 10:00:00", "2024-05-31T23:59:59", "0000-01-01"),
        *("1969-12-31", "2024-05-31 24:00:00", "9999-12-31", "2024-5-31", "\u0664", "\u00a0x"),
    ]
)


@given(st.lists(st.none() | pieces | st.text(max_size=4), max_size=6))
def test_texts_have_the_types_that_sasrec_recognises(texts: list[str | None]) -> None:
    expected = parsed_texts(pl.Series(texts, dtype=pl.String))
    found = from_texts(texts)
    assert found.kind == KINDS[type(expected.dtype)]
    assert python(found) == polars(expected)


START = datetime(1970, 1, 1, tzinfo=UTC).replace(tzinfo=None)
columns = st.one_of(
    st.lists(st.none() | st.integers(-(2**63), 2**63 - 1), min_size=3, max_size=3),
    st.lists(st.none() | st.floats(), min_size=3, max_size=3),
    st.lists(st.none() | st.booleans(), min_size=3, max_size=3),
    st.lists(st.none() | st.text(max_size=5), min_size=3, max_size=3),
    st.lists(st.none() | st.dates(), min_size=3, max_size=3),
    st.lists(
        st.none()
        | st.integers(-(10**15), 10**15).map(lambda micros: START + timedelta(microseconds=micros)),
        min_size=3,
        max_size=3,
    ),
    st.lists(st.none() | st.lists(st.text(max_size=3), max_size=3), min_size=3, max_size=3),
)


@given(columns)
def test_columns_of_frames_have_the_types_that_sasrec_gives_them(values: list[Any]) -> None:
    frame = pl.DataFrame({"item_id": ["a", "b", "c"], "x": pl.Series(values, strict=False)})
    own, _ = item_table(frame, DataSettings())
    found = shop_columns(Vocabulary(["c", "x", "a"]), {}, frame, {}, DATA).columns
    expected = own.aligned(OwnVocabulary(["c", "x", "a"]))["x"]
    assert found["x"].kind == KINDS[type(expected.dtype)]
    assert python(found["x"]) == polars(expected)
    # Exports have the same columns again.
    own = ItemColumns(pl.Series(["c", "x", "a"]), pl.DataFrame([expected]))
    if expected.dtype != pl.Float64 or expected.drop_nulls().is_finite().all():
        content = json.loads(json.dumps(item_columns_as_json(own)))
        assert python(exported_columns(content, 3)["x"]) == polars(expected)


@given(
    rows=st.lists(
        st.tuples(
            pieces, st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=5)
        ),
        min_size=1,
        max_size=5,
    ),
    separator=st.sampled_from([",", ";", "\t", "|"]),
)
def test_csv_files_have_the_columns_that_sasrec_reads(
    rows: list[tuple[str, str]], separator: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("tables") / "items.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, delimiter=separator, quoting=csv.QUOTE_ALL)
        writer.writerow(["item_id", "x", "y"])
        writer.writerows([f"i{n}", *row] for n, row in enumerate(rows))
    own, titles = item_table(path, DataSettings())
    assert not titles
    items = [f"i{n}" for n in range(len(rows))]
    found = shop_columns(Vocabulary(items), {}, path, {}, DATA).columns
    for name in ("x", "y"):
        assert found[name].kind == KINDS[type(own.values[name].dtype)]
        assert python(found[name]) == polars(own.values[name])


def test_titles_come_from_the_table_or_the_export() -> None:
    items = Vocabulary(["a", "b"])
    own = shop_columns(items, {}, None, {"a": "A", "b": "B"}, DATA)
    assert python(own.columns["title"]) == ["A", "B"]
    given = {"item_id": ["a"], "name": ["Anew"]}
    found = shop_columns(items, {}, given, {"a": "A", "b": "B"}, DATA)
    assert python(found.columns["title"]) == ["Anew", "B"]
    assert python(found.columns["name"]) == ["Anew", None]


def test_tokens_are_cleaned_as_in_training() -> None:
    data = {**DATA, "clean_tokens": ["spaces", "case"], "missing_values": ["na"]}
    items = Vocabulary(["a", "7"], ["spaces", "case"])
    table = shop_columns(items, {}, {"item_id": [" A", 7.0], "x": [1, 2]}, {}, data)
    assert python(table.columns["x"]) == [1, 2]
    with pytest.raises(DataError, match="row 2: there is no item"):
        shop_columns(items, {}, {"item_id": ["a", "NA"], "x": [1, 2]}, {}, data)
    with pytest.raises(DataError, match="row 1: 'item_id' is True, and True and False cannot be"):
        shop_columns(items, {}, {"item_id": [True]}, {}, data)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.txt", b"x", r"unknown file suffix '\.txt' for items; use \.csv"),
        ("a.csv", b"", r"cannot be read as csv: it is empty"),
        ("a.csv", b"item_id,x\na\n", "row 1 has 1 values, and the header 2"),
        ("a.csv", b"item_id,x,x\na,1,2\n", "two columns are called 'x'"),
        ("a.csv", b"item_id,x\n\xff,1\n", "is not UTF-8 text"),
        ("a.csv", b"id,x\na,1\n", r"there is no column 'item_id'; did you mean 'id'|no column"),
        ("a.jsonl", b'{"item_id": "a"}\n[1]\n', "line 2 is not a JSON object"),
        ("a.jsonl", b'{"item_id": "a"}\n{"\n', "line 2 is not JSON"),
        ("a.parquet", b"no", "cannot be read as parquet"),
    ],
)
def test_mistakes_in_files_end_in_one_message(
    tmp_path: Path, name: str, content: bytes, message: str
) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=message):
        shop_columns(Vocabulary(["a"]), {}, tmp_path / name, {}, DATA)


def test_files_for_excel_name_their_separator(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("\ufeffsep=|\nitem_id|x\na|1\n")
    found = read_table(tmp_path / "a.csv", "items")
    assert dict(found.columns) == {"item_id": ["a"], "x": ["1"]}


def test_values_of_other_types_are_left_out() -> None:
    assert from_python([{"a": 1}]) is None
    assert from_python([[1.5]]) is None
    assert from_python(["a", 1.5]) is None
    large = from_python([2**70, 1])
    assert large is not None
    assert python(large) == [str(2**70), "1"]
    taken = from_python([["b", "a"], None, []])
    assert taken is not None
    assert python(taken.taken(np.array([2, -1, 0, 0]))) == [[], None, ["b", "a"], ["b", "a"]]


@pytest.mark.parametrize(
    "content",
    [
        {"x": {"type": "text", "values": [1, 2]}},
        {"x": {"type": "text", "values": ["a"]}},
        {"x": {"type": "strange", "values": ["a", "b"]}},
        {"x": {"type": "texts", "values": ["ab", []]}},
        {"x": {"type": "whole", "values": [True, 1]}},
        {"x": {"type": "whole", "values": [2**70, 1]}},
        {"x": {"values": []}},
        {"x": None},
    ],
)
def test_damaged_columns_of_an_export_are_refused(content: dict[str, Any]) -> None:
    with pytest.raises(ExportError, match=r"item_columns\.json.*export again"):
        exported_columns(content, 2)
