"""``sasrec-serve store`` fills stores, and deletes from them."""

import os
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest

from sasrec_serve import store_command
from sasrec_serve.cli import run
from sasrec_serve.stores.opening import open_store

LOG = """customer,sku,bought,event
ann,cup,2024-05-31,view
ann,pot,2024-06-01,buy
,pot,2024-06-01,buy
bob,cup,2024-06-02,view
"""
COLUMNS = ("--user-column", "customer", "--item-column", "sku", "--time-column", "bought")


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "log.csv"
    path.write_text(LOG)
    return path


@pytest.fixture
def url(tmp_path: Path) -> str:
    return str(tmp_path / "events.sqlite")


def imported(log: Path, url: str, *words: str) -> int:
    return run(["store", "import", str(log), "--store", url, *COLUMNS, *words])


def test_a_log_is_imported_once(log: Path, url: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert imported(log, url, "--type-column", "event") == 0
    told = f"3 new events stored in {url}; 1 row without user or item left out\n"
    assert capsys.readouterr().out == told
    assert imported(log, url, "--type-column", "event") == 0
    assert capsys.readouterr().out.startswith("0 new events stored")
    store = open_store(url)
    [ann] = store.histories(["ann"])
    store.close()
    assert (ann.items, ann.types) == (["cup", "pot"], ["view", "buy"])
    assert ann.times == [1717113600.0, 1717200000.0]


def test_progress_is_told_on_standard_error(
    log: Path, url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(store_command, "EVERY", 0.0)
    imported(log, url)
    assert capsys.readouterr().err.startswith("4 rows, ")


def test_users_are_forgotten(log: Path, url: str, capsys: pytest.CaptureFixture[str]) -> None:
    imported(log, url)
    capsys.readouterr()
    assert run(["store", "forget", "ann", "nobody", "--store", url]) == 0
    assert capsys.readouterr().out == "'ann': 2 events deleted\n'nobody': 0 events deleted\n"
    store = open_store(url)
    assert [each.items for each in store.histories(["ann", "bob"])] == [[], ["cup"]]
    store.close()


@pytest.mark.parametrize("before", ["2024-06-02", "1717286400"])
def test_old_events_are_pruned(
    log: Path, url: str, before: str, capsys: pytest.CaptureFixture[str]
) -> None:
    imported(log, url)
    capsys.readouterr()
    assert run(["store", "prune", "--before", before, "--store", url]) == 0
    assert run(["store", "info", "--store", url]) == 0
    told = capsys.readouterr().out
    assert told.startswith("2 events deleted\nkind    sqlite\n")
    assert "events  1\n" in told


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (["import", "nowhere.csv", "--store", "new.sqlite"], "nowhere.csv cannot be read: No such"),
        (["import", "LOG", "--store", "new.sqlite"], "no column 'user_id' of users"),
        (["import", "LOG", "--store", "new.txt", *COLUMNS], "'new.txt' is no store of histories"),
        (["import", "log.xls", "--store", "new.sqlite"], "its name must end in .csv"),
        (["import", "LOG"], "no store is named; give --store URL, or set SASREC_SERVE_STORE"),
        (["import", "LOG", "--store", "none"], "no store is named"),
        (["forget", "ann", "--store", "new.sqlite"], "new.sqlite does not exist; check the path"),
        (["prune", "--before", "2024", "--store", "new.sqlite"], "new.sqlite does not exist"),
        (["prune", "--before", "May", "--store", "new.sqlite"], "--before is 'May'; give a number"),
        (["info", "--store", "sqlite:///new.sqlite"], "new.sqlite does not exist"),
    ],
)
def test_a_mistake_is_one_message_and_makes_no_store(
    log: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    *,
    words: list[str],
    error: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SASREC_SERVE_STORE", raising=False)
    assert run(["store", *[str(log) if word == "LOG" else word for word in words]]) == 2
    message = capsys.readouterr().err
    assert error in message
    assert message.startswith("error: ")
    assert len(message.splitlines()) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["log.csv"]


def test_a_bad_row_says_what_is_stored(
    tmp_path: Path, url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "log.csv"
    rows = [f"u,i{number},{number}\n" for number in range(2500)]
    path.write_text("".join(["user_id,item_id,timestamp\n", *rows, "u,x,soon\n"]))
    assert run(["store", "import", str(path), "--store", url]) == 2
    message = capsys.readouterr().err
    assert "line 2,502: the time is 'soon'" in message
    assert "the first 2,000 rows are stored, and the import can be repeated" in message


def test_the_variable_names_the_store(log: Path, url: str) -> None:
    environment = {**os.environ, "SASREC_SERVE_STORE": url}
    words = [sys.executable, "-m", "sasrec_serve", "store", "import", str(log), *COLUMNS]
    done = subprocess.run(words, env=environment, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert sqlite3.connect(url).execute("SELECT count(*) FROM events").fetchone() == (3,)


def stored(url: str) -> int:
    """Return the number of events in an SQLite file that may not have its tables yet."""
    if not Path(url).exists():
        return 0
    with closing(sqlite3.connect(url)) as opened:
        try:
            return int(opened.execute("SELECT count(*) FROM events").fetchone()[0])
        except sqlite3.OperationalError:
            return 0


@pytest.mark.slow
def test_an_interrupted_import_says_so_and_can_be_repeated(tmp_path: Path, url: str) -> None:
    path, n_rows = tmp_path / "log.csv", 400_000  # more than is stored before the signal arrives
    rows = (f"u{number % 999},i{number},{number}\n" for number in range(n_rows))
    path.write_text("".join(["user_id,item_id,timestamp\n", *rows]))
    words = [sys.executable, "-m", "sasrec_serve", "store", "import", str(path), "--store", url]
    started = subprocess.Popen(words, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    while not stored(url):
        assert started.poll() is None
        time.sleep(0.02)
    started.send_signal(signal.SIGINT)
    _, told = started.communicate(timeout=60)
    assert started.returncode == 130
    assert "interrupted; the first " in told
    assert "Traceback" not in told
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    assert f"; {n_rows:,} known" not in done.stdout
    assert sqlite3.connect(url).execute("SELECT count(*) FROM events").fetchone() == (n_rows,)
