"""Folders such as country=DE whose files have that column too; zones in some files only."""

from datetime import UTC, date, datetime
from pathlib import Path

import polars as pl
import pytest

from sasrec.data.corpus import Corpus
from sasrec.data.sources import load_corpus
from sasrec.errors import DataError
from sasrec.settings.data import DataSettings

ROWS = pl.DataFrame({"user_id": ["a", "a"], "item_id": ["x", "y"], "timestamp": [1, 2]})


def load(path: Path, **settings: object) -> Corpus:
    return load_corpus(path, DataSettings(**settings))  # type: ignore[arg-type]


def put(tmp_path: Path, folder: str, frame: pl.DataFrame, name: str = "part.parquet") -> Path:
    path = tmp_path / "log" / folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    if name.endswith(".csv"):
        frame.write_csv(path)
    else:
        frame.write_parquet(path)
    return path


@pytest.mark.parametrize(
    ("folder", "values"),
    [
        ("c=DE", ["DE", "DE"]),
        ("c=2024", [2024, 2024]),
        ("c=2.50", [2.5, None]),
        ("c=true", [True, True]),
        ("c=2024-05-31", [date(2024, 5, 31)] * 2),
        ("c=2024-05-31", ["2024-05-31 08:26", "2024-05-31"]),
        ("c=2024-05-31", [datetime(2024, 5, 31, 23, tzinfo=UTC)] * 2),
        ("c=__HIVE_DEFAULT_PARTITION__", pl.Series([None, None], dtype=pl.String)),
    ],
)
@pytest.mark.parametrize("name", ["part.parquet", "part.csv"])
def test_equal_values_are_accepted(tmp_path: Path, folder: str, values, name: str) -> None:
    put(tmp_path, folder, ROWS.with_columns(c=pl.Series(values)), name)
    corpus = load(tmp_path / "log", item_columns="c")
    assert corpus.sequences.n_events == 2


@pytest.mark.parametrize(
    ("folder", "values", "shown"),
    [
        ("c=DE", ["DE", "FR"], "FR"),
        ("c=2024", [2024, 2023], "2023"),
        ("c=DE", [1, 2], "1"),
        ("c=true", [True, False], "False"),
        ("c=2024-05-31", [date(2024, 5, 30)] * 2, "2024-05-30"),
        ("c=__HIVE_DEFAULT_PARTITION__", ["DE", None], "DE"),
    ],
)
def test_a_contradiction_is_refused(tmp_path: Path, folder: str, values, shown: str) -> None:
    put(tmp_path, "c=XX", ROWS.with_columns(c=pl.Series(["XX", "XX"])), "a.csv")
    path = put(tmp_path, folder, ROWS.with_columns(c=pl.Series(values)), "a.csv")
    with pytest.raises(DataError) as caught:
        load(tmp_path / "log", item_columns="c")
    expected = shown.lower() if isinstance(values[0], bool) else shown
    assert str(caught.value).startswith(
        f"{path}: column 'c' holds {expected!r}, but the file is in a folder {folder!r}"
    )
    assert load(tmp_path / "log").sequences.n_events == 4  # nobody reads the column


def test_users_and_items_are_compared_too(tmp_path: Path) -> None:
    put(tmp_path, "user_id=a", ROWS)
    assert load(tmp_path / "log").users.entries.to_list() == ["a"]
    put(tmp_path, "user_id=b", ROWS)
    with pytest.raises(DataError, match=r"column 'user_id' holds 'a', but .* 'user_id=b'"):
        load(tmp_path / "log")


def zoned(*times: str) -> pl.DataFrame:
    return ROWS.with_columns(timestamp=pl.Series(times))


@pytest.mark.parametrize("order", [("a", "b"), ("b", "a")])
def test_zones_in_some_files_only_are_refused(tmp_path: Path, order: tuple[str, str]) -> None:
    with_zone, without = (f"{name}.csv" for name in order)
    one = put(tmp_path, "", zoned("2024-05-01T10:00:00Z", "2024-05-02T10:00:00Z"), with_zone)
    two = put(tmp_path, "", zoned("2024-05-01 10:00:00", "2024-05-02 10:00:00"), without)
    with pytest.raises(DataError) as caught:
        load(tmp_path / "log")
    assert str(caught.value) == (
        f"times in 'timestamp' have a time zone in {one} and none in {two}, so they cannot be "
        "compared; write them with a zone in all files, or in none"
    )


def test_parts_that_mix_zones_themselves_are_told(tmp_path: Path) -> None:
    put(tmp_path, "", zoned("2024-05-01T10:00:00Z", "2024-05-02 10:00:00"), "a.csv")
    put(tmp_path, "", zoned("2024-05-03 10:00:00", "2024-05-04 10:00:00"), "b.csv")
    remarks = load(tmp_path / "log").remarks
    assert [each.count for each in remarks if each.kind == "mixed_zones"] == [1]


def test_typed_zones_in_some_files_only_are_refused(tmp_path: Path) -> None:
    times = pl.Series([datetime(2024, 5, 1), datetime(2024, 5, 2)])
    put(tmp_path, "", ROWS.with_columns(timestamp=times), "a.parquet")
    put(tmp_path, "", ROWS.with_columns(timestamp=times.dt.replace_time_zone("UTC")), "b.parquet")
    with pytest.raises(DataError, match=r"dates in .*a\.parquet but dates with a time zone in .*b"):
        load(tmp_path / "log")
