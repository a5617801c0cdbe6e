"""The token of a number follows one rule, whatever the source."""

from decimal import Decimal
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sasrec.data.interactions import from_frame
from sasrec.data.sources import load_corpus
from sasrec.data.values.tokens import column_tokens, token_of
from sasrec.errors import DataError
from sasrec.recommender.histories import tokens_of
from sasrec.settings.data import DataSettings

LONG = 1_730_000_000_000_000_001
WHOLE = [
    *(9, 9.0, np.int8(9), np.uint64(9), np.float16(9), np.float32(9), np.float64(9)),
    *(Decimal(9), Decimal("9.00"), "9"),
]


def items(column: object) -> list[str]:
    """Return the item tokens of a column, from any kind of source."""
    length = len(column)  # type: ignore[arg-type]
    if isinstance(column, pl.Series):
        frame = pl.DataFrame({"user_id": ["u"] * length, "item_id": column})
        return load_corpus(frame, DataSettings()).items.entries.to_list()
    table = pd.DataFrame({"user_id": ["u"] * length, "item_id": column})
    return load_corpus(table, DataSettings()).items.entries.to_list()


@pytest.mark.parametrize("value", WHOLE, ids=lambda value: type(value).__name__)
def test_a_whole_number_has_one_token_whatever_its_type(value: object) -> None:
    assert token_of(value) == "9"
    assert tokens_of([value], "a history") == ["9"]  # type: ignore[list-item]
    assert items(pd.Series([value], dtype=object)) == ["9"]
    assert items(pl.Series([value], dtype=pl.Object)) == ["9"]


@pytest.mark.parametrize(
    "kind", [pl.Int8, pl.UInt64, pl.Int128, pl.Float16, pl.Float32, pl.Float64, pl.Decimal(9, 2)]
)
def test_columns_of_numbers_have_the_tokens_of_their_numbers(kind: pl.DataType) -> None:
    assert items(pl.Series([9, 14, 0], dtype=pl.Int8).cast(kind)) == ["9", "14", "0"]


@pytest.mark.parametrize(
    "kind", ["int64", "Int64", "UInt8", "float64", "float32", "float16", "Float64", "category", "O"]
)
def test_columns_of_pandas_have_the_tokens_of_their_numbers(kind: str) -> None:
    assert items(pd.Series([9, 14, 9], dtype="float64").astype(kind)) == ["9", "14"]
    assert items(pd.Series([9, 14, 9]).astype(kind)) == ["9", "14"]


def test_mixed_objects_all_follow_the_same_rule() -> None:
    assert items(pd.Series([100, 100.0, "100", np.float32(7), "x", "100.0"], dtype=object)) == [
        "100",
        "7",
        "x",
        "100.0",
    ]
    assert items(pd.Series([100, 100.0, "x"]).astype("category")) == ["100", "x"]


def test_long_whole_numbers_keep_their_digits_beside_missing_ones() -> None:
    settings = DataSettings(incomplete="drop")
    for column in (
        pd.Series([LONG, None, LONG + 1], dtype="Int64"),
        pd.Series([LONG, None, LONG + 1], dtype=object),
        pd.Series(pd.Categorical.from_codes([0, -1, 1], categories=[LONG, LONG + 1])),
    ):
        frame = pd.DataFrame({"user_id": ["u"] * 3, "item_id": column})
        corpus = load_corpus(frame, settings)
        assert corpus.items.entries.to_list() == [str(LONG), str(LONG + 1)]


@pytest.mark.parametrize(
    ("kind", "first"), [(pl.Float64, 2**53), (pl.Float32, 2**24), (pl.Float16, 2**11)]
)
@pytest.mark.parametrize("sign", [1, -1])
def test_floats_too_large_to_be_exact_are_refused_as_tokens(
    kind: type[pl.DataType], first: int, sign: int
) -> None:
    last = pl.Series("item_id", [1, sign * (first - 1)]).cast(kind)
    assert column_tokens(last, "here").to_list() == ["1", str(sign * (first - 1))]
    cure = r"row 3: 'item_id' is .*, and a float .* read the column as text from its source"
    with pytest.raises(DataError, match=cure):
        column_tokens(pl.Series("item_id", [1, None, sign * first]).cast(kind), "here")


def test_inexact_floats_are_refused_by_every_entry_point(tmp_path: Path) -> None:
    values = [float(LONG), 2.0]
    frame = pl.DataFrame({"user_id": ["u", "u"], "item_id": values})
    frame.write_parquet(tmp_path / "some.parquet")
    objects = pd.DataFrame({"user_id": ["u", "u"], "item_id": pd.Series(values, dtype=object)})
    for source in (frame, objects):
        with pytest.raises(DataError, match="can stand for several whole numbers"):
            load_corpus(source, DataSettings())
    with pytest.raises(DataError, match=r"row 1: 'item_id' is 1.73e\+18, and a float"):
        load_corpus(tmp_path / "some.parquet", DataSettings())
    with pytest.raises(DataError, match=r"1.73e\+18 is neither: a float .* so give it as text"):
        tokens_of([float(LONG)], "a history")  # type: ignore[list-item]


@pytest.mark.parametrize("value", [True, np.True_, 1.5, float("nan"), float("inf"), None, b"a", ()])
def test_only_texts_and_whole_numbers_are_tokens(value: object) -> None:
    with pytest.raises(ValueError, match=r"neither|cannot be ids"):
        token_of(value)
    with pytest.raises(DataError, match=r"a list of texts or whole numbers, and .* is neither"):
        tokens_of([value], "a history")  # type: ignore[list-item]


@pytest.mark.parametrize(
    ("column", "said"),
    [
        (
            pl.Series([True, False]),
            "column 'item_id' has type Boolean; convert it to text or",
        ),
        (
            pd.Series([True, False]),
            "column 'item_id' has type Boolean; convert it to text or",
        ),
        (pd.Series([True, 7], dtype=object), "row 1: 'item_id' is True, and True and False cannot"),
        (pd.Series([7, 7.5], dtype=object), "row 2: 'item_id' is 7.5, and that is neither a text"),
        (pl.Series([Decimal("1"), Decimal("1.5")]), "row 2: 'item_id' is 1.5; users and items"),
        (pd.Series([7, b"7"], dtype=object), "row 2: 'item_id' is b'7', and that is neither"),
    ],
)
def test_the_row_of_an_invalid_token_is_named(column: object, said: str) -> None:
    with pytest.raises(DataError, match=said):
        items(column)


@given(st.lists(st.integers(-(2**53) + 1, 2**53 - 1), min_size=1, max_size=20))
def test_a_series_and_its_values_have_the_same_tokens(numbers: list[int]) -> None:
    expected = [str(number) for number in numbers]
    for kind in (pl.Int64, pl.Float64, pl.String, pl.Object):
        values = numbers if kind != pl.String else expected
        assert column_tokens(pl.Series("item", values, dtype=kind), "here").to_list() == expected
    assert [token_of(float(number)) for number in numbers] == expected


def test_a_frame_and_its_parquet_file_have_the_same_tokens(tmp_path: Path) -> None:
    frame = pl.DataFrame({"user_id": [1.0, 2.0], "item_id": [9.0, 14.0]})
    frame.write_parquet(tmp_path / "some.parquet")
    frame.write_csv(tmp_path / "some.csv")
    cleaning = DataSettings(clean_tokens=("numbers",))
    for source, settings in (
        (frame, DataSettings()),
        (tmp_path / "some.parquet", DataSettings()),
        (tmp_path / "some.csv", cleaning),
    ):
        corpus = load_corpus(source, settings)
        assert corpus.users.entries.to_list() == ["1", "2"]
        assert corpus.items.entries.to_list() == ["9", "14"]
    remarks = load_corpus(tmp_path / "some.csv", DataSettings()).remarks
    assert [remark.kind for remark in remarks] == ["no_times"] + ["numbers_with_a_point"] * 2
    assert remarks[2].text == (
        "2 of 2 tokens in 'item_id' are whole numbers with a decimal point, such as '9.0', as CSV "
        "files have them that were written from a column of floats; clean_tokens=numbers reads "
        "'9', as data frames and Parquet files do"
    )


def test_from_frame_takes_objects() -> None:
    frame = pl.DataFrame({"user": ["a"], "item": pl.Series([9.0], dtype=pl.Object)})
    assert from_frame(frame, time=None).items.to_list() == ["9"]
