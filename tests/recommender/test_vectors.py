"""Vectors of items and histories, similar items, and results as tables."""

import sys

import numpy as np
import polars as pl
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import sasrec
from sasrec.errors import DataError, ModelError, SettingsError
from sasrec.recommender import neighbours
from sasrec.recommender.recommender import Recommender

HISTORIES = [["i1", "i2"], ["nothing known"], ["i5", "i5", "i9"], []]


def trained(name: str) -> Recommender:
    users = np.repeat(np.arange(30), 8)
    items = (users + np.tile(np.arange(8), 30) ** 2) % 23
    frame = pl.DataFrame(
        {
            "user_id": [f"u{user}" for user in users],
            "item_id": [f"i{item}" for item in items],
            "timestamp": np.arange(len(users)),
        }
    )
    return sasrec.train(frame, {"epochs": 1}, model=name)


@pytest.fixture(scope="module")
def recommender() -> Recommender:
    return trained("SASRec")


@pytest.fixture(scope="module")
def without_vectors() -> Recommender:
    return trained("TransRec")


@pytest.mark.parametrize("name", ["SASRec", "FPMC", "BERT4Rec", "BPR"])
def test_products_of_vectors_are_the_scores(name: str) -> None:
    recommender = trained(name)
    items = recommender.item_vectors()
    users = ["u1", None, "u3", None]
    found = recommender.user_vectors(HISTORIES, users=users)
    scores = recommender.score(HISTORIES, items.items, users=users)
    usable = ~np.isnan(found).any(1)
    assert usable.tolist() == [True, False, True, False]
    # Products of 64 numbers in float32.
    np.testing.assert_allclose((found @ items.values.T)[usable], scores[usable], rtol=1e-4)
    assert recommender.user_vectors([]).shape == (0, found.shape[1])


def test_item_vectors_become_a_table_without_untrained_items(recommender: Recommender) -> None:
    found = recommender.item_vectors()
    assert not set(found.items) & set(recommender.untrained)
    table = found.to_polars()
    assert table["item"].to_list() == found.items
    assert table.schema["vector"] == pl.Array(pl.Float32, found.values.shape[1])
    np.testing.assert_array_equal(table["vector"].to_numpy(), found.values)


def test_similar_items_are_those_of_the_highest_cosines(recommender: Recommender) -> None:
    vectors = recommender.item_vectors()
    units = vectors.values.astype(np.float64)
    units /= np.linalg.norm(units, axis=1, keepdims=True)
    cosines = units @ units.T
    np.fill_diagonal(cosines, -np.inf)
    for place, found in enumerate(recommender.similar(k=4)):
        best = np.argsort(-cosines[place])[:4]
        assert found.item == vectors.items[place]
        assert found.items == [vectors.items[other] for other in best]
        assert found.scores == pytest.approx(cosines[place][best], abs=1e-6)
        assert found.recall == 1
    [one, again] = recommender.similar(["i3", "i3"], 100)
    assert one == again
    assert len(one.items) == len(vectors.items) - 1  # all but itself


@settings(max_examples=40, deadline=None)
@given(n=st.integers(1, 300), k=st.integers(1, 12), copies=st.booleans(), seed=st.integers(0, 999))
def test_neighbours_by_blocks_are_those_of_a_full_sort(
    n: int, k: int, copies: bool, seed: int
) -> None:
    generator = torch.Generator().manual_seed(seed)
    table = torch.randn(n, 6, generator=generator)
    if copies:
        table = table[torch.randint(n, (n,), generator=generator)]
    units = neighbours.unit_vectors(table)
    found = neighbours.exact_neighbours(units, np.arange(n), k)
    cosines = (units.double()[:, None] * units.double()).sum(2).float().numpy()
    np.fill_diagonal(cosines, -np.inf)
    order = np.argsort(-cosines, axis=1, kind="stable")[:, : min(k, n - 1)]
    np.testing.assert_array_equal(found.rows, order.ravel())
    np.testing.assert_array_equal(found.owners, np.repeat(np.arange(n), order.shape[1]))


@pytest.mark.parametrize(
    ("items", "k", "message"),
    [
        (["i999"], 3, r"the model knows no item 'i999'.*an item it knows is 'i"),
        ("i1", 3, "must be a list of item tokens"),
        (["i1"], 0, "k is 0; it must be a whole number of at least 1"),
        (["i1"], True, "k is True"),
    ],
)
def test_invalid_items_are_refused(
    recommender: Recommender, items: list[str], k: int, message: str
) -> None:
    with pytest.raises(DataError, match=message):
        recommender.similar(items, k)


def test_an_unknown_search_is_refused(recommender: Recommender) -> None:
    with pytest.raises(DataError, match="search is 'annoy'; it must be 'exact' or 'usearch'"):
        recommender.similar(["i1"], search="annoy")  # type: ignore[arg-type]


def test_an_untrained_item_has_no_similar_items(recommender: Recommender) -> None:
    some = Recommender(
        recommender.model,
        recommender.items,
        np.where(np.arange(len(recommender.counts)) == 1, 0, recommender.counts),
        {},
        recommender.settings,
    )
    with pytest.raises(DataError, match="occurs in no training event, so its vector is meaning"):
        some.similar(some.items.tokens([1]))


def test_a_model_without_item_vectors_says_so(without_vectors: Recommender) -> None:
    for call in (
        without_vectors.item_vectors,
        without_vectors.similar,
        lambda: without_vectors.user_vectors([["i1"]]),
    ):
        with pytest.raises(ModelError, match="TransRec has no item vectors: its scores are not"):
            call()


def test_a_missing_usearch_says_how_to_install_it(
    recommender: Recommender, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "usearch.index", None)
    with pytest.raises(SettingsError, match=r"pip install 'sasrec\[search\]'"):
        recommender.similar(["i1"], search="usearch")


def test_usearch_finds_most_neighbours_and_measures_its_recall() -> None:
    pytest.importorskip("usearch", reason="the extra sasrec[search] is not installed")
    units = neighbours.unit_vectors(
        torch.randn(3000, 16, generator=torch.Generator().manual_seed(0))
    )
    found = neighbours.approximate_neighbours(units, np.arange(3000), 10)
    truth = neighbours.exact_neighbours(units, np.arange(3000), 10)
    shared = np.isin(truth.owners * 3000 + truth.rows, found.owners * 3000 + found.rows)
    assert not (found.owners == found.rows).any()
    assert shared.mean() > 0.9
    assert found.recall == pytest.approx(shared.mean(), abs=0.03)  # 1,000 of 3,000 rows


def test_results_become_tables_with_titles_and_users(recommender: Recommender) -> None:
    recommender.titles["i3"] = "Third"
    found = recommender.recommend(HISTORIES[:2], k=3, users=["ann", None])
    table = found.to_polars()
    assert table.columns == [
        *("history", "user", "rank", "item", "title", "score", "by_popularity")
    ]
    assert table["history"].to_list() == [0] * 3 + [1] * 3
    assert table["user"].to_list() == ["ann"] * 3 + [None] * 3
    assert table["rank"].to_list() == [1, 2, 3] * 2
    assert table["item"].to_list() == found[0].items + found[1].items
    assert table["by_popularity"].to_list() == [False] * 3 + [True] * 3
    titles = {"i3": "Third"}
    assert table["title"].to_list() == [titles.get(item) for item in table["item"]]
    pandas = found.to_pandas()
    assert list(pandas.columns) == table.columns
    assert pandas["item"].tolist() == table["item"].to_list()
    assert pandas["score"].tolist() == table["score"].to_list()
    assert "user" not in recommender.recommend(HISTORIES[:1], k=3).to_polars().columns
    assert recommender.recommend([]).to_polars().height == 0
    assert recommender.recommend([]).to_pandas().empty
    assert found == list(found)  # still a list


def test_no_items_have_no_neighbours(recommender: Recommender) -> None:
    assert recommender.similar([]) == []
