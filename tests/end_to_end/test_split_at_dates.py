"""Splits at dates and training on all events, from the command to the saved figures."""

import json
import subprocess
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import sasrec
from forked import ran
from sasrec.errors import SettingsError

FEW = ("--epochs=1", "--hidden-size=8", "--device=cpu", "-q")


def command(*words: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return ran("-m", "sasrec", *words, cwd=cwd)


def log() -> pl.DataFrame:
    """Return ten days of events of 30 users, where item n + 1 usually follows item n."""
    begin = datetime(2024, 5, 1)
    rows = [
        (f"u{user}", f"i{(user + hour // 6) % 15}", begin + timedelta(hours=hour + user % 6))
        for user in range(30)
        for hour in range(0, 240, 6)
    ]
    return pl.DataFrame(rows, schema=["user_id", "item_id", "timestamp"], orient="row")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dates")
    log().write_csv(folder / "log.csv", datetime_format="%Y-%m-%d %H:%M:%S")
    words = ("--test-from=2024-05-09", "--valid-from=2024-05-08", "--period-targets=first")
    ended = command("train", "-d", "log.csv", "-o", "model", *words, *FEW, cwd=folder)
    assert ended.returncode == 0, ended.stderr
    return folder


def metrics(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "metrics.json").read_text())
    return found


def test_the_figures_say_how_the_data_were_split(place: Path) -> None:
    report = metrics(place / "model")["reports"][0]
    assert report["protocol"].startswith(
        "validation from 2024-05-08 and test from 2024-05-09 (first event of each user), full"
    )
    assert set(report["test"]) >= {"ndcg@10", "recall@10"}


def test_a_saved_model_is_evaluated_with_its_own_dates(place: Path) -> None:
    ended = command("evaluate", "model", "--json", cwd=place)
    assert ended.returncode == 0, ended.stderr
    assert json.loads(ended.stdout)["test"] == metrics(place / "model")["reports"][0]["test"]


def test_training_on_all_events_takes_the_epochs_of_a_measured_model(place: Path) -> None:
    words = ("train", "-d", "log.csv", "--split=none", "--hidden-size=8", "-q", "-o", "all")
    refused = command(*words, cwd=place)
    assert refused.returncode == 2
    assert "with split=none there is no validation" in refused.stderr
    assert "--epochs-from=MODEL" in refused.stderr
    ended = command(*words, "--epochs-from=model", cwd=place)
    assert ended.returncode == 0, ended.stderr
    epochs = metrics(place / "model")["best_epoch"]
    assert ended.stdout.splitlines()[-3:] == [
        "trained on all events, not evaluated",
        "",
        f"{epochs} epoch{'s' * (epochs > 1)}; model saved in all",
    ]
    found = metrics(place / "all")
    assert len(found["epochs"]) == metrics(place / "model")["best_epoch"]
    assert found["reports"][0]["protocol"] == "trained on all events, not evaluated"
    refused = command("evaluate", "all", cwd=place)
    assert refused.returncode == 2
    assert "has no event to evaluate on with split=none; choose another split" in refused.stderr
    measured = command("evaluate", "all", "--split=time", "--test-from=2d", "--json", cwd=place)
    assert json.loads(measured.stdout)["test"]["ndcg@10"] > 0
    asked = command("recommend", "all", "--user", "u3", "-k", "2", "--json", cwd=place)
    assert asked.returncode == 0, asked.stderr


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--epochs-from=model", "--epochs=1"), "give either --epochs or --epochs-from, not both"),
        (("--epochs-from=nowhere",), "nowhere: no such model folder"),
        (("--test-from=June", *FEW), "test_from is 'June': this is not a point in time"),
        (("--test-from=7d", "--split=ratio", *FEW), "test_from needs split=time"),
        (("--test-from=2025-01-01", *FEW), "so there is nothing to test on; the events are from"),
    ],
)
def test_mistakes_end_in_one_line(words: tuple[str, ...], message: str, place: Path) -> None:
    ended = command("train", "-d", "log.csv", "-o", "none", *words, cwd=place)
    assert ended.returncode == 2
    assert message in ended.stderr
    assert not (place / "none").exists()


def test_python_does_the_same() -> None:
    few = {"hidden_size": 8, "device": "cpu", "epochs": 1}
    dated = sasrec.train(log(), few, test_from="2d", period_targets="last")
    assert dated.metrics["reports"][0]["test"]
    whole = sasrec.train(log(), {**few, "epochs": dated.metrics["best_epoch"]}, split="none")
    assert whole.metrics["reports"][0]["test"] == {}
    assert len(whole.recommend([["i1", "i2"]], 3)[0].items) == 3
    with pytest.raises(SettingsError, match="set epochs"):
        sasrec.train(log(), {"hidden_size": 8, "device": "cpu"}, split="none")
