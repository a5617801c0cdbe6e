"""Timestamps in RecBole's interface: order of events and splits as in RecBole.

``golden/recbole_cases.json`` is what RecBole 1.2.1 made of small data sets
(``benchmarks/peer_cases.py``).
"""

import json
from pathlib import Path
from typing import Any

import pytest

from sasrec.data.corpus import Corpus
from sasrec.data.make_split import make_split
from sasrec.data.sources import load_corpus
from sasrec.data.splits import Split
from sasrec.errors import DataError, SasrecError, SettingsError
from sasrec.recbole import Config, create_dataset
from sasrec.settings.resolve import resolve_settings

FOUND = json.loads((Path(__file__).parents[1] / "golden" / "recbole_cases.json").read_text())
SIZES = json.loads((Path(__file__).parents[1] / "golden" / "recbole_sizes.json").read_text())
CASES = [
    pytest.param(data, number, id=f"{data['kind']}-{number}")
    for data in FOUND
    for number in range(len(data["configs"]))
]


@pytest.fixture(autouse=True)
def no_words(monkeypatch: pytest.MonkeyPatch) -> None:
    """The command line is empty."""
    monkeypatch.setattr("sys.argv", ["run.py"])


def written(data: dict[str, Any], folder: Path) -> Path:
    """Write the events of a data set to an atomic file; return its path."""
    path = folder / data["kind"] / f"{data['kind']}.inter"
    path.parent.mkdir()
    rows = [row.replace(" ", "\t") for row in data["rows"]]
    path.write_text("\n".join(["user_id:token\titem_id:token\ttimestamp:float", *rows]) + "\n")
    return path


def histories(corpus: Corpus, split: Split) -> dict[str, str]:
    """Return the items of each user who has a target, in order."""
    tokens, offsets = corpus.items.entries.to_list(), corpus.sequences.offsets
    spelled = [tokens[item - 1] for item in corpus.sequences.items]
    return {
        user: " ".join(spelled[begin:end])
        for user, begin, end in zip(
            corpus.users.entries.to_list(), offsets[:-1], offsets[1:], strict=True
        )
        if end - begin > 1
    }


def counts(corpus: Corpus, split: Split) -> dict[str, list[int]]:
    """Return how many targets of each user train, validate and test."""
    found = {user: [0, 0, 0] for user in corpus.users.entries.to_list()}
    names = list(found)
    for number, (name, begin, end) in enumerate(
        zip(names, split.train_starts, split.train_stops, strict=True), start=1
    ):
        parts = (split.validation.users, split.test.users)
        found[name] = [int(end - begin), *(int((users == number).sum()) for users in parts)]
    return {name: each for name, each in found.items() if sum(each)}


@pytest.mark.parametrize(("data", "number"), CASES)
def test_order_and_split_of_events_are_as_in_recbole(
    data: dict[str, Any], number: int, tmp_path: Path
) -> None:
    theirs = data["outcomes"][data["outcome_of"][number]]
    path = written(data, tmp_path)

    def ours() -> tuple[Corpus, Split]:
        config = Config("SASRec", str(path), config_dict=data["configs"][number])
        corpus = load_corpus(config.dataset, config.run.data)
        return corpus, make_split(corpus, config.run.evaluation)

    if "error" in theirs:
        with pytest.raises(SasrecError):
            ours()
        return
    corpus, split = ours()
    assert histories(corpus, split) == data["histories"][theirs["histories"]]
    assert counts(corpus, split) == theirs["counts"]


def test_only_the_times_of_ml_100k_are_scaled_by_default() -> None:
    data = Config("SASRec", "ml-100k").run.data
    assert data.time_rounding("ml-100k") == "scaled"
    assert data.time_rounding("shop") == "float32"
    assert Config("SASRec", "shop", config_dict={"normalize_all": None}).run.data.time_rounding(
        "ml-100k"
    ) == ("float32")


def test_normalize_field_is_applied_or_refused() -> None:
    config = Config("SASRec", "shop", config_dict={"normalize_field": ["timestamp", "rating"]})
    assert config.run.data.time_rounding("shop") == "scaled"
    assert config.run.without_effect == ()
    other = Config("SASRec", "shop", config_dict={"normalize_field": ["rating"]})
    assert other.run.data.time_rounding("shop") == "float32"
    assert other.run.without_effect == ("normalize_field",)
    with pytest.raises(SettingsError, match=r"'timestmap'; did you mean 'timestamp'\?"):
        Config("SASRec", "shop", config_dict={"normalize_field": ["timestmap"]})
    both = {"normalize_field": ["timestamp"], "normalize_all": True}
    with pytest.raises(
        SettingsError, match="normalize_all already scales every column; remove norm"
    ):
        Config("SASRec", "shop", config_dict=both)


def test_our_own_training_compares_times_exactly() -> None:
    assert resolve_settings().data.time_rounding("ml-100k") == "no"
    for saved, rule in ((True, "scaled"), (False, "no"), ("float32", "float32")):
        assert resolve_settings({"rounded_times": saved}).data.time_rounding("x") == rule


@pytest.mark.parametrize("number", range(len(SIZES["found"])))
def test_listed_users_and_items_count_as_in_recbole(number: int, tmp_path: Path) -> None:
    path = written({"kind": "listed", "rows": SIZES["rows"]}, tmp_path)
    for name, tokens in SIZES["lists"].items():
        path.with_suffix(f".{name}").write_text("\n".join([f"{name}_id:token", *tokens]) + "\n")
    expected = SIZES["found"][number]
    config = Config("SASRec", str(path), config_dict=expected["config"])
    if expected["sizes"] is None:
        with pytest.raises(DataError, match="removes all interactions"):
            load_corpus(config.dataset, config.run.data)
        return
    whole = create_dataset(config)
    assert [whole.user_num - 1, whole.item_num - 1, whole.inter_num] == expected["sizes"]
