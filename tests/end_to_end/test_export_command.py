"""The command export: from a trained model to a folder that ONNX Runtime alone can serve."""

import json
import random
import subprocess
import sys
from pathlib import Path

import numpy as np
import polars as pl
import pytest

import sasrec
from forked import ran

SMALL = {"epochs": 1, "hidden_size": 8, "inner_size": 8, "n_layers": 1, "n_heads": 1}
KINDS = ("view", "buy")


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a model that uses times, event types and content, and its export."""
    folder, draw = tmp_path_factory.mktemp("shop"), random.Random(0)
    lines = [
        f"u{user},i{draw.randrange(20)},{1_600_000_000 + 4_000 * step},{draw.choice(KINDS)}"
        for user in range(60)
        for step in range(8)
    ]
    (folder / "log.csv").write_text("user_id,item_id,timestamp,kind\n" + "\n".join(lines) + "\n")
    names = [f"i{number}" for number in range(22)]  # two without an event
    facts = {"item_id": names, "title": [f"<b>{n}</b> é" for n in names]}
    pl.DataFrame(facts | {"price": range(22), "shelf": [n[-1] for n in names]}).write_csv(
        folder / "items.csv"
    )
    options = {"type_column": "kind", "content_columns": "shelf", "relative_bias": "both"}
    sasrec.train(
        folder / "log.csv", SMALL | options, items=folder / "items.csv", out=folder / "model"
    )
    ended = ran("-m", "sasrec", "export", "model", "--out", "out", cwd=folder)
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.startswith("out: network.onnx and what it needs, ")
    assert "differ by at most" in ended.stdout
    return folder


SERVER = """
import json, sys
import numpy as np, onnxruntime
serving = json.load(open("out/serving.json"))
items = json.load(open("out/vocabulary.json"))["items"]
session = onnxruntime.InferenceSession("out/network.onnx", providers=["CPUExecutionProvider"])
one = session.run(None, {
    "items": np.array([[3, 5]]), "lengths": np.array([2]), "times": np.array([[1.6e9, 1.7e9]]),
    "types": np.array([[1, 2]]), "next_type": np.array([0]),
})[0] @ np.load("out/item_vectors.npy").T
print(json.dumps({"scores": one[0].tolist(), "items": items, "inputs": serving["network"]["inputs"],
                  "types": serving["event_types"], "torch": "torch" in sys.modules}))
"""


def test_it_is_read_without_this_package(shop: Path) -> None:
    ended = subprocess.run(
        [sys.executable, "-c", SERVER], cwd=shop, capture_output=True, text=True, check=True
    )
    told = json.loads(ended.stdout)
    assert not told["torch"]
    assert told["inputs"] == ["items", "lengths", "times", "types", "next_type"]
    recommender, names = sasrec.load(shop / "model"), told["items"]
    expected = recommender.score(
        [[names[2], names[4]]],
        names,
        times=[[1.6e9, 1.7e9]],
        types=[told["types"]],
        next_type="any",
    )
    np.testing.assert_allclose(told["scores"][1:], expected[0], atol=1e-4)


def test_titles_and_columns_for_rules_are_in_it(shop: Path) -> None:
    columns = json.loads((shop / "out" / "item_columns.json").read_text())
    titles = json.loads((shop / "out" / "titles.json").read_text())
    items = json.loads((shop / "out" / "vocabulary.json").read_text())["items"]
    price = dict(zip(items, columns["price"]["values"], strict=True))
    assert price["i7"] == 7
    assert titles[items.index("i7")] == "<b>i7</b> é"
    card = json.loads((shop / "out" / "card.json").read_text())
    assert card["reports"][0]["model"] == "SASRec"
    assert "event_hashes" not in card


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["out", "--out", "x"], "out is an export, not a model folder: it lacks settings.json"),
        (["model", "--out", "model"], "model exists and is not an export; choose another folder"),
        (
            ["model", "--out", "out"],
            "out already holds an export; choose another folder, or replace",
        ),
        (["model", "--out", "x", "--format", "pickle"], "'pickle'"),
        (["model"], "--out"),
    ],
)
def test_mistakes_are_told(shop: Path, words: list[str], message: str) -> None:
    before = sorted(path.name for path in shop.iterdir())
    ended = ran("-m", "sasrec", "export", *words, cwd=shop)
    assert ended.returncode == 2
    assert message in ended.stderr
    assert "Traceback" not in ended.stderr
    assert sorted(path.name for path in shop.iterdir()) == before
