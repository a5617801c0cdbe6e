"""Mistakes in a YAML file of rules name its line, whenever they are found."""

import logging
from pathlib import Path

import polars as pl
import pytest

import sasrec
from sasrec.cli.rule_options import rules_from_options
from sasrec.errors import DataError, SasrecError, SettingsError, SeveralMistakesError
from sasrec.recommender.recommender import Recommender
from sasrec.recommender.rules.written import rules_from

SMALL = {"epochs": 1, "hidden_size": 8, "inner_size": 8, "n_layers": 1, "n_heads": 1}


@pytest.fixture(scope="module")
def recommender() -> Recommender:
    rows = [(f"u{user}", f"i{(user + step) % 9}", step) for user in range(12) for step in range(6)]
    log = pl.DataFrame(rows, schema=["user_id", "item_id", "timestamp"], orient="row")
    items = pl.DataFrame({"item_id": [f"i{n}" for n in range(9)], "stock": list(range(9))})
    return sasrec.train(log, SMALL, items=items)


def written(tmp_path: Path, *lines: str) -> Path:
    file = tmp_path / "rules.yaml"
    file.write_text("".join(f"{line}\n" for line in lines))
    return file


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ("diversity: 7", "diversity is 7; it must be a number from 0 to 1"),
        ("seen: sometimes", "seen is 'sometimes'"),
        ("max_per: {stock: none}", "max_per"),
        ("boost: times 2", "boost is 'times 2'"),
        ("only_where: [1, 2]", "only_where is"),
        ("fill_up: popular", "fill_up is 'popular'; did you mean 'popularity'"),
        ("now: yesterday", "now is 'yesterday'"),
        ("diversty: 1", "unknown rule 'diversty'; did you mean 'diversity'"),
    ],
)
def test_a_wrong_value_names_its_line(tmp_path: Path, line: str, text: str) -> None:
    file = written(tmp_path, "# rules", "exclude: [i1]", "", line)
    with pytest.raises(SettingsError) as caught:
        rules_from(file)
    assert str(caught.value).startswith(f"{file}, line 4: ")
    assert text in str(caught.value)


def test_all_wrong_values_are_told_together(tmp_path: Path) -> None:
    file = written(tmp_path, "diversity: 7", "seen: never", "fill_up: popular")
    with pytest.raises(SeveralMistakesError) as caught:
        rules_from(file)
    assert [text.partition(": ")[0] for text in caught.value.mistakes] == [
        f"{file}, line 1",
        f"{file}, line 3",
    ]
    with pytest.raises(SeveralMistakesError, match="rules: diversity is 7"):
        rules_from({"diversity": 7, "fill_up": "popular"})


@pytest.mark.parametrize(
    ("line", "text", "kind"),
    [
        ("only_where: stok > 0", "no item column 'stok'; did you mean 'stock'", SettingsError),
        ("exclude_where: [stock > 3, stock >]", "stock >", SettingsError),
        ("rebuy_where: price > 1", "no item column 'price'", SettingsError),
        ("max_per: {colour: 2}", "colour", SettingsError),
        ("boost: multiply 2 where stok > 1", "stok", SettingsError),
        ("candidates: missing.txt", "missing.txt", DataError),
        ("exclude_by_user: missing.csv", "missing.csv", DataError),
        ("only_where: stock > 100", "the rules leave no item to recommend", DataError),
    ],
)
def test_what_the_items_do_not_have_names_its_line(
    recommender: Recommender, tmp_path: Path, line: str, text: str, kind: type[SasrecError]
) -> None:
    file = written(tmp_path, "fill_up: none", "diversity: 0.1", line)
    with pytest.raises(kind) as caught:
        recommender.recommend([["i1"]], rules=file)
    assert str(caught.value).startswith(f"{file}, line 3: ")
    assert text in str(caught.value)


def test_what_only_two_rules_cause_together_has_no_line(
    recommender: Recommender, tmp_path: Path
) -> None:
    file = written(tmp_path, "only_where: stock > 4", "exclude_where: stock > 4")
    with pytest.raises(DataError, match=r"^the rules leave no item"):
        recommender.recommend([["i1"]], rules=file)


def test_remarks_are_logged_once(
    recommender: Recommender, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file = written(tmp_path, "exclude: [i1, nowhere]", "only_where: stok > 1")
    with caplog.at_level(logging.WARNING), pytest.raises(SettingsError, match="line 2"):
        recommender.prepare_rules(file)
    assert caplog.text == ""
    written(tmp_path, "exclude: [i1, nowhere]", "only_where: stock > 1")
    with caplog.at_level(logging.WARNING):
        recommender.prepare_rules(file)
    assert caplog.text.count("nowhere") == 1


def test_options_beside_a_file_are_named(recommender: Recommender, tmp_path: Path) -> None:
    file = written(tmp_path, "only_where: stock > 1", "max_per: {stock: 2}", "seen: never")
    given = {"rules": str(file), "only_where": ["stok > 1"], "seen": "always"}
    rules = rules_from_options(given, None)
    assert rules is not None
    assert rules.origins == {
        "only_where": f"{file}, line 1 and --only-where",
        "max_per": f"{file}, line 2",
        "seen": "--seen",
    }
    with pytest.raises(SettingsError, match=r"line 1 and --only-where: .*no item column 'stok'"):
        recommender.prepare_rules(rules)
