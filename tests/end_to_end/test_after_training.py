"""Using a trained model: resuming, evaluating, recommending and replacing it."""

import json
import signal
import subprocess
from pathlib import Path

import numpy as np
import pytest

from forked import ran, started

SMALL = ("--learning_rate=0.01", "--batch_size=64", "--quiet")
HEAD = "user_id,item_id,timestamp"


def rows_of(users: range, *, events: int = 9) -> list[str]:
    """Return lines of events at irregular times."""
    generator = np.random.default_rng(len(users))
    times = np.cumsum(generator.integers(1, 90, (len(users), events)), axis=1)
    return [
        f"u{user},i{(user * 3 + step * (1 + user % 2)) % 11},{time}"
        for user, moments in zip(users, times, strict=True)
        for step, time in enumerate(moments)
    ]


def written(path: Path, rows: list[str]) -> Path:
    path.write_text("\n".join([HEAD, *rows]) + "\n")
    return path


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    return written(tmp_path / "shop.csv", rows_of(range(30)))


def command(*words: str, cwd: Path, **more: str) -> subprocess.CompletedProcess[str]:
    return ran("-m", "sasrec", *words, cwd=cwd, **more)


def trained(place: Path, *words: str, name: str = "model") -> None:
    ended = command("train", "-d", "shop.csv", "-o", name, "--epochs=2", *SMALL, *words, cwd=place)
    assert ended.returncode == 0, ended.stderr


def test_values_chosen_by_the_preset_are_kept(shop: Path) -> None:
    place = shop.parent
    words = ("train", "-d", "shop.csv", "-o", "model", "--epochs=100000", "--validate_every=0")
    running = started("-m", "sasrec", *words, cwd=place, stderr=subprocess.PIPE)
    assert running.stderr is not None
    while "epoch 3:" not in running.stderr.readline():
        assert running.poll() is None
    running.send_signal(signal.SIGKILL)
    running.wait()
    running.stderr.close()
    words = ("train", "--resume", "model")
    goes_on = started("-m", "sasrec", *words, cwd=place, stderr=subprocess.PIPE)
    assert goes_on.stderr is not None
    lines = iter(goes_on.stderr.readline, "")
    first = next(line for line in lines if not line.startswith("at most"))
    goes_on.kill()
    goes_on.wait()
    goes_on.stderr.close()
    assert first.startswith("epoch "), first
    assert int(first.split()[1].rstrip(":")) >= 3


def test_users_keep_their_numbers_on_other_data(shop: Path) -> None:
    place = shop.parent
    trained(place, "--model=FPMC")
    own = command("evaluate", "model", "--json", cwd=place)
    written(place / "reversed.csv", rows_of(range(30))[::-1])
    turned = command("evaluate", "model", "-d", "reversed.csv", "--json", cwd=place)
    assert json.loads(turned.stdout)["test"] == pytest.approx(json.loads(own.stdout)["test"])
    written(place / "more.csv", rows_of(range(60)))
    more = command("evaluate", "model", "-d", "more.csv", "--json", cwd=place)
    assert more.returncode == 0, more.stderr


def test_a_model_trained_on_split_files_loads_its_data_again(tmp_path: Path) -> None:
    folder = tmp_path / "parts"
    folder.mkdir()
    head = "user_id:token\titem_id:token\ttimestamp:float"
    rows = [row.split(",") for row in rows_of(range(30))]
    parts = {"train": rows, "valid": rows[7::9], "test": rows[8::9]}
    parts["train"] = [row for place, row in enumerate(rows) if place % 9 < 7]
    for name, some in parts.items():
        lines = [head, *("\t".join(row) for row in some)]
        (folder / f"parts.{name}.inter").write_text("\n".join(lines) + "\n")
    words = ("-d", "parts", "--split_files=['train','valid','test']", "-o", "model", "--epochs=2")
    assert command("train", *words, *SMALL, cwd=tmp_path).returncode == 0
    for again in (("evaluate", "model"), ("recommend", "model", "--user", "u1")):
        ended = command(*again, cwd=tmp_path)
        assert ended.returncode == 0, ended.stderr


def test_a_model_with_its_explanation_may_be_replaced(shop: Path) -> None:
    place = shop.parent
    trained(place)
    assert command("explain", "model", cwd=place).returncode == 0
    assert (place / "model" / "explanation.html").is_file()
    trained(place, "--overwrite")
    assert not (place / "model" / "explanation.html").exists()
    (place / "model" / "notes.txt").write_text("mine")
    refused = command(
        "train", "-d", "shop.csv", "-o", "model", "--overwrite", "--epochs=1", cwd=place
    )
    assert "exists and is not a model folder" in refused.stderr


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("--n_layers=7", "--n_layers only changes training; a saved model accepts"),
        ("--max_history=1", "this model has max_history=50, which cannot be changed"),
        ("--topk 0", "topk is 0: each value must be above 0"),
        ("--topk x", "topk is 'x': each value must be a whole number"),
        ("--jsn", "'--jsn' has no value; did you mean --json?"),
        ("--valid_metric=gauc@10", "'gauc@10' has a cut-off, but gauc uses the full ranking"),
        ("--valid_metric=ndcg@010", "'ndcg@010' has no cut-off from 1 to 99999"),
    ],
)
def test_settings_without_effect_on_a_saved_model_are_refused(
    words: str, message: str, shop: Path
) -> None:
    trained(shop.parent)
    ended = command("evaluate", "model", *words.split(), cwd=shop.parent)
    assert ended.returncode == 2
    assert message in ended.stderr
    assert "settings.json" not in ended.stderr


def test_another_split_of_the_training_data_is_reported(shop: Path) -> None:
    trained(shop.parent)
    other = command("evaluate", "model", "--split=ratio", "--worker=3", cwd=shop.parent)
    assert other.returncode == 0, other.stderr
    assert "so it may have been trained on test targets" in other.stderr
    assert "settings without effect: worker\n" in other.stderr
    assert "may have learned" not in command("evaluate", "model", cwd=shop.parent).stderr


def test_a_history_without_times_does_not_change_those_of_others(shop: Path) -> None:
    place = shop.parent
    trained(place, "--relative_bias=time")
    alone = command("recommend", "model", "--user", "u1", "--json", cwd=place)
    both = command("recommend", "model", "--history", "i1,i2", "--user", "u1", "--json", cwd=place)
    first, second = both.stdout.splitlines()
    assert json.loads(first)["for"] == "history i1,i2"
    assert json.loads(second) == json.loads(alone.stdout)


def test_characters_a_console_cannot_show_are_escaped(shop: Path) -> None:
    place = shop.parent
    text = shop.read_text().replace("i1,", "é→🎬,")
    shop.write_text(text, encoding="utf-8")
    trained(place)
    words = ("recommend", "model", "--history", "é→🎬", "-k", "3")
    shown = command(*words, cwd=place, PYTHONIOENCODING="ascii")
    assert shown.returncode == 0, shown.stderr
    assert r"\u2192" in shown.stdout
    as_json = command(*words, "--json", cwd=place, PYTHONIOENCODING="ascii")
    assert json.loads(as_json.stdout)["for"] == "history é→🎬"


def test_a_tilde_is_the_home_folder(shop: Path) -> None:
    place, home = shop.parent, shop.parent / "home"
    home.mkdir()
    trained(place)
    (home / "asked.txt").write_text("i1 i2\n")
    words = ("recommend", "model", "--file=~/asked.txt", "--out=~/found.jsonl")
    ended = command(*words, cwd=place, HOME=str(home))
    assert ended.returncode == 0, ended.stderr
    assert json.loads((home / "found.jsonl").read_text())["items"]
    assert not (place / "~").exists()


def test_best_settings_of_another_model_name_that_model(shop: Path) -> None:
    place = shop.parent
    (place / "space.yaml").write_text("choice: {embedding_size: [8, 16]}\n")
    words = ("tune", "-d", "shop.csv", "--params", "space.yaml", "-m", "GRU4Rec", "--seeds", "0")
    ended = command(*words, "--epochs=1", "--valid_metric=giniindex@5", "-o", "out", cwd=place)
    assert ended.returncode == 0, ended.stderr
    assert "sasrec train -d shop.csv --model GRU4Rec --config out/best.yaml" in ended.stdout
    assert (place / "out" / "best.yaml").read_text().startswith("# settings of GRU4Rec\n")
    assert "giniindex@5 0." in ended.stdout
    assert "giniindex@5 0." in ended.stderr
