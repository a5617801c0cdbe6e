"""Every metric equals RecBole's on reference data, also with several relevant items."""

import json
from pathlib import Path

import numpy as np
import pytest

from sasrec.evaluation.metrics import LIST_METRICS, RANK_METRICS, Lists
from sasrec.settings.metric_names import split_key

GOLDEN = Path(__file__).parent.parent / "golden"
REFERENCE = json.loads((GOLDEN / "metrics.json").read_text())


def ranked(scores: np.ndarray, positives: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return ranks of all relevant items [M, R], padded with 0, and the full lists."""
    lists = np.argsort(-scores[:, 1:], axis=1) + 1
    place = np.zeros(scores.shape, dtype=np.int64)
    np.put_along_axis(place, lists, np.arange(1, scores.shape[1])[None, :], axis=1)
    rows: list[list[int]] = [[] for _ in scores]
    for user, item in positives:
        rows[user].append(int(place[user, item]))
    widest = max(len(row) for row in rows)
    return np.array([row + [0] * (widest - len(row)) for row in rows]), lists


@pytest.mark.parametrize("case", sorted(REFERENCE))
def test_metrics_equal_recbole(case: str) -> None:
    vectors = np.load(GOLDEN / f"metrics_{case}.npz")
    ranks, items = ranked(vectors["scores"], vectors["positives"])
    lists = Lists(items, vectors["item_counts"], REFERENCE[case]["items_with_pad"])
    for key, expected in REFERENCE[case]["metrics"].items():
        name, k = split_key(key)
        if name in RANK_METRICS:
            value = float(RANK_METRICS[name](ranks, k).mean())
        else:
            value = LIST_METRICS[name](lists, k)
        assert value == pytest.approx(expected, abs=1e-6), key  # the file has six decimals
