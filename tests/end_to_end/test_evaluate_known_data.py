"""evaluate reports which of its data were training data, even under another file name."""

import json
import subprocess
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from forked import ran

NAMES = {"user": "user_id", "item": "item_id", "time": "timestamp"}


def command(*words: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return ran("-m", "sasrec", *words, cwd=cwd)


def events(first: int = 0, users: int = 60) -> pl.DataFrame:
    """Return events in order of time, where an item is usually followed by the next one."""
    generator = np.random.default_rng(first)
    frames = []
    for user in range(first, first + users):
        items = (generator.integers(30) + np.arange(12) * generator.choice([1, 2], 12)) % 30
        times = generator.integers(0, 10**6) + np.arange(12) * 60
        frames.append(pl.DataFrame({"user": f"u{user}", "item": items, "time": times}))
    return pl.concat(frames).with_columns(pl.format("i{}", "item").alias("item"))


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("known")
    rows = events().rename(NAMES)
    rows.write_csv(folder / "shop.csv")
    few = ("--epochs=1", "--device=cpu", "-q")
    ended = command("train", "-d", "shop.csv", "-o", "model", *few, cwd=folder)
    assert ended.returncode == 0, ended.stderr
    rows.write_csv(folder / "copy.csv")
    rows.write_parquet(folder / "copy.parquet")
    typed = {"user_id": "user_id:token", "item_id": "item_id:token", "timestamp": "timestamp:float"}
    rows.rename(typed).write_csv(folder / "copy.inter", separator="\t")
    rows.rename({"user_id": "who"}).write_csv(folder / "renamed.csv")
    rows.group_by("user_id", maintain_order=True).head(9).write_csv(folder / "part.csv")
    rows.sample(fraction=1, shuffle=True, seed=0).write_csv(folder / "shuffled.csv")
    fresh = events(first=1000).rename(NAMES)
    fresh.write_csv(folder / "fresh.csv")
    pl.concat([rows, fresh]).write_csv(folder / "more.csv")
    return folder


def evaluated(place: Path, data: str, *words: str) -> tuple[str, dict[str, object]]:
    ended = command("evaluate", "model", "-d", data, "--json", *words, cwd=place)
    assert ended.returncode == 0, ended.stderr
    return ended.stderr, json.loads(ended.stdout)


@pytest.mark.parametrize(
    "data", ["copy.csv", "copy.parquet", "copy.inter", "renamed.csv", "shuffled.csv"]
)
def test_evaluating_on_a_copy_of_the_training_data_is_reported(data: str, place: Path) -> None:
    words = ("--user_column=who",) if data == "renamed.csv" else ()
    stderr, found = evaluated(place, data, *words)
    assert f"note: all of the events of {data} are also in the data the model was trained" in stderr
    assert "none of the validation and test targets was trained on" in stderr
    assert found["overlap"] == {
        "events": 1.0,
        "validation_targets": 0.0,
        "test_targets": 0.0,
        "estimated": False,
        "times_differ": False,
    }
    assert "overlap" in [remark["kind"] for remark in found["remarks"]]  # type: ignore[attr-defined]


def test_targets_that_were_trained_on_are_reported(place: Path) -> None:
    stderr, found = evaluated(place, "part.csv")
    assert "it was trained on all of the test targets and all of the validation targets" in stderr
    assert "these metrics are too high" in stderr
    assert found["overlap"]["test_targets"] == 1.0  # type: ignore[index]


def test_the_share_of_overlap_with_larger_data_is_reported(place: Path) -> None:
    stderr, found = evaluated(place, "more.csv")
    assert "note: 50% of the events of more.csv are also in the data" in stderr
    assert found["overlap"]["events"] == 0.5  # type: ignore[index]


@pytest.mark.parametrize("data", ["fresh.csv", "shop.csv", "./shop.csv"])
def test_new_data_and_the_training_data_are_evaluated_without_a_note(
    data: str, place: Path
) -> None:
    stderr, found = evaluated(place, data)
    assert "trained on" not in stderr
    assert found["overlap"] is None


def test_another_split_of_a_copy_reports_the_targets_trained_on(place: Path) -> None:
    stderr, found = evaluated(place, "copy.csv", "--split=ratio", "--ratios=[0.4,0.3,0.3]")
    assert "trained with another split of these data" in stderr
    assert found["overlap"]["test_targets"] > 0.3  # type: ignore[index]


def test_a_model_worse_than_counts_is_reported_after_training_and_evaluation(place: Path) -> None:
    few = ("--epochs=1", "--device=cpu", "-q", "--learning_rate=1e-9", "-m", "GRU4Rec")
    ended = command("train", "-d", "shop.csv", "-o", "weak", *few, cwd=place)
    assert ended.returncode == 0, ended.stderr
    assert "GRU4Rec ranks worse than the Markov baseline: ndcg@10 on test is 0." in ended.stderr
    kept = json.loads((place / "weak" / "metrics.json").read_text())
    assert "worse_than_counts" in [remark["kind"] for remark in kept["remarks"]]
    again = command("evaluate", "weak", cwd=place)
    assert "GRU4Rec ranks worse than the Markov baseline: ndcg@10 on test is 0." in again.stderr
    ended = command("compare", "-d", "shop.csv", "-m", "weak/", "-o", "out", "-q", cwd=place)
    assert ended.returncode == 0, ended.stderr
    assert "ranks worse than the Markov baseline: ndcg@10 is 0." in " ".join(ended.stdout.split())
    assert json.loads((place / "out" / "comparison.json").read_text())["remarks"]
