"""Event types from a log to lists: training, evaluation, recommending, rules, explaining."""

import gzip
import json
import sys
from pathlib import Path

import numpy as np
import polars as pl
import pytest

import sasrec
from sasrec.cli.app import main
from sasrec.data import sources
from sasrec.data.saved_events import save_events
from sasrec.errors import DataError, SasrecError, SettingsError
from sasrec.recommender.recommender import Recommender
from sasrec.settings.data import DataSettings

SMALL = {"hidden_size": 16, "inner_size": 16, "n_layers": 1, "n_heads": 1, "max_history": 12}
TYPED = {"type_column": "event", "target_types": "purchase"}


def shop(seed: int, users: int, items: int) -> pl.DataFrame:
    """Return a log in which a user buys what was put into the cart, among other viewed items."""
    generator = np.random.default_rng(seed)
    rows = []
    for user in range(users):
        clock = 0
        for _ in range(3):
            viewed = generator.permutation(items)[:4]
            chosen = generator.integers(4)
            for place, item in enumerate(viewed):
                rows.append((f"u{user}", f"i{item}", "view", clock))
                if place == chosen:
                    rows.append((f"u{user}", f"i{item}", "cart", clock + 1))
                clock += 2
            rows.append((f"u{user}", f"i{viewed[chosen]}", "purchase", clock))
            clock += 1
    names = ["user_id", "item_id", "event", "timestamp"]
    return pl.DataFrame(rows, schema=names, orient="row")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("shop")
    log = shop(0, 60, 20)
    log.write_csv(folder / "log.csv")
    log.drop("event").write_csv(folder / "plain.csv")
    log.with_columns(pl.col("event").replace("cart", "wish")).write_csv(folder / "wish.csv")
    sasrec.train(folder / "log.csv", {**SMALL, **TYPED, "epochs": 1}, out=folder / "model")
    return folder


@pytest.fixture(scope="module")
def recommender(place: Path) -> Recommender:
    return sasrec.load(place / "model")


@pytest.fixture
def asked(
    place: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
):
    """Return a function that runs a command in this process, and returns what was printed."""
    monkeypatch.chdir(place)

    def ask(*words: str, code: int = 0) -> tuple[str, str]:
        monkeypatch.setattr(sys, "argv", ["sasrec", *words])
        with pytest.raises(SystemExit) as left:
            main()
        printed = capsys.readouterr()
        assert left.value.code == code, printed.err
        return printed.out, printed.err + caplog.text

    return ask


def test_types_are_saved_with_the_model(place: Path, recommender: Recommender) -> None:
    assert recommender.event_types == ("cart", "purchase", "view")
    saved = json.loads((place / "model" / "vocabulary.json").read_text())
    assert saved["event_types"] == ["cart", "purchase", "view"]
    report = recommender.metrics["reports"][0]
    assert "targets of type purchase" in report["protocol"]


def test_evaluation_repeats_the_metrics_of_training(place: Path, recommender: Recommender) -> None:
    found = sasrec.evaluate(place / "model")
    assert found.report.test == recommender.metrics["reports"][0]["test"]
    other = sasrec.evaluate(place / "model", target_types="view").report
    assert other.test != found.report.test


def test_types_and_the_type_asked_for_change_scores(recommender: Recommender) -> None:
    histories, items = [["i1", "i2", "i3"]], ["i1", "i2", "i3"]
    default = recommender.score(histories, items)
    assert np.array_equal(default, recommender.score(histories, items, next_type="purchase"))
    assert np.array_equal(default, recommender.score(histories, items, types=[[None] * 3]))
    for changed in (
        {"types": [["view", "cart", "view"]]},
        {"next_type": "view"},
        {"next_type": "any"},
    ):
        assert not np.array_equal(default, recommender.score(histories, items, **changed))


def test_types_of_skipped_items_are_skipped_too(recommender: Recommender) -> None:
    items = ["i1", "i2"]
    whole = recommender.score([["i1", "i2"]], items, types=[["view", "cart"]])
    types = [["view", "purchase", "cart"]]
    assert np.array_equal(whole, recommender.score([["i1", "?", "i2"]], items, types=types))


def test_a_history_is_scored_alike_alone_and_among_others(recommender: Recommender) -> None:
    histories = [["i1", "i2"], ["i3"], ["i4", "i5", "i6"]]
    types = [["view", "cart"], None, ["view", "view", "purchase"]]
    together = recommender.score(histories, ["i1", "i9"], types=types)
    alone = [
        recommender.score([one], ["i1", "i9"], types=[own])[0]
        for one, own in zip(histories, types, strict=True)
    ]
    assert np.allclose(together, alone, atol=1e-5)


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (
            {"next_type": "purchse"},
            "'purchase'? (types: cart, purchase, view, or any)",
        ),
        ({"types": [["view"]]}, "types do not match the histories; give one type for each event"),
        ({"types": ["view"]}, "the types of a history must be a list"),
        ({"types": []}, "histories: 1, lists of types: 0"),
        ({"types": [[["view"], "view"]]}, "types must be a list of texts"),
    ],
)
def test_wrong_types_are_refused(recommender: Recommender, arguments, text: str) -> None:
    with pytest.raises(DataError) as caught:
        recommender.recommend([["i1", "i2"]], **arguments)
    assert text in str(caught.value)


def test_unknown_types_are_told_with_their_number(recommender: Recommender, caplog) -> None:
    recommender.recommend([["i1", "i2"]], types=[["vue", "view"]])
    assert "1 event of types that the model does not know, such as 'vue'" in caplog.text


def test_everybody_gets_the_lists_of_recommend(place: Path, recommender: Recommender) -> None:
    log = pl.read_csv(place / "log.csv")
    grouped = log.group_by("user_id", maintain_order=True).agg("item_id", "event")
    for options in ({}, {"next_type": "view"}, {"rules": {"seen_types": "purchase"}}):
        lists = recommender.recommend(
            grouped["item_id"].to_list(), 5, types=grouped["event"].to_list(), **options
        )
        out = place / "lists.parquet"
        sasrec.recommend_all(recommender, out=out, k=5, **options)
        table = pl.read_parquet(out).group_by("user", maintain_order=True).agg("item", "score")
        assert table["user"].to_list() == grouped["user_id"].to_list()
        assert table["item"].to_list() == [each.items for each in lists]
        found = np.concatenate([each.scores for each in lists])
        # Batches of other sizes round differently.
        assert table["score"].explode().to_numpy() == pytest.approx(found, rel=1e-3, abs=1e-3)


def test_only_what_was_purchased_counts_as_seen(recommender: Recommender) -> None:
    history, types = ["i1", "i2", "i3"], [["view", "purchase", "cart"]]
    rules = {"seen_types": ["purchase"]}
    [found] = recommender.recommend([history], 50, types=types, rules=rules)
    assert set(history) - set(found.items) == {"i2"}
    [every] = recommender.recommend([history], 50, types=types, rules={**rules, "seen": "always"})
    assert set(history) <= set(every.items)
    with pytest.raises(DataError, match="seen_types needs the type of each event"):
        recommender.recommend([history], rules=rules)
    with pytest.raises(SettingsError, match="did you mean 'purchase'"):
        recommender.recommend([history], types=types, rules={"seen_types": "purchas"})


def test_commands_read_types_from_the_data(place: Path, asked, recommender: Recommender) -> None:
    log = pl.read_csv(place / "log.csv").filter(pl.col("user_id") == "u3")
    [found] = recommender.recommend(
        [log["item_id"].to_list()], 3, types=[log["event"].to_list()], next_type="view"
    )
    words = ("recommend", "model", "--user", "u3", "-k", "3", "--json", "--next-type", "view")
    assert json.loads(asked(*words)[0])["items"] == found.items
    asked("recommend", "model", "--all-users", "--out", "a.csv", "--seen-types", "purchase")
    assert len(pl.read_csv(place / "a.csv")) == 600
    asked("explain", "model", "--user", "u3", "--out", "page.html")
    assert (place / "page.html").is_file()
    _, told = asked("recommend", "model", "--next-type", "buy", "--user", "u1", code=2)
    assert "next_type is 'buy', which the model does not know" in told


def test_data_without_types_still_get_lists(place: Path, asked) -> None:
    _, told = asked("recommend", "model", "--all-users", "--data", "plain.csv", "--out", "b.csv")
    assert "has no column 'event' (type_column), so the types of all events are unknown" in told
    _, told = asked("evaluate", "model", "--data", "plain.csv", code=2)
    assert "has no column 'event'" in told
    told = "".join(asked("evaluate", "model", "--data", "wish.csv"))
    assert "180 events of types the model does not know ('wish')" in told


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"target_types": "purchase"}, "target_types needs the types of events; set type_column"),
        ({"type_column": "item_id"}, "type_column is 'item_id', which is also the column of users"),
        ({**TYPED, "target_types": "buy"}, "no event has the type 'buy' (target_types)"),
    ],
)
def test_settings_that_contradict_each_other_are_refused(place: Path, settings, text: str) -> None:
    with pytest.raises(SasrecError) as caught:
        sasrec.train(place / "log.csv", {**SMALL, **settings, "epochs": 1})
    assert text in str(caught.value)


@pytest.mark.parametrize("model", ["GRU4Rec", "BERT4Rec", "BPR", "FPMC", "Caser"])
def test_other_models_say_that_they_cannot_use_types(place: Path, model: str) -> None:
    with pytest.raises(SettingsError, match=f"{model} cannot use event types"):
        sasrec.train(place / "log.csv", model=model, type_column="event")


def test_a_model_without_types_refuses_to_be_asked_for_one(place: Path) -> None:
    plain = sasrec.train(place / "plain.csv", {**SMALL, "epochs": 1})
    with pytest.raises(DataError, match="this model uses no event types"):
        plain.recommend([["i1"]], next_type="view")
    assert plain.recommend([["i1"]], types=[["view"]]) == plain.recommend([["i1"]])
    evaluated = sasrec.evaluate(plain, place / "log.csv", TYPED)
    assert "targets of type purchase" in evaluated.report.protocol


def test_saved_events_have_their_types(place: Path, tmp_path: Path) -> None:
    log = pl.read_csv(place / "log.csv").with_columns(
        pl.when(pl.col("timestamp") == 3).then(None).otherwise(pl.col("event")).alias("event")
    )
    found = sources.load_corpus(log, DataSettings(type_column="event"))
    path = save_events(found, tmp_path)
    again = sources.load_corpus(path, DataSettings(type_column="type"))
    assert again.event_types == found.event_types
    assert again.sequences.fingerprint() == found.sequences.fingerprint()


@pytest.mark.slow
def test_carts_foretell_purchases_only_with_types() -> None:
    log = shop(1, 400, 30)
    settings = {**SMALL, **TYPED, "hidden_size": 48, "learning_rate": 0.01, "epochs": 60}
    settings |= {"hidden_dropout_prob": 0.1, "attn_dropout_prob": 0.1, "train_target_types": "all"}
    means = {}
    for use in ("both", "none"):
        trained = [sasrec.train(log, settings, event_types=use, seed=seed) for seed in range(3)]
        scores = [each.metrics["reports"][0]["test"]["ndcg@10"] for each in trained]
        means[use] = sum(scores) / len(scores)
    assert means["both"] > 1.4 * means["none"]


def test_parts_and_compressed_files_may_lack_the_types_too(place: Path, asked) -> None:
    log = pl.read_csv(place / "plain.csv")
    (place / "days").mkdir()
    for number, part in enumerate((log.head(100), log.tail(-100))):
        part.write_csv(place / "days" / f"{number}.csv")
    with gzip.open(place / "plain.csv.gz", "wb") as file:
        file.write((place / "plain.csv").read_bytes())
    for data in ("days", "plain.csv.gz"):
        _, told = asked("recommend", "model", "--user", "u1", "--data", data)
        assert "so the types of all events are unknown" in told


def test_other_data_need_the_columns_of_the_training(place: Path) -> None:
    renamed = pl.read_csv(place / "log.csv").rename({"user_id": "Kunde", "timestamp": "ts"})
    message = (
        r"^the data frame has no column 'user_id' \(did you mean 'Kunde'\?\), no column 'timestamp'"
        r".*It has: Kunde, item_id, .* read with the settings of its training, unless others are "
    )
    with pytest.raises(DataError, match=message):
        sasrec.recommend_all(place / "model", renamed, out=place / "lists.csv")
