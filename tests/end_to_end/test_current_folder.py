"""No process that a command starts imports modules from the current folder."""

import ast
import os
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest

import sasrec

SOURCE = Path(sasrec.__file__).parent
COMMAND = ("../sasrec",)
"""A script, as the installed command is one: Python looks for modules beside it, not here."""
SMALL = ["--hidden_size=16", "--inner_size=16", "--n_layers=1", "--epochs=1", "--device=cpu"]
DATA = "synthetic:users=60,items=20,length=8"
MODULES = [
    *("polars", "multiprocessing", "subprocess", "numpy", "torch", "pip", "rich", "typer", "yaml"),
    *("optuna", "accelerate", "tempfile", "pickle", "queue", "socket", "selectors", "tensorboard"),
    *("matplotlib", "pydantic", "sqlalchemy", "signal", "threading"),
]
"""Names a careless child would find here first; not those Python itself begins with."""


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder of modules that write a file if they are imported."""
    evil = f"open({str(tmp_path / 'RAN')!r}, 'a').write(__name__ + ' ')\n"
    (tmp_path / "sasrec").write_text("from sasrec.cli.app import main\nmain()\n")
    folder = tmp_path / "here"
    folder.mkdir()
    for name in MODULES:
        (folder / f"{name}.py").write_text(evil)
    for name in ("pip", "wandb"):
        (folder / name).mkdir()
        (folder / name / "__init__.py").write_text(evil)
        (folder / name / "__main__.py").write_text(evil)
    (folder / "pip.py").unlink()
    return folder


def run(*words: str, place: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONSAFEPATH"}
    ended = subprocess.run(
        [sys.executable, *words],
        cwd=place,
        capture_output=True,
        text=True,
        env={**kept, "OMP_NUM_THREADS": "1", **variables},
    )
    ran = place.parent / "RAN"
    assert not ran.exists(), ran.read_text()
    return ended


def delta_encoded(path: Path) -> None:
    """Write a file whose decoded size is checked in a child process."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pa.table({"user_id": [f"u{n // 6}" for n in range(60)], "item_id": ["a", "b"] * 30})
    encoding = dict.fromkeys(table.column_names, "DELTA_BYTE_ARRAY")
    pq.write_table(table, path, use_dictionary=False, column_encoding=encoding)


def test_reading_parquet(place: Path) -> None:
    pytest.importorskip("pyarrow", reason="nothing else writes this encoding")
    delta_encoded(place / "x.parquet")
    ended = run(*COMMAND, "data", "describe", "x.parquet", place=place)
    assert ended.returncode == 0, ended.stderr


def test_a_trial_of_parquet_reads_without_the_current_folder(place: Path) -> None:
    pl.DataFrame({"a": ["x"]}).write_parquet(place / "x.parquet")
    code = (
        "from pathlib import Path\nfrom sasrec.data.formats.parquet import _try_in_child\n"
        "_try_in_child(Path('x.parquet'), ['a'])"
    )
    ended = run("-P", "-c", code, place=place)
    assert ended.returncode == 0, ended.stderr


def test_fetching_with_pip(place: Path) -> None:
    code = (
        "from pathlib import Path\nfrom sasrec.data import movielens\n"
        "movielens.RECBOLE_WHEEL = 'no-such-name=='\n"  # refused before the first request
        "movielens.movielens_100k_from_wheel(Path('.'), print)"
    )
    assert "pip cannot download" in run("-P", "-c", code, place=place).stderr


@pytest.mark.slow
def test_searching_with_several_processes(place: Path) -> None:
    (place / "hyper.test").write_text("n_layers choice [1,2]\n")
    words = ("tune", "-d", DATA, "--params", "hyper.test", "--jobs", "2", "--seeds", "0", "-o", "o")
    ended = run(*COMMAND, *words, *(w for w in SMALL if "layers" not in w), place=place)
    if "this machine has only 1 core" in ended.stderr:
        pytest.skip("a second process needs a second core")
    assert ended.returncode == 0, ended.stderr


@pytest.mark.slow
def test_training_in_several_processes(place: Path) -> None:
    words = ("run_recbole", f"--dataset={DATA}", "--nproc=2", "--port=15678", *SMALL)
    ended = run(*COMMAND, *words, place=place)
    assert ended.returncode == 0, ended.stderr


@pytest.mark.slow
def test_searching_on_ray(place: Path) -> None:
    pytest.importorskip("ray", reason="Ray is not installed")
    (place / "hyper.test").write_text("n_layers choice [1,2]\n")
    words = ("run_hyper", "--tool=Ray", f"--dataset={DATA}", "--params_file=hyper.test")
    ended = run(*COMMAND, *words, *(w for w in SMALL if "layers" not in w), place=place)
    assert ended.returncode == 0, ended.stderr


@pytest.mark.slow
def test_trackers(place: Path) -> None:
    ended = run(*COMMAND, "train", "-d", DATA, "-q", "--log_tensorboard=1", *SMALL, place=place)
    assert ended.returncode == 0, ended.stderr


def test_serving(place: Path) -> None:
    pytest.importorskip("sasrec_serve", reason="sasrec-serve is not installed")
    (place / "export").mkdir()
    (place / "export" / "serving.json").write_text("{}")
    ended = run(*COMMAND, "serve", "export", place=place)
    assert ended.returncode == 2, ended.stderr
    assert "manifest.json" in ended.stderr


def test_python_m(place: Path) -> None:
    ended = run("-m", "sasrec", "data", "list", place=place)
    assert ended.returncode == 0, ended.stderr
    (place / "typing.py").write_text((place / "queue.py").read_text())
    ended = run("-m", "sasrec", "train", "-d", DATA, "-q", *SMALL, place=place)
    assert ended.returncode == 0, ended.stderr


def test_python_m_of_a_submodule(place: Path) -> None:
    (place.parent / "run.py").write_text("from recbole.quick_start import run_recbole\nprint(1)\n")
    ended = run("-m", "sasrec.recbole", "../run.py", place=place)
    assert ended.stdout == "1\n", ended.stderr


def test_another_program_keeps_its_folder(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "__init__.py").write_text("import sasrec\n")
    (tmp_path / "other" / "__main__.py").write_text("import beside\nprint(beside.x)\n")
    (tmp_path / "beside.py").write_text("x = 3\n")
    assert run("-m", "other", "sasrec", place=tmp_path).stdout == "3\n"


def test_a_script_can_import_modules_from_its_folder(place: Path) -> None:
    beside = place / "scripts"
    beside.mkdir()
    (beside / "mine.py").write_text("x = 'found'\n")
    (beside / "run.py").write_text("import mine\nprint('\\x1b[1m' + mine.x)\n")
    ended = run(*COMMAND, "exec", "scripts/run.py", place=place)
    assert ended.stdout == "\x1b[1mfound\n"
    ended = run("-m", "sasrec", "exec", "scripts/run.py", place=place)
    assert ended.stdout == "\x1b[1mfound\n"


STARTERS = {"subprocess", "multiprocessing", "start_processes", "Popen", "system", "execv"} | {
    "ray",
    "TensorBoardTracker",
}


def test_every_module_that_starts_a_process_is_listed() -> None:
    """A new module must use ``sasrec.system.children`` and needs a test above."""
    found = set()
    for path in SOURCE.rglob("*.py"):
        names: set[str] = set()
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                names |= {part for alias in node.names for part in alias.name.split(".")}
            elif isinstance(node, ast.ImportFrom) and node.module:
                ours = node.module.startswith("sasrec.")
                names |= {*(() if ours else node.module.split("."))}
                names |= {alias.name for alias in node.names}
            elif isinstance(node, ast.Attribute):
                names.add(node.attr)
        if (
            names & STARTERS and path.name != "quick_start.py"
        ):  # it only imports the type of a queue
            found.add(path.relative_to(SOURCE).as_posix())
            assert "sasrec.system.children" in path.read_text(), path
    assert found == {
        "cli/serve.py",
        "data/movielens.py",
        "data/formats/parquet.py",
        "recbole/on_ray.py",
        "system/process_group.py",
        "training/trackers.py",
        "tuning/workers.py",
    }
