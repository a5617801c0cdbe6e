"""Sampled ranking with one list per user, compared with RecBole (benchmarks/peer_sampled.py)."""

import json
from pathlib import Path

import numpy as np
import pytest

from sasrec.errors import SettingsError
from sasrec.evaluation.by_user import lists_by_user
from sasrec.evaluation.metrics import LIST_METRICS, RANK_METRICS, Lists, gauc
from sasrec.settings.resolve import resolve_settings

GOLDEN = Path(__file__).parents[1] / "golden" / "recbole_sampled.json"


def test_metrics_of_users_with_several_cases_equal_recbole() -> None:
    theirs = json.loads(GOLDEN.read_text())
    items, scores = np.array(theirs["items"]), np.array(theirs["scores"], dtype=np.float32)
    found = lists_by_user(np.array(theirs["users"]), items, scores, max(theirs["topk"]))
    counts = np.array(theirs["counts"])
    lists = Lists(found.top, counts, len(counts))  # RecBole counts padding as an item
    ours = {
        f"{name}@{k}": float(metric(found.ranks, k).mean())
        for name, metric in RANK_METRICS.items()
        for k in theirs["topk"]
    }
    ours |= {
        f"{name}@{k}": metric(lists, k)
        for name, metric in LIST_METRICS.items()
        for k in theirs["topk"]
    }
    weights = (found.ranks > 0).sum(1)
    ours["gauc"] = float(np.average(gauc(found.ranks, found.sizes), weights=weights))
    expected = theirs["metrics"]
    assert ours.keys() == expected.keys()
    assert ours == pytest.approx(expected, abs=1e-6)  # RecBole sums GAUC in float32


def test_ties_and_scores_that_are_nan_count_against_the_target() -> None:
    items = np.array([[1, 2, 3], [4, 5, 6]])
    scores = np.array([[1, 1, 0], [np.nan, 0, 1]], dtype=np.float32)
    found = lists_by_user(np.array([7, 9]), items, scores, 4)
    assert found.case_ranks.tolist() == [2, 3]
    assert found.ranks.tolist() == [[2], [3]]
    assert found.top.tolist() == [[1, 2, 3, 0], [4, 6, 5, 0]]


def test_the_last_score_of_an_item_counts() -> None:
    items = np.array([[1, 2], [3, 1]])
    scores = np.array([[9, 5], [4, 3]], dtype=np.float32)
    found = lists_by_user(np.array([1, 1]), items, scores, 3)
    assert found.sizes.tolist() == [3]
    assert found.top.tolist() == [[2, 3, 1]]
    assert found.case_ranks.tolist() == [3, 2]


def test_list_metrics_of_candidates_exist_only_in_recboles_interface() -> None:
    asked = {"eval_args": {"mode": "uni9"}, "metrics": ["GAUC", "ItemCoverage"]}
    assert resolve_settings(asked, preset="recbole").evaluation.sampled_by == "user"
    with pytest.raises(SettingsError, match="gauc needs full ranking"):
        resolve_settings(asked)
