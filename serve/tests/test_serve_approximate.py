"""The approximate search tells its recall, and is exact where it would find too little."""

import logging
import sys
from pathlib import Path

import numpy as np
import pytest
from exported_forms import recommender_of

import sasrec
import sasrec_serve
from sasrec_serve.scoring import approximate
from sasrec_serve.scoring.approximate import ApproximateVectors
from sasrec_serve.scoring.item_vectors import ItemVectors

NONE = [np.zeros(0, np.int64)]


@pytest.fixture(scope="module")
def vectors() -> ApproximateVectors:
    random = np.random.default_rng(0)
    values = random.standard_normal((5000, 8)).astype(np.float32)
    values *= random.uniform(0.1, 5, (5000, 1)).astype(np.float32)  # by cosine alone it would fail
    trained = random.random(5000) < 0.9
    return ApproximateVectors.of(ItemVectors.of(values), trained, values[:100])


def test_most_of_the_best_items_are_found(vectors: ApproximateVectors) -> None:
    assert vectors.recall >= approximate.WANTED
    state = np.ones((1, 8), np.float32)
    [(items, scores)] = vectors.best(state, 10, allowed=vectors.trained, seen=NONE)
    assert vectors.trained[items].all()
    np.testing.assert_allclose(scores, vectors.values[items].sum(1), rtol=1e-5)
    assert (np.diff(scores) <= 0).all()


def test_seen_items_do_not_shorten_lists(vectors: ApproximateVectors) -> None:
    state = np.ones((1, 8), np.float32)
    [(best, _)] = vectors.exact.best(state, 50, allowed=vectors.trained, seen=NONE)
    seen = np.sort(best[:40])
    [(items, _)] = vectors.best(state, 10, allowed=vectors.trained, seen=[seen])
    assert len(items) == 10
    assert not np.isin(items, seen).any()
    assert len(np.intersect1d(items, best[40:])) >= 8


def test_too_few_results_are_completed_exactly(
    vectors: ApproximateVectors, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ApproximateVectors, "_searched", lambda *_: np.arange(3))
    state, k = np.ones((1, 8), np.float32), 10
    [(items, _)] = vectors.best(state, k, allowed=vectors.trained, seen=NONE)
    [(exact, _)] = vectors.exact.best(state, k, allowed=vectors.trained, seen=NONE)
    assert items.tolist() == exact.tolist()


def test_other_items_than_the_learned_ones_are_searched_exactly(
    vectors: ApproximateVectors, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(ApproximateVectors, "_searched")
    allowed = np.zeros(5000, bool)
    allowed[[7, 70, 700]] = True
    [(items, _)] = vectors.best(np.ones((1, 8), np.float32), 2, allowed=allowed, seen=NONE)
    assert set(items) < {7, 70, 700}


def test_the_recall_is_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    recommender = recommender_of("by_both")
    sasrec.export(recommender, tmp_path / "out")
    with caplog.at_level(logging.INFO):
        served = sasrec_serve.load(tmp_path / "out", approximate=True)
    assert served.recall == 1.0  # forty items
    assert "approximate search finds 100.0% of the best 10 items" in caplog.text
    exact = sasrec_serve.load(tmp_path / "out")
    assert exact.recall == 1.0
    history = [["i1", "i2"], ["i3"]]
    assert served.recommend(history) == exact.recommend(history)
    assert served.similar(["i1"]) == exact.similar(["i1"])


def test_a_low_recall_is_a_warning(
    vectors: ApproximateVectors, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(ApproximateVectors, "_searched", lambda *_: np.arange(30))
    found = ApproximateVectors.of(vectors.exact, vectors.trained, vectors.values[:50])
    assert found.recall < 0.5
    assert [record.levelname for record in caplog.records] == ["WARNING"]


def test_models_without_item_vectors_have_no_approximate_search(tmp_path: Path) -> None:
    sasrec.export(recommender_of("TransRec"), tmp_path / "out")
    with pytest.raises(sasrec_serve.SettingsError, match="TransRec has no item vectors, so there"):
        sasrec_serve.load(tmp_path / "out", approximate=True)


def test_a_missing_usearch_is_named(
    vectors: ApproximateVectors, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "usearch.index", None)
    with pytest.raises(
        sasrec_serve.SettingsError, match=r"pip install 'sasrec-serve\[approximate\]'"
    ):
        ApproximateVectors.of(vectors.exact, vectors.trained, vectors.values[:5])
