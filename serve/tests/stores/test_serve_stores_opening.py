"""Stores are opened by URL, and each mistake has a clear message."""

import contextlib
import fcntl
import os
import sqlite3
import sys
import tempfile
import threading
from pathlib import Path
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st
from store_servers import refused

from sasrec_serve.errors import DataError, StoreUnavailable
from sasrec_serve.histories import History
from sasrec_serve.stores import sqlite_turns
from sasrec_serve.stores.addresses import masked, scrubbed
from sasrec_serve.stores.contract import Event
from sasrec_serve.stores.log_columns import LogColumns
from sasrec_serve.stores.opening import open_store


def test_without_a_store_every_history_is_empty_and_events_are_refused() -> None:
    for url in (None, "none", ""):
        store = open_store(url)
        assert store.histories(["u"]) == [History([], user="u")]
        assert (store.describe().kind, store.forget("u"), store.prune(1.0)) == ("none", 0, 0)
        for write in (store.append, store.merge):
            with pytest.raises(DataError, match="there is no store of histories"):
                write([Event("u", "a")])
        store.close()


def test_a_file_is_opened_by_path_or_url(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    open_store("sqlite:///events%20%3F.sqlite").append([Event("u", "a")])
    assert (tmp_path / "events ?.sqlite").exists()
    store = open_store(f"sqlite:///{tmp_path}/events%20%3F.sqlite?mode=ro")
    assert store.histories(["u"])[0].items == ["a"]
    assert open_store(tmp_path / "b.db").describe().kind == "sqlite"


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("mysql://host/db", "'mysql://host/db' is no store of histories; known are: none, events"),
        ("events.txt", "'events.txt' is no store of histories"),
        ("sqlite://events.sqlite", "names no file; write sqlite:///events.sqlite for a file in"),
        ("sqlite:///", "names no file"),
        ("sqlite:///:memory:", "would be lost when the process ends; name a file"),
        ("sqlite:///a.sqlite?mode=rx", "has mode='rx'; choose ro (only read) or rw"),
        ("a.sqlite?timeout=5", "has an unknown option 'timeout'; known are: mode"),
        ("redis://u:secret@127.0.0.1:1/x", "ends with '/x', which is no number of a database"),
        ("redis://u:secret@127.0.0.1:port/0", "is no URL of a Redis server"),
        ("redis://:secret@127.0.0.1:1?nonsense=1", "is no URL of a Redis server"),
        ("postgresql://u:secret@127.0.0.1:1/db?nonsense=1", "is no URL of a PostgreSQL server"),
        ("gopher://u:secret@host", "is no store of histories"),
    ],
)
def test_a_wrong_url_is_refused_without_its_password(url: str, message: str) -> None:
    text = refused(url)
    assert message in text
    assert "secret" not in text


@pytest.mark.parametrize("scheme", ["redis", "valkey", "postgresql", "postgres"])
def test_a_server_that_does_not_run_is_unavailable(scheme: str) -> None:
    with pytest.raises(StoreUnavailable) as raised:
        open_store(f"{scheme}://user:secret@127.0.0.1:1/0")
    assert "check that the server runs, then try again" in str(raised.value)
    assert "user:***@127.0.0.1:1" in str(raised.value)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("redis://u:p@ss/w0rd@host/0", "redis://u:***@host/0"),
        ("redis://:sec%40ret@host", "redis://:***@host"),
        ("redis://:s?c&r@t@host/0?db=1", "redis://:***@host/0?db=1"),
        ("redis://host:6379/0", "redis://host:6379/0"),
        ("unix:///run/redis.sock?db=1&password=secret", "unix:///run/redis.sock?db=1&password=***"),
        ("postgresql://host/db?sslpassword=secret", "postgresql://host/db?sslpassword=***"),
        ("postgresql://u@host/db", "postgresql://u@host/db"),
    ],
)
def test_passwords_are_masked(url: str, shown: str) -> None:
    assert masked(url) == shown


@given(st.text("abcXYZ0:/@?#&=%+ ü'\"", min_size=1, max_size=12))
def test_no_password_is_ever_shown(password: str) -> None:
    secret = f"<{password}>"  # not part of the rest
    for url in (f"redis://me:{secret}@host:6379/0", f"postgresql://:{secret}@host/db?a=b"):
        assert secret not in masked(url)
        assert secret not in scrubbed(f"cannot connect to {url} with '{secret}'", url)
    quoted = quote(secret, safe="")
    url = f"unix:///redis.sock?db=1&password={quoted}"
    assert masked(url) == "unix:///redis.sock?db=1&password=***"
    assert secret not in scrubbed(f"wrong password {secret}", url)
    assert quoted not in scrubbed(f"wrong password {quoted}", url)


@pytest.mark.parametrize(
    ("url", "package", "extra"),
    [
        ("redis://localhost", "redis", "redis"),
        ("postgresql://localhost", "psycopg", "postgres"),
        ("x.parquet", "pyarrow.parquet", "parquet"),
    ],
)
def test_a_missing_package_is_named(
    url: str, package: str, extra: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    assert f"run pip install 'sasrec-serve[{extra}]'" in refused(url)


def test_options_that_cannot_be_are_refused() -> None:
    assert "cannot keep 0 events of a user" in refused("none", keep=0)
    assert "so columns have no effect" in refused("a.sqlite", columns=LogColumns())


def test_a_file_of_something_else_is_not_touched(tmp_path: Path) -> None:
    other = tmp_path / "other.sqlite"
    with sqlite3.connect(other) as connection:
        connection.execute("CREATE TABLE events (user)")
    connection.close()
    text = tmp_path / "text.sqlite"
    text.write_text("These are my notes. " * 100)
    before = (other.read_bytes(), text.read_bytes())
    assert "is an SQLite database of another program" in refused(other)
    assert "is not an SQLite database; choose another file" in refused(text)
    assert (other.read_bytes(), text.read_bytes()) == before


def test_a_newer_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "e.sqlite"
    open_store(path).close()
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA user_version = 7")
    connection.close()
    assert "has version 7 of the store's tables, and this sasrec-serve knows version 1" in refused(
        path
    )


def test_a_missing_folder_or_file_is_named(tmp_path: Path) -> None:
    assert "cannot be opened; check that its folder exists" in refused(tmp_path / "no" / "e.sqlite")
    assert "cannot be opened" in refused(f"{tmp_path}/e.sqlite?mode=ro")
    assert not (tmp_path / "e.sqlite").exists()


def test_a_store_opened_to_read_refuses_to_write(tmp_path: Path) -> None:
    path = tmp_path / "e.sqlite"
    writing = open_store(path)
    writing.append([Event("u", "a")])
    reading = open_store(f"{path}?mode=ro")
    assert reading.describe().read_only
    with pytest.raises(DataError, match=r"was opened with \?mode=ro; open it without to write"):
        reading.append([Event("u", "b")])
    writing.append([Event("u", "b")])
    assert reading.histories(["u"])[0].items == ["a", "b"]


def test_a_file_without_the_right_to_write_is_refused() -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "e.sqlite"
        open_store(path).close()
        path.chmod(0o444)
        Path(folder).chmod(0o777)
        with contextlib.ExitStack() as rights:
            if os.getuid() == 0:  # root may write everything, so be somebody else meanwhile
                os.seteuid(65534)
                rights.callback(os.seteuid, 0)
            assert "is read-only; make it writable, or add ?mode=ro" in refused(path)
            assert open_store(f"{path}?mode=ro").histories(["u"])[0].items == []


def test_a_file_that_is_replaced_while_open_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "e.sqlite"
    store = open_store(path)
    store.append([Event("u", "a")])
    path.rename(tmp_path / "moved.sqlite")
    with pytest.raises(DataError, match="was deleted, moved or replaced while it was open"):
        store.append([Event("u", "b")])


def test_a_damaged_file_is_told(tmp_path: Path) -> None:
    path = tmp_path / "e.sqlite"
    store = open_store(path)
    store.append([Event(f"u{n}", "a" * 500) for n in range(500)])
    store.close()
    content = path.read_bytes()
    path.write_bytes(content[:8192] + b"\xff" * (len(content) - 8192))
    with pytest.raises(DataError, match="restore it from a backup if it is damaged"):
        open_store(path).histories([f"u{n}" for n in range(500)])


def test_a_lock_held_for_too_long_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite_turns, "SECONDS", 0.1)
    path = tmp_path / "e.sqlite"
    store = open_store(path)
    with sqlite3.connect(path, isolation_level=None) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreUnavailable, match="has been locked by another process"):
            store.append([Event("u", "a")])
        assert store.histories(["u"])[0].items == []
        other.execute("ROLLBACK")
    other.close()
    with open(f"{path}-turn") as queue:
        fcntl.flock(queue, fcntl.LOCK_EX)
        with pytest.raises(StoreUnavailable, match=r"has been locked by others for 0\.1 seconds"):
            store.append([Event("u", "a")])
    assert store.append([Event("u", "a")]) == 1


def test_processes_may_create_the_same_file_at_once(tmp_path: Path) -> None:
    errors: list[BaseException] = []

    def work() -> None:
        try:
            open_store(tmp_path / "e.sqlite").append([Event("u", "a")])
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=work) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert open_store(tmp_path / "e.sqlite").describe().n_events == 16


def test_a_forgotten_user_is_nowhere_in_the_files(tmp_path: Path) -> None:
    store = open_store(tmp_path / "e.sqlite")
    store.append([Event(f"other-{n}", "a") for n in range(100)])
    store.append([Event("jane-doe", "shoes"), Event("john-doe", "boots", 1.0)])
    store.forget("jane-doe")
    store.prune(2.0)
    for path in tmp_path.iterdir():
        content = path.read_bytes()
        assert b"jane-doe" not in content
        assert b"john-doe" not in content
    assert store.histories(["other-7"])[0].items == ["a"]


def test_a_store_may_not_cross_a_fork(tmp_path: Path) -> None:
    store = open_store(tmp_path / "e.sqlite")
    child = os.fork()
    if child == 0:
        try:
            store.append([Event("u", "a")])
        except DataError as error:
            os._exit(7 if "open it in each process" in str(error) else 1)
        os._exit(2)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
