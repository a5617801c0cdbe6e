"""A search is stored, resumed and shared; a killed process loses and repeats no trial."""

import json
import re
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from sasrec.errors import Interrupted, ModelError, SettingsError
from sasrec.training.progress import EpochResult, Observer
from sasrec.tuning.outcomes import SearchProgress
from sasrec.tuning.plan import SearchPlan, points_of
from sasrec.tuning.report import search_figures, search_report, seconds_saved, write_figures
from sasrec.tuning.space import parameter
from sasrec.tuning.study import Search
from sasrec.tuning.urls import shown_storage

CHOICES = (
    parameter("a", "choice", [1, 2, 3], "here"),
    parameter("b", "choice", [[10], [20]], "here"),
)
RANGES = (
    parameter("x", "uniform", [-1, 1], "here"),
    parameter("y", "loguniform", [-3, 0], "here"),
    parameter("z", "quniform", [0, 8, 2], "here"),
)


def plan(**values: Any) -> SearchPlan:
    return SearchPlan(**{"space": CHOICES, "algorithm": "exhaustive", "prune": "none"} | values)


def epoch(number: int, score: float) -> EpochResult:
    return EpochResult(number, 1.0, 0.1, 10, score, False, 9)


def score_of(settings: dict[str, Any]) -> float:
    return float(settings["a"] * settings["b"][0])


def train(settings: dict[str, Any], observer: Observer) -> float:
    for number in range(1, 31):
        observer.finished_epoch(epoch(number, score_of(settings)))
    return score_of(settings)


def quiet(progress: SearchProgress) -> None:
    pass


def test_an_exhaustive_search_tries_every_combination_once(tmp_path: Path) -> None:
    search = Search(plan(), storage=str(tmp_path / "s.journal"), name="s")
    reported: list[SearchProgress] = []
    assert search.run(train, reported.append) == "6 of 6 trials are done"
    tried = [(s.settings["a"], s.settings["b"][0]) for s in reported]
    assert sorted(tried) == [(a, b) for a in (1, 2, 3) for b in (10, 20)]
    assert tried != sorted(tried)  # in random order, as in RecBole
    best = search.best()
    assert best is not None
    assert search.settings_of(best) == {"a": 3, "b": [20]}
    assert [s.done for s in reported] == [1, 2, 3, 4, 5, 6]
    assert reported[-1].best == 60
    assert reported[-1].seconds_left == 0


def test_a_search_resumes_where_it_stopped(tmp_path: Path) -> None:
    where = str(tmp_path / "s.journal")
    tried: list[tuple[int, int]] = []

    def stopping(settings: dict[str, Any], observer: Observer) -> float:
        if len(tried) == 3:
            raise KeyboardInterrupt
        tried.append((settings["a"], settings["b"][0]))
        return score_of(settings)

    with pytest.raises(Interrupted, match="finished trials are kept"):
        Search(plan(), storage=where, name="s").run(stopping, quiet)
    again = Search(plan(), storage=where, name="s")
    assert len(again.done()) == 3

    def noting(settings: dict[str, Any], observer: Observer) -> float:
        tried.append((settings["a"], settings["b"][0]))
        return score_of(settings)

    again.run(noting, quiet)
    assert sorted(tried) == [(a, b) for a in (1, 2, 3) for b in (10, 20)]
    assert Search(plan(), storage=where, name="s").run(noting, quiet) == "6 of 6 trials are done"
    assert len(tried) == 6


@pytest.fixture(params=["file", "sqlite", "postgresql"])
def where(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A storage of each kind; for PostgreSQL a server is started, if it is installed."""
    if request.param == "file":
        yield str(tmp_path / "s.journal")
    elif request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/s.db"
    else:
        pgserver, _ = pytest.importorskip("pgserver"), pytest.importorskip("psycopg2")
        server = pgserver.get_server(tmp_path / "pg")
        yield server.get_uri().replace("postgresql://", "postgresql+psycopg2://")
        server.cleanup()


@pytest.mark.slow
def test_two_processes_share_a_study_and_one_may_be_killed(where: str, tmp_path: Path) -> None:
    log = tmp_path / "log.txt"
    script = f"""
import sys, time
sys.path.insert(0, {str(Path(__file__).parent)!r})
from test_study import CHOICES, plan, quiet, score_of
from sasrec.tuning.study import Search
def slow(settings, observer):
    with open({str(log)!r}, "a") as file:
        file.write(f"begins {{settings['a']}} {{settings['b'][0]}} {{sys.argv[1]}}\\n")
    time.sleep(60 if sys.argv[1] == "hangs" and settings else 0.3)
    return score_of(settings)
Search(plan(), storage={where!r}, name="s").run(slow, quiet)
"""
    hanging = subprocess.Popen([sys.executable, "-c", script, "hangs"])
    for _ in range(600):
        if log.exists() and "hangs" in log.read_text():
            break
        time.sleep(0.1)
    working = subprocess.Popen([sys.executable, "-c", script, "works"])
    for _ in range(600):
        if log.read_text().count("works") >= 2:
            break
        time.sleep(0.1)
    hanging.kill()
    hanging.wait()
    assert working.wait(timeout=120) == 0
    begun = [line.split() for line in log.read_text().splitlines()]
    worked = Counter((a, b) for _, a, b, who in begun if who == "works")
    assert worked == Counter((str(a), str(b)) for a in (1, 2, 3) for b in (10, 20))
    search = Search(plan(), storage=where, name="s")
    assert len(search.done()) == 6
    assert search.run(train, quiet) == "6 of 6 trials are done"


@pytest.mark.slow
def test_processes_that_start_together_create_one_study(where: str) -> None:
    script = f"""
import sys
sys.path.insert(0, {str(Path(__file__).parent)!r})
from test_study import plan, quiet, score_of
from sasrec.tuning.study import Search
sys.stdin.readline()
Search(plan(), storage={where!r}, name="s").run(lambda settings, _: score_of(settings), quiet)
"""
    some = [
        subprocess.Popen(
            [sys.executable, "-c", script],
            stdin=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(3)
    ]
    for each in some:
        assert each.stdin is not None
        each.stdin.write("go\n")
        each.stdin.flush()
    assert [(each.communicate(timeout=120)[1], each.returncode) for each in some] == [("", 0)] * 3
    assert len(Search(plan(), storage=where, name="s").done()) == 6


def test_a_combination_that_was_queued_twice_is_tried_once(tmp_path: Path) -> None:
    where = str(tmp_path / "s.journal")
    first = Search(plan(), storage=where, name="s")
    for number, point in enumerate(points_of(plan())):
        first.study.enqueue_trial(point, user_attrs={"point": number})
    reported: list[SearchProgress] = []
    assert first.run(train, reported.append) == "6 of 6 trials are done"
    assert len({(s.settings["a"], s.settings["b"][0]) for s in reported}) == len(reported) == 6
    assert Search(plan(), storage=where, name="s").ask() is None


def test_unpromising_trials_are_pruned(tmp_path: Path) -> None:
    search = Search(plan(prune="halving"), storage=str(tmp_path / "s.journal"), name="s")
    epochs: Counter[float] = Counter()

    def counted(settings: dict[str, Any], observer: Observer) -> float:
        for number in range(1, 31):
            epochs[score_of(settings)] += 1
            observer.finished_epoch(epoch(number, score_of(settings)))
        return score_of(settings)

    search.run(counted, quiet)
    states = Counter(trial.state.name for trial in search.done())
    assert states["PRUNED"] >= 1
    assert epochs[60] == 30  # the best trial is never pruned
    assert min(epochs.values()) == 5
    best = search.best()
    assert best is not None
    assert best.value == 60
    assert seconds_saved(search.done()) > 0


def test_a_failed_trial_is_reported_and_the_search_continues(tmp_path: Path) -> None:
    def failing(settings: dict[str, Any], observer: Observer) -> float:
        if settings["a"] == 2:
            raise ModelError("no good")
        return float("nan") if settings["a"] == 3 else score_of(settings)

    search = Search(plan(), storage=str(tmp_path / "s.journal"), name="s")
    reported: list[SearchProgress] = []
    search.run(failing, reported.append)
    outcomes = Counter(progress.outcome for progress in reported)
    unmeasured = "failed: the validation score is NaN or infinite"
    assert outcomes == {"finished": 2, "failed: no good": 2, unmeasured: 2}
    best = search.best()
    assert best is not None
    assert best.value == 20


@pytest.mark.parametrize("algorithm", ["random", "tpe"])
def test_ranges_are_searched_within_their_bounds(algorithm: str, tmp_path: Path) -> None:
    tried: list[dict[str, Any]] = []

    def parabola(settings: dict[str, Any], observer: Observer) -> float:
        tried.append(settings)
        return -((settings["x"] - 0.5) ** 2)

    some = plan(space=RANGES, algorithm=algorithm, trials=30)
    where = str(tmp_path / "s.journal")
    assert Search(some, storage=where, name="s").run(parabola, quiet) == "30 of 30 trials are done"
    assert all(-1 <= each["x"] <= 1 and 0.049 < each["y"] <= 1 for each in tried)
    assert {each["z"] for each in tried} <= {0, 2, 4, 6, 8}
    assert len({each["x"] for each in tried}) == 30
    Search(plan(space=RANGES, algorithm=algorithm, trials=35), storage=where, name="s").run(
        parabola, quiet
    )
    assert len({each["x"] for each in tried}) == 35  # earlier values are not drawn again


def test_limits_end_a_search(tmp_path: Path) -> None:
    early = Search(plan(early_stop=1, seed=3), storage=str(tmp_path / "a"), name="s")
    reason = early.run(lambda settings, observer: 1.0, quiet)
    assert reason == "1 trial in a row without a new best score"
    assert len(early.done()) == 2
    late = Search(plan(minutes=0.0), storage=str(tmp_path / "b"), name="s")
    assert late.run(train, quiet) == "the limit of 0 minutes is reached"


def test_another_space_in_the_same_study_is_refused(tmp_path: Path) -> None:
    where = str(tmp_path / "s.journal")
    Search(plan(), storage=where, name="s")
    with pytest.raises(SettingsError, match="has another space"):
        Search(plan(space=CHOICES[:1]), storage=where, name="s")
    Search(plan(space=CHOICES[:1]), storage=where, name="other")


def test_a_study_of_another_model_or_data_is_refused(tmp_path: Path) -> None:
    where, about = str(tmp_path / "s.journal"), {"model": "SASRec", "data": "3f", "settings": {}}
    Search(plan(), storage=where, name="s", about=about).run(train, quiet)
    for change in ({"model": "GRU4Rec"}, {"data": "77"}, {"settings": {"epochs": 3}}):
        [name] = change
        with pytest.raises(SettingsError, match=f"other {name} .*choose another --out"):
            Search(plan(), storage=where, name="s", about=about | change)
    assert len(Search(plan(), storage=where, name="s", about=about).done()) == 6


def test_a_file_that_is_not_a_journal_is_not_changed(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    for text in ("a note", "learning_rate choice [1]\n", '[1, 2]\n{"op_code": 0}\n', "{}\n"):
        path.write_text(text)
        with pytest.raises(SettingsError, match=r"is not a search journal|line 1 is not an entry"):
            Search(plan(), storage=str(path), name="s")
        assert path.read_text() == text
        assert list(tmp_path.iterdir()) == [path]


def test_a_lock_of_a_killed_process_stops_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "out").mkdir()
    # What Optuna's own lock leaves behind after kill -9, and wait for without end.
    (tmp_path / "out" / "s.journal.lock").symlink_to("out/s.journal")
    assert len(_searched("out/s.journal").done()) == 6
    holding = """
import os, sys
from pathlib import Path
from sasrec.system.locks import FileLock
lock = FileLock(Path("out/s.journal"))
lock.acquire()
os.kill(os.getpid(), 9)
"""
    assert subprocess.run([sys.executable, "-c", holding], cwd=tmp_path).returncode == -9
    assert len(_searched("out/s.journal").done()) == 6


def _searched(where: str) -> Search:
    search = Search(plan(), storage=where, name="s")
    search.run(train, quiet)
    return search


def test_a_line_that_was_never_finished_is_cut_off(tmp_path: Path) -> None:
    path = tmp_path / "s.journal"
    Search(plan(), storage=str(path), name="s").run(train, quiet)
    whole = path.read_bytes()
    for cut in (1, 40):
        path.write_bytes(whole + whole.splitlines()[-1][:-cut])
        again = Search(plan(), storage=str(path), name="s")
        assert len(again.done()) == 6
        assert path.read_bytes().startswith(whole)
        assert all(json.loads(line) for line in path.read_text().splitlines())


def test_a_damaged_journal_line_is_named(tmp_path: Path) -> None:
    path = tmp_path / "s.journal"
    Search(plan(), storage=str(path), name="s")
    lines = path.read_text().splitlines()
    lines.insert(3, lines[3][:20] + lines[4])
    path.write_text("\n".join(lines) + "\n")
    with pytest.raises(SettingsError, match="line 4 is not an entry"):
        Search(plan(), storage=str(path), name="s")


def test_a_full_disk_stops_a_search_with_a_hint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    search = Search(plan(), storage=str(tmp_path / "s.journal"), name="s")

    def full(settings: dict[str, Any], observer: Observer) -> float:
        raise OSError(28, "No space left on device")

    with pytest.raises(
        SettingsError, match=r"s.journal cannot be written: No space.*run the same command again"
    ):
        search.run(full, quiet)


def test_passwords_are_not_shown() -> None:
    with pytest.raises(SettingsError) as caught:
        Search(plan(), storage="nosuchdb://me:secret@host/x", name="s")
    assert "secret" not in str(caught.value)
    assert "nosuchdb://me:***@host/x" in str(caught.value)


@pytest.mark.parametrize(
    ("where", "shown"),
    [
        ("postgresql://me:secret@host/db", "postgresql://me:***@host/db"),
        ("postgresql://me:se@cret@host/db", "postgresql://***@host/db"),
        ("postgresql://me:se cret@host/db", "postgresql://me:***@host/db"),
        ("postgresql://me:%73ecret@host/db", "postgresql://me:***@host/db"),
        ("postgresql://me:secret@host:port/db", "postgresql://***@host:port/db"),
        ("redis://:secret@host/0", "redis://:***@host/0"),
        (
            "mysql://host/db?password=secret&charset=utf8",
            "mysql://host/db?charset=utf8&password=***",
        ),
        ("mysql://host/db?user=me&ssl_token=secret", "mysql://host/db?ssl_token=***&user=me"),
        ("sqlite:///s.db", "sqlite:///s.db"),
        ("runs/12:30.journal", "runs/12:30.journal"),
    ],
)
def test_a_storage_is_shown_without_its_secrets(where: str, shown: str) -> None:
    assert shown_storage(where) == shown


@pytest.mark.parametrize(
    "where",
    [
        "postgresql:/me:secret@host/db",
        "postgresql//me:secret@host/db",
        "postgresql:me:secret@host/db",
        "postgresql:\\\\me:secret@host/db",
        "//me:secret@host/db",
        "me:secret@host/db",
        "mysql:/host/db?password=secret",
        "host/db?token=secret",
    ],
)
def test_a_mistyped_url_creates_no_folder_named_after_a_password(
    where: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SettingsError, match="looks like a mistyped database URL") as caught:
        Search(plan(), storage=where, name="s")
    assert "secret" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_a_file_may_be_named_like_a_url(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for where in ("./a:b@c.journal", "runs/12:30.journal"):
        Search(plan(), storage=where, name="s")
        assert Path(where).is_file()


def test_the_report_numbers_trials_as_the_command_does(tmp_path: Path) -> None:
    search = Search(plan(), storage=str(tmp_path / "s.journal"), name="s")
    reported: list[SearchProgress] = []
    search.run(train, reported.append)
    assert [progress.number for progress in reported] == [1, 2, 3, 4, 5, 6]
    rows = re.findall(
        r"<tr class=.*?><td>(\d+)</td><td>([\d.]+)</td>", search_report(search, {}, title="")
    )
    assert rows == [(str(each.number), f"{each.score:.5f}") for each in reported]


def test_minutes_are_not_negative_when_the_clock_jumps(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:

    class Jumping(datetime):
        """A clock that goes back by an hour at each call."""

        at = datetime(2026, 1, 1, tzinfo=UTC)

        @classmethod
        def now(cls, tz: Any = None) -> Any:
            cls.at -= timedelta(hours=1)
            return cls.at

    monkeypatch.setattr("optuna.storages.journal._storage.datetime", Jumping)
    search = Search(plan(prune="halving"), storage=str(tmp_path / "s.journal"), name="s")
    search.run(train, quiet)
    assert any(t.duration and t.duration.total_seconds() < 0 for t in search.done())
    page = search_report(search, {}, title="")
    assert re.findall(r"-[\d.]+ minutes", page) == []
    assert seconds_saved(search.done()) >= 0


@pytest.mark.parametrize(
    ("where", "message"),
    [
        (".", "is not a regular file"),
        ("/dev/full", "is not a regular file"),
        ("nosuchdb://host/x", "cannot be used"),
        ("sqlite:////no/such/folder/s.db", "cannot be used"),
    ],
)
def test_an_unusable_storage_is_reported(where: str, message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        Search(plan(), storage=where, name="s")


def test_the_report_is_one_page(tmp_path: Path) -> None:
    search = Search(plan(prune="halving"), storage=str(tmp_path / "s.journal"), name="s")
    search.run(train, quiet)
    figures = search_figures(search, "ndcg@20")
    page = search_report(search, figures, title="a < b", final=["test: 1 & 2"])
    assert "a &lt; b" in page
    assert "test: 1 &amp; 2" in page
    for part in ("Score by trial", "Learning curves", "Score by setting", "Settings together"):
        assert part in page
    assert page.count("<tr") == 7
    assert "src=" not in page
    written = write_figures(figures, tmp_path)
    names = {"score-by-trial.png", "learning-curves.png", "what-mattered.png"}
    assert {path.name for path in written} >= names
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in written)
