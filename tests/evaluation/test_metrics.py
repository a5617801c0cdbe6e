"""Properties of metrics, and comparison with ir-measures, which is independent of RecBole."""

import ir_measures
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ir_measures import AP, RR, P, R, nDCG

from sasrec.errors import SettingsError
from sasrec.evaluation import metrics
from sasrec.evaluation.metrics import (
    LIST_METRICS,
    RANK_METRICS,
    Lists,
    average_popularity,
    gini_index,
    item_coverage,
    ndcg,
    recall,
)
from sasrec.settings.metric_names import check_names, split_key

rows = st.lists(
    st.lists(st.integers(1, 40), min_size=1, max_size=6, unique=True), min_size=1, max_size=8
)


def table(cases: list[list[int]]) -> np.ndarray:
    """Return ranks [M, R], padded with 0."""
    widest = max(len(case) for case in cases)
    return np.array([case + [0] * (widest - len(case)) for case in cases])


@pytest.mark.parametrize("name", RANK_METRICS)
@settings(deadline=None)
@given(cases=rows, k=st.integers(1, 50))
def test_values_lie_between_0_and_1(name: str, cases: list[list[int]], k: int) -> None:
    values = RANK_METRICS[name](table(cases), k)
    assert values.shape == (len(cases),)
    assert ((values >= 0) & (values <= 1 + 1e-12)).all()  # sums of float64


@pytest.mark.parametrize("name", RANK_METRICS)
@settings(deadline=None)
@given(cases=rows, k=st.integers(1, 50), data=st.data())
def test_moving_a_relevant_item_up_never_lowers_a_metric(
    name: str, cases: list[list[int]], k: int, data: st.DataObject
) -> None:
    case = cases[0]
    moved = data.draw(st.integers(0, len(case) - 1))
    free = [rank for rank in range(1, case[moved] + 1) if rank not in case or rank == case[moved]]
    better = [*case]
    better[moved] = data.draw(st.sampled_from(free))
    metric = RANK_METRICS[name]
    assert metric(table([better]), k)[0] >= metric(table([case]), k)[0] - 1e-12


@pytest.mark.parametrize("name", RANK_METRICS)
@settings(deadline=None)
@given(cases=rows, k=st.integers(1, 50))
def test_order_of_cases_and_of_relevant_items_does_not_matter(
    name: str, cases: list[list[int]], k: int
) -> None:
    metric = RANK_METRICS[name]
    turned = table(cases)[::-1, ::-1]
    np.testing.assert_allclose(metric(turned, k)[::-1], metric(table(cases), k), atol=1e-12)


@pytest.mark.parametrize("name", RANK_METRICS)
def test_ranks_of_one_relevant_item_may_be_one_dimensional(name: str) -> None:
    ranks = np.array([1, 3, 10, 11, 400])
    metric = RANK_METRICS[name]
    np.testing.assert_array_equal(metric(ranks, 10), metric(ranks[:, None], 10))
    assert metric(ranks, 10)[0] == pytest.approx(0.1 if name == "precision" else 1.0)
    assert metric(ranks, 10)[2] > 0
    assert (metric(ranks, 10)[3:] == 0).all()


def test_known_values_with_several_relevant_items() -> None:
    ranks = np.array([[2, 3, 20]])
    assert recall(ranks, 5)[0] == pytest.approx(2 / 3)
    ideal = 1 + 1 / np.log2(3) + 1 / 2
    assert ndcg(ranks, 5)[0] == pytest.approx((1 / np.log2(3) + 1 / 2) / ideal)
    assert RANK_METRICS["map"](ranks, 5)[0] == pytest.approx((1 / 2 + 2 / 3) / 3)
    assert RANK_METRICS["mrr"](ranks, 5)[0] == pytest.approx(1 / 2)


def ir_values(cases: list[list[int]]) -> dict[str, dict[str, float]]:
    """Return measure to case to value, for lists of 60 items with relevant items at these ranks."""
    relevance = [
        ir_measures.Qrel(str(case), f"d{rank}", 1)
        for case, ranks in enumerate(cases)
        for rank in ranks
    ]
    run = [
        ir_measures.ScoredDoc(str(case), f"d{rank}", float(100 - rank))
        for case in range(len(cases))
        for rank in range(1, 61)
    ]
    values: dict[str, dict[str, float]] = {}
    for each in ir_measures.iter_calc(
        [nDCG @ 10, RR @ 10, P @ 10, R @ 10, AP @ 10], relevance, run
    ):
        values.setdefault(str(each.measure), {})[each.query_id] = each.value
    return values


@pytest.mark.parametrize("relevant", [1, 4, 10])
def test_values_equal_ir_measures(relevant: int) -> None:
    generator = np.random.default_rng(relevant)
    cases = [sorted((generator.permutation(25)[:relevant] + 1).tolist()) for _ in range(40)]
    # AP@10 divides by the number of relevant items, ours (RecBole's) by min(relevant, 10). These
    # are equal up to ten relevant items, so no case here has more.
    theirs = ir_values(cases)
    pairs = {"nDCG@10": "ndcg", "RR@10": "mrr", "P@10": "precision", "R@10": "recall"}
    for measure, name in {**pairs, "AP@10": "map"}.items():
        expected = [theirs[measure][str(case)] for case in range(len(cases))]
        found = RANK_METRICS[name](table(cases), 10)
        np.testing.assert_allclose(found, expected, atol=1e-5, err_msg=measure)  # printed digits


def test_extreme_values_of_list_metrics() -> None:
    counts = np.array([0, 9, 5, 1, 1])
    same = Lists(np.ones((6, 1), dtype=np.int64), counts, 4)
    even = Lists(np.array([[1], [2], [3], [4]]), counts, 4)
    assert (item_coverage(same, 1), item_coverage(even, 1)) == (0.25, 1.0)
    assert gini_index(even, 1) == pytest.approx(0)
    assert gini_index(same, 1) == pytest.approx(3 / 4)  # (n - 1) / n
    assert (average_popularity(same, 1), average_popularity(even, 1)) == (9.0, 4.0)
    assert LIST_METRICS["shannonentropy"](even, 1) == pytest.approx(np.log(4) / 4)
    assert LIST_METRICS["shannonentropy"](same, 1) == 0
    assert LIST_METRICS["tailpercentage"](even, 1) == 0.25  # the tail is item 3


def test_unknown_metric_suggests_the_nearest() -> None:
    with pytest.raises(
        SettingsError, match=r"unknown metric 'ndgc'; did you mean 'ndcg'\? \(known: recall"
    ):
        check_names(["recall", "ndgc"])
    check_names([*RANK_METRICS, *LIST_METRICS])


def test_key_is_name_and_cutoff() -> None:
    assert split_key("ndcg@10") == ("ndcg", 10)
    with pytest.raises(SettingsError, match="did you mean 'mrr'"):
        split_key("mr@10")


@pytest.mark.parametrize("key", ["ndcg", "ndcg@", "ndcg@0", "ndcg@-1", "ndcg@x", "ndcg@1.5"])
def test_key_without_cutoff_is_refused(key: str) -> None:
    with pytest.raises(
        SettingsError, match=f"'{key}' has no cut-off from 1 to 99999; write a metric as NAME@K"
    ):
        split_key(key)


def test_area_under_the_curve_is_the_share_of_other_items_below() -> None:
    assert metrics.gauc(np.array([1, 5, 3]), 5).tolist() == [1.0, 0.0, 0.5]
    # Two relevant items among five, at ranks 1 and 4: three others; 3 and 1 of them are below.
    assert metrics.gauc(np.array([[1, 4], [2, 0]]), 5).tolist() == [4 / 6, 3 / 4]


def test_area_under_the_curve_has_no_cut_off() -> None:
    assert split_key("gauc") == ("gauc", 0)


def test_padding_of_short_lists_is_not_counted() -> None:
    counts = np.array([0, 3, 2, 1, 1])
    full = Lists(np.array([[1], [2]]), counts, 4)
    filled = Lists(np.array([[1, 0, 0], [2, 0, 0]]), counts, 4)
    for name in ("shannonentropy", "giniindex", "itemcoverage"):
        assert LIST_METRICS[name](filled, 3) == LIST_METRICS[name](full, 1), name
    assert LIST_METRICS["shannonentropy"](filled, 3) == pytest.approx(np.log(2) / 2)


def test_empty_lists_have_values_without_a_warning() -> None:
    nothing = Lists(np.zeros((5, 3), dtype=np.int64), np.array([0, 3, 2, 1, 1]), 4)
    for name, metric in LIST_METRICS.items():
        assert metric(nothing, 3) == 0, name
    empty = Lists(np.zeros((5, 0), dtype=np.int64), np.array([0, 3, 2, 1, 1]), 4)
    for name in ("giniindex", "shannonentropy", "itemcoverage"):
        assert LIST_METRICS[name](empty, 3) == 0, name
