"""Leaders: equal scores always give the same list."""

import numpy as np
import pytest
import torch

from sasrec.evaluation.top_items import (
    TopCandidates,
    highest,
    ranking_order,
    top_items,
    uncertain_rows,
)


@pytest.mark.parametrize("levels", [1, 2, 5, 10_000])
@pytest.mark.parametrize("k", [1, 3, 40, 60])
def test_ties_are_ordered_by_column(levels: int, k: int) -> None:
    generator = torch.Generator().manual_seed(levels + k)
    scores = torch.randint(levels, (20, 60), generator=generator).float()
    values, columns = highest(scores, k)
    expected = np.argsort(-scores.numpy(), axis=1, kind="stable")[:, :k]
    np.testing.assert_array_equal(columns.numpy(), expected)
    np.testing.assert_array_equal(values.numpy(), np.take_along_axis(scores.numpy(), expected, 1))


def test_equal_scores_give_the_first_items() -> None:
    assert top_items(torch.zeros(2, 300), 5).tolist() == [[1, 2, 3, 4, 5]] * 2


def test_candidates_include_every_item_that_rounding_could_move_into_the_list() -> None:
    scores = torch.arange(100.0).flip(0)[None].repeat(2, 1)
    scores[1] = 7
    candidates = TopCandidates.of(scores, 3, torch.tensor([1.5, 0.0]))
    assert candidates.items[candidates.rows == 0].tolist() == [0, 1, 2, 3]
    assert candidates.items[candidates.rows == 1].tolist() == list(range(100))


def test_excluded_items_are_never_candidates() -> None:
    scores = torch.full((1, 50), -torch.inf)
    scores[0, 7] = 1
    assert TopCandidates.of(scores, 3, torch.zeros(1)).items.tolist() == [7]
    scores[0, 7] = -torch.inf
    assert TopCandidates.of(scores, 3, torch.zeros(1)).items.tolist() == []


def test_close_scores_are_uncertain_but_equal_scores_are_not() -> None:
    rows = np.array([0, 0, 0, 1, 1, 1, 2, 2])
    scores = np.array([3.0, 3.0, 1.0, 3.0, 2.999, 1.0, 3.0, 1.0])
    items = np.arange(8)
    assert ranking_order(rows, items[::-1].copy(), scores).tolist() == [1, 0, 2, 3, 4, 5, 6, 7]
    assert uncertain_rows(rows, scores, 2, np.full(3, 0.01)).tolist() == [1]
    assert uncertain_rows(rows, scores, 1, np.full(3, 2.5)).tolist() == [1, 2]
