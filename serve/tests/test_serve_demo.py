"""The demo serves a model with its users' histories, and ends when it is told to."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from exported_forms import recommender_of

import sasrec

DEMO = Path(__file__).parents[1] / "demo.py"
LOG = "user_id:token\titem_id:token\ttimestamp:float\n196\ti1\t1\n196\ti2\t2\n22\ti3\t3\n"


@pytest.fixture(scope="module")
def words(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    folder = tmp_path_factory.mktemp("demo")
    sasrec.export(recommender_of("recbole"), folder / "out")
    (folder / "log.inter").write_text(LOG)
    names = [str(folder / name) for name in ("out", "log.inter", "e.sqlite")]
    return [sys.executable, str(DEMO), names[0], names[1], "--store", names[2]]


@pytest.mark.slow
@pytest.mark.parametrize("path", [os.environ["PATH"], "/nonexistent"], ids=["curl", "no curl"])
def test_the_demo_asks_once_and_ends(words: list[str], path: str) -> None:
    environment = {**os.environ, "PATH": path}
    done = subprocess.run([*words, "--once"], capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr
    assert "3 events of the users" in done.stdout
    assert "The page to try it: http://127.0.0.1:" in done.stdout
    assert len([line for line in done.stdout.splitlines() if line.startswith("  ")]) == 5


@pytest.mark.slow
def test_the_demo_ends_cleanly_on_ctrl_c(words: list[str]) -> None:
    started = subprocess.Popen(words, stdout=subprocess.PIPE, text=True, start_new_session=True)
    assert started.stdout is not None
    with started.stdout:
        while "Ctrl-C" not in started.stdout.readline():
            assert started.poll() is None
        os.killpg(started.pid, signal.SIGINT)
        assert "The server ends." in started.stdout.read()
    assert started.wait(30) == 0
    with pytest.raises(ProcessLookupError):  # nothing of it still runs
        os.killpg(started.pid, 0)


@pytest.mark.slow
def test_a_demo_that_cannot_start_says_why(words: list[str], tmp_path: Path) -> None:
    missing = [str(tmp_path) if word.endswith("/out") else word for word in words]
    done = subprocess.run([*missing, "--once"], capture_output=True, text=True)
    assert done.returncode == 2
    assert "is not an export" in done.stderr
    assert "Traceback" not in done.stderr
