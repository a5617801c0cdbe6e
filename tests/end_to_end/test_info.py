"""sasrec info describes a model folder quickly, and only if its files belong together."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

import sasrec
from sasrec.cli.app import main

SMALL = {"hidden_size": 16, "inner_size": 16, "n_layers": 1, "n_heads": 1, "epochs": 1}


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("info") / "model"
    sasrec.train("synthetic:users=80,items=30,length=10", SMALL, out=folder)
    return folder


def called(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *words: str
) -> tuple[object, str, str]:
    monkeypatch.setattr(sys, "argv", ["sasrec", *words])
    with pytest.raises(SystemExit) as leaving:
        main()
    return leaving.value.code, *capsys.readouterr()


def test_info_describes_a_model(
    model: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, _ = called(monkeypatch, capsys, "info", str(model))
    assert code == 0
    manifest = json.loads((model / "manifest.json").read_text())
    for text in (
        "model:       SASRec (preset best)",
        "trained on:  synthetic:users=80,items=30,length=10",
        "items:       30",
        "best epoch:  1; reached 1 epoch",
        "ndcg@10 0.",
        f"written:     {manifest['written']}",
        f"digest:      {manifest['digest']}",
        "model.safetensors: ",
        "torch ",
    ):
        assert text in out


def test_info_as_json_holds_the_same(
    model: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, err = called(monkeypatch, capsys, "info", str(model), "--json")
    found = json.loads(out)
    assert (code, err) == (0, "")
    saved = json.loads((model / "metrics.json").read_text())["reports"][0]
    assert found["test"] == saved["test"]
    assert found["dataset"] == saved["dataset"]
    assert (found["items"], found["untrained_items"], found["users"]) == (30, 0, None)
    assert found["files"]["vocabulary.json"] == (model / "vocabulary.json").stat().st_size


def test_info_counts_items_that_were_never_trained(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    rows = [f"{user},{item},{time}" for user in range(9) for time, item in enumerate("abcd")]
    lines = ["user_id,item_id,timestamp", *rows, "9,a,1", "9,b,2", "9,never,3"]
    (tmp_path / "x.csv").write_text("\n".join(lines) + "\n")
    sasrec.train(tmp_path / "x.csv", SMALL | {"leave_out": "test_only"}, out=tmp_path / "model")
    _, out, _ = called(monkeypatch, capsys, "info", str(tmp_path / "model"))
    assert "5, 2 of them without training events" in out  # d is always the last item, a test target


def test_info_needs_no_pytorch(model: Path) -> None:
    code = (
        f"import sys; sys.argv = ['sasrec', 'info', {str(model)!r}]\n"
        "from sasrec.cli.app import main\n"
        "try: main()\n"
        "except SystemExit as leaving: assert leaving.code == 0\n"
        "print('LOADED', *sorted(sys.modules))"
    )
    printed = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout
    loaded = set(printed.split("LOADED")[1].split())
    assert loaded & {"torch", "polars", "pandas", "numpy", "safetensors"} == set()


def test_info_names_a_changed_file(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    model = tmp_path / "model"
    sasrec.train("synthetic:users=20,items=12,length=6", SMALL, out=model)
    weights = model / "model.safetensors"
    raw = weights.read_bytes()
    weights.write_bytes(raw[:-1] + bytes([raw[-1] ^ 1]))
    code, _, err = called(monkeypatch, capsys, "info", str(model))
    assert code == 2
    assert "damaged or was edited: model.safetensors is not the file that manifest.json" in err
    weights.write_bytes(raw)
    assert called(monkeypatch, capsys, "info", str(model))[0] == 0
    (model / "manifest.json").unlink()  # as in folders of version 0.1.0
    code, out, _ = called(monkeypatch, capsys, "info", str(model))
    assert code == 0
    assert "none (no manifest.json): its files were not checked" in out


ODD = [
    None, [], {}, 3, "x", True, [3], [[]], [None], {"a": {}}, [{"test": 3}], [{"dataset": []}],
    [{"test": {"ndcg@10": "high"}}], [{"validation": {"ndcg@10": None}}], 1e308, "\x1b[2J",
    [{"test": {"ndcg@10": 10**400}}],
]  # fmt: skip


@pytest.mark.parametrize("key", ["reports", "best_epoch", "stopped_because", "remarks", "epochs"])
def test_invalid_values_end_in_one_line_for_every_command(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    model: Path,
    key: str,
) -> None:
    copy = tmp_path / "model"
    copy.mkdir()
    for path in model.iterdir():
        if path.name != "manifest.json":
            (copy / path.name).write_bytes(path.read_bytes())
    metrics = json.loads((model / "metrics.json").read_text())
    for odd in ODD:
        (copy / "metrics.json").write_text(json.dumps({**metrics, key: odd}))
        for command in (
            ("info", str(copy)),
            ("info", str(copy), "--json"),
            ("evaluate", str(copy)),
        ):
            code, out, err = called(monkeypatch, capsys, *command)
            assert code in {0, 2}, (odd, err)
            assert "\x1b" not in out + err
            assert len(err.splitlines()) <= 1 or code == 0
