"""Output of commands: to a closed pipe, a full disk, and a terminal that interprets escapes."""

import io
import json
import logging
import os
import re
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

import pytest
from matplotlib.figure import Figure

from sasrec.cli.app import main

SMALL = ("--hidden_size=16", "--inner_size=16", "--n_layers=1", "--device=cpu")
DATA = "dataset/synthetic"
COMMAND = (sys.executable, "-m", "sasrec")
FULL = Path("/dev/full")
WEIGHTS = "model.safetensors"
EVIL = "we$ird $\\frac{ \x1b[31mred\u202e 漢"
SEEN = r"we$ird $\frac{ \x1b[31mred\u202e 漢"

needs_full_disk = pytest.mark.skipif(not FULL.exists(), reason="this system has no /dev/full")


class Called:
    """A command run in this process, which takes a fraction of the time."""

    def __init__(self, place: Path, *words: str) -> None:
        out, err = io.StringIO(), io.StringIO()
        with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(err):
            patch.chdir(place)
            patch.setattr(sys, "argv", ["sasrec", *words])
            with pytest.raises(SystemExit) as leaving:
                main()
        self.code, self.out, self.err = leaving.value.code, out.getvalue(), err.getvalue()


def run(*words: str, place: Path, **how: Any) -> subprocess.CompletedProcess[str]:
    variables = {**os.environ, "OMP_NUM_THREADS": "1", **how.pop("env", {})}
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **how}
    return subprocess.run([*COMMAND, *words], cwd=place, text=True, env=variables, **streams)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with data, a model, and data whose name has control characters."""
    folder = tmp_path_factory.mktemp("place")
    made = Called(folder, "data", "fetch", "synthetic:users=60,items=20,length=8")
    assert made.code == 0, made.err
    trained = Called(folder, "train", "-d", DATA, "-o", "model", "--epochs=1", *SMALL)
    assert trained.code == 0, trained.err
    (folder / "many.txt").write_text("i1 i2\n" * 2000)
    (folder / "two.test").write_text("learning_rate choice [0.01,0.02]\n")
    rows = [f"u{u},$x^{(u + i) % 9},{i}\n" for u in range(40) for i in range(8)]
    (folder / f"{EVIL}.csv").write_text("user_id,item_id,timestamp\n" + "".join(rows))
    return folder


@pytest.mark.parametrize(
    ("words", "unbuffered"),
    [
        ("config", ""),
        ("data list", "1"),
        pytest.param("evaluate model", "", marks=pytest.mark.slow),
        pytest.param("recommend model -f many.txt", "1", marks=pytest.mark.slow),
        ("recommend model -f many.txt --json", ""),
        pytest.param("recommend model -f many.txt --json", "1", marks=pytest.mark.slow),
    ],
)
def test_a_closed_pipe_is_not_a_failure(words: str, unbuffered: str, place: Path) -> None:
    running = subprocess.Popen(
        [*COMMAND, *words.split()],
        cwd=place,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONUNBUFFERED": unbuffered},
    )
    assert running.stdout is not None
    assert running.stderr is not None
    running.stdout.close()
    stderr = running.stderr.read()
    running.stderr.close()
    assert running.wait() == 141
    # Warnings about the data are printed as usual, one line each; nothing about the pipe.
    assert all(re.match(rb"\S+: ", line) for line in stderr.splitlines())
    assert not re.search(rb"pipe|rror|Traceback|write", stderr)


@needs_full_disk
@pytest.mark.parametrize("words", ["config", "recommend model --history i1"])
def test_a_full_disk_at_standard_output_ends_in_one_line(words: str, place: Path) -> None:
    with FULL.open("w") as full:
        ended = run(*words.split(), place=place, stdout=full)
    assert ended.returncode == 2
    said = "error: standard output cannot be written: No space left on device\n"
    assert ended.stderr == said


@pytest.mark.slow
@needs_full_disk
def test_a_full_disk_at_standard_output_does_not_lose_the_model(place: Path) -> None:
    words = ("train", "-d", DATA, "-q", "--epochs=1", "-o", "full1", *SMALL)
    with FULL.open("w") as full:
        ended = run(*words, place=place, stdout=full)
    assert ended.returncode == 2
    assert "standard output cannot be written" in ended.stderr
    assert {WEIGHTS, "training.png"} <= {path.name for path in (place / "full1").iterdir()}


@needs_full_disk
def test_a_full_disk_at_standard_error_does_not_stop_training(place: Path) -> None:
    words = ("train", "-d", DATA, "--epochs=2", "-o", "full2", *SMALL)
    with FULL.open("w") as full:
        ended = run(*words, place=place, stderr=full)
    assert ended.returncode == 0
    assert (place / "full2" / WEIGHTS).is_file()


@pytest.mark.slow
@needs_full_disk
@pytest.mark.skipif((os.cpu_count() or 1) < 2, reason="a second process needs a second core")
def test_a_full_disk_at_standard_error_does_not_stop_a_search(place: Path) -> None:
    words = ("tune", "-d", DATA, "--params", "two.test", "--epochs=1", "-o", "full3")
    with FULL.open("w") as full:
        ended = run(*words, "--jobs=2", "--seeds=0", *SMALL, place=place, stderr=full)
    assert ended.returncode == 0
    assert "best of 2 trials" in ended.stdout


def test_control_characters_in_names_are_escaped(place: Path) -> None:
    data = f"{EVIL}.csv"
    described = Called(place, "data", "describe", data)
    assert SEEN in described.out, described.err
    assert json.loads(Called(place, "data", "describe", data, "--json").out)["name"] == EVIL
    trained = Called(place, "train", "-d", data, "--epochs=1", "-o", "evil", "-m", "BPR")
    assert trained.code == 0, trained.err
    path = place / "evil" / "settings.json"
    settings = json.loads(path.read_text()) | {"source": "none\x1b[2J\r\b.csv"}
    path.write_text(json.dumps(settings))
    results = [
        trained,
        described,
        Called(place, "evaluate", "evil", "-d", data),
        Called(place, "evaluate", "evil"),
        Called(place, "recommend", "evil", "--user", "u\x1b[1m"),
        Called(place, "evaluate", "no\x1b[2Jmodel"),
        Called(place, "data", "describe", "no\u202efile\x9b.csv"),
        Called(place, "nosuch\x1b[2Jcommand"),
        Called(place, "train", "--\x1b[1m=x"),
        Called(place, "tune", "-d", data, "--params", "no\x1b[1m.test"),
    ]
    for each in results:
        printed = each.out + each.err
        assert printed
        assert not {letter for letter in printed if ord(letter) < 32} - {"\n", "\t"}, printed
        assert "\u202e" not in printed
        assert "\x9b" not in printed


@pytest.mark.parametrize(
    ("variables", "has_picture"),
    [
        pytest.param({"MPLBACKEND": "nonsense"}, False, marks=pytest.mark.slow),
        pytest.param(
            {"MPLBACKEND": "tkagg", "MATPLOTLIBRC": "usetex"}, True, marks=pytest.mark.slow
        ),
        ({"MATPLOTLIBRC": "broken"}, False),
    ],
)
def test_a_comparison_ends_even_if_its_picture_fails(
    variables: dict[str, str], has_picture: bool, place: Path
) -> None:
    (place / "usetex").write_text("text.usetex: True\n")
    (place / "broken").write_bytes(b"\xff\xfe\n")
    out = "-".join(("out", *variables.values()))
    words = ("compare", "-d", f"{EVIL}.csv", "-m", "BPR", "--epochs=1", "-q", "-o", out)
    ended = run(*words, place=place, env=variables)
    assert ended.returncode == 0, ended.stderr
    assert (place / out / "comparison.json").is_file()
    assert (place / out / "comparison.png").is_file() == has_picture
    assert ("no picture of the comparison: " in ended.stderr) != has_picture
    assert len(ended.stderr.splitlines()) <= 2  # Matplotlib prints its own line for some


@pytest.mark.parametrize(
    "words",
    [
        ("explain", "model", "--history", "i1,i2", "-o", "e.html"),
        ("train", "-d", DATA, "-q", "--epochs=1", "-o", "plain", *SMALL),
        ("tune", "-d", DATA, "--params", "two.test", "--epochs=1", "--seeds=0", "-q", *SMALL),
    ],
    ids=lambda words: words[0],
)
def test_results_are_written_even_if_their_picture_fails(
    words: tuple[str, ...],
    place: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def failing(*_: object, **__: object) -> None:
        raise ValueError("no such style")

    monkeypatch.setattr(Figure, "savefig", failing)
    ended = Called(place, *words)
    assert ended.code == 0, ended.err
    lines = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
    lines = [line for line in lines if "picture" in line or "style" in line]
    assert lines
    assert all(line.startswith("no picture of the ") for line in lines)
    assert all(line.endswith(": no such style") for line in lines)


@pytest.mark.filterwarnings("ignore:Query string argument")  # SQLAlchemy's own message
@pytest.mark.parametrize(
    "storage",
    [
        "postgresql://me:secret@host:port/db",
        "nosuchdb://me:sec%72et@host/db?password=secret",
        "mysql:/me:secret@host/db",
        "sqlite:////no/such/folder/s.db?key_password=secret",
    ],
)
def test_no_password_of_a_storage_is_printed_or_kept(storage: str, place: Path) -> None:
    words = ("tune", "-d", DATA, "--params", "two.test", "-o", "kept", "--storage", storage)
    ended = Called(place, *words)
    assert ended.code == 2
    assert "storage" in ended.err
    assert "secret" not in ended.err + ended.out
    assert "sec%72et" not in ended.err
    assert not [path for path in place.rglob("*") if "secret" in str(path)]


@pytest.mark.parametrize(
    "words",
    [
        "train -d https://me:secret@host/x.csv",
        "evaluate s3://key:secret@bucket/model",
        "compare -d https://host/x.csv?token=secret -m BPR",
        "data describe //me:secret@host/x.inter",
        "train postgresql://me:secret@host/db",
    ],
)
def test_no_password_in_a_data_url_is_printed_or_kept(words: str, place: Path) -> None:
    ended = Called(place, *words.split())
    assert ended.code == 2
    assert "secret" not in ended.err + ended.out
    assert not [path for path in place.rglob("*") if "secret" in str(path)]
