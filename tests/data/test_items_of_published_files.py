"""Item columns and .item files of data in several files, compressed, encoded, or without header."""

import gzip
import json
from pathlib import Path

import polars as pl
import pytest

import sasrec
from sasrec.data.corpus import Corpus
from sasrec.data.sources import item_groups, load_corpus
from sasrec.errors import DataError, ModelError
from sasrec.settings.data import DataSettings
from sasrec.settings.registry import READERS

HEAD = "user_id,item_id,timestamp,price\n"
ATOMIC = "user_id:token\titem_id:token\ttimestamp:float\n" + "".join(
    f"u{user}\ti{(user + step) % 4}\t{step}\n" for user in range(6) for step in range(3)
)
ITEMS = "item_id:token\tname:token_seq\tclass:token_seq\tprice:float\n" + "".join(
    f"i{item}\tCafé {item}\tred blue\t{item}.5\n" for item in range(4)
)
SMALL = {"epochs": 1, "hidden_size": 8, "preset": "recbole", "time_column": "none"}


def prices(corpus: Corpus) -> dict[str, object]:
    assert corpus.item_columns is not None
    frame = corpus.item_columns.aligned(corpus.items)
    return dict(zip(corpus.items.entries.to_list(), frame["price"].to_list(), strict=True))


@pytest.fixture
def parts(tmp_path: Path) -> Path:
    folder = tmp_path / "dataset" / "parts"
    folder.mkdir(parents=True)
    (folder / "feb.csv").write_text(HEAD + "u,a,3,2.5\nv,b,4,7\n")
    (folder / "jan.csv").write_text(HEAD + "u,b,1,6\nv,a,2,1.5\n")
    return folder


def test_item_columns_come_from_all_parts_and_the_latest_event(parts: Path) -> None:
    settings = DataSettings(item_columns=("price",), data_path=str(parts.parent))
    sources = [parts, "parts", f"{parts}/*.csv", [parts / "jan.csv", parts / "feb.csv"]]
    for source in sources:
        assert prices(load_corpus(source, settings)) == {"a": 2.5, "b": 7.0}


def test_a_part_without_an_item_column_of_the_others_is_refused(parts: Path) -> None:
    (parts / "mar.csv").write_text("user_id,item_id,timestamp\nu,a,5\n")
    with pytest.raises(DataError, match=r"mar\.csv has no column 'price', which .*feb\.csv has"):
        load_corpus(parts, DataSettings(item_columns=("price",)))


def test_an_items_file_belongs_to_all_parts(parts: Path, tmp_path: Path) -> None:
    path = tmp_path / "items.csv.gz"
    path.write_bytes(gzip.compress("item_id,title,price\na,Café,8\nb,Bar,9\n".encode("latin-1")))
    settings = DataSettings(items_file=str(path), encoding="latin-1")
    corpus = load_corpus(parts, settings)
    assert prices(corpus) == {"a": 8, "b": 9}
    assert corpus.item_titles() == {"a": "Café", "b": "Bar"}
    wrong = DataSettings(items_file=str(path), item_column="item", user_column="user_id")
    (tmp_path / "e.csv").write_text("user_id,item,timestamp\nu,a,1\n")
    with pytest.raises(DataError, match=r"items\.csv\.gz"):
        load_corpus(tmp_path / "e.csv", wrong)


@pytest.mark.parametrize("end", ["txt", "jsonl", "parquet"])
def test_item_columns_of_other_formats(end: str, tmp_path: Path) -> None:
    path = tmp_path / f"e.{end}"
    rows = [("u", "a", 1, 1.5), ("u", "b", 2, 6.0), ("v", "a", 3, 2.5)]
    names = ["user_id", "item_id", "timestamp", "price"]
    if end == "parquet":
        pl.DataFrame(rows, schema=names, orient="row").write_parquet(path)
    elif end == "jsonl":
        path.write_text(
            "".join(json.dumps(dict(zip(names, row, strict=True))) + "\n" for row in rows)
        )
    else:
        path.write_text("".join("::".join(map(str, row)) + "\n" for row in rows))
    columns = ("user", "item", "time", "price") if end == "txt" else None
    corpus = load_corpus(path, DataSettings(item_columns=("price",), columns=columns))
    assert prices(corpus) == {"a": 2.5, "b": 6.0}


def test_an_item_column_that_only_later_objects_have_is_refused(tmp_path: Path) -> None:
    first = '{"user_id": 1, "item_id": 2, "timestamp": 3}\n' * 2000
    path = tmp_path / "late.jsonl"
    path.write_text(first + '{"user_id": 1, "item_id": 2, "timestamp": 3, "price": 4}\n')
    with pytest.raises(DataError, match="the first lines have no 'price', but later ones do"):
        load_corpus(path, DataSettings(item_columns=("price",)))


@pytest.mark.parametrize("name", ["shop.inter", "shop.inter.gz"])
def test_the_item_file_beside_is_found_and_decoded(name: str, tmp_path: Path) -> None:
    text = ATOMIC.encode("latin-1")
    (tmp_path / name).write_bytes(gzip.compress(text) if name.endswith("gz") else text)
    (tmp_path / "shop.item").write_bytes(ITEMS.encode("latin-1"))
    settings = DataSettings(encoding="latin-1")
    corpus = load_corpus(tmp_path / name, settings)
    assert prices(corpus)["i3"] == 3.5
    assert corpus.item_titles()["i3"] == "Café 3"
    found = item_groups(str(tmp_path / name), settings, corpus.items.entries)
    assert found["i3"] == ["red", "blue"]


def test_all_missing_columns_of_parts_are_named_at_once(parts: Path) -> None:
    settings = DataSettings(user_column="who", item_column="what", time_column="when")
    with pytest.raises(DataError) as caught:
        load_corpus(parts, settings)
    text = str(caught.value)
    assert "feb.csv has no column 'who'" in text
    for option in ("--user-column=", "--item-column=", "--time-column="):
        assert option in text


def test_the_plug_in_of_a_compressed_file_is_recorded(tmp_path: Path) -> None:
    path = tmp_path / "events.lines.gz"
    path.write_bytes(gzip.compress(b"a 1\na 2\na 3\nb 2\nb 3\nb 1\n"))

    def read(path: Path, settings: object) -> pl.DataFrame:
        rows = [line.split() for line in gzip.decompress(path.read_bytes()).decode().splitlines()]
        return pl.DataFrame(rows, schema=["user_id", "item_id"], orient="row")

    sasrec.register_reader(".lines", read)
    try:
        sasrec.train(path, SMALL, out=tmp_path / "m")
    finally:
        READERS._external.clear()
    [part] = json.loads((tmp_path / "m" / "settings.json").read_text())["plugins"]
    assert (part["part"], part["name"]) == ("reader", "lines")
    with pytest.raises(ModelError, match="the model needs the reader 'lines'"):
        sasrec.evaluate(tmp_path / "m")
