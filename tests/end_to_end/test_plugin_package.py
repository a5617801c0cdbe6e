"""The example plug-in, installed in its own environment, works like built-in parts."""

import json
import os
import shutil
import subprocess
import sys
import venv
from pathlib import Path

import pytest

import sasrec

pytestmark = pytest.mark.slow
EXAMPLE = Path(__file__).parents[2] / "examples" / "plugin"


def run(python: Path, *words: object, code: int = 0, cwd: Path | None = None) -> str:
    done = subprocess.run(
        [python, "-P", *map(str, words)],
        capture_output=True,
        text=True,
        cwd=cwd,
        env=os.environ | {"OMP_NUM_THREADS": "1", "COLUMNS": "200"},
    )
    assert done.returncode == code, done.stderr
    return done.stdout if code == 0 else done.stderr


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the Python of a new environment with the example and all packages of this one."""
    place = tmp_path_factory.mktemp("environment")
    venv.create(place / "venv", symlinks=True)
    binary = place / "venv" / "bin" / "python"
    [site] = (place / "venv" / "lib").glob("python*/site-packages")
    here = [str(Path(sasrec.__file__).parents[1])]
    here += [path for path in sys.path if path.endswith(("site-packages", "dist-packages"))]
    (site / "here.pth").write_text("\n".join(here) + "\n")
    source = shutil.copytree(EXAMPLE, place / "source")  # building creates folders
    quiet = ("--quiet", "--no-index", "--no-deps", "--no-build-isolation")
    run(binary, "-m", "pip", "install", "--disable-pip-version-check", *quiet, source)
    return binary


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("work")
    with (folder / "events.jsonl").open("w") as file:
        for user in range(40):
            for step in range(8):
                event = {"user_id": f"u{user}", "item_id": (user + step) % 9, "timestamp": step}
                file.write(json.dumps(event) + "\n")
    return folder


@pytest.fixture(scope="module")
def model(python: Path, place: Path) -> Path:
    words = "train --data events.jsonl --model linearattention --loss=asymmetricmargin --epochs 3"
    watched = "--metrics=ndcg,rbp --valid_metric=rbp@5 --out model --json"
    output = json.loads(run(python, "-m", "sasrec", *words.split(), *watched.split(), cwd=place))
    assert output["reports"][0]["test"]["rbp@10"] > 0
    return place / "model"


def test_a_model_folder_records_the_packages_of_its_parts(model: Path) -> None:
    settings = json.loads((model / "settings.json").read_text())
    package = {"from": "package", "place": "sasrec-example 0.1.0"}
    assert settings["plugins"] == [
        {"part": "model", "name": "LinearAttention", **package},
        {"part": "loss", "name": "AsymmetricMargin", **package},
        {"part": "metric", "name": "rbp", **package},
        {"part": "reader", "name": "jsonl", **package},
    ]
    assert settings["training"]["learning_rate"] == 0.005  # the plug-in's own default


def test_it_recommends_in_a_new_process_and_is_measured_again(python: Path, model: Path) -> None:
    output = run(python, "-m", "sasrec", "recommend", model, "--history", "1,2", "--json")
    assert json.loads(output.splitlines()[0])
    words = ("evaluate", model, "--data", model.parent / "events.jsonl", "--json")
    measured = json.loads(run(python, "-m", "sasrec", *words))
    saved = json.loads((model / "metrics.json").read_text())
    assert measured["test"] == saved["reports"][0]["test"]


def test_it_is_compared_over_three_seeds(python: Path, place: Path) -> None:
    words = "compare -d events.jsonl --models LinearAttention,GRU4Rec --seeds 3 --epochs=1"
    output = "--metrics=ndcg,rbp --out compared --json"
    found = json.loads(run(python, "-m", "sasrec", *words.split(), *output.split(), cwd=place))
    assert "LinearAttention" in json.dumps(found)
    assert "rbp@10" in json.dumps(found)


def test_it_is_tuned_by_two_processes(python: Path, place: Path) -> None:
    pytest.importorskip("optuna")
    (place / "space").write_text("hidden_size choice [8,16]\n")
    words = "tune -d events.jsonl --model LinearAttention --params space --jobs 2 --out tuned"
    shared = "--epochs=1 --valid_metric=rbp@5 --metrics=rbp"
    run(python, "-m", "sasrec", *words.split(), *shared.split(), cwd=place)
    assert "hidden_size" in (place / "tuned" / "best.yaml").read_text()


def test_its_attention_is_explained(python: Path, model: Path) -> None:
    page = model.parent / "page.html"
    data = model.parent / "events.jsonl"
    run(python, "-m", "sasrec", "explain", model, "--data", data, "--user", "u3", "--out", page)
    assert "<svg" in page.read_text() or "<img" in page.read_text()


def test_it_is_exported(python: Path, model: Path) -> None:
    pytest.importorskip("onnxruntime")
    run(python, "-m", "sasrec", "export", model, "--out", model.parent / "exported")
    assert (model.parent / "exported" / "network.onnx").is_file()


def test_its_command_is_listed_and_works(python: Path, model: Path) -> None:
    listed = run(python, "-m", "sasrec", "--help")
    assert "From the package sasrec-example 0.1.0." in listed
    assert set(run(python, "-m", "sasrec", "items", model).split()) == set("012345678")


def test_a_package_is_imported_only_when_needed(python: Path) -> None:
    code = (
        "import sys, sasrec\n"
        "from sasrec.settings.registry import MODELS\n"
        "from sasrec.settings.resolve import resolve_settings\n"
        "resolve_settings({'epochs': 1})\n"
        "assert 'LinearAttention' in MODELS\n"
        "assert not [name for name in sys.modules if name.startswith('sasrec_example')]\n"
    )
    run(python, "-c", code)


def test_a_model_folder_whose_package_is_missing_names_it(model: Path) -> None:
    output = run(Path(sys.executable), "-m", "sasrec", "recommend", model, "--user", "u1", code=2)
    assert "needs the model 'LinearAttention' from the package sasrec-example 0.1.0" in output
    assert "pip install sasrec-example" in output


def test_the_tests_of_the_package_pass(python: Path, tmp_path: Path) -> None:
    shutil.copytree(EXAMPLE / "tests", tmp_path / "tests")
    run(python, "-m", "pytest", "-q", "-p", "no:cacheprovider", tmp_path / "tests")
