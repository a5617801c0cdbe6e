"""A comparison stopped by a signal or by kill -9 ends without a result and can be resumed."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from forked import ran

DATA = "synthetic:users=60,items=30,length=8"
SMALL = ("--hidden_size=8", "--inner_size=8", "--epochs=2", "--device=cpu")
COMPARE = ("compare", "-d", DATA, "-m", "FPMC,SASRec", "--seeds", "2", "-o", "out", *SMALL)
SIGNIFICANCE = ("significance", "-mo", "FPMC", "-mb", "BPR", "-d", DATA, "-rt", "2", *SMALL[2:])

# Runs the command, and sends a signal to itself in the first epoch of the n-th training.
STOPPED = """
import os, sys
import sasrec.training.loop as loop
number, signal = int(sys.argv[1]), int(sys.argv[2])
trainings = 0
true_one = loop.TrainingLoop.epoch
def epoch(self, which):
    global trainings
    trainings += which == 1
    if trainings == number and which == 2:  # there is something to keep: weights of half a training
        os.kill(os.getpid(), signal)
    return true_one(self, which)
loop.TrainingLoop.epoch = epoch
from sasrec.cli.app import main
sys.argv = ["sasrec", *sys.argv[3:]]
main()
"""


def run(*words: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return ran("-m", "sasrec", *words, cwd=cwd)


def stopped(
    *words: str, cwd: Path, training: int, by: signal.Signals
) -> subprocess.CompletedProcess[str]:
    program = ("-c", STOPPED, str(training), str(int(by)))
    return ran(*program, *words, cwd=cwd)


def figures(folder: Path) -> dict[str, Any]:
    """Return the results of a comparison without times and memory."""
    found: dict[str, Any] = json.loads((folder / "comparison.json").read_text())
    for entry in found["entries"]:
        for key in ("peak_megabytes", "seconds_per_epoch", "seconds_to_best"):
            del entry[key]
    return found


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("whole")
    ended = run(*COMPARE, "-q", cwd=folder)
    assert ended.returncode == 0, ended.stderr
    return figures(folder / "out")


@pytest.mark.parametrize("by", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_an_interrupted_comparison_is_resumed(
    by: signal.Signals, whole: dict[str, Any], tmp_path: Path
) -> None:
    ended = stopped(*COMPARE, cwd=tmp_path, training=3, by=by)
    assert ended.returncode != 0
    assert ended.stdout == ""
    if by is not signal.SIGKILL:
        assert "2 of 4 trainings kept in out; run the same command again to resume" in ended.stderr
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["unfinished"]
    again = run(*COMPARE, cwd=tmp_path)
    assert again.returncode == 0, again.stderr
    assert "reusing 2 of 4 trainings that finished earlier: FPMC (seed 2020), FPMC" in (
        again.stderr
    )
    assert "FPMC, seed 2020\n" not in again.stderr
    assert "SASRec, seed 2020\n" in again.stderr
    assert figures(tmp_path / "out") == whole
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        "comparison.json",
        "comparison.csv",
        "comparison.png",
    }


def test_trainings_with_other_settings_or_data_are_not_reused(tmp_path: Path) -> None:
    stopped(*COMPARE, cwd=tmp_path, training=3, by=signal.SIGTERM)
    other = ("--learning_rate=0.01", "-q")
    ended = stopped(*COMPARE, *other, cwd=tmp_path, training=1, by=signal.SIGTERM)
    assert ended.returncode != 0
    assert "reusing" not in ended.stderr
    assert "ignoring 2 trainings in out, made with other settings, data or versions" in ended.stderr
    elsewhere = [DATA.replace("60", "61") if word == DATA else word for word in COMPARE]
    ended = stopped(*elsewhere, "-q", cwd=tmp_path, training=1, by=signal.SIGTERM)
    assert "reusing" not in ended.stderr
    assert "no training was finished" in ended.stderr
    for path in (tmp_path / "out" / "unfinished").iterdir():
        path.write_bytes(path.read_bytes()[:-8])  # damaged: trained again
    ended = stopped(*COMPARE, "-q", cwd=tmp_path, training=1, by=signal.SIGTERM)
    assert "reusing" not in ended.stderr


def test_other_metrics_are_computed_from_kept_ranks(tmp_path: Path) -> None:
    stopped(*COMPARE, cwd=tmp_path, training=4, by=signal.SIGINT)
    ended = run(*COMPARE, "--metrics=hit,mrr", "--topk=3", "-q", cwd=tmp_path)
    assert ended.returncode == 0, ended.stderr
    assert "reusing 3 of 4 trainings that finished earlier" in ended.stderr
    direct = run(
        *COMPARE[: -len(SMALL) - 1],
        "two",
        *SMALL,
        "--metrics=hit,mrr",
        "--topk=3",
        "-q",
        cwd=tmp_path,
    )
    assert direct.returncode == 0, direct.stderr
    assert figures(tmp_path / "out") == figures(tmp_path / "two")


def test_an_interruption_before_the_first_finished_training_leaves_no_files(tmp_path: Path) -> None:
    ended = stopped(*COMPARE, cwd=tmp_path, training=1, by=signal.SIGTERM)
    assert ended.returncode != 0
    assert "before it had a result; no training was finished" in ended.stderr
    assert ended.stdout == ""
    assert not (tmp_path / "out").exists()


def test_an_existing_result_is_replaced_only_with_overwrite(tmp_path: Path) -> None:
    one = ("compare", "-d", DATA, "-m", "FMC", "-o", "out", "--epochs=1", "-q")
    assert run(*one, cwd=tmp_path).returncode == 0
    before = (tmp_path / "out" / "comparison.json").read_bytes()
    refused = run(*one, "--seed=1", cwd=tmp_path)
    assert refused.returncode == 2
    assert "out already holds a comparison; choose another output folder" in refused.stderr
    assert (tmp_path / "out" / "comparison.json").read_bytes() == before
    assert run(*one, "--seed=1", "--overwrite", cwd=tmp_path).returncode == 0
    assert (tmp_path / "out" / "comparison.json").read_bytes() != before


KILLED_WHILE_WRITING = """
import os, sys
import sasrec.comparison.result_folder as result_folder
def deadly(comparison, path):
    os.kill(os.getpid(), 9)
result_folder.draw_comparison = deadly
from sasrec.cli.app import main
sys.argv = ["sasrec", *sys.argv[1:]]
main()
"""


def test_killed_while_the_result_is_written(tmp_path: Path) -> None:
    one = ("compare", "-d", DATA, "-m", "FMC", "-o", "out", "--epochs=1", "-q")
    killed = ran("-c", KILLED_WHILE_WRITING, *one, cwd=tmp_path)
    assert killed.returncode == -signal.SIGKILL
    assert (tmp_path / "out" / "comparison.csv").exists()
    ended = run(*one, cwd=tmp_path)
    assert ended.returncode == 0, ended.stderr
    assert "reusing 1 of 1 training that finished earlier" in ended.stderr
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert names == {"comparison.json", "comparison.csv", "comparison.png"}


@contextmanager
def taken(folder: Path) -> Iterator[None]:
    """Lock a folder as another comparison would."""
    code = (
        "import sys\nfrom pathlib import Path\nfrom sasrec.system.locks import exclusive_lock\n"
        "with exclusive_lock(Path(sys.argv[1]), wait=False):\n"
        "    print('held', flush=True)\n    input()"
    )
    holder = subprocess.Popen(
        [sys.executable, "-c", code, str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert holder.stdout is not None
    assert holder.stdout.readline().startswith(b"held")
    yield
    holder.communicate(b"\n")


def test_two_comparisons_do_not_write_into_one_folder(tmp_path: Path) -> None:
    with taken(tmp_path / "out"):
        refused = run("compare", "-d", DATA, "-m", "FMC", "-o", "out", cwd=tmp_path)
    assert refused.returncode == 2
    assert "another comparison is writing to out; wait until it ends" in refused.stderr


@pytest.mark.parametrize("by", [signal.SIGTERM, signal.SIGKILL])
def test_an_interrupted_significance_test_is_resumed(by: signal.Signals, tmp_path: Path) -> None:
    ended = stopped(*SIGNIFICANCE, cwd=tmp_path, training=4, by=by)
    assert ended.returncode != 0
    assert ended.stdout == ""
    again = run(*SIGNIFICANCE, cwd=tmp_path)
    assert again.returncode == 0, again.stderr
    assert "reusing 3 of 4 trainings that finished earlier" in again.stderr
    fresh = tmp_path / "fresh"
    os.mkdir(fresh)
    assert run(*SIGNIFICANCE, cwd=fresh).stdout == again.stdout
    assert list(tmp_path.glob("compared/*")) == []
