"""sasrec data compare: exit codes, reports, and comparison with a model folder."""

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest

import sasrec
from forked import ran
from sasrec.data.drift.days import DAY

SMALL = {"hidden_size": 16, "num_layers": 1, "epochs": 1}
BEGIN = 1_700_006_400


def days(first: int, last: int) -> pl.DataFrame:
    draw = np.random.default_rng(first)
    count = (last - first) * 100
    return pl.DataFrame(
        {
            "who": [f"u{each}" for each in draw.integers(0, 40, count)],
            "what": [f"i{each}" for each in draw.integers(0, 20, count)],
            "when": BEGIN + first * DAY + np.sort(draw.integers(0, (last - first) * DAY, count)),
        }
    )


COLUMNS = {"user_column": "who", "item_column": "what", "time_column": "when"}
WORDS = [f"--{key}={value}" for key, value in COLUMNS.items()]


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("shop")
    days(0, 20).write_csv(folder / "old.csv")
    days(20, 22).write_csv(folder / "new.csv")
    days(20, 22).with_columns(pl.col("what") + "x").write_csv(folder / "other.csv")
    sasrec.train(str(folder / "old.csv"), {**SMALL, **COLUMNS}, model="GRU4Rec", out=folder / "m")
    return folder


def compared(shop: Path, *words: str) -> tuple[int, str, str]:
    found = ran("-m", "sasrec", "data", "compare", *words, cwd=shop)
    return found.returncode, found.stdout, found.stderr


def test_good_data_pass(shop: Path) -> None:
    code, out, _ = compared(shop, "old.csv", "new.csv", *WORDS)
    assert code == 0
    assert out.endswith("\nverdict: ok\n")
    assert "old: 2,000 events, 40 people, 20 items, from 2023-11-15 00:" in out


def test_a_model_folder_has_the_profile_of_its_data(shop: Path) -> None:
    code, out, _ = compared(shop, "m", "new.csv", "--json")
    assert code == 0
    found = json.loads(out)
    apart = json.loads(compared(shop, "old.csv", "new.csv", "--json", *WORDS)[1])
    assert found["old"] == {**apart["old"], "name": "m"}
    of_training = {"popularity"}  # a model counts training events only
    for own, other in zip(found["checks"], apart["checks"], strict=True):
        assert own == other or own["name"] in of_training


def test_the_verdict_stop_is_exit_code_3(shop: Path) -> None:
    words = ("m", "other.csv", "-o", "r.html", "-o", "r.json", "-o", "r.png")
    code, out, err = compared(shop, *words)
    assert (code, "error" in err) == (3, False)
    assert out.endswith("\nverdict: stop\nwritten to r.html\nwritten to r.json\nwritten to r.png\n")
    assert json.loads((shop / "r.json").read_text())["verdict"] == "stop"
    assert "unknown_items" in (shop / "r.html").read_text()


def test_limits_are_options(shop: Path) -> None:
    assert compared(shop, "m", "other.csv", "--limit", "unknown-items=0.5,none")[0] == 0
    code, out, _ = compared(shop, "m", "new.csv", "--limit=unknown_people=0,0", "--json")
    assert (code, json.loads(out)["verdict"]) == (3, "stop")


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["m", "old.csv"], "m and old hold the same events, so there is nothing to compare"),
        (["m", "none.csv"], "none.csv: no such file or folder"),
        (["m", "new.csv", "--limit", "gap"], "--limit is 'gap'; write CHECK=WARN,STOP"),
        (["m", "new.csv", "--limit", "gpa=1"], "unknown check 'gpa'; did you mean 'gap'?"),
        (["m", "new.csv", "--epochs=3"], "--epochs does not change how data are read"),
        (["m", "new.csv", "-o", "r.pdf"], "a name that ends in .html or .png or .json"),
        (["m", "ml.csv"], "ml.csv has no column 'who'"),
        (["old.csv", "new.csv"], "old.csv has no column 'user_id'"),
        (["m", "empty.csv"], "empty.csv has no interactions"),
    ],
)
def test_mistakes_are_exit_code_2(shop: Path, words: list[str], text: str) -> None:
    (shop / "ml.csv").write_text("user_id,item_id,timestamp\n1,2,3\n")
    (shop / "empty.csv").write_text("who,what,when\n")
    code, out, err = compared(shop, *words)
    assert (code, out) == (2, "")
    assert text in err


def test_a_folder_without_a_profile_is_compared_with_what_it_has(
    shop: Path, tmp_path: Path
) -> None:
    model = sasrec.load(shop / "m")
    del model.metrics["profile"]
    model.save(tmp_path / "older")
    found = sasrec.compare_data(str(tmp_path / "older"), str(shop / "other.csv"))
    assert [each.kind for each in found.remarks] == ["no_profile"]
    verdicts = {each.name: each.verdict for each in found.checks}
    assert verdicts["unknown_items"] == "stop"
    assert verdicts["known_events"] == "ok"
    assert verdicts["gap"] == verdicts["unknown_people"] == "not checked"
    assert "was saved without a profile of its training data" in str(found)


def test_an_edited_folder_is_refused(shop: Path, tmp_path: Path) -> None:
    model = sasrec.load(shop / "m")
    model.save(tmp_path / "m")
    (tmp_path / "m" / "settings.json").write_text("{}")
    code, _, err = compared(tmp_path, "m", str(shop / "new.csv"))
    assert code == 2
    assert "is damaged or was edited" in err
