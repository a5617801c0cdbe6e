import pytest
import torch

from sasrec.data.negatives import uniform


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


def test_all_other_items_are_as_likely():
    counts = torch.bincount(draw([3], 5, 40_000)[0], minlength=6)
    # 10,000 each, standard deviation 87; five of them is a chance of one in a million.
    assert (counts[[1, 2, 4, 5]] - 10_000).abs().max() < 5 * 87


def test_positions_without_target_get_items_too():
    negatives = draw([0, 0], 4, 100)
    assert negatives.min() >= 1
    assert negatives.max() <= 4


def test_shape_and_type_fit_the_targets():
    negatives = draw([1, 2, 3], 9, 2)
    assert negatives.shape == (3, 2)
    assert negatives.dtype == torch.int64


def test_the_generator_decides():
    assert torch.equal(draw([1, 2], 99, 9), draw([1, 2], 99, 9))
    assert not torch.equal(draw([1, 2], 99, 9), draw([1, 2], 99, 9, seed=1))
