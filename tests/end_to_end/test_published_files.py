"""From files as they are published to a model and lists: folders, patterns, several files, text."""

import json
import sys
import time
from pathlib import Path

import pytest

from forked import ran, started
from sasrec.cli.app import main
from sasrec.experiment.plan import unfinished_plan

SMALL = ("--hidden_size=8", "--inner_size=8", "--n_layers=1", "-q")


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for month in (1, 2, 3):
        folder = tmp_path / "log" / f"month={month}"
        folder.mkdir(parents=True)
        rows = "".join(
            f"{u}::{(u + i * month) % 7}::{month * 9 + i}\n" for u in range(9) for i in (1, 2)
        )
        (folder / "part-0.dat").write_text(rows)
    lines = [f"{u} " + " ".join(str((u + i) % 7) for i in range(3 + u % 2)) for u in range(9)]
    (tmp_path / "Beauty.txt").write_text("\n".join(lines) + "\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def command(words: list[str]) -> int:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["sasrec", *words])
        try:
            main()
        except SystemExit as leaving:
            return int(leaving.code or 0)
    return 0


def described(*words: str, capsys: pytest.CaptureFixture[str]) -> dict[str, object]:
    assert command(["data", "describe", *words, "--json"]) == 0
    found: dict[str, object] = json.loads(capsys.readouterr().out)
    return found


def test_describe_reads_all_forms_alike(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    option = "--columns=user,item,time"
    files = sorted(str(path) for path in place.glob("log/*/*.dat"))
    found = [
        described(*words, option, capsys=capsys)
        for words in (["log"], ["log/*/*.dat"], ["log/**/part-?.dat"], files)
    ]
    assert {each["interactions"] for each in found} == {54}
    assert len({each["fingerprint"] for each in found}) == 1
    assert [each["name"] for each in found] == ["log", "log", "log", "part-0-and-2-more"]
    assert described("Beauty.txt", capsys=capsys)["longest_history"] == 4


@pytest.mark.parametrize("form", ["folder", "pattern", "repeated"])
def test_a_model_of_several_files_can_be_used_from_another_folder(
    form: str, place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    files = sorted(place.glob("log/*/*.dat"))
    data = {
        "folder": ["-d", "log"],
        "pattern": ["-d", "log/*/*.dat"],
        "repeated": [word for file in files for word in ("--data", str(file))],
    }[form]
    assert command(["train", *data, "--columns=user,item,time", "--epochs=2", *SMALL]) == 0
    [model] = (place / "saved").iterdir()
    assert model.name == ("part-0-and-2-more" if form == "repeated" else "log")
    (place / "other").mkdir()
    monkeypatch.chdir(place / "other")
    capsys.readouterr()
    assert command(["evaluate", str(model), "--json"]) == 0
    evaluated = json.loads(capsys.readouterr().out)
    trained = json.loads((model / "metrics.json").read_text())
    assert evaluated["test"] == trained["reports"][0]["test"]
    assert command(["recommend", str(model), "--user", "3", "-k", "2"]) == 0
    assert command(["explain", str(model), "--user", "3"]) == 0


@pytest.mark.slow
def test_an_interrupted_training_on_a_folder_is_resumed(place: Path) -> None:
    words = ("-m", "sasrec", "train", "-d", "log", "--columns=user,item,time", *SMALL)
    running = started(*words, "-o", "cut", "--epochs=99999", "--patience=99999", cwd=place)
    for _ in range(1200):
        if (place / "cut.training.safetensors").exists() or running.poll() is not None:
            break
        time.sleep(0.05)
    running.kill()
    running.wait()
    plan = unfinished_plan(place / "cut")
    assert plan.data == str(place / "log")
    done = len(plan.resume_from.epochs) if plan.resume_from else 0
    resume = ("-m", "sasrec", "train", "--resume", "cut", f"--epochs={done + 1}")
    part = place / "log" / "month=2" / "part-0.dat"
    text = part.read_text()
    part.write_text(text.replace("::20", "::3"))
    changed = ran(*resume, cwd=place)
    assert changed.returncode == 2
    assert "log has changed since the training was interrupted" in changed.stderr
    part.write_text(text)
    resumed = ran(*resume, cwd=place)
    assert resumed.returncode == 0, resumed.stderr


def test_files_that_a_shell_lists_are_told_apart_from_settings(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = sorted(str(path) for path in place.glob("log/*/*.dat"))
    assert command(["train", "-d", *files]) == 2
    assert "quote the pattern, --data='parts/*.csv'" in (capsys.readouterr().err)
    assert not (place / "saved").exists()
