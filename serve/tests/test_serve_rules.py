"""The same rules give the same lists with ``sasrec`` and with an export of its model."""

import logging
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from exported_forms import TYPES, recommender_of
from hypothesis import given, settings
from hypothesis import strategies as st

import sasrec
import sasrec_serve
from sasrec.recommender.rules.rules import NAMES as OWN_NAMES
from sasrec.recommender.rules.rules import Rules as OwnRules
from sasrec_serve.errors import DataError, ServeError, SettingsError
from sasrec_serve.rules.rules import NAMES, Boost, Rules
from sasrec_serve.rules.written import rules_from

SMALL = {"hidden_size": 16, "inner_size": 16, "n_layers": 1, "n_heads": 1, "epochs": 2}
COUNT = 30
ITEMS = pl.DataFrame(
    {
        "item_id": [f"i{n}" for n in range(1, COUNT + 1)],
        "title": [f"Title {n}" for n in range(COUNT)],
        "stock": [None if n == 7 else n % 4 for n in range(COUNT)],
        "category": [None if n == 11 else "abc"[n % 3] for n in range(COUNT)],
        "price": [1.5 * n for n in range(COUNT)],
        "new": [n % 5 == 0 for n in range(COUNT)],
        "tags": [None if n == 3 else ["x", "y", "z"][: n % 4] for n in range(COUNT)],
    }
)
TOKENS = [*ITEMS["item_id"].to_list(), "nobody knows"]
DAY = 86_400
NOW = 1.7e9
TOLERANCE = 1e-3
"""Scores differ in the last digits of float32; a boost can multiply this by its factor."""

Both = tuple[sasrec.Recommender, sasrec_serve.Recommender]


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Both:
    source = f"synthetic:users=80,items={COUNT},length=10"
    own = sasrec.train(source, SMALL, items=ITEMS)
    folder = tmp_path_factory.mktemp("exports") / "out"
    sasrec.export(own, folder)
    return own, sasrec_serve.load(folder)


def check_same(both: Both, histories: list[list[str]], k: int, **arguments: Any) -> None:
    """Check that both give the same lists, except where rounding decides."""
    expected = both[0].recommend(histories, k, **arguments)
    found = both[1].recommend(histories, k, **arguments)
    for one, other in zip(expected, found, strict=True):
        assert other.by_popularity == one.by_popularity
        assert other.unknown == one.unknown
        assert other.filled_up == one.filled_up
        assert other.items == one.items
        assert other.scores == pytest.approx(one.scores, rel=TOLERANCE, abs=TOLERANCE)


def check_same_or_refused(both: Both, histories: list[list[str]], k: int, **arguments: Any) -> None:
    """Check that both give the same lists, or refuse the rules with the same words."""
    try:
        both[0].recommend(histories, k, **arguments)
    except sasrec.SasrecError as error:
        text = str(error)
    else:
        check_same(both, histories, k, **arguments)
        return
    with pytest.raises(ServeError) as found:
        both[1].recommend(histories, k, **arguments)
    assert str(found.value) == text


conditions = st.sampled_from(
    [
        "stock > 0",
        "category = 'a'",
        "category in ('a', 'b')",
        "category != 'c' and price < 30",
        "price between 3 and 40.5",
        "new or stock = 2",
        "array_contains(tags, 'y')",
        "title like 'Title 1%'",
        "lower(title) like '%9'",
        "coalesce(stock, 0) * 2 >= price / 10",
        "case when new then stock else price end > 1",
        "not (category = 'b')",
        "stock is null",
        "true",
    ]
)
boosts = st.sampled_from(
    [
        "multiply 1.7 where category = 'b'",
        "multiply 0.5",
        "add 0.1 * price",
        "add stock where new",
        {"multiply": "1 + price / 100", "where": "stock > 1"},
        {"add": -0.75, "where": "array_contains(tags, 'z')"},
    ]
)
tokens = st.sampled_from(TOKENS)
pairs = st.lists(
    st.tuples(st.sampled_from(["u1", "u2", "u3"]), st.sampled_from(TOKENS[:-1])), min_size=1
)


def table(rows: list[tuple[str, str]]) -> pl.DataFrame:
    return pl.DataFrame(
        {"user_id": [user for user, _ in rows], "item_id": [item for _, item in rows]}
    )


written = st.fixed_dictionaries(
    {},
    optional={
        "candidates": st.lists(st.sampled_from(TOKENS[:-1]), min_size=1, max_size=12),
        "exclude": st.lists(st.sampled_from(TOKENS[:-1]), min_size=1, max_size=5),
        "only_where": conditions | st.lists(conditions, max_size=2),
        "exclude_where": conditions.filter(lambda text: text != "true"),
        "candidates_by_user": pairs.map(table),
        "exclude_by_user": pairs.map(table),
        "seen": st.sampled_from(["never", "always", "older than 35d", "older than 2 h"]),
        "rebuy_where": conditions,
        "now": st.just(NOW + 80 * DAY),
        "boost": st.lists(boosts, max_size=3),
        "max_per": st.dictionaries(
            st.sampled_from(["category", "stock", "tags", "new", "price"]), st.integers(1, 3)
        ),
        "diversity": st.sampled_from([0, 0.3, 0.8, 1]),
        "diversity_pool": st.integers(1, 40),
        "fill_up": st.sampled_from(["none", "popularity"]),
    },
)


@given(
    rules=written,
    histories=st.lists(st.lists(tokens, max_size=8), min_size=1, max_size=3),
    k=st.sampled_from([1, 3, 7, 40]),
    unit=st.sampled_from([1, 1000]),
)
def test_rules_give_the_lists_of_the_model(
    both: Both, rules: dict[str, Any], histories: list[list[str]], k: int, unit: int
) -> None:
    times = [[unit * (NOW + 11 * DAY * n) for n in range(len(each))] for each in histories]
    users = [("u1", "u2", "nobody")[n % 3] for n in range(len(histories))]
    arguments = {"times": times, "users": users, "rules": rules}
    check_same_or_refused(both, histories, k, **arguments)


def test_the_rules_are_those_of_sasrec() -> None:
    assert sasrec_serve.Rules is Rules
    assert NAMES == OWN_NAMES
    for name in NAMES:
        assert getattr(Rules(), name) == getattr(OwnRules(), name)


def test_no_rules_change_nothing(both: Both) -> None:
    _, served = both
    histories = [["i1", "i2"], [], ["i5"]]
    plain = served.recommend(histories, 7)
    assert served.recommend(histories, 7, rules=Rules()) == plain
    assert served.recommend(histories, 7, rules={}) == plain
    every = served.recommend(histories, 7, exclude_seen=False)
    assert served.recommend(histories, 7, rules={"seen": "always"}) == every


def test_prepared_rules_serve_many_calls(both: Both) -> None:
    prepared = both[1].prepare_rules({"only_where": "stock > 1"})
    direct = both[1].recommend([["i1"]], 3, rules={"only_where": "stock > 1"})
    assert both[1].recommend([["i1"]], 3, rules=prepared) == direct


@pytest.mark.parametrize("suffix", ["csv", "tsv", "jsonl", "parquet"])
def test_a_table_of_items_replaces_the_columns_of_the_export(
    both: Both, tmp_path: Path, suffix: str
) -> None:
    now = ITEMS.select(
        "item_id",
        stock=(pl.col("item_id") == "i7").cast(pl.Int64),
        since=pl.lit("2026-11-01"),
        code=pl.lit("007"),
        price=pl.col("price").cast(pl.String) if suffix == "csv" else pl.col("price"),
    )
    path = tmp_path / f"now.{suffix}"
    if suffix == "parquet":
        now.write_parquet(path)
    elif suffix == "jsonl":
        now.write_ndjson(path)
    else:
        now.write_csv(path, separator="\t" if suffix == "tsv" else ";")
    rules: dict[str, Any] = {"only_where": "stock > 0 and price > 1 and code = '007'"}
    if suffix in ("csv", "tsv"):
        rules["exclude_where"] = "since < date '2026-01-01'"
    check_same(both, [["i1"]], 5, rules=rules, items=path)
    [found] = both[1].recommend([["i1"]], 5, rules=rules, items=path)
    assert found.items == ["i7"]


@pytest.mark.parametrize("form", ["columns", "rows", "polars", "pandas"])
def test_tables_in_python_have_several_forms(both: Both, form: str) -> None:
    columns = {"item_id": ["i3", "i4"], "stock": [1, 0], "price": [None, 2.5]}
    given: Any = {
        "columns": columns,
        "rows": [
            dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)
        ],
        "polars": pl.DataFrame(columns),
        "pandas": pl.DataFrame(columns).to_pandas(),
    }[form]
    [found] = both[1].recommend([["i1"]], 5, rules={"only_where": "stock >= 0"}, items=given)
    assert sorted(found.items) == ["i3", "i4"]
    [found] = both[1].recommend([["i1"]], 5, rules={"only_where": "price > 1"}, items=given)
    assert found.items == ["i4"]


def test_parquet_without_pyarrow_names_the_extra(
    both: Both, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "now.parquet"
    ITEMS.write_parquet(path)
    monkeypatch.setitem(__import__("sys").modules, "pyarrow", None)
    with pytest.raises(
        DataError, match=r"needs PyArrow; run pip install 'sasrec-serve\[parquet\]'"
    ):
        both[1].recommend([["i1"]], rules={"only_where": "stock > 0"}, items=path)


@pytest.mark.parametrize(
    ("rules", "message"),
    [
        ({"only_were": "x"}, "unknown rule 'only_were'; did you mean 'only_where'"),
        ({"only_where": 3}, "only_where is 3; write an expression"),
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
        ({"candidates_by_user": 3}, "candidates_by_user is 3; give a file or a table"),
        ({"candidates_by_user": "missing.csv"}, r"missing\.csv: no such file"),
        ({"exclude_by_user": {"user": ["1"]}}, "there is no column 'user_id'; did you mean 'user'"),
        ({"exclude_by_user": {"user_id": ["1"], "item_id": ["i1"]}}, "needs the user of each"),
        ({"only_where": "stock > 100"}, "leave no item to recommend .* leaves 0 items"),
        ({"candidates": ["i1"], "exclude": ["i1"]}, "the rules leave no item to recommend"),
        ({"seen": "older than 1d"}, "needs the time of each event"),
        ({"seen_types": "purchase"}, "seen_types needs the type of each event"),
        (3, "rules is a int; give Rules, a mapping, or the path of a YAML file"),
    ],
)
def test_mistakes_end_in_one_message(both: Both, rules: Any, message: str) -> None:
    with pytest.raises(ServeError, match=message):
        both[1].recommend([["i1"]], rules=rules)


def test_what_does_not_fit_together_is_refused(both: Both) -> None:
    _, served = both
    with pytest.raises(SettingsError, match="contradicts the rule seen: never"):
        served.recommend([["i1"]], exclude_seen=False, rules={"seen": "never"})
    with pytest.raises(SettingsError, match="items are only used with rules"):
        served.recommend([["i1"]], items={"item_id": ["i1"]})
    with pytest.raises(DataError, match="has none of the model's items: it has 'x'"):
        served.recommend([["i1"]], rules={}, items={"item_id": ["x"]})
    with pytest.raises(DataError, match="different lengths"):
        served.recommend([["i1"]], rules={}, items={"item_id": ["i1"], "stock": []})
    with pytest.raises(DataError, match="item 'i1' has different values in rows 1 and 2"):
        served.recommend([["i1"]], rules={}, items={"item_id": ["i1", "i1"], "stock": [1, 2]})
    with pytest.raises(DataError, match="row 2: there is no item"):
        served.recommend([["i1"]], rules={}, items={"item_id": ["i1", None], "stock": [1, 2]})
    with pytest.raises(DataError, match="no candidate is left under the rules"):
        served.recommend([["i1"]], candidates=["i2"], rules={"exclude": ["i2"]})


def test_missing_values_are_told_with_counts(both: Both, caplog: pytest.LogCaptureFixture) -> None:
    some = {"item_id": TOKENS[:20], "rating": [5] * 20}
    rules = {"only_where": "rating > 3", "max_per": {"rating": 5}, "boost": "add rating"}
    with caplog.at_level(logging.WARNING):
        both[1].recommend([["i1"]], rules=rules, items=some)
    assert "only_where 'rating > 3': 10 items without a value are not recommended" in caplog.text
    assert "boost 'rating': 10 items without a value not boosted" in caplog.text
    assert "max_per rating: 10 items have no value and no limit" in caplog.text


def test_a_file_of_rules_means_the_same_as_a_mapping(both: Both, tmp_path: Path) -> None:
    (tmp_path / "allowed.txt").write_text("i4\ni9\n\ni11\n")
    (tmp_path / "not.csv").write_text("user_id,item_id\nu1,i9\n")
    file = tmp_path / "rules.yaml"
    file.write_text(
        "candidates: allowed.txt\n"
        "only_where:\n  - stock >= 0\n  - category != 'a'\n"
        "exclude_by_user: not.csv\n"
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
        "exclude_by_user": {"user_id": ["u1"], "item_id": ["i9"]},
        "boost": "multiply 1.5 where price > 3",
        "max_per": {"category": 2},
        "diversity": 0.25,
        "seen": "always",
    }
    histories, users = [["i1"], ["i2"]], ["u1", "u2"]
    found = both[1].recommend(histories, 3, users=users, rules=file)
    assert found == both[1].recommend(histories, 3, users=users, rules=mapping)
    check_same(both, histories, 3, users=users, rules=str(file))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("\ndiversty: 1\n", r"rules\.yaml, line 2: unknown rule 'diversty'; did you mean"),
        ("seen: never\ndiversity: 7\n", r"rules\.yaml, line 2: diversity is 7; it must be"),
        ("seen: never\nseen: always\n", r"line 2: 'seen' is already set in line 1; keep one"),
        ("- a\n", "is not a mapping; write 'key: value' lines"),
        ("seen: [never\n", r"line 2, column 1: invalid YAML"),
        ("a: &x [1]\nb: *x\n", r"line 2, column 4: invalid YAML \(aliases"),
        ("seen: !!python/object:os.system x\n", "invalid YAML"),
        ("x: " + "[" * 2000, "nested too deeply|invalid YAML"),
    ],
)
def test_mistakes_in_files_name_the_line(tmp_path: Path, text: str, message: str) -> None:
    file = tmp_path / "rules.yaml"
    file.write_text(text)
    with pytest.raises(SettingsError, match=message):
        rules_from(file)


def test_items_in_files_keep_their_spelling(tmp_path: Path) -> None:
    file = tmp_path / "rules.yaml"
    file.write_text("exclude: [010, 1.10, 7, NO, 2024-05-31]\n")
    assert rules_from(file).exclude == ["010", "1.10", "7", "NO", "2024-05-31"]


@given(
    types=st.lists(st.sampled_from([None, *TYPES, "unheard"]), min_size=4, max_size=4),
    wanted=st.sampled_from(["buy", "view", "buy,view", ["buy"], "", "by"]),
    seen=st.sampled_from([None, "never", "older than 5d"]),
)
def test_seen_items_count_by_type(
    types: list[str | None],
    wanted: Any,
    seen: str | None,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    typed = _typed(tmp_path_factory)
    history, times = ["i1", "i2", "i3", "i1"], [[NOW + n * DAY for n in range(4)]]
    rules = {"seen_types": wanted, "seen": seen, "now": NOW + 7.5 * DAY}
    check_same_or_refused(typed, [history], 40, types=[types], times=times, rules=rules)


def _typed(factory: pytest.TempPathFactory) -> Both:
    if "types" not in OTHERS:
        own = recommender_of("types")
        folder = factory.mktemp("exports") / "out"
        sasrec.export(own, folder)
        OTHERS["types"] = own, sasrec_serve.load(folder)
    return OTHERS["types"]


@pytest.mark.slow
@settings(max_examples=8)
@given(rules=written, k=st.sampled_from([3, 9]))
@pytest.mark.parametrize("name", ["TransRec", "BPR"])
def test_other_models_follow_the_rules_too(
    name: str, rules: dict[str, Any], k: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    other = _other(name, tmp_path_factory)
    histories = [["i1", "i2"], ["i5"]]
    times = [[NOW, NOW + DAY], [NOW]]
    arguments = {"users": ["u1", "u2"], "times": times, "rules": rules}
    check_same_or_refused(other, histories, k, **arguments)


OTHERS: dict[str, Both] = {}


def _other(name: str, factory: pytest.TempPathFactory) -> Both:
    if name not in OTHERS:
        source = f"synthetic:users=80,items={COUNT},length=10"
        own = sasrec.train(source, {"epochs": 1}, model=name, items=ITEMS)
        folder = factory.mktemp("exports") / "out"
        sasrec.export(own, folder)
        OTHERS[name] = own, sasrec_serve.load(folder)
    return OTHERS[name]
