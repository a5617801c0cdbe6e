"""The real command on generated data, in processes of its own."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import sasrec

SMALL = ["--hidden_size=16", "--inner_size=16", "--n_layers=1", "--n_heads=1"]


def command(*words: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "sasrec", *words],
        cwd=cwd,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "COLUMNS": "160"},
    )


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a generated data set and a model trained on it by the command itself."""
    folder = tmp_path_factory.mktemp("place")
    made = command("data", "fetch", "synthetic:users=150,items=40,length=12", cwd=folder)
    assert made.returncode == 0, made.stderr
    trained = command(
        "train", "-d", "dataset/synthetic", "--out", "model", "--epochs", "3", *SMALL, cwd=folder
    )
    assert trained.returncode == 0, trained.stderr
    (folder / "printed.txt").write_text(trained.stdout + trained.stderr)
    return folder


def test_training_ends_in_a_table_with_both_baselines(place: Path) -> None:
    printed = (place / "printed.txt").read_text()
    for word in ("validation", "test", "SASRec", "Popularity", "Markov", "NDCG@10", "epoch 3"):
        assert word in printed


def test_model_folder_is_complete_and_holds_no_pickle(place: Path) -> None:
    names = {path.name for path in (place / "model").iterdir()}
    assert names == {
        "model.safetensors",
        "settings.json",
        "vocabulary.json",
        "metrics.json",
        "environment.json",
        "manifest.json",
        "training.png",
    }


def test_evaluate_repeats_the_figures_of_training(place: Path) -> None:
    printed = command("evaluate", "model", "--json", cwd=place)
    assert printed.returncode == 0, printed.stderr
    report = json.loads(printed.stdout)
    saved = json.loads((place / "model" / "metrics.json").read_text())["reports"][0]
    assert report["test"] == pytest.approx(saved["test"], abs=1e-9)
    assert report["dataset"]["fingerprint"] == saved["dataset"]["fingerprint"]


def test_recommend_takes_histories_users_and_files(place: Path) -> None:
    (place / "people.txt").write_text('i1 i2 i3\n["i4", "nothing"]\n\n')
    stranger = command("recommend", "model", "--history", "i1,i2", "-k", "3", "--json", cwd=place)
    assert len(json.loads(stranger.stdout)["items"]) == 3
    user = command("recommend", "model", "--user", "u1", cwd=place)
    assert "user u1" in user.stdout
    many = command("recommend", "model", "-f", "people.txt", "--out", "lists.jsonl", cwd=place)
    assert many.returncode == 0, many.stderr
    lists = [json.loads(line) for line in (place / "lists.jsonl").read_text().splitlines()]
    assert [each["unknown"] for each in lists] == [[], ["nothing"], []]
    assert [each["by_popularity"] for each in lists] == [False, False, True]


@pytest.mark.slow
def test_same_seed_gives_the_same_numbers(place: Path) -> None:
    words = ["train", "-d", "synthetic:users=60,items=30", "--epochs", "2", "--json", *SMALL]
    first = command(*words, "--out", "a", cwd=place)
    second = command(*words, "--out", "b", cwd=place)
    assert json.loads(first.stdout)["reports"] == json.loads(second.stdout)["reports"]


def test_control_c_keeps_the_best_weights_and_exits_with_2(place: Path) -> None:
    words = ["train", "-d", "synthetic", "--epochs", "100000", "--patience=100000", *SMALL]
    running = subprocess.Popen(
        [sys.executable, "-m", "sasrec", *words, "--out", "stopped"],
        cwd=place,
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
    )
    assert running.stderr is not None
    for line in running.stderr:
        if line.startswith("epoch 2"):
            running.send_signal(signal.SIGINT)
            break
    rest = running.stderr.read()
    running.stderr.close()
    assert running.wait() == 130, rest
    assert "the best weights so far are in stopped" in rest
    assert sasrec.load(place / "stopped").recommend([["i1"]], k=1)


def test_an_existing_model_is_replaced_only_with_overwrite(place: Path) -> None:
    again = command("train", "-d", "synthetic", "--out", "model", cwd=place)
    assert again.returncode == 2
    assert "already holds a model" in again.stderr


@pytest.mark.slow
def test_the_command_trains_on_movielens(ml100k: Path, tmp_path: Path) -> None:
    words = ["train", "-d", "ml-100k", "--epochs", "3", "--json", "--quiet", "--out", "films"]
    ended = command(*words, cwd=tmp_path)
    assert ended.returncode == 0, ended.stderr
    outcome = json.loads(ended.stdout)
    sasrec_report, popularity, markov, *_ = outcome["reports"]
    assert sasrec_report["dataset"]["interactions"] == 100_000
    # Three epochs beat popularity (0.022) and not yet Markov counts (0.055).
    assert sasrec_report["test"]["ndcg@10"] > popularity["test"]["ndcg@10"] > 0.02
    assert 0.05 < markov["test"]["ndcg@10"] < 0.06
    losses = [each["loss"] for each in outcome["epochs"]]
    assert losses == sorted(losses, reverse=True)
    found = command("recommend", "films", "--user", "196", "-k", "3", cwd=tmp_path)
    assert "user 196: 39 events" in found.stdout, found.stderr
