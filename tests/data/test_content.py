"""Content of items: columns and ready vectors, as attributes and numbers."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import save_file

from sasrec.data.content.columns import (
    LARGEST,
    as_lists,
    as_numbers,
    number_column,
    standardised,
)
from sasrec.data.content.encoding import ContentTables, ItemContent, encode_content
from sasrec.data.content.vectors import read_item_vectors
from sasrec.data.corpus import Corpus
from sasrec.data.sources import load_corpus
from sasrec.errors import DataError, SettingsError
from sasrec.settings.data import DataSettings
from sasrec.settings.resolve import resolve_settings

EVENTS = pl.DataFrame(
    {"user_id": ["u", "u", "v", "v"], "item_id": ["a", "b", "b", "c"], "timestamp": [1, 2, 1, 2]}
)
ITEMS = pl.DataFrame(
    {
        "item_id": ["a", "b", "c", "new"],
        "kind": ["tea", "pot", None, "tea"],
        "tags": ["x|y", "y", "", "x|unheard"],
        "price": [1.0, 3.0, None, 2.0],
        "code": [1, 2, 1, 2],
        "picture": [[1.0, 0.0], [0.0, 1.0], None, [1.0, 1.0]],
    }
)


def encoded(*columns: str, items: pl.DataFrame = ITEMS, trained: str = "abc") -> ItemContent:
    settings = DataSettings(content_columns=columns)
    corpus = load_corpus(EVENTS, settings, items=items)
    return encode(corpus, [int(item in trained) for item in corpus.items.entries])


def encode(corpus: Corpus, counts: list[int]) -> ItemContent:
    assert corpus.content is not None
    tables = ContentTables(corpus.items, corpus.item_columns, corpus.content)
    return encode_content(tables, np.array([0, *counts]))


def attributes_of(content: ItemContent, item: int) -> dict[str, float]:
    """Return the categories of an item and their weights."""
    names = [value for column in content.columns for value in column.values]
    begin, end = content.encoded.offsets[item : item + 2].tolist()
    codes, weights = content.encoded.attributes[begin:end], content.encoded.weights[begin:end]
    return {names[code]: weight for code, weight in zip(codes, weights.tolist(), strict=True)}


def texts(content: ItemContent) -> str:
    return "\n".join(remark.text for remark in content.remarks)


def test_a_category_is_an_attribute_and_a_missing_one_is_counted() -> None:
    found = encoded("kind")
    assert [attributes_of(found, item) for item in (1, 2, 3, 4)] == [
        {"tea": 1.0},
        {"pot": 1.0},
        {},
        {"tea": 1.0},
    ]
    assert found.known.tolist() == [False, True, True, False, True]
    assert "content 'kind': 1 item has no value, of 4" in texts(found)


def test_an_item_without_events_is_part_of_the_catalogue() -> None:
    corpus = load_corpus(EVENTS, DataSettings(content_columns=("kind",)), items=ITEMS)
    assert corpus.items.entries.to_list() == ["a", "b", "c", "new"]
    without = load_corpus(EVENTS, DataSettings(), items=ITEMS)
    assert without.items.entries.to_list() == ["a", "b", "c"]


def test_lists_are_split_at_bars_and_have_length_one() -> None:
    found = encoded("tags")
    assert attributes_of(found, 1) == pytest.approx({"x": 0.5**0.5, "y": 0.5**0.5})
    assert attributes_of(found, 2) == {"y": 1.0}


def test_a_category_of_untrained_items_only_is_ignored_and_counted() -> None:
    found = encoded("tags")
    assert attributes_of(found, 4) == {"x": 1.0}
    assert "content column 'tags': 1 value occurs only in items without a training event" in texts(
        found
    )
    assert "'unheard'" in texts(found)


def test_repeated_values_count_more_but_less_than_in_proportion() -> None:
    items = ITEMS.with_columns(tags=pl.Series([["x"] * 9 + ["y"], ["y"], ["x"], ["x"]]))
    weights = attributes_of(encoded("tags", items=items), 1)
    assert 1 < weights["x"] / weights["y"] < 9
    assert np.linalg.norm(list(weights.values())) == pytest.approx(1, abs=1e-6)  # float32


def test_numbers_are_standardised_by_trained_items_and_missing_ones_are_flagged() -> None:
    numbers = encoded("price").encoded.numbers
    # mean 2 and standard deviation 1 of the prices of a and b
    assert numbers.tolist() == [[0, 0], [-1, 1], [1, 1], [0, 0], [0, 1]]


def test_an_extreme_number_is_cut() -> None:
    column = number_column("price", np.array([0.0, 1.0]), np.array([True, True]))
    assert standardised(column, np.array([1e9, -1e9]))[:, 0].tolist() == [LARGEST, -LARGEST]


def test_a_constant_number_does_not_divide_by_zero() -> None:
    items = ITEMS.with_columns(price=pl.lit(7.0))
    assert torch.isfinite(encoded("price", items=items).encoded.numbers).all()


def test_whole_numbers_are_numbers_unless_they_are_given_as_codes() -> None:
    assert encoded("code").columns[0].kind == "number"
    assert encoded("code:token").columns[0].values == ("1", "2")


def test_vectors_of_a_column_are_centred_and_have_mean_squared_length_one() -> None:
    rows = encoded("picture").encoded.numbers
    assert rows[1] + rows[2] == pytest.approx(0, abs=1e-6)
    assert rows[[1, 2]].square().sum(1).mean() == pytest.approx(1)
    assert rows[3].tolist() == [0, 0]


def test_several_columns_stand_side_by_side() -> None:
    found = encoded("kind", "tags", "price", "picture")
    assert found.encoded.n_attributes == 4
    assert found.encoded.numbers.shape == (5, 4)
    assert attributes_of(found, 1) == pytest.approx({"tea": 1, "x": 0.5**0.5, "y": 0.5**0.5})


def test_an_item_without_a_row_is_counted() -> None:
    found = encoded("kind", items=ITEMS.filter(pl.col("item_id") != "b"))
    assert "1 item has no row in the items file, such as 'b'" in texts(found)
    assert attributes_of(found, 2) == {}


def test_a_space_separated_list_of_an_item_file(tmp_path: Path) -> None:
    folder = tmp_path / "shop"
    folder.mkdir()
    EVENTS.write_csv(folder / "log.csv")
    (folder / "shop.inter").write_text(
        "user_id:token\titem_id:token\ttimestamp:float\nu\ta\t1\nu\tb\t2\n"
    )
    (folder / "shop.item").write_text(
        "item_id:token\ttags:token_seq\tgenres:token_seq\tpicture:float_seq\n"
        "a\tx y y\tDark|Fun\t1 0\nb\ty\tFun\t0 1\n"
    )
    settings = DataSettings(content_columns=("tags", "genres", "picture"))
    corpus = load_corpus(folder, settings)
    found = encode(corpus, [1, 1])
    assert sorted(attributes_of(found, 1)) == ["Dark", "Fun", "x", "y"]
    assert found.encoded.numbers.shape == (3, 2)


words = st.text("abc ", min_size=1).map(str.strip).filter(bool)


@given(st.lists(st.lists(words, max_size=4), min_size=1, max_size=5))
def test_lists_in_any_spelling_give_the_same_categories(rows: list[list[str]]) -> None:
    as_list = as_lists(pl.Series("c", rows, dtype=pl.List(pl.String)), None, " ")
    joined = pl.Series("c", ["|".join(["", *row]) for row in rows])
    as_text = as_lists(joined, None, " ")
    assert as_list is not None
    assert as_text is not None
    assert as_list.to_list() == as_text.to_list() == [row or None for row in rows]


@pytest.mark.parametrize(
    ("columns", "items", "expected"),
    [
        (("colour",), ITEMS, "content_columns names a column 'colour' that neither the events nor"),
        (("kinds",), ITEMS, "did you mean 'kind'"),
        (("kind:float",), ITEMS, "content column 'kind' is given as float, but has text"),
        (
            ("price",),
            ITEMS.with_columns(price=pl.lit(float("inf"))),
            "content column 'price' contains infinity",
        ),
        (
            ("kind",),
            ITEMS.with_columns(kind=pl.Series([None, None, None, "tea"])),
            "content column 'kind' has no value for any item with a training event",
        ),
        (
            ("price",),
            ITEMS.with_columns(price=pl.Series([None, None, None, 1.0])),
            "content column 'price' has no number for any item with a training event",
        ),
        (
            ("picture",),
            ITEMS.with_columns(picture=pl.Series([[1.0, 2.0], [1.0, 2.0], [3.0], None])),
            "the vector of item 'c' has 1 numbers, but 2 others have 2",
        ),
        (
            ("picture",),
            ITEMS.with_columns(picture=pl.Series([[1.0, float("nan")], [1.0, 2.0], None, None])),
            "the vector of item 'a' contains NaN or infinity (1 such vector)",
        ),
        (
            ("kind",),
            pl.concat([ITEMS, ITEMS.head(1).with_columns(kind=pl.lit("pot"))]),
            "item 'a' has different values in rows 1 and 5",
        ),
    ],
)
def test_unusable_content_is_refused(
    columns: tuple[str, ...], items: pl.DataFrame, expected: str
) -> None:
    with pytest.raises(DataError) as raised:
        encoded(*columns, items=items)
    assert expected in str(raised.value)


def test_a_column_may_be_listed_only_once() -> None:
    with pytest.raises(SettingsError, match="'price' is listed twice"):
        resolve_settings({"content_columns": "price,price:token"})


@pytest.mark.parametrize("key", ["content_columns", "item_vectors"])
def test_a_model_that_learns_from_events_only_says_so(key: str) -> None:
    with pytest.raises(
        SettingsError, match=f"GRU4Rec learns from events only and cannot use {key}"
    ):
        resolve_settings({key: "kind"}, "GRU4Rec")


VECTORS = np.array([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0], [7.0, 8.0]], dtype=np.float32)
TOKENS = ITEMS["item_id"]


def written(folder: Path, name: str) -> Path:
    path = folder / name
    frame = pl.DataFrame({"item": TOKENS, "vector": VECTORS.tolist()})
    if name.endswith(".npy"):
        np.save(path, VECTORS)
    elif name.endswith(".safetensors"):
        save_file({"vectors": torch.from_numpy(VECTORS)}, path)
    elif name.endswith(".jsonl"):
        frame.write_ndjson(path)
    elif name.endswith(".parquet"):
        frame.with_columns(pl.col("vector").cast(pl.Array(pl.Float32, 2))).write_parquet(path)
    else:
        lines = [f"{t}\t{v[0]} {v[1]}" for t, v in zip(TOKENS, VECTORS.tolist(), strict=True)]
        path.write_text("\n".join(["iid:token\titem_emb:float_seq", *lines]) + "\n")
    return path


@pytest.mark.parametrize("name", ["v.npy", "v.safetensors", "v.jsonl", "v.parquet", "v.itememb"])
def test_vectors_of_every_format_are_the_same(tmp_path: Path, name: str) -> None:
    path = written(tmp_path, name)
    found = read_item_vectors(str(path), DataSettings(), TOKENS)
    assert found.items.to_list() == TOKENS.to_list()
    assert np.array_equal(found.values, VECTORS)


@pytest.mark.parametrize("name", ["v.npy", "v.jsonl"])
def test_a_file_of_vectors_is_the_content_of_its_items(tmp_path: Path, name: str) -> None:
    settings = DataSettings(item_vectors=str(written(tmp_path, name)))
    corpus = load_corpus(EVENTS, settings, items=ITEMS)
    found = encode(corpus, [1, 1, 1, 0])
    assert found.known.tolist() == [False, True, True, True, True]
    steps = np.diff(found.encoded.numbers[1:].numpy(), axis=0)
    assert steps == pytest.approx(np.full((3, 2), steps[0, 0]))  # as in the file


def test_an_items_file_may_have_nothing_but_the_order_of_the_items(tmp_path: Path) -> None:
    settings = DataSettings(item_vectors=str(written(tmp_path, "v.npy")))
    corpus = load_corpus(EVENTS, settings, items=ITEMS.select("item_id"))
    assert encode(corpus, [1, 1, 1, 0]).known.tolist() == [False, True, True, True, True]


def test_vectors_with_numbers_as_items_in_safetensors(tmp_path: Path) -> None:
    path = tmp_path / "v.safetensors"
    content = {"vectors": torch.from_numpy(VECTORS), "item_id": torch.tensor([4, 3, 2, 1])}
    save_file(content, path)
    assert read_item_vectors(str(path), DataSettings(), None).items.to_list() == list("4321")


def test_a_matrix_named_like_the_items_is_no_list_of_them(tmp_path: Path) -> None:
    path, rows = tmp_path / "v.safetensors", pl.Series(["a", "b", "c", "d"])
    save_file({"items": torch.from_numpy(VECTORS)}, path)
    assert read_item_vectors(str(path), DataSettings(), rows).items.to_list() == rows.to_list()
    save_file({"v": torch.from_numpy(VECTORS), "item": torch.tensor([4.0, 3.0, 2.0, 1.0])}, path)
    assert read_item_vectors(str(path), DataSettings(), rows).items.to_list() == list("4321")


def test_whole_numbers_that_became_floats_are_the_same_categories() -> None:
    items = pl.DataFrame({"item_id": ["a", "b"], "code": [7.0, None]})
    corpus = load_corpus(EVENTS, DataSettings(content_columns=("code:token",)), items=items)
    assert encode(corpus, [1, 1, 1]).columns[0].values == ("7",)


def _save(array: object) -> object:
    return lambda path: np.save(path, np.array(array))


@pytest.mark.parametrize(
    ("name", "write", "expected"),
    [
        ("missing.npy", lambda path: None, "no such file"),
        ("v.npy", lambda path: path.write_bytes(b"nothing"), "cannot be read"),
        ("v.npy", _save([1.0, 2.0]), "must be a matrix of numbers"),
        ("v.npy", _save([["a"]]), "must be a matrix of numbers"),
        ("v.npy", _save([[1j]] * 4), "v.npy holds complex128 of shape [4, 1]"),
        ("v.npy", _save([[1e39]] * 4), "item 'a' contains NaN or infinity (4 such vectors)"),
        ("v.npy", _save([[1.0]] * 3), "has 3 rows, but the items file has 4"),
        ("v.npy", _save([[np.nan]] * 4), "item 'a' contains NaN or infinity (4 such vectors)"),
        ("v.safetensors", lambda path: path.write_bytes(b"nothing"), "cannot be read"),
        ("v.csv", lambda path: path.write_text("a,b\n1,2\n"), "unknown file suffix '.csv'"),
        ("v.parquet", lambda path: path.write_bytes(b"nothing"), "cannot be read as parquet"),
        (
            "v.parquet",
            lambda path: pl.DataFrame({"item": ["a"], "x": [1.0]}).write_parquet(path),
            "exactly one column must hold vectors",
        ),
        (
            "v.jsonl",
            lambda path: path.write_text('{"product": "a", "vector": [0.5]}\n'),
            "there is no column 'item_id' of items",
        ),
        (
            "v.jsonl",
            lambda path: path.write_text('{"item": "a", "vector": [0.5]}\n' * 2),
            "item 'a' has two vectors, in rows 1 and 2",
        ),
        (
            "v.emb",
            lambda path: path.write_text("iid:token\tv:float_seq\na\t1 x\n"),
            "v of item 'a' is not a list of numbers: '1 x'",
        ),
    ],
)
def test_unusable_vectors_are_refused(
    tmp_path: Path, name: str, write: object, expected: str
) -> None:
    path = tmp_path / name
    write(path)  # type: ignore[operator]
    with pytest.raises(DataError) as raised:
        read_item_vectors(str(path), DataSettings(), TOKENS)
    assert expected in str(raised.value)


def test_a_file_without_items_needs_an_items_file(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="does not say which item each row belongs to"):
        read_item_vectors(str(written(tmp_path, "v.npy")), DataSettings(), None)


def test_vectors_of_other_items_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "v.jsonl"
    path.write_text('{"item": "other", "vector": [0.5]}\n')
    with pytest.raises(DataError, match="has none of the items of data frame: it has 'other'"):
        load_corpus(EVENTS, DataSettings(item_vectors=str(path)))


def test_dates_are_numbers() -> None:
    values = as_numbers(pl.Series("d", ["2024-01-01", None, "2024-01-03"]).str.to_date())
    assert values[2] - values[0] == 2
    assert np.isnan(values[1])


def test_content_of_the_events_has_no_rows_in_an_items_file() -> None:
    events = EVENTS.with_columns(price=pl.lit(2.5))
    corpus = load_corpus(events, DataSettings(content_columns=("price",)))
    assert [each.kind for each in encode(corpus, [1, 1, 1]).remarks] == []
