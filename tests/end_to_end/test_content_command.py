"""The commands with content: from a log, a table of items and vectors to lists with new items."""

import json
import random
from datetime import date, datetime
from pathlib import Path

import numpy as np
import polars as pl
import pytest

import sasrec
from forked import ran
from sasrec.errors import DataError, ModelError

KINDS, EACH = 4, 6
SMALL = ("--hidden-size=16", "--inner-size=16", "--n-layers=1", "--n-heads=1", "--quiet")


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with users who each buy items of one kind; one item of each kind is new."""
    folder, draw = tmp_path_factory.mktemp("shop"), random.Random(0)
    lines = [
        f"u{user},{user % KINDS}-{draw.randrange(EACH)},{step}"
        for user in range(200)
        for step in range(8)
    ]
    (folder / "log.csv").write_text("user_id,item_id,timestamp\n" + "\n".join(lines) + "\n")
    names = [f"{kind}-{n}" for kind in range(KINDS) for n in [*range(EACH), "new"]]
    kinds = [f"kind {name[0]}" for name in names]
    pl.DataFrame(
        {"item_id": names, "kind": kinds, "price": [float(name[0]) for name in names]}
    ).write_csv(folder / "items.csv")
    np.save(folder / "vectors.npy", np.eye(KINDS)[[int(name[0]) for name in names]])
    return folder


def run(shop: Path, *words: str, code: int = 0) -> tuple[str, str]:
    ended = ran("-m", "sasrec", *words, cwd=shop)
    assert ended.returncode == code, ended.stderr
    assert "Traceback" not in ended.stderr
    return ended.stdout, ended.stderr


@pytest.fixture(scope="module", params=["--content-columns=kind", "--item-vectors=vectors.npy"])
def trained(shop: Path, request: pytest.FixtureRequest) -> tuple[Path, str]:
    """Return a folder with a model, the model's name, and what training printed."""
    _, told = run(
        shop,
        *("train", "-d", "log.csv", "--items", "items.csv", "--out", "model", "--overwrite"),
        *("--epochs", "12", "--learning-rate=0.01", request.param, *SMALL),
    )
    return shop, told


def test_new_items_are_recommended_by_their_content(trained: tuple[Path, str]) -> None:
    shop, told = trained
    assert "4 of 28 items occur in no training event" in told
    assert "they are recommended by their content" in told
    for kind in range(KINDS):
        words = ("--history", f"{kind}-0,{kind}-1", "-k", "5", "--json")
        printed, _ = run(shop, "recommend", "model", *words)
        items = json.loads(printed)["items"]
        assert f"{kind}-new" in items
        assert all(item.startswith(str(kind)) for item in items)


def test_new_items_in_a_history_are_used(trained: tuple[Path, str]) -> None:
    shop, _ = trained
    printed, _ = run(shop, "recommend", "model", "--history", "2-new", "-k", "6", "--json")
    found = json.loads(printed)
    assert found["unknown"] == found["untrained"] == []
    assert all(item.startswith("2") for item in found["items"])


def test_a_saved_model_needs_neither_the_items_nor_the_vectors(trained: tuple[Path, str]) -> None:
    shop, _ = trained
    kept = {name: (shop / name).read_bytes() for name in ("items.csv", "vectors.npy")}
    for name in kept:
        (shop / name).unlink()
    settings = json.loads((shop / "model" / "settings.json").read_text())["data"]
    words = ("--items_file=None",) if settings["items_file"] else ()
    try:
        printed, _ = run(shop, "evaluate", "model", "--json", *words)
    finally:
        for name, content in kept.items():
            (shop / name).write_bytes(content)
    saved = json.loads((shop / "model" / "metrics.json").read_text())
    assert json.loads(printed)["test"] == saved["reports"][0]["test"]
    assert saved["cold_items"] == KINDS
    assert saved["untrained_items"] == 0


def test_new_items_have_vectors_and_similar_items(trained: tuple[Path, str]) -> None:
    shop, _ = trained
    run(shop, "vectors", "model", "--items", "--out", "v.parquet")
    assert "3-new" in pl.read_parquet(shop / "v.parquet")["item"].to_list()
    printed, _ = run(shop, "similar", "model", "3-new", "-k", "3", "--json")
    assert all(item.startswith("3") for item in json.loads(printed)["items"])


def test_the_saved_model_gives_the_same_lists_as_the_trained_one(shop: Path) -> None:
    form = {"hidden_size": 16, "inner_size": 16, "n_layers": 1, "n_heads": 1, "epochs": 2}
    columns = ["kind:token", "price"]
    trained = sasrec.train(
        shop / "log.csv", form, items=shop / "items.csv", content_columns=columns, seed=3
    )
    loaded = sasrec.load(trained.save(shop / "saved", overwrite=True))
    histories = [["1-0", "1-new"], ["2-3"]]
    assert loaded.recommend(histories, 9) == trained.recommend(histories, 9)
    assert loaded.content == trained.content
    again = sasrec.train(
        shop / "log.csv", form, items=shop / "items.csv", content_columns=columns, seed=3
    )
    assert again.recommend(histories, 9) == trained.recommend(histories, 9)


def test_an_interrupted_training_with_content_resumes_to_the_same_model(shop: Path) -> None:
    words = ("-d", "log.csv", "--items", "items.csv", "--content-columns=kind,price", *SMALL)
    run(shop, "train", *words, "--epochs", "4", "--out", "whole")
    started = ran(
        *("-c", INTERRUPTED, "train", *words, "--epochs", "4", "--out", "halves"), cwd=shop
    )
    assert started.returncode != 0
    items = (shop / "items.csv").read_text()
    (shop / "items.csv").write_text(items.replace("kind 2", "kind 9"))
    _, told = run(shop, "train", "--resume", "halves", "--quiet", code=2)
    assert "has changed since the training was interrupted" in told
    (shop / "items.csv").write_text(items)
    run(shop, "train", "--resume", "halves", "--quiet")
    whole, halves = (sasrec.load(shop / name) for name in ("whole", "halves"))
    assert whole.recommend([["1-0"]], 20) == halves.recommend([["1-0"]], 20)


INTERRUPTED = """
import os
from sasrec.training import trainer
from sasrec.experiment import checkpoints
kept = checkpoints.CheckpointWriter.__call__
def keep(self, *given):
    kept(self, *given)
    if len(given[0].epochs) == 2:
        os._exit(1)
checkpoints.CheckpointWriter.__call__ = keep
from sasrec.cli.app import main
main()
"""


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("--content-columns=colour",), "'colour' that neither the events nor an items file has"),
        (("--content-columns=kind", "--model", "GRU4Rec"), "cannot use content_columns"),
        (("--item-vectors=nothing.npy",), "no such file"),
        (("--item-vectors=short.npy",), "has 3 rows, but"),
        (("--item-vectors=nan.npy",), "contains NaN or infinity"),
    ],
)
def test_a_mistake_is_one_message_and_nothing_is_written(
    shop: Path, words: tuple[str, ...], expected: str
) -> None:
    np.save(shop / "short.npy", np.ones((3, 2)))
    np.save(shop / "nan.npy", np.full((28, 2), np.nan))
    _, told = run(
        shop,
        *("train", "-d", "log.csv", "--items", "items.csv", "--out", "none", *words, *SMALL),
        code=2,
    )
    assert expected in told
    assert len([line for line in told.splitlines() if line.startswith("error")]) == 1
    assert not (shop / "none").exists()


def test_settings_of_content_come_from_yaml_too(shop: Path) -> None:
    (shop / "my.yaml").write_text(
        "content_columns: [kind, 'price:float']\ncontent_mix: gate\nid_dropout_prob: 0.3\n"
    )
    run(
        shop,
        *("train", "-d", "log.csv", "--items", "items.csv", "--config", "my.yaml"),
        *("--epochs", "1", "--out", "by-yaml", *SMALL),
    )
    assert [each.kind for each in sasrec.load(shop / "by-yaml").content] == ["categories", "number"]


def test_info_says_what_a_model_knows_about_items(trained: tuple[Path, str]) -> None:
    shop, _ = trained
    printed, _ = run(shop, "info", "model")
    assert "kind (4 categories)" in printed or "item_vectors (vector of 4)" in printed


def test_the_content_of_a_trained_model_cannot_be_changed(trained: tuple[Path, str]) -> None:
    shop, _ = trained
    _, told = run(shop, "evaluate", "model", "--content-columns=price", code=2)
    assert "--content_columns only changes training" in told


def test_attributes_out_of_range_are_refused(shop: Path) -> None:
    from safetensors.torch import load_file, save_file

    form = {"hidden_size": 16, "inner_size": 16, "n_layers": 1, "n_heads": 1, "epochs": 1}
    trained = sasrec.train(
        shop / "log.csv", form, items=shop / "items.csv", content_columns=["kind"]
    )
    folder = trained.save(shop / "edited", overwrite=True)
    (folder / "manifest.json").unlink()
    weights = load_file(folder / "model.safetensors")
    weights["content.data.attributes"][0] = 10**9
    save_file(weights, folder / "model.safetensors")
    with pytest.raises(ModelError, match="attributes of items are out of range"):
        sasrec.load(folder)


def test_a_frame_with_a_column_of_vectors(shop: Path) -> None:
    items = pl.read_csv(shop / "items.csv").with_columns(
        picture=pl.col("price").cast(pl.Float32).reshape((-1, 1))
    )
    form = {"hidden_size": 16, "inner_size": 16, "n_layers": 1, "n_heads": 1, "epochs": 1}
    log = pl.read_csv(shop / "log.csv")
    found = sasrec.train(log, form, items=items, content_columns=["picture"])
    assert found.content[0].kind == "vector"
    with pytest.raises(DataError, match="content_columns names a column 'pictures'"):
        sasrec.train(log, form, items=items, content_columns=["pictures"])


@pytest.fixture(scope="module")
def learned(shop: Path) -> sasrec.Recommender:
    form = {"hidden_size": 16, "inner_size": 16, "n_layers": 1, "n_heads": 1, "epochs": 12}
    settings = {**form, "learning_rate": 0.01, "content_columns": ["kind", "price"]}
    return sasrec.train(shop / "log.csv", settings, items=shop / "items.csv")


def test_items_that_arrive_after_training_are_recommended(
    learned: sasrec.Recommender, tmp_path: Path
) -> None:
    new = pl.DataFrame(
        {"item_id": ["later", "0-0"], "kind": ["kind 2", "kind 2"], "price": [2.0, None]}
    )
    longer = sasrec.with_new_items(learned, new)
    assert "later" in longer.recommend([["2-0", "2-1"]], 6)[0].items
    assert longer.recommend([["later"]], 3)[0].unknown == []
    before, after = (each.score([["2-0"]], ["2-1", "0-0"]) for each in (learned, longer))
    assert np.allclose(before, after, atol=1e-5)
    loaded = sasrec.load(longer.save(tmp_path / "longer"))
    assert loaded.recommend([["later"]], 9) == longer.recommend([["later"]], 9)
    assert loaded.item_columns is not None
    assert loaded.item_columns.values["kind"].to_list()[-1] == "kind 2"
    again = sasrec.with_new_items(loaded, new.with_columns(item_id=pl.lit("last")).head(1))
    assert again.items.entries.to_list()[-2:] == ["later", "last"]


def test_a_new_item_of_an_unknown_category_is_told(
    learned: sasrec.Recommender, caplog: pytest.LogCaptureFixture
) -> None:
    new = pl.DataFrame({"item_id": ["x"], "kind": ["unheard"], "price": [None]})
    longer = sasrec.with_new_items(learned, new.cast({"price": pl.Float64}))
    assert "only in items without a training event, such as 'unheard'" in caplog.text
    assert "1 new item has no content that the model can use, such as 'x'" in caplog.text
    assert longer.untrained == ["x"]


def test_new_items_that_cannot_be_used_are_refused(
    learned: sasrec.Recommender, shop: Path, tmp_path: Path
) -> None:
    with pytest.raises(DataError, match="all 28 items of the table are known already"):
        sasrec.with_new_items(learned, shop / "items.csv")
    with pytest.raises(DataError, match="content_columns names a column 'kind'"):
        sasrec.with_new_items(learned, pl.DataFrame({"item_id": ["x"], "price": [1.0]}))
    form = {"hidden_size": 16, "inner_size": 16, "n_layers": 1, "n_heads": 1, "epochs": 1}
    log, items = shop / "log.csv", shop / "items.csv"
    with pytest.raises(ModelError, match="trained without content"):
        sasrec.with_new_items(sasrec.train(log, form), items)
    by_vectors = sasrec.train(log, form, items=items, item_vectors=str(shop / "vectors.npy"))
    wide = tmp_path / "wide.jsonl"
    wide.write_text('{"item": "x", "vector": [0.5]}\n')
    with pytest.raises(DataError, match="the vectors have 1 numbers, but those that the model"):
        sasrec.with_new_items(by_vectors, pl.DataFrame({"item_id": ["x"]}), wide)


def content_of(recommender: sasrec.Recommender, token: str) -> tuple[list[str], list[float]]:
    """Return the categories of an item, and its numbers."""
    [number] = recommender.items.numbers([token])
    weights = recommender.model.state_dict()
    begin, end = weights["content.data.offsets"][number : number + 2].tolist()
    values = [value for column in recommender.content for value in column.values]
    places = weights["content.data.attributes"][begin:end].tolist()
    return [values[place] for place in places], weights["content.data.numbers"][number].tolist()


@pytest.fixture(scope="module")
def typed(shop: Path) -> sasrec.Recommender:
    """Return a model with content of all types."""
    items = pl.read_csv(shop / "items.csv").with_row_index("n").with_columns(pl.col("n") % 3)
    items = items.with_columns(
        day=pl.date(2020, 1, pl.col("n") + 1),
        moment=pl.datetime(2020, 1, pl.col("n") + 1),
        code=pl.when(pl.col("item_id") != "0-0").then(pl.col("n").cast(pl.Float64)),
        flag=pl.col("n") == 0,
        tags=pl.when(pl.col("n") == 0).then(pl.lit("a b|c")).otherwise(pl.lit("c")),
        words=pl.concat_list(pl.lit("p"), pl.lit("q")),
    ).drop("n")
    form = {"hidden_size": 16, "inner_size": 16, "n_layers": 1, "n_heads": 1, "epochs": 1}
    names = ["kind", "price", "day", "moment", "code:token", "flag", "tags:token_seq", "words"]
    return sasrec.train(pl.read_csv(shop / "log.csv"), form, items=items, content_columns=names)


NEW = {
    "item_id": "later",
    "kind": "kind 2",
    "price": 2.0,
    "day": date(2020, 1, 2),
    "moment": datetime(2020, 1, 2),
    "code": 1,
    "flag": False,
    "tags": "a b",
    "words": ["p"],
}


@pytest.mark.parametrize(
    "other",
    [
        {},
        {"price": "2", "flag": "False", "code": "1"},
        {"day": datetime(2020, 1, 2, 18), "moment": date(2020, 1, 2), "code": 1.0},
        {"day": "2020-01-02", "moment": "2020-01-02", "words": "p"},
    ],
)
def test_new_items_are_read_in_the_types_of_the_earlier_ones(
    typed: sasrec.Recommender, other: dict[str, object]
) -> None:
    new = pl.DataFrame([{**NEW, **other}])
    longer = sasrec.with_new_items(typed, new)
    categories, numbers = content_of(longer, "later")
    assert categories == ["kind 2", "1", "false", "a b", "p"]
    expected = sasrec.with_new_items(typed, pl.DataFrame([NEW]))
    assert numbers == content_of(expected, "later")[1]
    assert longer.item_columns is not None
    [row] = longer.item_columns.values.tail(1).to_dicts()
    assert row["price"] == 2
    assert row["day"] == date(2020, 1, 2)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("price", "cheap", "'price' holds text, such as 'cheap', but the items of the model have"),
        ("day", "01/05/2020", "'day' holds text, such as '01/05/2020', .* have dates there"),
        ("flag", 1, "'flag' holds whole numbers, such as '1', .* have true or false there"),
        ("kind", ["kind 2"], "'kind' holds lists of texts"),
        ("price", [2.5], "'price' holds values of another type than those that the model was"),
        ("price", date(2020, 1, 1), "'price' holds dates"),
    ],
)
def test_new_items_with_values_of_another_type_are_refused(
    typed: sasrec.Recommender, name: str, value: object, message: str
) -> None:
    with pytest.raises(DataError, match=message):
        sasrec.with_new_items(typed, pl.DataFrame([{**NEW, name: value}]))


def test_missing_content_of_new_items_is_told(
    typed: sasrec.Recommender, caplog: pytest.LogCaptureFixture
) -> None:
    schema = pl.DataFrame([NEW]).schema
    sasrec.with_new_items(typed, pl.DataFrame([{**NEW, "price": None}], schema=schema))
    assert "content 'price': 1 item has no value, of 1" in caplog.text
    with pytest.raises(DataError, match="the table of new items has no rows"):
        sasrec.with_new_items(typed, pl.DataFrame(schema=schema))
