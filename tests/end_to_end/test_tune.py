"""tune as a user runs it: a search, its report, its best settings, and its mistakes."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from forked import ran, started
from sasrec.cli.app import main

DATA = "synthetic:users=150,items=40,length=12"
SMALL = ["--hidden_size=16", "--inner_size=16", "--epochs=3"]
SPACE = "learning_rate choice [0.01,0.003]\nn_layers choice [1,2]\n"


def command(*words: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return ran("-m", "sasrec", *words, cwd=cwd)


def mistaken(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *words: str
) -> str:
    """Run a command in this process that must exit with code 2; return its standard error."""
    monkeypatch.setattr(sys, "argv", ["sasrec", *words])
    with pytest.raises(SystemExit) as leaving:
        main()
    assert leaving.value.code == 2
    return capsys.readouterr().err


def test_a_search_ends_in_settings_that_train(tmp_path: Path) -> None:
    (tmp_path / "hyper.test").write_text(SPACE)
    words = ("tune", "-d", DATA, "--params", "hyper.test", *SMALL, "-o", "out", "--seeds", "2")
    ended = command(*words, cwd=tmp_path)
    assert ended.returncode == 0, ended.stderr
    assert "best of 4 trials" in ended.stdout
    assert "test, 2 seeds" in ended.stdout
    assert "is the best of 4 trials, so it is too optimistic" in ended.stdout
    assert ended.stdout.splitlines()[-2].endswith(
        " --config out/best.yaml --out saved/synthetic-users-150-items-40-length-12-tuned"
    )
    assert ended.stdout.splitlines()[-1].startswith("best.yaml contains epochs: 3, which was given")
    assert "epochs: 3  # as given for the search\n" in (tmp_path / "out" / "best.yaml").read_text()
    [first] = [line for line in ended.stderr.splitlines() if line.startswith("trial 1 of 4")]
    assert re.search(r"finished, ndcg@20 \d\.\d{4} \(best so far\); learning_rate=", first), first
    assert "4 of 4 trials are done" in ended.stderr
    assert "Score by trial" in (tmp_path / "out" / "search.html").read_text()
    assert (tmp_path / "out" / "score-by-trial.png").is_file()
    again = command(*words[:-2], "--seeds", "0", cwd=tmp_path)
    assert "resuming after 4 of 4 trials" in again.stderr
    trained = command(
        "train", "-d", DATA, "--config", "out/best.yaml", "-o", "m", "-q", cwd=tmp_path
    )
    assert trained.returncode == 0, trained.stderr


def test_the_result_of_a_search_can_be_json(tmp_path: Path) -> None:
    (tmp_path / "hyper.test").write_text("n_layers choice [1,2]\n")
    words = ("tune", "-d", DATA, "--params", "hyper.test", *SMALL, "-o", "out", "--seeds", "2")
    ended = command(*words, "--json", cwd=tmp_path)
    assert ended.returncode == 0, ended.stderr
    found = json.loads(ended.stdout)
    assert found["trials"] == 2
    assert found["failed"] == 0
    assert set(found["settings"]) == {"n_layers"}
    assert len(found["tests"]) == 2
    assert 0 < found["validation"] < 1
    assert "trial 1" not in ended.stderr
    quiet = command(*words[:-1], "0", "--quiet", cwd=tmp_path)
    assert "best of 2 trials" in quiet.stdout
    assert quiet.stderr == ""


def test_a_space_may_be_yaml_and_a_range(tmp_path: Path) -> None:
    (tmp_path / "space.yaml").write_text(
        "uniform: {hidden_dropout_prob: [0.1, 0.5]}\nchoice: {n_heads: [1, 2]}\n"
    )
    words = ("tune", "-d", DATA, "--params", "space.yaml", *SMALL, "--trials", "3", "--seeds", "0")
    words = (*words, "--user_inter_num_interval=[3,inf)", "--topk=5,10", "-o", "out")
    ended = command(*words, cwd=tmp_path)
    assert ended.returncode == 0, ended.stderr
    assert "best of 3 trials" in ended.stdout
    found = command("config", "--config", "out/best.yaml", "--json", cwd=tmp_path)
    assert found.returncode == 0, found.stderr
    assert json.loads(found.stdout)["evaluation"]["topk"] == [5, 10]


def test_the_built_in_space_is_searched_without_a_file(tmp_path: Path) -> None:
    words = ("tune", "-d", DATA, "--auto", "--epochs=1", "--trials", "2", "--seeds", "0")
    ended = command(*words, cwd=tmp_path)
    assert ended.returncode == 0, ended.stderr
    assert "temperature" in ended.stdout


def test_control_c_prints_how_to_continue(tmp_path: Path) -> None:
    (tmp_path / "hyper.test").write_text(SPACE)
    words = ("tune", "-d", DATA, "--params", "hyper.test", *SMALL[:2], "--epochs=300", "-o", "out")
    words = (*words, "--patience=300", "--prune", "none")
    running = started("-m", "sasrec", *words, cwd=tmp_path, stderr=subprocess.PIPE)
    assert running.stderr is not None
    first = running.stderr.readline()
    assert "trial 1 of 4" in first
    running.send_signal(signal.SIGINT)
    rest = running.stderr.read()
    running.stderr.close()
    assert running.wait() == 130, rest
    assert "run the same command again to resume" in rest
    assert "Traceback" not in rest


def searching_by_twos(folder: Path, epochs: int) -> subprocess.Popen[str]:
    """Start a search of 4 trials, two at a time."""
    (folder / "hyper.test").write_text(SPACE)
    words = ("tune", "-d", DATA, "--params", "hyper.test", *SMALL[:2], f"--epochs={epochs}")
    words = (*words, f"--patience={epochs}", "--prune", "none", "-o", "out", "--seeds", "0")
    return subprocess.Popen(
        [sys.executable, "-m", "sasrec", *words, "--jobs", "2"],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def owners(folder: Path) -> list[int]:
    """Return the ids of the processes that started the trials, one per trial."""
    journal = folder / "out" / "study.journal"
    lines = journal.read_text().split("\n")[:-1] if journal.exists() else []
    names = [json.loads(line).get("user_attr", {}).get("owner") for line in lines]
    return [int(name.rpartition(":")[2]) for name in names if name is not None]


def worker_of(search: subprocess.Popen[str], folder: Path) -> int:
    """Wait until another process has begun a trial of a search; return it."""
    for _ in range(600):
        others = set(owners(folder)) - {search.pid}
        if others:
            return others.pop()
        assert search.poll() is None, search.communicate()
        time.sleep(0.1)
    raise AssertionError("no worker process has started a trial")


def is_there(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.mark.slow
def test_trials_are_done_two_at_a_time_and_a_killed_worker_loses_nothing(tmp_path: Path) -> None:
    search = searching_by_twos(tmp_path, epochs=100)
    os.kill(worker_of(search, tmp_path), signal.SIGKILL)
    output, stderr = search.communicate()
    assert search.returncode == 0, stderr
    assert (
        "a worker process was killed by signal 9 (out of memory?); its trial is repeated" in stderr
    )
    assert "4 of 4 trials are done" in stderr
    settings = [line.split("; ")[1] for line in stderr.splitlines() if ": finished" in line]
    assert len(set(settings)) == len(settings) == 4
    assert "best of 4 trials" in output


@pytest.mark.slow
def test_a_worker_ends_with_the_process_that_started_it(tmp_path: Path) -> None:
    search = searching_by_twos(tmp_path, epochs=3000)
    worker = worker_of(search, tmp_path)
    search.kill()
    search.communicate()
    for _ in range(200):
        if not is_there(worker):
            return
        time.sleep(0.1)
    os.kill(worker, signal.SIGKILL)
    raise AssertionError("the worker process did not end with its parent")


@pytest.mark.slow
def test_control_c_stops_workers_too(tmp_path: Path) -> None:
    search = searching_by_twos(tmp_path, epochs=3000)
    worker = worker_of(search, tmp_path)
    search.send_signal(signal.SIGINT)
    _, stderr = search.communicate()
    assert search.returncode == 130
    assert "run the same command again to resume" in stderr
    assert "Traceback" not in stderr
    assert not is_there(worker)


@pytest.mark.parametrize(
    ("space", "words", "message"),
    [
        (
            "learning_rat choice [1]",
            (),
            "hyper.test, line 1: 'learning_rat' is not a setting; did you mean 'learning_rate'",
        ),
        ("ratios choice [1]", (), "hyper.test, line 1: 'ratios' cannot be searched"),
        ("USER_ID_FIELD choice ['a']", (), "'USER_ID_FIELD' cannot be searched"),
        ("eval_args choice [{}]", (), "'eval_args' cannot be searched"),
        (
            "n_layers choice [1]",
            ("--n_layers=2",),
            "'n_layers' is in the search space, but is also set to 2",
        ),
        (
            "\n".join(
                f"{name} choice {list(range(1, 31))}" for name in ("n_layers", "n_heads", "epochs")
            ),
            (),
            "the space has 27,000 combinations",
        ),
        ("n_layers choice [1]", ("--config", "l.yaml"), "'n_layerz' in l.yaml, line 2; did you"),
        ("n_layers choice [1]", ("-o", "hyper.test"), "hyper.test is a file; choose another"),
        ("n_layers choice [1]", ("--storage", "hyper.test"), "is not an entry of a search journal"),
        ("n_layers choice []", (), "hyper.test, line 1"),
        ("n_layers choice [1]", ("--minutes=0",), "minutes is 0"),
        ("n_layers choice [1]", ("--jobs=100000",), "jobs is 100000, but this machine has only"),
        ("learning_rate uniform 2,1", (), "give the lower bound first"),
        ("learning_rate uniform 1,2", ("--algo", "exhaustive"), "is a range"),
        ("n_layers choice [1]", ("--algo", "tpee"), "did you mean 'tpe'"),
        ("n_layers choice [1]", ("--prune", "hyperbend"), "did you mean 'hyperband'"),
        ("n_layers choice [1]", ("--auto",), "give either --params FILE or --auto"),
        ("n_layers choice [1]", ("--storage", "nodb://x"), "cannot be used"),
        ("n_layers choice [-1]", (), "hyper.test, line 1: n_layers is -1: it must be at least 1"),
        ("n_heads choice [3]", (), "no trial finished; the last one failed: hidden_size "),
    ],
)
def test_mistakes_end_in_one_line(
    space: str,
    words: tuple[str, ...],
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "hyper.test").write_text(space + "\n")
    (tmp_path / "l.yaml").write_text("n_heads: 1\nn_layerz: 3\n")
    monkeypatch.chdir(tmp_path)
    stderr = mistaken(monkeypatch, capsys, "tune", "-d", DATA, "--params", "hyper.test", *words)
    assert message in stderr
    assert stderr.count("error:") == 1


def test_recboles_command_searches_too(tmp_path: Path) -> None:
    (tmp_path / "hyper.test").write_text("learning_rate choice [0.01,0.003]\n")
    ended = command(
        "run_hyper",
        *("--model=SASRec", f"--dataset={DATA}", "--params_file=hyper.test", *SMALL),
        *("--output_file=all.result", "--display_file=all.html"),
        cwd=tmp_path,
    )
    assert ended.returncode == 0, ended.stderr
    assert "searches for Hyperopt are run with Optuna" in ended.stderr
    assert "best params: {'learning_rate': 0." in ended.stdout
    written = (tmp_path / "all.result").read_text()
    assert written.count("Valid result:") == written.count("Test result:") == 2
    assert (tmp_path / "all.html").is_file()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--tool=Optunna",), "did you mean 'Optuna'"),
        (("--params_file=none.test",), "none.test cannot be read"),
        (("--output_file=/dev/null/x",), "/dev/null/x cannot be written"),
        (("--display_file=.",), ". is a folder; give the name of a file"),
        (("--epochz=1",), "unknown key 'epochz'"),
        (("--model=SASRek",), "did you mean 'SASRec'"),
    ],
)
def test_mistakes_of_recboles_command_are_clear(
    words: tuple[str, ...],
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "hyper.test").write_text(SPACE)
    monkeypatch.chdir(tmp_path)
    assert message in mistaken(monkeypatch, capsys, "run_hyper", f"--dataset={DATA}", *words)


def test_mistakes_in_space_options_and_settings_are_reported_together(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    words = ("tune", "-d", "x", "--params", "none.test", "--algo=tpo", "--epochs=0")
    error = mistaken(monkeypatch, capsys, *words)
    assert [line[:24] for line in error.splitlines()] == [
        "error: 3 mistakes in the",
        "  algo is 'tpo'; did you",
        "  none.test cannot be re",
        "  epochs is 0: it must b",
    ]
