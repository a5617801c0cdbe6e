"""Logs are imported completely, and only once."""

import gzip
import random
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sasrec_serve.errors import DataError, StoreUnavailable
from sasrec_serve.stores.contract import Event, HistoryStore
from sasrec_serve.stores.importing import Imported, import_events
from sasrec_serve.stores.log_columns import LogColumns
from sasrec_serve.stores.log_events import PIECE
from sasrec_serve.stores.nothing import NoStore
from sasrec_serve.stores.opening import open_store
from sasrec_serve.stores.sqlite import SqliteStore

LOG = "user_id,item_id,timestamp,event\nu,a,2,view\nu,b,1,\nv,a,3,buy\n,a,4,\nu,a,2,view\n"


def written(path: Path, text: str) -> Path:
    path.write_bytes(text.encode())
    return path


def test_a_csv_log_is_stored_and_counted(store: HistoryStore, tmp_path: Path) -> None:
    log = written(tmp_path / "log.csv", LOG)
    columns = LogColumns(type="event")
    assert import_events(store, log, columns=columns) == Imported(5, 3, 1, 1)
    assert import_events(store, log, columns=columns) == Imported(5, 0, 4, 1)
    first, second = store.histories(["u", "v"])
    assert (first.items, first.times, first.types) == (["b", "a"], [1.0, 2.0], [None, "view"])
    assert (second.items, second.times, second.types) == (["a"], [3.0], ["buy"])


@pytest.mark.parametrize("kind", ["sqlite"])
@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("log.csv", 'user_id;item_id;timestamp\r\n"u";"a;1";5\r\nv;b;6\r\n'),
        ("log.csv", "\ufeffuser_id,item_id,timestamp\nu,a;1,5\n\nv,b,6"),
        ("log.tsv", "user_id\titem_id\ttimestamp\nu\ta;1\t5\nv\tb\t6\n"),
        ("log.inter", "user_id:token\titem_id:token\ttimestamp:float\nu\ta;1\t5.0\nv\tb\t6\n"),
        (
            "log.csv",
            "timestamp|x|item_id|user_id\n1970-01-01T00:00:05Z||a;1|u\n1970-01-01 00:00:06||b|v\n",
        ),
    ],
)
def test_text_logs_of_many_forms_are_read(
    store: HistoryStore, tmp_path: Path, name: str, text: str
) -> None:
    assert import_events(store, written(tmp_path / name, text)).n_new == 2
    assert [(h.items, h.times) for h in store.histories(["u", "v"])] == [
        (["a;1"], [5.0]),
        (["b"], [6.0]),
    ]


@pytest.mark.parametrize("kind", ["sqlite"])
def test_a_compressed_log_is_read(store: HistoryStore, tmp_path: Path) -> None:
    path = tmp_path / "log.csv.gz"
    path.write_bytes(gzip.compress(LOG.encode()))
    assert import_events(store, path).n_new == 3
    path.write_bytes(gzip.compress(LOG.encode())[:-9])
    with pytest.raises(DataError, match=r"log.csv.gz cannot be read: .*check the path"):
        import_events(store, path)


@pytest.mark.parametrize("kind", ["sqlite"])
def test_a_log_without_times_that_has_grown_is_imported_again(
    store: HistoryStore, tmp_path: Path
) -> None:
    text = "user_id,item_id\nu,a\nu,a\nu,b\n"
    assert import_events(store, written(tmp_path / "log.csv", text)) == Imported(3, 3)
    grown = written(tmp_path / "log.csv", text + "u,a\n")
    assert import_events(store, grown) == Imported(4, 1, 3)
    assert store.histories(["u"])[0].items == ["a", "a", "b", "a"]


@pytest.mark.parametrize("kind", ["sqlite"])
def test_ids_of_a_log_are_those_of_its_events(store: HistoryStore, tmp_path: Path) -> None:
    log = written(tmp_path / "log.csv", "user_id,item_id,event_id\nu,a,1\nu,b,2\n")
    store.append([Event("u", "a", id="1")])
    assert import_events(store, log, columns=LogColumns(id="event_id")) == Imported(2, 1, 1)


@pytest.mark.parametrize("kind", ["sqlite"])
def test_a_parquet_log_is_stored(store: HistoryStore, tmp_path: Path) -> None:
    moment = datetime(2024, 5, 31, 18, 30, tzinfo=UTC)
    table = pa.table(
        {
            "user_id": pa.array([7, 7, None]),
            "item_id": pa.array(["a", "b", "c"]).dictionary_encode(),
            "timestamp": pa.array([moment, None, moment]),
            "kind": ["x", "", None],
        }
    )
    pq.write_table(table, tmp_path / "log.parquet")
    columns = LogColumns(type="kind")
    assert import_events(store, tmp_path / "log.parquet", columns=columns) == Imported(3, 2, 0, 1)
    assert import_events(store, tmp_path / "log.parquet", columns=columns) == Imported(3, 0, 2, 1)
    assert store.histories(["7"])[0].items == ["a", "b"]
    store.forget("7")
    pq.write_table(table.slice(0, 1), tmp_path / "log.parquet")
    import_events(store, tmp_path / "log.parquet")
    assert store.histories(["7"])[0].times == [moment.timestamp()]


def test_an_interrupted_import_is_completed_by_another(store: HistoryStore, tmp_path: Path) -> None:
    n = 2 * PIECE + 5
    lines = [f"u{k % 50},i{k},{k}" for k in range(n)]
    log = written(tmp_path / "log.csv", "\n".join(["user_id,item_id,timestamp", *lines]))

    def stop(_done: Imported) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        import_events(store, log, progress=stop)
    seen: list[Imported] = []
    assert import_events(store, log, progress=seen.append) == Imported(n, PIECE + 5, PIECE)
    assert [counts.n_rows for counts in seen] == [PIECE, 2 * PIECE, n]
    assert sum(store.forget(f"u{k}") for k in range(50)) == n


@pytest.mark.parametrize("kind", ["sqlite"])
@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "line 1: there is no header; write user_id,item_id,timestamp"),
        ("user,item\nu,a\n", "has no column 'user_id' of users, only user, item; name the right "
         "one (--user-column, or LogColumns(user=...) in Python)"),
        ("user_id,item_id\nu,a\nu\n", "line 3: 1 columns where the header names 2 "
         "(user_id, item_id); correct the line"),
        ("user_id,item_id,timestamp\nu,a,5\nu,a,soon\n", "line 3: the time is 'soon'; times must "
         "be all numbers, or all dates such as 2024-05-31 18:30:00"),
        ("user_id,item_id,timestamp\nu,a,2024-05-31\nu,a,5\n", "line 3: the time is '5'"),
        ("user_id,item_id,timestamp\nu,a,nan\n", "line 2: the time is 'nan'"),
        ("user_id,item_id,timestamp\nu,a\0,1\n", "events from row 1 on: event 1: the "
         "item is 'a\\x00'"),
        ("user_id,item_id\nu," + "a" * 200_000 + "\n", "is no readable CSV file: field larger"),
    ],
)  # fmt: skip
def test_an_invalid_log_is_refused_with_its_place(
    store: HistoryStore, tmp_path: Path, text: str, message: str
) -> None:
    log = written(tmp_path / "log.csv", text)
    with pytest.raises(DataError) as raised:
        import_events(store, log)
    assert message in str(raised.value)
    assert str(log) in str(raised.value)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("log.xlsx", "is no log that can be read; its name must end in .csv, .tsv, .inter"),
        ("missing.csv", "cannot be read: No such file or directory; check the path"),
        ("missing.parquet", "cannot be read: .*; check the path"),
        ("latin.csv", "is not in UTF-8"),
        ("latin.parquet", "is no readable Parquet file"),
    ],
)
def test_a_file_that_is_no_log_is_refused(tmp_path: Path, name: str, message: str) -> None:
    for latin in ("latin.csv", "latin.parquet"):
        (tmp_path / latin).write_bytes("user_id,item_id\nü,a\n".encode("latin-1"))
    with pytest.raises(DataError, match=message):
        import_events(SqliteStore(tmp_path / "e.sqlite"), tmp_path / name)


def test_a_store_that_cannot_be_written_refuses_an_import(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="there is no store of histories"):
        import_events(NoStore(), written(tmp_path / "log.csv", LOG))


def test_an_error_of_the_server_keeps_its_kind(tmp_path: Path) -> None:
    class Away(NoStore):
        def merge(self, events: object) -> int:
            raise StoreUnavailable("the server is away")

    with pytest.raises(StoreUnavailable, match="from row 1 on: the server is away"):
        import_events(Away(), written(tmp_path / "log.csv", LOG))


@settings(deadline=None, max_examples=25)
@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 5), st.integers(0, 9)), max_size=60))
def test_csv_and_parquet_logs_give_the_histories_of_the_parquet_store(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[int, int, int]]
) -> None:
    folder = tmp_path_factory.mktemp("logs")
    rows = list(dict.fromkeys(rows))
    random.Random(0).shuffle(rows)
    lines = [f"{user},{item},{time}" for user, item, time in rows]
    written(folder / "log.csv", "\n".join(["user_id,item_id,timestamp", *lines]))
    columns = [list(column) for column in zip(*rows, strict=True)] or [[], [], []]
    arrays = [pa.array(column, pa.int64()) for column in columns]
    table = pa.table(arrays, names=["user_id", "item_id", "timestamp"])
    pq.write_table(table, folder / "log.parquet", row_group_size=7)
    users = ["0", "1", "2", "3"]
    expected = open_store(folder / "log.parquet").histories(users)
    for name in ("log.csv", "log.parquet"):
        store = SqliteStore(folder / f"{name}.sqlite")
        assert import_events(store, folder / name) == Imported(len(rows), len(rows))
        assert store.histories(users) == expected
        store.close()
