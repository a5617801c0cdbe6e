"""Numbers with decimal commas: read only where a whole column has them, and told."""

import logging
from decimal import Decimal
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

import sasrec
from sasrec.data.sources import load_corpus
from sasrec.data.values.parsed_texts import comma_remark, parsed_columns, parsed_texts
from sasrec.recommender.recommender import Recommender
from sasrec.settings.data import DataSettings

SMALL = {"epochs": 1, "hidden_size": 8, "inner_size": 8, "n_layers": 1, "n_heads": 1}
EVENTS = "user_id;item_id;timestamp;paid\n" + "".join(
    f"u{user};i{(user + step) % 4};{step};{user % 3},{step}5\n"
    for user in range(8)
    for step in range(4)
)
ITEMS = "item_id;price;tags\ni0;3,50;1,2\ni1;1.234,5;3,4\ni2;12;1,4\ni3;-0,125;2,3\ni9;;2,1\n"


@pytest.mark.parametrize(
    ("texts", "numbers"),
    [
        (["3,50"], [3.5]),
        (
            ["3,50", "12", "-1.234.567,8", "0,125", "12345,678"],
            [3.5, 12, -1234567.8, 0.125, 12345.678],
        ),
        (["3,50", None, " 7 ", ""], [3.5, None, 7, None]),
        (["1,2345"], [1.2345]),
    ],
)
def test_a_column_of_decimal_commas_is_numbers(texts, numbers: list[float | None]) -> None:
    assert parsed_texts(pl.Series("c", texts)).to_list() == numbers


@pytest.mark.parametrize(
    "texts",
    [
        ["1,234"],  # thousands in English
        ["3,50", "1,234"],
        ["3,50", "3.5"],  # which is it?
        ["3,50", "1.234"],
        ["1,234,567"],
        ["1,2,3"],
        ["007,5"],
        ["3,50", "cheap"],
        ["3,50", "1e3"],
        ["3,"],
        [",5"],
        ["1.23,5"],
    ],
)
def test_what_may_mean_something_else_stays_text(texts: list[str]) -> None:
    column = pl.Series("c", texts)
    parsed = parsed_texts(column)
    assert parsed.to_list() == texts
    assert comma_remark(column, parsed) == ()


def german(number: Decimal) -> str:
    return f"{number:,}".replace(",", "_").replace(".", ",").replace("_", ".")


@given(st.lists(st.decimals(-(10**9), 10**9, places=2), min_size=1, max_size=9))
def test_what_is_written_with_commas_is_read_back(numbers: list[Decimal]) -> None:
    texts = [german(number) for number in numbers]
    column = pl.Series("c", texts)
    [parsed], remarks = parsed_columns([column])
    assert parsed.to_list() == [float(number) for number in numbers]
    assert [remark.count for remark in remarks] == [len(numbers)]


@given(st.lists(st.text("0123456789.,-e ", max_size=8), max_size=6))
def test_no_text_loses_its_digits(texts: list[str]) -> None:
    parsed = parsed_texts(pl.Series("c", texts, dtype=pl.String))
    if parsed.dtype == pl.Float64 and any("," in text for text in texts):
        for text, value in zip(texts, parsed, strict=True):
            if text.strip():
                assert value == float(text.strip().replace(".", "").replace(",", "."))
                assert text.count(",") <= 1


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    (tmp_path / "log.csv").write_text(EVENTS)
    (tmp_path / "items.csv").write_text(ITEMS)
    return tmp_path


def test_item_columns_have_decimal_commas(shop: Path) -> None:
    settings = DataSettings(items_file=str(shop / "items.csv"), item_columns=("paid", "price"))
    corpus = load_corpus(shop / "log.csv", settings)
    assert corpus.item_columns is not None
    values = corpus.item_columns.values
    assert values.schema == {"paid": pl.Float64, "price": pl.Float64}
    assert values["price"].to_list() == [3.5, 1234.5, 12.0, -0.125, None]
    told = [remark.text for remark in corpus.remarks if remark.kind == "decimal_commas"]
    assert told == [
        "32 values of column 'paid' have decimal commas: 0,05 is read as 0.05",
        "3 values of column 'price' have decimal commas: 3,50 is read as 3.50",
    ]


def test_lists_that_the_user_named_keep_their_commas(shop: Path) -> None:
    settings = {"items_file": str(shop / "items.csv"), "sequence_separator": ","}
    asked = sasrec.train(shop / "log.csv", SMALL, **settings, content_columns="tags:token_seq")
    assert asked.content[0].values == ("1", "2", "3", "4")
    read = sasrec.train(shop / "log.csv", SMALL, **settings, content_columns="tags")
    assert read.content[0].kind == "number"


def test_the_float_columns_of_an_item_file_may_have_commas(shop: Path) -> None:
    (shop / "log.item").write_text("item_id:token\tprice:float\ni0\t3,50\ni1\t4\n")
    corpus = load_corpus(shop / "log.csv", DataSettings())
    assert corpus.item_columns is not None
    assert corpus.item_columns.values["price"].to_list() == [3.5, 4.0]
    assert [each.kind for each in corpus.remarks if "price" in each.text] == ["decimal_commas"]


def test_fresh_items_with_commas_serve_rules(shop: Path, caplog: pytest.LogCaptureFixture) -> None:
    recommender: Recommender = sasrec.train(shop / "log.csv", SMALL)
    with caplog.at_level(logging.WARNING):
        [found] = recommender.recommend(
            [["i0"]],
            rules={"only_where": "price > 3.5", "seen": "always"},
            items=shop / "items.csv",
        )
    assert found.items == ["i1", "i2"]
    assert "3 values of column 'price' have decimal commas" in caplog.text


def test_titles_keep_their_commas(shop: Path) -> None:
    (shop / "items.csv").write_text("item_id;title\ni0;3,50\ni1;4,10\n")
    corpus = load_corpus(shop / "log.csv", DataSettings(items_file=str(shop / "items.csv")))
    assert corpus.item_titles()["i0"] == "3,50"
