"""Leaders: the same list for the same scores, whatever chance does."""

import numpy as np
import pytest
import torch

from sasrec.evaluation.leaders import Contest, doubtful_rows, highest, in_order, top_items


@pytest.mark.parametrize("levels", [1, 2, 5, 10_000])
@pytest.mark.parametrize("k", [1, 3, 40, 60])
def test_equal_scores_stand_in_the_order_of_their_places(levels: int, k: int) -> None:
    generator = torch.Generator().manual_seed(levels + k)
    scores = torch.randint(levels, (20, 60), generator=generator).float()
    values, places = highest(scores, k)
    expected = np.argsort(-scores.numpy(), axis=1, kind="stable")[:, :k]
    np.testing.assert_array_equal(places.numpy(), expected)
    np.testing.assert_array_equal(values.numpy(), np.take_along_axis(scores.numpy(), expected, 1))


def test_a_constant_scorer_gives_the_first_items() -> None:
    assert top_items(torch.zeros(2, 300), 5).tolist() == [[1, 2, 3, 4, 5]] * 2


def test_a_contest_holds_all_that_rounding_could_lift_into_the_list() -> None:
    scores = torch.arange(100.0).flip(0)[None].repeat(2, 1)
    scores[1] = 7
    contest = Contest.among(scores, 3, torch.tensor([1.5, 0.0]))
    assert contest.items[contest.rows == 0].tolist() == [0, 1, 2, 3]
    assert contest.items[contest.rows == 1].tolist() == list(range(100))


def test_what_was_taken_out_is_in_no_contest() -> None:
    scores = torch.full((1, 50), -torch.inf)
    scores[0, 7] = 1
    assert Contest.among(scores, 3, torch.zeros(1)).items.tolist() == [7]
    scores[0, 7] = -torch.inf
    assert Contest.among(scores, 3, torch.zeros(1)).items.tolist() == []


def test_doubt_is_between_near_but_not_between_equal_scores() -> None:
    rows = np.array([0, 0, 0, 1, 1, 1, 2, 2])
    scores = np.array([3.0, 3.0, 1.0, 3.0, 2.999, 1.0, 3.0, 1.0])
    items = np.arange(8)
    assert in_order(rows, items[::-1].copy(), scores).tolist() == [1, 0, 2, 3, 4, 5, 6, 7]
    assert doubtful_rows(rows, scores, 2, np.full(3, 0.01)).tolist() == [1]
    assert doubtful_rows(rows, scores, 1, np.full(3, 2.5)).tolist() == [1, 2]
