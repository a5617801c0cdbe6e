"""Item columns: from events, files, frames and .item files; and kept with a model."""

import json
import logging
import math
from pathlib import Path

import pandas as pd
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

import sasrec
from sasrec.data.formats import item_files
from sasrec.data.item_columns import ItemColumns
from sasrec.data.sources import load_corpus
from sasrec.data.values.parsed_texts import parsed_texts
from sasrec.data.vocabulary import Vocabulary
from sasrec.errors import DataError, ModelError
from sasrec.recommender.columns_file import item_columns_as_json, item_columns_from_json
from sasrec.settings.data import DataSettings

SMALL = {"epochs": 1, "hidden_size": 8, "inner_size": 8, "n_layers": 1, "n_heads": 1}
EVENTS = "user_id,item_id,timestamp,price,name\n" + "".join(
    f"u{user},i{(user + step) % 5},{step},{(user + step) % 5 * 1.5},Thing {(user + step) % 5}\n"
    for user in range(8)
    for step in range(4)
)


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    path = tmp_path / "shop.csv"
    path.write_text(EVENTS)
    return path


def columns_of(corpus_items: Vocabulary, columns: ItemColumns | None) -> dict[str, list[object]]:
    assert columns is not None
    frame = columns.aligned(corpus_items).with_columns(item=corpus_items.entries).sort("item")
    return frame.to_dict(as_series=False)


def test_columns_of_the_events_are_kept_by_item(shop: Path) -> None:
    settings = DataSettings(item_columns=("price",), title_column="name")
    corpus = load_corpus(shop, settings)
    found = columns_of(corpus.items, corpus.item_columns)
    assert found == {"price": [0.0, 1.5, 3.0, 4.5, 6.0], "item": ["i0", "i1", "i2", "i3", "i4"]}
    assert corpus.item_titles()["i3"] == "Thing 3"


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("items.csv", "item_id;price;note\ni1;2.5;a\ni2;7;b\n"),
        ("items.csv", "item_id\tprice\tnote\ni1\t2.5\ta\ni2\t7\tb\n"),
        ("items.csv", "sep=;\nitem_id;price;note\ni1;2.5;a\ni2;7;b\n"),
        ("items.csv", 'item_id,price,note\ni1,2.5,"a"\ni2,7,b\n'),
        ("items.tsv", "item_id\tprice\tnote\ni1\t2.5\ta\ni2\t7\tb\n"),
    ],
)
def test_an_items_file_has_the_separators_of_a_file_of_events(
    shop: Path, name: str, text: str
) -> None:
    (shop.parent / name).write_text(text)
    corpus = load_corpus(shop, DataSettings(items_file=str(shop.parent / name)))
    assert corpus.item_columns is not None
    assert corpus.item_columns.values.to_dict(as_series=False) == {
        "price": [2.5, 7.0],
        "note": ["a", "b"],
    }


def test_an_item_without_events_has_the_title_of_its_table(shop: Path) -> None:
    items = pl.DataFrame(
        {"item_id": ["i1", "new"], "title": ["One", "New one"], "kind": ["a", "a"]}
    )
    corpus = load_corpus(shop, DataSettings(content_columns=("kind",)), items=items)
    assert corpus.item_titles() == {"i1": "One", "new": "New one"}


def test_the_item_column_may_be_the_title(shop: Path) -> None:
    corpus = load_corpus(shop, DataSettings(item_column="name", title_column="name"))
    assert corpus.item_titles() == {}


def test_the_latest_value_of_an_item_counts_and_is_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "shop.csv"
    path.write_text("user_id,item_id,timestamp,price\na,x,3,30\na,y,1,5\nb,x,1,10\nb,y,2,\n")
    with caplog.at_level(logging.WARNING):
        corpus = load_corpus(path, DataSettings(item_columns=("price",)))
    assert columns_of(corpus.items, corpus.item_columns)["price"] == [30, 5]
    assert "1 item has several values in column 'price', such as 'x'; the latest" in caplog.text


@pytest.mark.parametrize("suffix", ["csv", "tsv", "parquet", "jsonl", "frame", "pandas"])
def test_a_table_of_items_may_have_any_format(shop: Path, tmp_path: Path, suffix: str) -> None:
    frame = pl.DataFrame(
        {
            "item_id": ["i0", "i1", "i3", "other"],
            "stock": [0, 7, None, 2],
            "category": ["tea", "tea", "pots", "x"],
            "title": ["A", "B", "C", "D"],
        }
    )
    path = tmp_path / f"items.{suffix}"
    writers = {"parquet": frame.write_parquet, "jsonl": frame.write_ndjson}
    if suffix in ("csv", "tsv"):
        frame.write_csv(path, separator="," if suffix == "csv" else "\t")
    elif suffix in writers:
        writers[suffix](path)
    given = {"frame": frame, "pandas": pd.DataFrame(frame.to_dict(as_series=False))}.get(
        suffix, path
    )
    corpus = load_corpus(shop, DataSettings(), items=given)
    found = columns_of(corpus.items, corpus.item_columns)
    assert found["stock"] == [0, 7, None, None, None]
    assert found["category"] == ["tea", "tea", None, "pots", None]
    assert corpus.item_titles() == {"i0": "A", "i1": "B", "i3": "C"}


def test_of_a_large_item_file_only_named_columns_are_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "shop.inter").write_text("user_id:token\titem_id:token\nu\ta\nu\tb\n")
    (tmp_path / "shop.item").write_text("item_id:token\tprice:float\na\t1\nb\t2\n")
    monkeypatch.setattr(item_files, "MAX_UNREQUESTED_BYTES", 10)
    assert load_corpus(tmp_path / "shop.inter", DataSettings()).item_columns is None
    assert "its columns are not kept for rules; name those that are needed" in caplog.text
    named = load_corpus(tmp_path / "shop.inter", DataSettings(item_columns=("price",)))
    assert named.item_columns is not None


def test_an_item_file_beside_the_events_is_kept(tmp_path: Path) -> None:
    (tmp_path / "s.inter").write_text(
        "user_id:token\titem_id:token\ttimestamp:float\na\tx\t1\na\ty\t2\nb\tx\t1\nb\ty\t2\n"
    )
    (tmp_path / "s.item").write_text(
        "item_id:token\tprice:float\tcats:token_seq\tyear:token\tv:float_seq\ttext:token\n"
        f"x\t1.5\ta b\t1998\t1 2\t{'long ' * 100}\ny\t\t\tn/a\t1 2\t{'long ' * 100}\n"
    )
    corpus = load_corpus(tmp_path / "s.inter", DataSettings())
    found = columns_of(corpus.items, corpus.item_columns)
    expected = {"price": [1.5, None], "cats": [["a", "b"], None], "year": ["1998", "n/a"]}
    assert found == {**expected, "item": ["x", "y"]}
    assert any(each.kind == "long_item_columns" for each in corpus.remarks)
    some = load_corpus(tmp_path / "s.inter", DataSettings(item_columns=("text", "price")))
    assert some.item_columns is not None
    assert set(some.item_columns.values.columns) == {"text", "price"}


@pytest.mark.parametrize(
    ("text", "settings", "message"),
    [
        ("item_id,p\ni0,1\ni0,2\n", {}, "item 'i0' has different values in rows 1 and 2"),
        ("item,p\ni0,1\n", {}, r"has no column 'item_id' \(did you mean 'item'"),
        ("item_id,p\n,1\n", {}, "row 1: there is no item"),
        ("item_id,p\nzz,1\n", {}, "has none of the items of shop: it has 'zz', the events have"),
        ("item_id,p\ni0,1\n", {"item_columns": ["price2"]}, "'price2' that neither the events nor"),
        ("item_id,p\ni0,1\n", {"title_column": "tittle"}, "title_column is 'tittle', but neither"),
        ("item_id,p\ni0,1,2,3\n", {}, "cannot be read as csv"),
        ("", {}, "cannot be read as csv"),
    ],
)
def test_bad_tables_of_items_end_in_one_message(
    shop: Path, tmp_path: Path, text: str, settings: dict[str, object], message: str
) -> None:
    path = tmp_path / "items.csv"
    path.write_text(text)
    with pytest.raises(DataError, match=message):
        load_corpus(shop, DataSettings(items_file=str(path), **settings))


def test_tables_that_cannot_be_read_are_refused(shop: Path, tmp_path: Path) -> None:
    (tmp_path / "items.parquet").write_bytes(b"PAR1 nonsense PAR1")
    for name, message in (
        ("items.parquet", "cannot be read as parquet"),
        ("missing.csv", "no such file; items needs a table"),
        ("shop.xlsx", "unknown file suffix '.xlsx' for items"),
    ):
        (tmp_path / "shop.xlsx").write_text("")
        with pytest.raises(DataError, match=message):
            load_corpus(shop, DataSettings(), items=tmp_path / name)
    with pytest.raises(DataError, match="items is a dict; give a path, or a Polars or pandas"):
        load_corpus(shop, DataSettings(), items={"item_id": ["i0"]})  # type: ignore[arg-type]


def test_equal_rows_of_an_item_are_merged(shop: Path, tmp_path: Path) -> None:
    frame = pd.DataFrame({"item_id": ["i0", "i0", "i1"], "p": [1, 1, 2]})
    corpus = load_corpus(shop, DataSettings(), items=frame)
    assert columns_of(corpus.items, corpus.item_columns)["p"][:2] == [1, 2]
    assert [each.count for each in corpus.remarks if each.kind == "repeated_item_rows"] == [1]


def test_a_saved_model_has_its_item_columns(shop: Path, tmp_path: Path) -> None:
    frame = pl.DataFrame(
        {
            "item_id": ["i0", "i1", "i2"],
            "whole": [1, None, 3],
            "number": [0.5, None, 1e300],
            "flag": [True, False, None],
            "text": ["a", None, "ü"],
            "day": pl.Series(["2020-01-02", None, "1969-01-01"]).str.to_date(),
            "moment": pl.Series(["2020-01-02 03:04:05", None, None]).str.to_datetime(),
            "texts": [["a", "b"], [], None],
        }
    )
    model = sasrec.train(str(shop), SMALL, items=frame, out=tmp_path / "model")
    again = sasrec.load(tmp_path / "model")
    assert model.item_columns is not None
    assert again.item_columns is not None
    assert again.item_columns.values.equals(model.item_columns.values)
    rules = {"only_where": "flag and number < 1 and day > date '2000-01-01'"}
    [found] = again.recommend([["i4"]], rules=rules)
    assert found.items == ["i0"]


def test_a_damaged_file_of_item_columns_is_refused(shop: Path, tmp_path: Path) -> None:
    sasrec.train(
        str(shop), SMALL, items=pl.DataFrame({"item_id": ["i0"], "p": [1]}), out=tmp_path / "m"
    )
    (tmp_path / "m" / "manifest.json").unlink()
    file = tmp_path / "m" / "item_columns.json"
    for content in ("[]", '{"p": {"type": "whole", "values": [1]}}', '{"p": {"type": "code"}}'):
        file.write_text(content)
        with pytest.raises(ModelError, match=r"item_columns\.json|damaged or was edited"):
            sasrec.load(tmp_path / "m")


@pytest.mark.parametrize(
    "column",
    [
        {"type": "whole", "values": [1.5, 2]},
        {"type": "whole", "values": [True, 2]},
        {"type": "whole", "values": [2**80, 2]},
        {"type": "text", "values": ["a"]},
        {"type": "texts", "values": ["ab", None]},
        {"type": "texts", "values": [[1], None]},
        {"type": "nothing", "values": [1, 2]},
        {"type": "date", "values": ["2020", None]},
    ],
)
def test_values_of_another_type_are_refused(column: dict[str, object]) -> None:
    with pytest.raises((ModelError, TypeError)):
        item_columns_from_json({"c": column}, Vocabulary(["a", "b"]))


values = st.sampled_from(["1", "-2", "0.5", "1e3", "007", "", "true", "x", "2020-01-31", "1 2"])


@given(st.lists(values, max_size=8))
def test_texts_become_numbers_only_if_all_of_them_are(texts: list[str]) -> None:
    column = pl.Series("c", texts, dtype=pl.String)
    found = parsed_texts(column)
    assert [value is None for value in found.to_list()] == [text == "" for text in texts]
    if found.dtype.is_numeric():
        assert [float(t) for t in texts if t] == [float(v) for v in found.drop_nulls().to_list()]
        assert "007" not in texts
    elif found.dtype == pl.String:
        assert found.drop_nulls().to_list() == [text for text in texts if text]


@given(
    st.lists(st.tuples(st.integers(), st.text(max_size=3)), min_size=2, max_size=6).filter(
        lambda rows: all(abs(number) < 2**63 for number, _ in rows)
    )
)
def test_item_columns_survive_json(rows: list[tuple[int, str]]) -> None:
    frame = pl.DataFrame(
        {"n": [n for n, _ in rows], "t": [t.encode("utf-8", "replace").decode() for _, t in rows]}
    )
    items = Vocabulary([f"i{n}" for n in range(len(rows))])
    text = json.dumps(item_columns_as_json(ItemColumns(items.entries, frame)))
    again = item_columns_from_json(json.loads(text), items)
    assert again is not None
    assert again.values.equals(frame)


def test_infinite_numbers_are_missing_and_told(shop: Path, tmp_path: Path) -> None:
    items = pl.DataFrame(
        {
            "item_id": [f"i{n}" for n in range(5)],
            "margin": [float("inf"), 1.0, float("-inf"), float("nan"), 2.0],
            "price": [1.0, 2.0, 3.0, 4.0, 5.0],
        }
    )
    recommender = sasrec.train(shop, SMALL, items=items)
    [told] = [r for r in recommender.metrics["remarks"] if r["kind"] == "infinite_item_column"]
    assert told["text"] == (
        "2 items have an infinite number in column 'margin', such as 'i0'; it counts as missing"
    )
    folder = recommender.save(tmp_path / "m")
    text = (folder / "item_columns.json").read_text()
    assert "Infinity" not in text
    assert "NaN" not in text
    loaded = sasrec.load(folder)
    assert loaded.item_columns is not None
    assert recommender.item_columns is not None
    assert loaded.item_columns.values.equals(recommender.item_columns.values)
    numbers = dict(zip(loaded.items.entries, loaded.item_columns.values["margin"], strict=True))
    assert numbers == {"i0": None, "i1": 1.0, "i2": None, "i3": None, "i4": 2.0}


@pytest.mark.parametrize("number", ["Infinity", "-Infinity", "NaN", "1e999"])
def test_a_folder_with_infinite_numbers_is_refused(shop: Path, tmp_path: Path, number: str) -> None:
    recommender = sasrec.train(shop, SMALL, item_columns="price")
    folder = recommender.save(tmp_path / "m")
    (folder / "manifest.json").unlink()
    file = folder / "item_columns.json"
    file.write_text(file.read_text().replace("1.5", number))
    with pytest.raises(ModelError, match=r"the item column 'price' has the number .*, which JSON"):
        sasrec.load(folder)


@given(st.lists(st.floats() | st.none(), min_size=1, max_size=6))
def test_written_numbers_are_finite(numbers: list[float | None]) -> None:
    items = Vocabulary([f"i{n}" for n in range(len(numbers))])
    columns = ItemColumns(items.entries, pl.DataFrame({"n": pl.Series(numbers, dtype=pl.Float64)}))
    text = json.dumps(item_columns_as_json(columns), allow_nan=False)
    again = item_columns_from_json(json.loads(text), items)
    assert again is not None
    finite = [None if n is None or not math.isfinite(n) else n for n in numbers]
    assert again.values["n"].to_list() == finite
