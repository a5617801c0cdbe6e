"""sasrec extend: a folder with new items, and what it was made from."""

import json
import sys
from pathlib import Path

import polars as pl
import pytest

import sasrec
from sasrec.cli.app import main
from sasrec.recommender.lineage import in_words, steps_of

SMALL = {"epochs": 2, "hidden_size": 8, "inner_size": 8, "n_layers": 1, "n_heads": 1}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("place")
    rows = [(f"u{user}", f"i{(user + step) % 11}", step) for user in range(20) for step in range(6)]
    names = ["user_id", "item_id", "timestamp"]
    pl.DataFrame(rows, schema=names, orient="row").write_csv(folder / "log.csv")
    items = [f"i{number},k{number % 3}" for number in range(11)]
    (folder / "items.csv").write_text("item_id,kind\n" + "\n".join(items) + "\n")
    (folder / "new.csv").write_text("item_id,kind\ni3,k1\nlater,k2\nlast,k0\n")
    (folder / "more.jsonl").write_text('{"item_id": "even later", "kind": "k1"}\n')
    (folder / "wrong.csv").write_text("item_id,colour\nx,red\n")
    settings = {**SMALL, "content_columns": "kind"}
    sasrec.train(folder / "log.csv", settings, items=folder / "items.csv", out=folder / "model")
    sasrec.train(folder / "log.csv", SMALL, out=folder / "plain")
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


def test_a_folder_with_new_items_says_what_it_was_made_from(asked, place: Path) -> None:
    told = asked("extend", "model", "--items", "new.csv", "--out", "today")
    assert told == "2 new items added; today has 13 items\n"
    digest = json.loads(asked("info", "model", "--json"))["digest"]
    found = json.loads(asked("info", "today", "--json"))
    [step] = found["lineage"]
    assert step["model"] == "model"
    assert step["digest"] == digest
    assert (step["source"], step["items_before"], step["items_added"]) == ("new.csv", 11, 2)
    expected = f"2 new items from new.csv, added to model (digest {digest[:12]}…)"
    assert f"extended:    {expected}\n" in asked("info", "today")
    assert "extended" not in asked("info", "model")
    listed = json.loads(asked("recommend", "today", "--history=i1,i2", "--topk=13", "--json"))
    assert {"later", "last"} <= set(listed["items"])
    by_python = sasrec.with_new_items(sasrec.load(place / "model"), place / "new.csv")
    assert by_python.recommend([["i1", "i2"]], 13)[0].items == listed["items"]


def test_a_folder_may_be_extended_in_place_and_again(asked, place: Path) -> None:
    asked("extend", "model", "--items=new.csv", "--out=again")
    told = asked("extend", "again", "--items=more.jsonl", "--out=again", "--overwrite")
    assert told == "1 new item added; again has 14 items\n"
    steps = steps_of(sasrec.load(place / "again").metrics)
    assert [step["items_added"] for step in steps] == [2, 1]
    assert [step["model"] for step in steps] == ["model", "again"]


@pytest.mark.parametrize(
    ("model", "words", "text"),
    [
        ("model", ["--items=new.csv", "--out=plain"], "plain already holds a model"),
        ("model", ["--items=items.csv", "--out=x"], "all 11 items of the table are known already"),
        ("model", ["--items=wrong.csv", "--out=x"], "content_columns names a column 'kind'"),
        ("model", ["--items=absent.csv", "--out=x"], "absent.csv"),
        ("plain", ["--items=new.csv", "--out=x"], "the model was trained without content"),
        ("nowhere", ["--items=new.csv", "--out=x"], "no such model folder"),
        ("model", ["--items=new.csv", "--item-vectors=v.npy", "--out=x"], "v.npy"),
    ],
)
def test_what_cannot_be_extended_is_refused(asked, place: Path, model, words, text) -> None:
    assert text in asked("extend", model, *words, code=2)
    assert not (place / "x").exists()


def test_frames_and_edited_lineages_are_described() -> None:
    assert steps_of({"lineage": "edited"}) == []
    assert steps_of({"lineage": [1, {"items_added": 3}]}) == [{"items_added": 3}]
    assert in_words({"items_added": 3}) == "3 new items from a data frame"
    assert in_words({"items_added": "many", "step": "new items", "source": "a.csv"}) == (
        "new items from a.csv"
    )
