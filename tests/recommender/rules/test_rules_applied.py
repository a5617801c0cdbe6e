"""Rules as written, looked up, and applied to a trained model."""

import itertools
import logging
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

import sasrec
from sasrec.data.sources import load_corpus
from sasrec.errors import DataError, SasrecError, SettingsError
from sasrec.recommender.recommender import Recommender
from sasrec.recommender.rules.rules import Boost, Rules
from sasrec.recommender.rules.seen import SeenRule, moment, seen_rule, still_blocked
from sasrec.recommender.rules.written import rules_from
from sasrec.settings.data import DataSettings

SMALL = {"hidden_size": 16, "inner_size": 16, "n_layers": 1, "n_heads": 1, "epochs": 2}
ITEMS = pl.DataFrame(
    {
        "item_id": [f"i{n}" for n in range(1, 31)],
        "stock": [n % 4 for n in range(30)],
        "category": ["abc"[n % 3] for n in range(30)],
        "price": [1.5 * n for n in range(30)],
    }
)
HISTORIES = [[f"i{1 + (a * b) % 30}" for b in range(1 + a % 9)] for a in range(24)]
DAY = 86_400


@pytest.fixture(scope="module")
def recommender() -> Recommender:
    return sasrec.train("synthetic:users=80,items=30,length=10", SMALL, items=ITEMS)


def facts(recommender: Recommender) -> dict[str, dict[str, Any]]:
    return {row["item_id"]: row for row in ITEMS.to_dicts()}


def test_no_rules_change_nothing(recommender: Recommender) -> None:
    plain = recommender.recommend([*HISTORIES, []], 7)
    assert recommender.recommend([*HISTORIES, []], 7, rules=Rules()) == plain
    assert recommender.recommend([*HISTORIES, []], 7, rules={}) == plain
    every = recommender.recommend(HISTORIES, 7, exclude_seen=False)
    assert recommender.recommend(HISTORIES, 7, rules={"seen": "always"}) == every


@pytest.mark.parametrize(
    "rules",
    [
        {},
        {"only_where": "stock > 0", "max_per": {"category": 2}, "diversity": 0.3},
        {"seen": "always", "boost": "multiply 1.5 where category = 'a'"},
        {"exclude": ["i1", "i2"], "rebuy_where": "category = 'b'"},
        {"candidates": ["i3", "i4", "i5"], "fill_up": "popularity"},
        {
            "exclude_by_user": pl.DataFrame({"user_id": ["1", "2"], "item_id": ["i7", "i8"]}),
            "candidates_by_user": pl.DataFrame(
                {"user_id": [str(n) for n in range(80)] * 2, "item_id": ["i8"] * 80 + ["i9"] * 80}
            ),
        },
    ],
    ids=str,
)
def test_everybody_gets_the_lists_of_recommend_under_rules(
    recommender: Recommender, rules: dict[str, Any], tmp_path: Path
) -> None:
    data = load_corpus("synthetic:users=80,items=30,length=10", DataSettings())
    tokens = data.items.tokens(data.sequences.items)
    histories = [
        tokens[begin:end] for begin, end in itertools.pairwise(data.sequences.offsets.tolist())
    ]
    users = data.users.entries.to_list()
    expected = recommender.recommend(histories, 7, users=users, rules=rules, items=ITEMS)
    path = tmp_path / "lists.parquet"
    written = sasrec.recommend_all(recommender, out=path, k=7, rules=rules, items=ITEMS)
    table = pl.read_parquet(path)
    found = {
        user: (items, scores)
        for user, items, scores in table.group_by("user", maintain_order=True)
        .agg("item", "score")
        .iter_rows()
    }
    for user, own in zip(users, expected, strict=True):
        items, scores = found.get(user, ([], []))
        assert items == own.items
        # Batches of other sizes round differently.
        assert scores == pytest.approx(own.scores, rel=1e-3, abs=1e-3)
    assert written.n_rows == sum(len(own.items) for own in expected)


def test_lists_are_the_full_lists_with_the_rules_applied(recommender: Recommender) -> None:
    rules = {
        "only_where": "stock > 0",
        "exclude_where": "price > 40",
        "exclude": ["i2", "i3"],
        "max_per": {"category": 2},
    }
    about = facts(recommender)
    full = recommender.recommend([*HISTORIES, ["x"]], 30)
    for whole, found in zip(
        full, recommender.recommend([*HISTORIES, ["x"]], 5, rules=rules), strict=True
    ):
        expected: list[str] = []
        for item in whole.items:
            row = about[item]
            count = Counter(about[each]["category"] for each in expected)[row["category"]]
            if row["stock"] > 0 and row["price"] <= 40 and item not in ("i2", "i3") and count < 2:
                expected.append(item)
        assert found.items == expected[:5]
        scores = dict(zip(whole.items, whole.scores, strict=True))
        assert found.scores == pytest.approx([scores[item] for item in found.items])


@pytest.mark.parametrize(
    "rules",
    [
        {"max_per": {"category": 1}},
        {"diversity": 0.5},
        {"diversity": 1, "max_per": {"category": 2}, "boost": "add price"},
        {"boost": ["multiply 3 where category = 'b'", {"add": 0.1, "where": "stock > 1"}]},
    ],
)
def test_a_list_does_not_depend_on_other_histories(
    recommender: Recommender, rules: dict[str, Any]
) -> None:
    together = recommender.recommend(HISTORIES, 5, rules=rules)
    for history, expected in zip(HISTORIES, together, strict=True):
        [alone] = recommender.recommend([history], 5, rules=rules)
        assert alone.items == expected.items


def test_boosts_multiply_and_add(recommender: Recommender) -> None:
    [plain] = recommender.recommend([["i1"]], 30)
    before = dict(zip(plain.items, plain.scores, strict=True))
    boosts = [Boost("multiply", "2", "category = 'b'"), "add 0.01 * price"]
    [found] = recommender.recommend([["i1"]], 30, rules={"boost": boosts})
    about = facts(recommender)
    for item, score in zip(found.items, found.scores, strict=True):
        factor = 2.0 if about[item]["category"] == "b" else 1.0
        s = before[item]
        changed = (s * factor if s > 0 else s / factor) + 0.01 * about[item]["price"]
        assert score == pytest.approx(changed, abs=1e-5)
    assert found.scores == sorted(found.scores, reverse=True)


def test_more_diversity_makes_items_less_similar(recommender: Recommender) -> None:
    table = recommender.model.item_table
    assert table is not None

    def similarity(strength: float) -> float:
        rules = {"diversity": strength}
        values = []
        for found in recommender.recommend(HISTORIES, 5, rules=rules):
            vectors = table[recommender.items.numbers(found.items).tolist()].detach().numpy()
            vectors = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
            values.append((vectors @ vectors.T)[np.triu_indices(5, 1)].mean())
        return float(np.mean(values))

    assert similarity(1.0) < similarity(0.5) < similarity(0.0)


def test_users_have_candidates_and_exclusions_of_their_own(recommender: Recommender) -> None:
    may = pl.DataFrame({"user_id": ["u1", "u1", "u2"], "item_id": ["i4", "i9", "i9"]})
    users = ["u1", "u2", "u3"]
    found = recommender.recommend([["i1"]] * 3, 5, users=users, rules={"candidates_by_user": may})
    assert [set(each.items) for each in found] == [{"i4", "i9"}, {"i9"}, set()]
    found = recommender.recommend([["i1"]] * 3, 30, users=users, rules={"exclude_by_user": may})
    assert [{"i4", "i9"} & set(each.items) for each in found] == [set(), {"i4"}, {"i4", "i9"}]
    with pytest.raises(DataError, match="exclude_by_user needs the user of each history"):
        recommender.recommend([["i1"]], 5, rules={"exclude_by_user": may})


def test_short_lists_are_filled_up_by_popularity_under_all_other_rules(
    recommender: Recommender,
) -> None:
    rules = {"candidates": ["i6", "i5"], "only_where": "stock > 0", "fill_up": "popularity"}
    about = facts(recommender)
    popularity = recommender.recent
    assert popularity is not None
    [found] = recommender.recommend([["i1", "i8"]], 6, rules=rules)
    own = [item for item in found.items if item not in found.filled_up]
    assert own == ["i6"]
    assert len(found.items) == 6
    assert all(about[item]["stock"] > 0 for item in found.items)
    assert not {"i1", "i8"} & set(found.items)
    counts = [int(popularity[recommender.items.numbers([item])[0]]) for item in found.filled_up]
    assert counts == sorted(counts, reverse=True)
    assert recommender.recommend([["i1"]], 6, rules={**rules, "fill_up": "none"})[0].filled_up == []


def test_seen_items_are_allowed_again_by_age_or_condition(recommender: Recommender) -> None:
    history, times = ["i1", "i2", "i3"], [1.7e9, 1.7e9 + 40 * DAY, 1.7e9 + 70 * DAY]
    rules = {"seen": "older than 35d", "now": 1.7e9 + 80 * DAY}
    [found] = recommender.recommend([history], 30, times=[times], rules=rules)
    assert set(history) & set(found.items) == {"i1", "i2"}
    [found] = recommender.recommend([history], 30, rules={"rebuy_where": "category = 'b'"})
    assert set(history) & set(found.items) == {"i2"}
    with pytest.raises(DataError, match="needs the time of each event"):
        recommender.recommend([history], rules={"seen": "older than 1d"})
    with pytest.raises(SettingsError, match="contradicts the rule seen: never"):
        recommender.recommend([history], exclude_seen=False, rules={"seen": "never"})


@pytest.mark.parametrize("unit", [1.0, 1e3, 1e6, 1e9])
def test_the_unit_of_times_is_recognised(unit: float) -> None:
    times = np.array([1.7e9, 1.7e9 + 10 * DAY]) * unit
    rule = SeenRule(5 * DAY)
    blocked = still_blocked(np.array([4, 7]), times, rule, now=1.7e9 + 11 * DAY)
    assert blocked.tolist() == [7]


def test_times_that_are_no_moments_are_refused() -> None:
    with pytest.raises(DataError, match="since 1970, but the latest of a history is 12"):
        still_blocked(np.array([4]), np.array([12.0]), SeenRule(5.0), now=0)


def test_the_last_event_of_an_item_counts() -> None:
    times = np.array([1.7e9, 1.7e9 + 10 * DAY])
    blocked = still_blocked(np.array([4, 4]), times, SeenRule(5 * DAY), now=1.7e9 + 11 * DAY)
    assert blocked.tolist() == [4]


def test_moments_and_ages_are_parsed() -> None:
    assert moment("1970-01-02") == moment("1970-01-02T00:00:00+00:00") == DAY
    assert moment("1970-01-01T02:00+01:00") == 3600
    assert seen_rule("Older than 1.5 h") == SeenRule(5400)
    assert seen_rule("always") == SeenRule(0)
    with pytest.raises(SettingsError, match="now is 'soon'"):
        moment("soon")


@pytest.mark.parametrize(
    ("rules", "message"),
    [
        ({"only_were": "x"}, "unknown rule 'only_were'; did you mean 'only_where'"),
        ({"only_where": 3}, "only_where is 3; write an expression"),
        ({"rebuy_where": ["stock > 0"]}, "rebuy_where is .*; write an expression"),
        ({"seen": "nevr"}, "seen is 'nevr'; did you mean 'never'"),
        ({"boost": "times 3"}, "boost is 'times 3'; write such as"),
        ({"boost": "add 1 where "}, "boost is 'add 1 where '; write such as"),
        ({"boost": {"multiplly": 2}}, "unknown key 'multiplly'; did you mean 'multiply'"),
        ({"boost": {"where": "stock > 0"}}, "give either multiply or add"),
        ({"boost": "multiply 0"}, "'0' is 0 for 30 items; it must be finite and above 0"),
        ({"boost": "multiply price"}, "'price' is 0 for 1 item; it must be finite and above 0"),
        ({"boost": "add 1 / stock"}, "is inf for 8 items; it must be finite"),
        ({"max_per": {"categori": 2}}, "no item column 'categori'; did you mean 'category'"),
        ({"max_per": {"category": 0}}, "the limit for 'category' is 0; it must be a whole number"),
        ({"max_per": "category"}, "max_per is 'category'; write such as"),
        ({"diversity": 1.5}, "diversity is 1.5; it must be a number from 0 to 1"),
        ({"diversity_pool": 0}, "diversity_pool is 0"),
        ({"fill_up": "popular"}, "fill_up is 'popular'; did you mean 'popularity'"),
        ({"candidates": ["x", "y"]}, "candidates: the model knows none of the items, such as 'x'"),
        ({"candidates": 3}, "candidates is 3; give a list of items"),
        ({"candidates": "missing.txt"}, r"candidates: missing\.txt cannot be read"),
        ({"candidates_by_user": 3}, "candidates_by_user is 3; give a file or data frame"),
        ({"candidates_by_user": "missing.csv"}, r"missing\.csv: no such file"),
        (
            {"exclude_by_user": pl.DataFrame({"user": [1]})},
            r"no column 'user_id' \(did you mean",
        ),
        ({"only_where": "stock > 100"}, "leave no item to recommend .* leaves 0 items"),
        ({"candidates": ["i1"], "exclude": ["i1"]}, "the rules leave no item to recommend"),
    ],
)
def test_mistakes_end_in_one_message(
    recommender: Recommender, rules: dict[str, Any], message: str
) -> None:
    with pytest.raises(SasrecError, match=message):
        recommender.recommend([["i1"]], rules=rules)


def test_a_table_of_items_replaces_the_saved_columns(recommender: Recommender) -> None:
    now = ITEMS.select("item_id", stock=(pl.col("item_id") == "i7").cast(pl.Int64))
    rules = {"only_where": "stock > 0 and category in ('a', 'b', 'c')"}
    [found] = recommender.recommend([["i1"]], 5, rules=rules, items=now)
    assert found.items == ["i7"]
    with pytest.raises(SettingsError, match="items are only used with rules"):
        recommender.recommend([["i1"]], items=now)
    with pytest.raises(DataError, match="has none of the model's items: it has 'x'"):
        recommender.recommend([["i1"]], rules=rules, items=pl.DataFrame({"item_id": ["x"]}))


def test_missing_values_are_told_with_counts(
    recommender: Recommender, caplog: pytest.LogCaptureFixture
) -> None:
    some = ITEMS.head(20).select("item_id", rating=pl.lit(5))
    with caplog.at_level(logging.WARNING):
        recommender.recommend([["i1"]], rules={"only_where": "rating > 3"}, items=some)
    assert "only_where 'rating > 3': 10 items without a value are not recommended" in caplog.text


def test_a_file_of_rules_means_the_same_as_a_mapping(
    recommender: Recommender, tmp_path: Path
) -> None:
    (tmp_path / "allowed.txt").write_text("i4\ni9\n\ni11\n")
    file = tmp_path / "rules.yaml"
    file.write_text(
        "candidates: allowed.txt\n"
        "only_where:\n  - stock >= 0\n  - category != 'a'\n"
        "boost:\n  - multiply: 1.5\n    where: price > 3\n"
        "max_per: {category: 2}\n"
        "diversity: 0.25\n"
        "seen: always\n"
    )
    rules = rules_from(file)
    assert rules.boosts == (Boost("multiply", "1.5", "price > 3"),)
    mapping = {
        "candidates": ["i4", "i9", "i11"],
        "only_where": ["stock >= 0", "category != 'a'"],
        "boost": "multiply 1.5 where price > 3",
        "max_per": {"category": 2},
        "diversity": 0.25,
        "seen": "always",
    }
    assert recommender.recommend(HISTORIES, 3, rules=file) == recommender.recommend(
        HISTORIES, 3, rules=mapping
    )
    file.write_text("\ndiversty: 1\n")
    with pytest.raises(SettingsError, match=r"rules\.yaml, line 2: unknown rule 'diversty'; did"):
        rules_from(file)


def test_prepared_rules_serve_many_calls(recommender: Recommender) -> None:
    prepared = recommender.prepare_rules({"only_where": "stock > 1"})
    direct = recommender.recommend(HISTORIES, 3, rules={"only_where": "stock > 1"})
    assert recommender.recommend(HISTORIES, 3, rules=prepared) == direct
    assert list(recommender.recommend_iter(iter(HISTORIES), 3, rules=prepared)) == direct


def test_diversity_needs_item_vectors() -> None:
    model = sasrec.train("synthetic:users=40,items=12,length=6", {"epochs": 1}, model="TransRec")
    if model.model.item_table is not None:
        pytest.skip("TransRec scores by dot product in this version")
    with pytest.raises(SettingsError, match="diversity compares item vectors"):
        model.recommend([["i1"]], users=["u1"], rules={"diversity": 0.5})
    [found] = model.recommend([["i1"]], 3, users=["u1"], rules={"exclude": ["i2"]})
    assert len(found.items) == 3


def test_items_without_a_value_for_boosts_and_limits_are_told(
    recommender: Recommender, caplog: pytest.LogCaptureFixture
) -> None:
    items = ITEMS.select("item_id", margin=pl.Series([None, 1.0] * 15))
    rules = {"boost": "add margin", "max_per": {"margin": 2}}
    recommender.prepare_rules(rules, items=items)
    assert "boost 'margin': 15 items without a value not boosted" in caplog.text
    assert "max_per margin: 15 items have no value and no limit" in caplog.text
