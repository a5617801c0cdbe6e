"""sasrec update and sasrec info --history: from files to a folder that names its parent."""

import json
import sys
from pathlib import Path

import polars as pl
import pytest

import sasrec
from sasrec.cli.app import main

SMALL = {"epochs": 2, "hidden_size": 8, "inner_size": 8, "n_layers": 1, "n_heads": 1}
NAMES = ["user_id", "item_id", "timestamp"]
START = 1_700_000_000


def write(path: Path, steps: range, n_items: int, prefix: str = "i") -> None:
    rows = [
        (f"u{user}", f"{prefix}{(user + step) % n_items}", START + 100 * step + user)
        for user in range(20)
        for step in steps
    ]
    frame = pl.DataFrame(rows, schema=NAMES, orient="row")
    frame.write_parquet(path) if path.suffix == ".parquet" else frame.write_csv(path)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("place")
    write(folder / "old.csv", range(6), 11)
    write(folder / "new.parquet", range(6, 10), 13)
    write(folder / "other.csv", range(10, 14), 5, "x")
    sasrec.train(folder / "old.csv", SMALL, out=folder / "model")
    return folder


@pytest.fixture
def asked(place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    """Return a function that runs a command in this process and returns what it printed."""
    monkeypatch.chdir(place)

    def ask(*words: str, code: int = 0) -> str:
        monkeypatch.setattr(sys, "argv", ["sasrec", *words])
        with pytest.raises(SystemExit) as left:
            main()
        printed = capsys.readouterr()
        assert left.value.code == code, printed.err
        return printed.err if code else printed.out

    return ask


def test_an_update_is_written_and_its_history_told(asked, place: Path) -> None:
    digest = json.loads(asked("info", "model", "--json"))["digest"]
    words = (
        "--data=new.parquet",
        "--history=old.csv",
        "--split=none",
        "--epochs=2",
        "--replay=1",
        "--quiet",
    )
    told = asked("update", "model", *words, "--out=today")
    assert told.startswith("learned 80 new events (80 earlier targets replayed in each epoch), 2 ")
    assert json.loads(asked("info", "model", "--json"))["digest"] == digest
    [step] = json.loads(asked("info", "today", "--json"))["lineage"]
    assert (step["model"], step["digest"], step["epochs"]) == ("model", digest, 2)
    assert (step["events_learned"], step["items_added"]) == (80, 2)
    assert f"updated:     80 events, 2 new items from {place / 'new.parquet'}" in asked(
        "info", "today"
    )
    lines = asked("info", "today", "--history").splitlines()
    assert lines[0] == f"model (digest {digest[:12]}…): unchanged"
    assert lines[1].startswith("  + 80 events, 2 new items from ")
    assert lines[-1].startswith("today (digest ")
    assert lines[-1].endswith("): this model")
    listed = json.loads(asked("recommend", "today", "--history=i9,i10", "--topk=13", "--json"))
    assert {"i11", "i12"} <= set(listed["items"])


def test_history_tells_that_a_parent_is_gone_or_changed(asked, place: Path) -> None:
    words = ("--data=new.parquet", "--split=none", "--epochs=1", "--quiet")
    sasrec.load(place / "model").save(place / "parent")
    asked("update", "parent", *words, "--out=child")
    [step] = json.loads(asked("info", "child", "--history", "--json"))["lineage"]
    assert step["parent"] == "unchanged"
    (place / "parent" / "metrics.json").write_text("{}")
    assert "): changed" in asked("info", "child", "--history")
    (place / "parent").rename(place / "moved")
    assert "): missing" in asked("info", "child", "--history")
    assert asked("info", "model", "--history").count("\n") == 1


def test_json_has_what_was_added_and_the_metrics_before_and_after(asked) -> None:
    words = ("--data=new.parquet", "--history=old.csv", "--epochs=1", "--json")
    found = json.loads(asked("update", "model", *words, "--out=held"))
    assert (found["folder"], found["events_new"], found["events_held_out"]) == ("held", 80, 40)
    assert found["before"]["test"].keys() == found["after"]["test"].keys() != set()
    assert found["optimiser"] == "new"


def test_settings_come_from_a_file_too(asked, place: Path) -> None:
    (place / "my.yaml").write_text("split: none\nepochs: 3\nlearning_rate: 0.002\n")
    words = ("--data=new.parquet", "--config=my.yaml", "--epochs=1", "--json", "--replay=0")
    found = json.loads(asked("update", "model", *words, "--out=by-file"))
    assert (found["epochs"], found["learning_rate"], found["targets_replayed"]) == (1, 0.002, 0)


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (("--data=other.csv",), "these are data of another shop"),
        (("--data=old.csv",), "there is nothing new to learn; give newer data"),
        (("--data=nothing.csv",), "nothing.csv"),
        (("--data=new.parquet", "--hidden-size=4"), "--hidden_size was fixed when the model"),
        (("--data=new.parquet", "--replay=-1"), "replay is -1"),
        (("--data=new.parquet", "--out=model", "--overwrite"), "the folder of the model itself"),
    ],
)
def test_a_mistake_ends_in_one_message_and_leaves_nothing(asked, place: Path, words, text) -> None:
    before = sorted(path.name for path in place.iterdir())
    out = () if any(word.startswith("--out") for word in words) else ("--out=bad",)
    told = asked("update", "model", *words, *out, "--quiet", code=2)
    assert text in told
    assert told.count("error:") <= 1
    assert sorted(path.name for path in place.iterdir()) == before
