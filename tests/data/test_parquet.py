"""Parquet files read in slices give the same events as read at once."""

from datetime import datetime
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sasrec.data.formats import parquet
from sasrec.data.formats.readers import read_file
from sasrec.data.interactions import from_frame
from sasrec.errors import DataError
from sasrec.settings.data import DataSettings

TIMES = {
    "numbers": st.integers(-9, 9),
    "fractions": st.floats(-9, 9),
    "dates": st.datetimes(datetime(2000, 1, 1), datetime(2030, 1, 1)),
    "texts": st.sampled_from(["2024-05-31", "2024-05-31 10:00", "2024-06-01T00:00:00Z"]),
}


def read(path: Path, size: int, **settings: object) -> pl.DataFrame:
    """Return the events of a file, read in slices of ``size`` rows."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(parquet, "SMALLEST", size)
        patch.setattr(parquet, "LARGEST", size)
        return read_file(path, DataSettings(**settings)).with_tokens()


@pytest.mark.parametrize("kind", TIMES)
@pytest.mark.parametrize("token", [st.integers(-9, 9), st.text("abé", min_size=1, max_size=4)])
@given(data=st.data(), size=st.integers(1, 12))
def test_slices_of_any_size_give_the_same_events(
    tmp_path_factory: pytest.TempPathFactory,
    data: st.DataObject,
    token: st.SearchStrategy[object],
    kind: str,
    size: int,
) -> None:
    rows = data.draw(st.lists(st.tuples(token, token, TIMES[kind]), min_size=1, max_size=30))
    frame = pl.DataFrame(rows, schema=["user_id", "item_id", "timestamp"], orient="row")
    path = tmp_path_factory.mktemp("slices") / "some.parquet"
    frame.write_parquet(path, row_group_size=7)
    expected = from_frame(frame, user="user_id", item="item_id", time="timestamp").with_tokens()
    assert read(path, size).equals(expected)


@pytest.mark.parametrize(
    ("column", "wrong", "said"),
    [
        ("user_id", None, "row 8: 'user_id' is empty"),
        ("item_id", float("nan"), "row 8: 'item_id' is empty"),
        ("item_id", 1.5, "row 8: 'item_id' is 1.5; users and items must be text or whole numbers"),
        ("timestamp", None, "row 8: 'timestamp' is empty; fill it in or delete the row"),
        (
            "timestamp",
            float("inf"),
            "row 8: 'timestamp' is inf; times must be all numbers, or all",
        ),
    ],
)
@pytest.mark.parametrize("size", [3, 100])
def test_the_invalid_row_is_named(
    column: str, wrong: object, said: str, size: int, tmp_path: Path
) -> None:
    columns = {name: [1.0, 2.0] * 6 for name in ("user_id", "item_id", "timestamp")}
    columns[column][7] = wrong  # type: ignore[assignment]  # as it should not be
    pl.DataFrame(columns, strict=False).write_parquet(tmp_path / "some.parquet")
    with pytest.raises(DataError, match=said):
        read(tmp_path / "some.parquet", size)


@pytest.mark.parametrize("size", [2, 100])
def test_filters_apply_to_the_columns_of_all_slices(size: int, tmp_path: Path) -> None:
    frame = pl.DataFrame(
        {"user_id": ["a"] * 9, "item_id": list("xyzxyzxyz"), "shop": ["7"] * 4 + ["north"] * 5}
    )
    frame.write_parquet(tmp_path / "some.parquet")
    events = read(tmp_path / "some.parquet", size, value_intervals={"shop": ("7",)})
    assert events["item"].to_list() == list("xyzxyzxyz")
    assert events["value:shop"].to_list() == frame["shop"].to_list()


def test_a_mix_of_dates_and_numbers_is_refused_as_times(tmp_path: Path) -> None:
    texts = ["2024-05-31", "17", "2024-06-01"]
    columns = {"user_id": [1] * 3, "item_id": [1, 2, 3], "timestamp": texts}
    pl.DataFrame(columns).write_parquet(tmp_path / "some.parquet")
    for size in (1, 2, 3):
        with pytest.raises(DataError, match="row 2: 'timestamp' is '17'; times must be all numb"):
            read(tmp_path / "some.parquet", size)
