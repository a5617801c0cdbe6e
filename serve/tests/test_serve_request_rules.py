"""Rules in requests, and the sets of rules that an operator gives a server."""

import contextlib
import json
import logging
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sasrec_serve.errors import DataError, ServeError, SettingsError
from sasrec_serve.rules.expressions import ItemTable
from sasrec_serve.rules.from_requests import rules_from_request
from sasrec_serve.rules.prepared import Shop, prepare_rules
from sasrec_serve.rules.recognised import from_python
from sasrec_serve.rules.rule_book import RuleBook
from sasrec_serve.rules.rules import NAMES, Rules
from sasrec_serve.rules.switches import RuleSwitches, combined
from sasrec_serve.vocabulary import Vocabulary

STOCK = from_python([0, 1, 2, 3, 0, 5])
BRAND = from_python(["own", "own", "x", "y", "x", None])
assert STOCK is not None
assert BRAND is not None
SHOP = Shop(
    items=Vocabulary(["a", "b", "c", "d", "e", "f"]),
    table=ItemTable(6, {"stock": STOCK, "brand": BRAND}),
    data={"user_column": "user_id", "item_column": "item_id"},
    trained=np.array([False] + [True] * 6),
    popularity=np.arange(7),
)


def left(rules: Rules) -> str:
    """Return the items that rules leave."""
    return "".join(SHOP.items.tokens(np.flatnonzero(prepare_rules(rules, SHOP).allowed)))


def test_a_request_may_have_all_rules() -> None:
    given = {
        "candidates": ["a", "b", 7],
        "exclude": ["b"],
        "only_where": "stock >= 0",
        "exclude_where": ["brand = 'y'"],
        "candidates_by_user": {"u": ["a", "c"]},
        "exclude_by_user": {"u": ["d"]},
        "seen": "older than 3d",
        "seen_types": ["purchase"],
        "rebuy_where": "stock > 1",
        "now": 1.7e9,
        "boost": ["multiply 2 where stock > 1", {"add": 0.5}],
        "max_per": {"brand": 2},
        "diversity": 0.2,
        "diversity_pool": 40,
        "fill_up": "popularity",
    }
    assert set(given) == set(NAMES)
    rules = rules_from_request(json.loads(json.dumps(given)))
    prepared = prepare_rules(rules, SHOP)
    assert rules.candidates == ["a", "b", "7"]
    assert prepared.candidates_by_user is not None
    assert prepared.candidates_by_user.of("u", "x").tolist() == [1, 3]


@pytest.mark.parametrize(
    ("rules", "message"),
    [
        ({"candidates": "/etc/passwd"}, "candidates must be a list of items; a request cannot"),
        ({"exclude": {"a": 1}}, "exclude must be a list of items"),
        ({"exclude": [True]}, "exclude has 'True', which is no item"),
        ({"candidates_by_user": "/etc/passwd"}, "must map users to lists of items"),
        ({"exclude_by_user": {"u": "/etc/passwd"}}, "exclude_by_user must be a list of items"),
        ({"exclude_by_user": [{"user_id": "u"}]}, "must map users to lists of items"),
        ({"only_were": "x"}, "unknown rule 'only_were'; did you mean 'only_where'"),
        ({"bounds": {}}, "unknown rule 'bounds'"),
        ({"only_where": "1 = 1 and " * 200 + "true"}, "more than 1,000 characters"),
        ({"only_where": ["stock > 0"] * 21}, "more than 20 conditions and boosts"),
        ({"max_per": {str(n): 1 for n in range(9)}}, "max_per names more than 8 columns"),
        ({"diversity_pool": 1_001}, "diversity_pool is more than 1,000"),
        ({"only_where": "stock >"}, "is not an expression"),
        ({"boost": {"add": {"a": 1}}}, "amounts and conditions are texts or numbers"),
        ({"diversity": "1"}, "diversity is '1'"),
        ({"rebuy_where": ["stock > 0"]}, "rebuy_where is .*; write an expression"),
        (["stock > 0"], "rules must be an object"),
    ],
)
def test_what_could_harm_a_server_is_refused(rules: Any, message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        rules_from_request(rules)


values = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=5,
)


@given(st.dictionaries(st.sampled_from([*NAMES, "x"]), values, max_size=4))
def test_any_json_is_rules_or_refused(given: dict[str, Any]) -> None:
    with contextlib.suppress(ServeError):
        prepare_rules(rules_from_request(given), SHOP)


def test_nobody_reads_a_log_for_a_request(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        found = prepare_rules(rules_from_request({"only_where": "brand != 'x'"}), SHOP)
    assert not caplog.text
    assert [each.kind for each in found.remarks] == ["items_left", "missing_item_values"]


FILE = """
always:
  only_where: stock >= 0
  exclude: not.txt
sets:
  in stock: {only_where: stock > 0}
  own brand:
    only_where: brand = 'own'
    max_per: {brand: 3}
  few: {max_per: {brand: 2}, diversity: 0.5}
  many: {diversity: 0.1}
default: in stock
"""


@pytest.fixture
def switches(tmp_path: Path) -> RuleSwitches:
    (tmp_path / "not.txt").write_text("f\n")
    (tmp_path / "rules.yaml").write_text(FILE)
    return RuleSwitches.from_file(tmp_path / "rules.yaml")


def test_sets_of_rules_add_up(switches: RuleSwitches) -> None:
    assert left(switches.rules_for(None)) == "bcd"
    assert left(switches.rules_for([])) == "abcde"
    assert left(switches.rules_for(["own brand"])) == "ab"
    assert left(switches.rules_for(["own brand", "in stock"])) == "b"
    own = rules_from_request({"exclude": ["b"], "only_where": "stock > 0", "max_per": {"stock": 1}})
    both = switches.rules_for(["few", "own brand"], own)
    assert both.max_per == {"brand": 2, "stock": 1}
    assert both.diversity == 0.5
    assert both.exclude == ["f", "b"]
    with pytest.raises(DataError, match="the rules leave no item to recommend"):
        left(both)


def test_sets_that_contradict_each_other_are_refused(switches: RuleSwitches) -> None:
    with pytest.raises(SettingsError, match="'few' and 'many' both set diversity; remove one"):
        switches.rules_for(["few", "many"])
    with pytest.raises(SettingsError, match="'few' and the request both set diversity"):
        switches.rules_for(["few"], rules_from_request({"diversity": 1}))
    with pytest.raises(SettingsError, match="no set of rules 'in stok'; did you mean 'in stock'"):
        switches.rules_for(["in stok"])


def test_a_file_of_plain_rules_always_applies(tmp_path: Path) -> None:
    (tmp_path / "rules.yaml").write_text("only_where: stock > 0\n")
    found = RuleSwitches.from_file(tmp_path / "rules.yaml")
    assert left(found.rules_for(None)) == left(found.rules_for([])) == "bcdf"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("sets: {a: {only_were: x}}", "'a': unknown rule 'only_were'; did you mean 'only_where'"),
        ("sets: {a: 3}", "'a' is 3; write 'name: value' lines"),
        ("sets: 3", "sets is 3; write"),
        ("default: b\nsets: {a: {}}", r"no set of rules 'b'.* \(sets: a\)"),
        ("default: 3\nsets: {a: {}}", "default is 3; write a name, or a list of names"),
        ("sets: {}\nonly_where: x", r"line 2: unknown key 'only_where'.*; write rules under"),
        ("onlywhere: x", r"line 1: unknown rule 'onlywhere'"),
    ],
)
def test_mistakes_in_a_file_of_sets_are_told(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "rules.yaml").write_text(text)
    with pytest.raises(SettingsError, match=message):
        RuleSwitches.from_file(tmp_path / "rules.yaml")


def test_a_book_prepares_all_sets_at_once_and_remembers_requests(switches: RuleSwitches) -> None:
    book = RuleBook(switches, SHOP)
    assert book.rules_for() is book.rules_for()
    asked = {"only_where": "stock > 1"}
    found = book.rules_for(["in stock"], asked)
    assert found is book.rules_for(["in stock"], dict(asked))
    assert found is not book.rules_for([], asked)
    assert RuleBook(RuleSwitches(), SHOP).rules_for() is None
    assert RuleBook(RuleSwitches(), SHOP).rules_for(None, asked) is not None
    wrong = RuleSwitches(sets={"a": Rules(only_where="stok > 0")})
    with pytest.raises(SettingsError, match="no item column 'stok'"):
        RuleBook(wrong, SHOP)
    for limit in range(400):
        book.rules_for([], {"max_per": {"stock": limit + 1}})
    assert len(book._found) <= 256


def test_one_set_of_rules_is_unchanged_by_combining() -> None:
    rules = Rules(now="2026-11-29", diversity=1, seen="always")
    assert combined([("a", rules)]) is rules
    assert combined([("a", rules), ("b", Rules())]).given == rules.given
