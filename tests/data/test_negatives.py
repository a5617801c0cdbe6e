import pytest
import torch

from sasrec.data.batches.negatives import popularity, uniform


def draw(targets, n_items, count, seed=0):
    return uniform(
        torch.tensor(targets),
        n_items=n_items,
        count=count,
        generator=torch.Generator().manual_seed(seed),
    )


@pytest.mark.parametrize("n_items", [2, 3, 7])
def test_a_negative_is_never_the_target_and_may_be_every_other_item(n_items):
    negatives = draw(list(range(1, n_items + 1)), n_items, 400)
    for target, drawn in enumerate(negatives.tolist(), start=1):
        assert set(drawn) == set(range(1, n_items + 1)) - {target}


def test_all_other_items_are_equally_likely():
    counts = torch.bincount(draw([3], 5, 40_000)[0], minlength=6)
    # 10,000 each, standard deviation 87; five of them is a chance of one in a million.
    assert (counts[[1, 2, 4, 5]] - 10_000).abs().max() < 5 * 87


def test_positions_without_target_get_negatives_too():
    negatives = draw([0, 0], 4, 100)
    assert negatives.min() >= 1
    assert negatives.max() <= 4


def test_shape_and_type_fit_the_targets():
    negatives = draw([1, 2, 3], 9, 2)
    assert negatives.shape == (3, 2)
    assert negatives.dtype == torch.int64


def test_the_same_generator_gives_the_same_negatives():
    assert torch.equal(draw([1, 2], 99, 9), draw([1, 2], 99, 9))
    assert not torch.equal(draw([1, 2], 99, 9), draw([1, 2], 99, 9, seed=1))


def popular(targets, weights, count, seed=0):
    return popularity(
        torch.tensor(targets),
        weights=torch.tensor(weights, dtype=torch.float64),
        count=count,
        generator=torch.Generator().manual_seed(seed),
    )


def test_popular_items_are_drawn_in_proportion_and_never_the_target():
    drawn = popular([1, 2, 4], [0, 5, 3, 0, 2], 60_000)
    shares = torch.stack([torch.bincount(row, minlength=5) for row in drawn]) / 60_000
    expected = torch.tensor(
        [[0, 0, 3 / 5, 0, 2 / 5], [0, 5 / 7, 0, 0, 2 / 7], [0, 5 / 8, 3 / 8, 0, 0]]
    )
    # A share of 60,000 draws scatters by 0.002; five of them is a chance of one in a million.
    assert (shares - expected).abs().max() < 0.01
    assert (shares[expected == 0] == 0).all()


def test_with_two_items_the_other_one_is_drawn():
    assert popular([1, 2], [0, 1e-9, 1e9], 50).tolist() == [[2] * 50, [1] * 50]
