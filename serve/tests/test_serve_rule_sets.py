"""Rules of requests and of the operator, over HTTP."""

import json
from collections.abc import Iterator

import pytest
from exported_forms import recommender_of
from running_server import Server, running

import sasrec
import sasrec_serve

SETS = """
always: {exclude: [i40]}
sets:
  first: {exclude: [i1]}
  odd: {candidates: [i1, i3, i5, i7, i9, i11]}
default: first
"""


@pytest.fixture(scope="module")
def both(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[tuple[Server, sasrec_serve.Recommender]]:
    folder = tmp_path_factory.mktemp("exports")
    sasrec.export(recommender_of("recbole"), folder / "out")
    (folder / "rules.yaml").write_text(SETS)
    rules = ("--rules", str(folder / "rules.yaml"))
    with running(folder / "out", *rules, log=folder / "log") as server:
        yield server, sasrec_serve.load(folder / "out")


def items(server: Server, **body: object) -> list[str]:
    [found] = server.post("/recommend", {"history": ["i2"], "k": 40, **body})["lists"]
    return [each["item"] for each in found["items"]]


def test_sets_are_named_and_the_default_set_needs_no_name(
    both: tuple[Server, sasrec_serve.Recommender],
) -> None:
    server, recommender = both
    plain = recommender.recommend([["i2"]], 40)[0].items
    assert items(server) == [item for item in plain if item != "i1"]
    odd = ["i1", "i3", "i5", "i7", "i9", "i11"]
    odd = [item for item in plain if item in ("i1", "i3", "i5", "i7", "i9", "i11")]
    assert items(server, rules="odd") == odd
    assert items(server, rules=["odd", "first"]) == [item for item in odd if item != "i1"]
    assert items(server, rules=[]) == plain
    own = {"sets": ["odd"], "exclude": ["i3"]}
    assert items(server, rules=own, exclude=["i5"]) == [i for i in odd if i not in ("i3", "i5")]
    assert server.get("/model")["rules"] == ["first", "odd"]


def test_own_rules_and_exclude_are_those_of_the_runtime(
    both: tuple[Server, sasrec_serve.Recommender],
) -> None:
    server, recommender = both
    rules = {"diversity": 0.4, "fill_up": "popularity", "seen": "always", "exclude": ["i3", "i9"]}
    excluded = ["i1", "i3", "i9", "i4"]
    wanted = recommender.recommend([["i2"]], 10, rules={**rules, "exclude": excluded})
    assert items(server, k=10, rules=rules, exclude=["i4"]) == wanted[0].items
    wanted = recommender.recommend([["i2"]], 10, rules={**rules, "exclude": excluded[1:]})
    assert items(server, k=10, rules={**rules, "sets": []}, exclude=["i4"]) == wanted[0].items


@pytest.mark.parametrize(
    ("rules", "status", "error"),
    [
        ("even", 409, "there is no set of rules 'even' (sets: first, odd)"),
        ({"sets": "odd"}, 422, "rules.sets must be a list of names"),
        ({"only_were": "x"}, 409, "did you mean 'only_where'?"),
        ({"only_where": "__import__('os')"}, 409, "only_where"),
        ({"candidates": "/etc/passwd"}, 409, "a request cannot name files"),
        ({"only_where": "x = 1 " + "and x = 1 " * 1000}, 409, "only_where"),
        ({"exclude": [f"i{n}" for n in range(1, 41)]}, 409, "the rules leave no item"),
        (7, 422, "rules"),
    ],
)
def test_a_wrong_rule_gets_one_message(
    both: tuple[Server, sasrec_serve.Recommender], rules: object, status: int, error: str
) -> None:
    found = both[0].ask("POST", "/recommend", {"history": ["i2"], "rules": rules})
    assert found[0] == status
    assert error in found[1]["error"]


def test_rules_are_described(both: tuple[Server, sasrec_serve.Recommender]) -> None:
    document = json.dumps(both[0].get("/openapi.json"))
    assert '{"enum": ["first", "odd"]}' in document
    assert '"only_where"' in document
