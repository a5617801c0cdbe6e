"""The store in a Parquet file."""

import logging
import random
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from sasrec_serve.errors import DataError
from sasrec_serve.histories import History
from sasrec_serve.stores.contract import Event
from sasrec_serve.stores.importing import import_events
from sasrec_serve.stores.log_columns import LogColumns
from sasrec_serve.stores.opening import open_store


def written(path: Path, **columns: object) -> Path:
    pq.write_table(pa.table(columns), path, row_group_size=3)
    return path


def test_histories_are_sorted_by_time_and_then_by_row(tmp_path: Path) -> None:
    path = written(
        tmp_path / "log.parquet",
        user_id=["b", "a", "b", "a", "b", "b"],
        item_id=["1", "2", "3", "4", "5", "6"],
        timestamp=pa.array([5.0, 1.0, 2.0, None, 2.0, 9.0]),
        kind=["x", None, "y", None, None, "x"],
    )
    store = open_store(path, columns=LogColumns(type="kind"))
    assert store.histories(["b", "a", "c", "\ud800", "b"]) == [
        History(["3", "5", "1", "6"], [2.0, 2.0, 5.0, 9.0], ["y", None, "x", "x"], "b"),
        History(["2", "4"], None, None, "a"),
        History([], user="c"),
        History([], user="\ud800"),
        History(["3", "5", "1", "6"], [2.0, 2.0, 5.0, 9.0], ["y", None, "x", "x"], "b"),
    ]
    kept = open_store(f"parquet:///{path}", keep=2)
    assert kept.histories(["b"]) == [History(["1", "6"], [5.0, 9.0], None, "b")]
    info = store.describe()
    assert (info.kind, info.read_only, info.n_events, info.n_users) == ("parquet", True, 6, 2)


def test_many_random_users_are_all_found(tmp_path: Path) -> None:
    draw = random.Random(1)
    users = list({f"{draw.choice('äz日')}{draw.randrange(10**6)}" for _ in range(500)})
    rows = [(draw.choice(users), str(draw.randrange(50)), draw.randrange(100)) for _ in range(5000)]
    path = written(
        tmp_path / "log.parquet",
        who=[row[0] for row in rows],
        what=[row[1] for row in rows],
        when=[row[2] for row in rows],
    )
    store = open_store(path, columns=LogColumns("who", "what", "when"))
    for user in [*users, "", "zzz", "a", "\U0010ffff"]:
        mine = sorted((row for row in rows if row[0] == user), key=lambda row: row[2])
        [history] = store.histories([user])
        assert history.items == [row[1] for row in mine]
        assert history.times == ([row[2] for row in mine] or None)


def test_integer_tokens_and_no_times_are_read(tmp_path: Path) -> None:
    path = written(tmp_path / "log.parquet", user_id=[10, 9, 10], item_id=[1, 2, 3])
    assert open_store(path).histories(["10"]) == [History(["1", "3"], None, None, "10")]


def test_whole_numbers_stored_as_floats_are_tokens_without_a_point(tmp_path: Path) -> None:
    path = written(
        tmp_path / "log.parquet",
        user_id=pa.array([17850.0, None, 12680.0, float("nan")]),
        item_id=pa.array([22.0, 1.0, 23.0, 2.0], pa.float32()),
    )
    store = open_store(path)
    assert store.histories(["17850", "12680"]) == [
        History(["22"], user="17850"),
        History(["23"], user="12680"),
    ]
    target = open_store(tmp_path / "events.sqlite")
    import_events(target, path)
    assert target.histories(["17850", "12680"]) == store.histories(["17850", "12680"])


@pytest.mark.parametrize("number", [1.5, 2.0**53, -(2.0**60), float("inf")])
def test_floats_that_are_no_exact_whole_numbers_are_no_tokens(
    tmp_path: Path, number: float
) -> None:
    path = written(tmp_path / "log.parquet", user_id=[1.0, number], item_id=["a", "b"])
    with pytest.raises(DataError, match=r"column 'user_id' has the number .* as text"):
        open_store(path)
    with pytest.raises(DataError, match=r"column 'user_id' has the number .* as text"):
        import_events(open_store(tmp_path / "events.sqlite"), path)


def test_an_empty_file_has_no_users(tmp_path: Path) -> None:
    path = written(
        tmp_path / "log.parquet",
        user_id=pa.array([], pa.string()),
        item_id=pa.array([], pa.int64()),
        timestamp=pa.array([], pa.float64()),
    )
    assert open_store(path).histories(["u"]) == [History([], user="u")]
    assert open_store(path).describe().n_users == 0


def test_rows_without_user_or_item_are_left_out_and_counted(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = written(
        tmp_path / "log.parquet",
        user_id=["u", None, "u", "u"],
        item_id=["a", "b", None, "c"],
        timestamp=[2, 1, 1, 1],
    )
    with caplog.at_level(logging.WARNING):
        store = open_store(path)
    assert store.histories(["u"])[0].items == ["c", "a"]
    assert "2 rows have no user or no item and are left out" in caplog.text


def test_a_parquet_file_is_never_written(tmp_path: Path) -> None:
    path = written(tmp_path / "log.parquet", user_id=["u"], item_id=["a"])
    before = path.read_bytes()
    store = open_store(path)
    for call in (
        lambda: store.append([Event("u", "b")]),
        lambda: store.merge([Event("u", "b")]),
        lambda: store.forget("u"),
        lambda: store.prune(5.0),
    ):
        with pytest.raises(DataError, match="only read; to store events, import it into a store"):
            call()
    store.close()
    with pytest.raises(DataError, match="is closed"):
        store.histories(["u"])
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"user": ["u"]}, "has no column 'user_id' of users, only user, item_id"),
        (
            {"user_id": [1.5]},
            "column 'user_id' has the number 1.5; users, items, types and ids must",
        ),
        ({"user_id": ["u"], "timestamp": ["soon"]}, "column 'timestamp' has type string; times"),
        ({"user_id": ["u"], "timestamp": [float("inf")]}, "row 1: the time is infinite"),
    ],
)
def test_a_file_with_other_columns_is_refused(
    tmp_path: Path, columns: dict[str, object], message: str
) -> None:
    with pytest.raises(DataError, match=message):
        open_store(written(tmp_path / "log.parquet", **columns, item_id=["a"]))


def test_a_file_that_is_missing_or_no_parquet_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"missing\.parquet cannot be read"):
        open_store(tmp_path / "missing.parquet")
    (tmp_path / "text.parquet").write_text("user_id,item_id\n" * 10)
    with pytest.raises(DataError, match=r"text\.parquet is no readable Parquet file"):
        open_store(tmp_path / "text.parquet")
