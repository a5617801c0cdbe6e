"""Comparisons of models that learn from content and event types with models that cannot."""

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest

import sasrec
from sasrec.comparison.entries import Comparison
from sasrec.comparison.entry import Entry
from sasrec.errors import ModelError, SettingsError, SeveralMistakesError

SMALL = {"hidden_size": 8, "epochs": 1, "max_history": 8, "topk": (5,), "valid_metric": "ndcg@5"}


@pytest.fixture(scope="module")
def events() -> pl.DataFrame:
    """Return views and purchases of items that have a category."""
    generator = np.random.default_rng(0)
    items = generator.integers(20, size=(40, 9))
    return pl.DataFrame(
        {
            "user_id": np.repeat([f"u{user}" for user in range(40)], 9),
            "item_id": [f"i{item}" for item in items.ravel()],
            "timestamp": np.tile(np.arange(9), 40),
            "event": np.tile(["view", "view", "buy"], 120),
            "category": [f"c{item % 3}" for item in items.ravel()],
        }
    )


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, events: pl.DataFrame) -> Path:
    folder = tmp_path_factory.mktemp("compared")
    events.write_csv(folder / "log.csv")
    return folder


def entry(found: Comparison, model: str) -> Entry:
    [one] = [each for each in found.entries if each.model == model]
    return one


def test_models_that_cannot_use_content_learn_without_it(events: pl.DataFrame) -> None:
    plain = sasrec.compare(events, ["SASRec", "GRU4Rec", "FPMC"], **SMALL)
    found = sasrec.compare(
        events, ["SASRec", "GRU4Rec", "FPMC"], **SMALL, content_columns="category"
    )
    assert {each.model: each.unused for each in found.entries if each.unused} == {
        "GRU4Rec": ("content_columns",),
        "FPMC": ("content_columns",),
    }
    [told] = [text for text in found.remarks if "content" in text]
    assert told.startswith("SASRec learns from the content of items (content_columns); ")
    assert told.removesuffix(" do not").endswith(("GRU4Rec and FPMC", "FPMC and GRU4Rec"))
    for model in ("GRU4Rec", "FPMC", "Popularity", "Markov"):
        assert entry(found, model).means == entry(plain, model).means
        assert "content_columns" not in entry(found, model).settings
    assert entry(found, "SASRec").means != entry(plain, "SASRec").means
    assert entry(found, "SASRec").settings["content_columns"] == ["category"]


def test_models_that_cannot_use_types_predict_the_same_targets(events: pl.DataFrame) -> None:
    typed = {"type_column": "event", "target_types": "buy"}
    found = sasrec.compare(events, ["SASRec", "GRU4Rec"], **SMALL, **typed)
    assert entry(found, "GRU4Rec").unused == ("type_column",)
    assert "SASRec learns from the types of events (type_column); GRU4Rec does not" in found.remarks
    assert "targets of type buy" in found.protocol
    alone = sasrec.compare(events, ["GRU4Rec"], **SMALL, **typed)
    assert entry(alone, "GRU4Rec").means == entry(found, "GRU4Rec").means
    assert "no model learns from the types of events (type_column)" in alone.remarks


@pytest.mark.parametrize(
    ("settings", "key"),
    [({"content_columns": "category"}, "content_columns"), ({"type_column": "event"}, "type_colu")],
)
def test_an_input_that_no_model_can_use_is_refused(events: pl.DataFrame, settings, key) -> None:
    text = rf"none of the models to train \(GRU4Rec, FPMC\) can use {key}\w*; add SASRec, or"
    with pytest.raises(SettingsError, match=text):
        sasrec.compare(events, ["GRU4Rec", "FPMC"], **SMALL, **settings)


def test_inputs_are_refused_together_with_other_mistakes(events: pl.DataFrame) -> None:
    with pytest.raises(SeveralMistakesError, match="none of the models"):
        sasrec.compare(
            events, ["GRU4Rec", "Sasrek"], content_columns="category", item_vectors="v.npy"
        )


def test_saved_models_say_what_they_learned_from(place: Path, tmp_path: Path) -> None:
    with_content = {**SMALL, "content_columns": "category"}
    sasrec.train(place / "log.csv", with_content, out=tmp_path / "content")
    sasrec.train(place / "log.csv", SMALL, out=tmp_path / "plain")
    models = [tmp_path / "content", tmp_path / "plain", "GRU4Rec"]
    found = sasrec.compare(place / "log.csv", models, with_content, out=tmp_path / "result")
    unused = {each.model: each.unused for each in found.entries if not each.is_baseline}
    assert unused == {
        f"{tmp_path / 'content'} (SASRec)": (),
        f"{tmp_path / 'plain'} (SASRec)": ("content_columns",),
        "GRU4Rec": ("content_columns",),
    }
    written = json.loads((tmp_path / "result" / "comparison.json").read_text())
    assert [each["unused"] for each in written["entries"]] == [
        list(each.unused) for each in found.entries
    ]


def test_a_saved_model_with_other_items_is_refused(
    place: Path, events: pl.DataFrame, tmp_path: Path
) -> None:
    items = pl.DataFrame({"item_id": [f"i{n}" for n in range(25)], "category": ["c1"] * 25})
    items.write_csv(tmp_path / "items.csv")
    content = {"items_file": str(tmp_path / "items.csv"), "content_columns": "category"}
    sasrec.train(place / "log.csv", SMALL, out=tmp_path / "plain")
    with pytest.raises(ModelError, match=r"was trained with 20 items, and .* has 25 with these"):
        sasrec.compare(place / "log.csv", [tmp_path / "plain", "SASRec"], {**SMALL, **content})
