"""The time column is the one named in the settings; similar columns are not ignored."""

import shlex
from pathlib import Path

import pandas as pd
import polars as pl
import pytest

from sasrec.data.sources import load_corpus
from sasrec.data.values.column_names import likely_times
from sasrec.errors import DataError
from sasrec.evaluation.protocol import describe_protocol
from sasrec.settings.data import DataSettings
from sasrec.settings.evaluation import EvaluationSettings

SLIPS = ["Timestamp", "timestamp ", "timestmap", "time_stamp", "TIMESTAMP", "TimeStamp"]
OTHERS = [
    *("time", "Date", "datetime", "ts", "created_at", "createdAt", "event_time", "unixReviewTime"),
    *("reviewtime", "order_date", "bought_on", "purchaseDate", "event_timestamp", "visited_at"),
]
INNOCENT = [
    *("rating", "title", "release_date", "birth_date", "play_time", "watch_time", "runtime"),
    *("timezone", "year", "duration", "rate", "at", "on", "start", "category", "format", "state"),
]


def source(form: str, column: str, folder: Path) -> object:
    """Return events as one kind of source, with times in a column of the given name."""
    columns = {"user_id": ["a", "a", "b"], "item_id": ["x", "y", "x"], column: [2, 1, 3]}
    frame = pl.DataFrame(columns)
    path = folder / f"some.{form}"
    if form == "pandas":
        return pd.DataFrame(columns)
    if form == "frame":
        return frame
    if form == "parquet":
        frame.write_parquet(path)
    elif form == "inter":
        kinds = {"user_id": "token", "item_id": "token", column: "float"}
        named = frame.rename({name: f"{name}:{kind}" for name, kind in kinds.items()})
        named.write_csv(path, separator="\t", quote_style="never")
    else:
        frame.write_csv(path)
    return path


@pytest.mark.parametrize("form", ["frame", "pandas", "csv", "inter", "parquet"])
@pytest.mark.parametrize("column", [*SLIPS, "time", "created_at"])
def test_a_column_that_looks_like_times_is_not_ignored(
    form: str, column: str, tmp_path: Path
) -> None:
    events = source(form, column, tmp_path)
    with pytest.raises(DataError) as caught:
        load_corpus(events, DataSettings())
    assert str(caught.value).endswith(
        f" has no column 'timestamp' (did you mean {column!r}?); name the right column with "
        f"--time-column={shlex.quote(column)} (in Python: time_column={column!r}), or use "
        "--time-column=none if the rows are in the order of events. "
        f"It has: user_id, item_id, {column}"
    )
    in_order = load_corpus(events, DataSettings(time_column="none"))
    assert in_order.sequences.items.tolist() == [1, 2, 1]
    [remark] = in_order.remarks
    assert remark.text == "no times are read (time_column=none), so the order of the rows is used"
    by_time = load_corpus(events, DataSettings(time_column=column))
    assert by_time.sequences.items.tolist() == [2, 1, 1]
    assert by_time.remarks == ()


def test_the_most_likely_name_comes_first() -> None:
    assert likely_times(["date", *INNOCENT, "timestmap"]) == ["timestmap", "date"]
    assert likely_times(SLIPS + OTHERS) != []
    assert sorted(likely_times(SLIPS + OTHERS)) == sorted(SLIPS + OTHERS)
    assert likely_times(INNOCENT) == []


def test_all_missing_columns_are_named_at_once(tmp_path: Path) -> None:
    (tmp_path / "shop.csv").write_text("customer,sku,bought at,item\na,b,1,c\n")
    names = {"user_column": "custmer", "item_column": "thing"}
    with pytest.raises(DataError) as caught:
        load_corpus(tmp_path / "shop.csv", DataSettings(**names))  # type: ignore[arg-type]
    assert str(caught.value) == (
        f"{tmp_path}/shop.csv has no column 'custmer' (did you mean 'customer'?), no column "
        "'thing', no column 'timestamp' (did you mean 'bought at'?); name the right columns with "
        "--user-column=customer --item-column=NAME --time-column='bought at' (in Python: "
        "user_column='customer', item_column='NAME', time_column='bought at'), or use "
        "--time-column=none if the rows are in the order of events. "
        "It has: customer, sku, bought at, item"
    )


@pytest.mark.parametrize("value", [None, "none", "None", "null"])
def test_no_times_may_be_spelled_in_several_ways(value: str | None) -> None:
    assert DataSettings(time_column=value).time_column == "none"  # type: ignore[arg-type]


def test_a_missing_time_column_names_both_solutions(tmp_path: Path) -> None:
    events = source("csv", "bought", tmp_path)
    with pytest.raises(
        DataError,
        match=r"no column 'bougt' \(did you mean 'bought'\?\); .* or use --time-column=none",
    ):
        load_corpus(events, DataSettings(time_column="bougt"))


@pytest.mark.parametrize(("column", "said"), [("timestamp", False), ("rank", True)])
def test_the_protocol_says_when_there_are_no_times(column: str, said: bool, tmp_path: Path) -> None:
    corpus = load_corpus(source("csv", column, tmp_path), DataSettings())
    protocol = describe_protocol(corpus, EvaluationSettings())
    assert ("leave-one-out in the order of the source, without times, full" in protocol) is said
    assert ("no_times" in [remark.kind for remark in corpus.remarks]) is said
