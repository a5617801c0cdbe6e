"""Null-like and similar tokens are counted and reported, and cleaned on request."""

from collections.abc import Callable
from pathlib import Path

import pandas as pd
import polars as pl
import pytest

from sasrec.data.checks import doubtful_tokens
from sasrec.data.sources import load_corpus
from sasrec.errors import DataError
from sasrec.remarks import Remark
from sasrec.settings.data import DataSettings

HEAD = "user_id\titem_id\ttimestamp\n"


def write(path: Path, rows: list[tuple[str, str, int]]) -> Path:
    """Write events in the format of a suffix."""
    mark = "\t" if path.suffix in {".tsv", ".inter"} else ","
    names = ["user_id", "item_id", "timestamp"]
    if path.suffix == ".parquet":
        pl.DataFrame(rows, schema=names, orient="row").write_parquet(path)
        return path
    kinds = ["token", "token", "float"] if path.suffix == ".inter" else ["", "", ""]
    head = mark.join(f"{name}:{kind}".rstrip(":") for name, kind in zip(names, kinds, strict=True))
    lines = [mark.join(map(str, row)) for row in rows]
    path.write_text("\n".join([head, *lines, ""]))
    return path


def remarks(source: object, **settings: object) -> list[Remark]:
    """Return the remarks on a source, except those on missing times and consecutive repeats."""
    found = load_corpus(source, DataSettings(**settings)).remarks  # type: ignore[arg-type]
    return [each for each in found if each.kind not in {"no_times", "consecutive_repeats"}]


@pytest.fixture(params=["csv", "tsv", "inter", "parquet", "frame", "pandas"])
def events(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[..., object]:
    """Return a function that makes a source from items, for each kind of source."""

    def of_items(items: list[str], users: list[str] | None = None) -> object:
        users = users or ["u"] * len(items)
        rows = [
            (user, item, 1_700_000_000 + n)
            for n, (user, item) in enumerate(zip(users, items, strict=True))
        ]
        if request.param in {"frame", "pandas"}:
            frame = pl.DataFrame(rows, schema=["user_id", "item_id", "timestamp"], orient="row")
            if request.param == "frame":
                return frame
            return pd.DataFrame(frame.to_dict(as_series=False))
        return write(tmp_path / f"some.{request.param}", rows)

    return of_items


@pytest.mark.parametrize(
    ("items", "kind", "count", "example"),
    [
        (["7", " 7", "8", "8 ", "9"], "spaces", 2, "such as '7' and ' 7'"),
        (["7", "7\xa0", "8"], "spaces", 1, "such as '7' and '7\\xa0'"),
        (["14", "14.0", "15.0", "16", "17"], "numbers", 1, "such as '14' and '14.0'"),
        (["Tea", "tea", "TEA", "cup"], "case", 2, "such as 'Tea' and 'tea'"),
        (["caf\u00e9", "cafe\u0301", "tea"], "unicode", 1, "such as"),
    ],
)
def test_similar_tokens_are_counted_and_merged_on_request(
    events, items: list[str], kind: str, count: int, example: str
) -> None:
    source = events(items)
    assert len(load_corpus(source, DataSettings()).items) == len(items)
    [remark] = remarks(source)
    assert (remark.kind, remark.count) == (f"tokens_alike_but_{kind}", count)
    assert remark.text.startswith(
        f"{count} of {len(items)} tokens in 'item_id' differ from another only in"
    )
    assert example in remark.text
    assert remark.text.endswith(f"clean_tokens={kind} merges them")
    settings = DataSettings(clean_tokens=kind)
    assert len(load_corpus(source, settings).items) == len(items) - count
    assert not remarks(source, clean_tokens=kind)


def test_each_kind_of_difference_has_its_own_remark(events) -> None:
    found = remarks(events(["a", "a ", "A", "7", "7.0", " 7.0", "b", "c"]))
    assert [(remark.kind, remark.count) for remark in found] == [
        ("tokens_alike_but_spaces", 2),
        ("tokens_alike_but_numbers", 1),
        ("tokens_alike_but_case", 1),
    ]


def test_similar_users_are_reported_too(events) -> None:
    [remark] = remarks(events(["a", "b", "c"], users=["Ann", "ann", "bob"]))
    assert (remark.kind, remark.count) == ("tokens_alike_but_case", 1)
    assert "tokens in 'user_id'" in remark.text


def test_ordinary_tokens_cause_no_remark(events) -> None:
    assert not remarks(events(["7", "07", "8", "tea cup", "Tee", "1.5", "2.0", "v1.0", "none7"]))


@pytest.mark.parametrize("text", ["NULL", "nan", "\\N", "NA", "None", "<NA>", "#N/A", "n/a", " ?"])
@pytest.mark.parametrize("column", ["user_id", "item_id"])
def test_rows_with_null_like_texts_are_counted(events, text: str, column: str) -> None:
    some, other = ["a", text, "b", text], ["x", "y", "z", "w"]
    source = events(*((other, some) if column == "user_id" else (some, other)))
    [remark] = [each for each in remarks(source) if each.kind == "null_like_tokens"]
    assert remark.count == 2
    assert f"2 of 4 rows have {text!r} (2) in {column!r}" in remark.text
    assert f'missing_values="{text.strip()}" and incomplete=drop' in remark.text
    settings = DataSettings(missing_values=text.strip(), incomplete="drop")
    corpus = load_corpus(source, settings)
    assert corpus.sequences.n_events == 2
    assert [(each.kind, each.count) for each in corpus.remarks] == [("incomplete_rows", 2)]
    with pytest.raises(
        DataError, match=f"row 2: '{column}' is empty; .*2 of 4 rows are incomplete"
    ):
        load_corpus(source, DataSettings(missing_values=text.strip()))


def test_numbers_that_were_rounded_are_reported(events) -> None:
    texts = ["1.23457E+12", "1.7300000000000003e+18", "9007199254740994.0", "12e5", "7"]
    [remark] = remarks(events(texts))
    assert (remark.kind, remark.count) == ("rounded_numbers", 3)
    assert "3 of 5 tokens in 'item_id' are long numbers" in remark.text
    assert "such as '1.23457E+12'" in remark.text


def test_spaces_around_distinct_tokens_are_reported(events) -> None:
    [remark] = remarks(events(["7 ", "8 ", "9"]))
    assert (remark.kind, remark.count) == ("spaces_around_tokens", 2)


def test_titles_and_lists_are_cleaned_like_tokens(tmp_path: Path) -> None:
    path = write(tmp_path / "shop.inter", [("u", "7", 1), ("u", " 8", 2)])
    (tmp_path / "shop.item").write_text("item_id:token\ttitle:token\n7 \tTea\n8\tCup\n")
    settings = DataSettings(clean_tokens=True, load_columns={"inter": "*", "item": "*"})
    assert load_corpus(path, settings).item_titles() == {"7": "Tea", "8": "Cup"}


def test_all_parts_are_cleaned_in_the_same_way(tmp_path: Path) -> None:
    (tmp_path / "shop").mkdir()
    for part, item in (("train", "7"), ("valid", "7 "), ("test", "7.0")):
        write(
            tmp_path / "shop" / f"shop.{part}.inter",
            [("u", item, 1), ("u", "x", 2), ("u", "NULL", 3)],
        )
    settings = DataSettings(
        split_files=("train", "valid", "test"),
        clean_tokens=True,
        missing_values="NULL",
        incomplete="drop",
    )
    corpus = load_corpus(tmp_path / "shop", settings)
    assert corpus.items.entries.to_list() == ["7", "x"]


@pytest.mark.parametrize("block", [1, 3])
def test_blocks_of_any_size_give_the_same_remarks(
    events, block: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = events(["a", "NULL", "A", "b ", "b", "nan", "c"])
    expected = remarks(source)
    monkeypatch.setattr(doubtful_tokens, "BLOCK", block)
    assert remarks(source) == expected


@pytest.mark.parametrize(
    ("given", "texts"),
    [
        ("NULL,\\N", ("NULL", "\\N")),
        (["nan", 0], ("nan", "0")),
        (None, ("None", "null", "NULL", "Null")),
        ([None, "x"], ("None", "null", "NULL", "Null", "x")),
        (-1, ("-1",)),
    ],
)
def test_missing_values_keep_their_spelling(given: object, texts: tuple[str, ...]) -> None:
    assert DataSettings(missing_values=given).missing_values == texts  # type: ignore[arg-type]


def test_the_suggested_missing_values_include_the_present_ones() -> None:
    frame = pl.DataFrame({"user_id": ["u"] * 5, "item_id": ["a", "NULL", " NULL", "nan", "NA"]})
    dropped, left = remarks(frame, missing_values="NULL", incomplete="drop")
    assert (dropped.kind, dropped.count) == ("incomplete_rows", 2)
    assert (left.kind, left.count) == ("null_like_tokens", 2)
    assert 'missing_values="NULL,nan,NA"' in left.text
    [dropped] = remarks(frame, missing_values="NULL,nan,NA", incomplete="drop")
    assert (dropped.kind, dropped.count) == ("incomplete_rows", 4)


def test_missing_values_are_recognised_after_cleaning_too() -> None:
    frame = pl.DataFrame({"user_id": ["u"] * 4, "item_id": ["a", "B", "NAN", "Nan "]})
    settings = DataSettings(missing_values="nan", clean_tokens="spaces,case", incomplete="drop")
    assert load_corpus(frame, settings).items.entries.to_list() == ["a", "b"]
