"""Processes that write to one SQLite file take turns."""

import sqlite3
import threading
import time
from pathlib import Path

import pytest

from sasrec_serve.stores import sqlite_turns
from sasrec_serve.stores.sqlite_files import connect, prepare
from sasrec_serve.stores.sqlite_turns import Turns


class Writer(threading.Thread):
    """Writes once, as a process of its own would: with its own lock file and connection."""

    def __init__(self, path: Path, name: str, order: list[str]) -> None:
        super().__init__(name=name)
        self.path, self.order = path, order
        self.turns, self.connection = Turns(path), connect(path, mode="rw", seconds=0.0)
        self.start()

    def run(self) -> None:
        self.turns.begin(self.connection)
        self.order.append(self.name)
        self.connection.execute("COMMIT")
        self.connection.close()
        self.turns.close()


def wait_until_locked(turns: Turns) -> None:
    while sqlite_turns._locked(turns._file):
        sqlite_turns.fcntl.flock(turns._file, sqlite_turns.fcntl.LOCK_UN)
        time.sleep(0.001)


def test_who_waits_is_not_overtaken_by_who_has_just_written(tmp_path: Path) -> None:
    path = tmp_path / "e.sqlite"
    prepare(path)
    probe = Turns(path)
    for _ in range(20):
        order: list[str] = []
        turns, holder = Turns(path), connect(path, mode="rw", seconds=0.0)
        turns.begin(holder)
        waiting = Writer(path, "waiting", order)
        wait_until_locked(probe)
        holder.execute("COMMIT")
        turns.begin(holder)  # at once, and again
        order.append("holder")
        holder.execute("COMMIT")
        waiting.join()
        assert order == ["waiting", "holder"]
        holder.close()
        turns.close()
    probe.close()


def test_without_a_lock_file_writing_still_works(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "e.sqlite"
    prepare(path)
    (tmp_path / "e.sqlite-turn").mkdir()
    turns, connection = Turns(path), connect(path, mode="rw", seconds=0.0)
    turns.begin(connection)
    connection.execute("COMMIT")
    monkeypatch.setattr(sqlite_turns, "SECONDS", 0.05)
    other = connect(path, mode="rw", seconds=0.0)
    turns.begin(connection)
    with pytest.raises(sqlite3.OperationalError, match="locked"):
        turns.begin(other)
    other.close()
    connection.close()
    turns.close()
    turns.close()


def test_the_lock_file_has_the_permissions_of_the_database(tmp_path: Path) -> None:
    path = tmp_path / "e.sqlite"
    prepare(path)
    path.chmod(0o600)
    Turns(path).close()
    assert (tmp_path / "e.sqlite-turn").stat().st_mode & 0o777 == 0o600
