import math

import pytest
import torch

from sasrec.losses.sampled import bpr, hardest


def test_two_positions_by_hand():
    hidden = torch.tensor([[1.0, 2.0], [0.0, -1.0]])
    table = torch.tensor([[0.0, 0.0], [1.0, 1.0], [2.0, -1.0], [0.0, 3.0]])
    # Position 0: target 1 scores 3, negatives 2 and 3 score 0 and 6: differences 3 and -3.
    # Position 1: target 2 scores 1, negatives 1 and 3 score -1 and -3: differences 2 and 4.
    loss = bpr(hidden, torch.tensor([1, 2]), table, torch.tensor([[2, 3], [1, 3]]))
    expected = sum(math.log(1 + math.exp(-difference)) for difference in (3, -3, 2, 4)) / 4
    assert loss.item() == pytest.approx(expected, rel=1e-6)


def test_gradients_pass_gradcheck():
    generator = torch.Generator().manual_seed(0)
    hidden = torch.randn(5, 3, generator=generator, dtype=torch.float64, requires_grad=True)
    table = torch.randn(7, 3, generator=generator, dtype=torch.float64, requires_grad=True)
    targets = torch.tensor([1, 2, 3, 4, 1])
    negatives = torch.tensor([[2, 3], [4, 4], [1, 6], [5, 1], [6, 2]])
    assert torch.autograd.gradcheck(lambda h, t: bpr(h, targets, t, negatives), (hidden, table))


def test_no_positions_cost_nothing():
    none = torch.zeros(0, dtype=torch.int64)
    assert bpr(torch.zeros(0, 3), none, torch.randn(4, 3), none.view(0, 2)).item() == 0


def test_huge_scores_stay_finite():
    hidden = torch.tensor([[1e4]], requires_grad=True)
    table = torch.tensor([[0.0], [-1e3], [1e3]])
    loss = bpr(hidden, torch.tensor([1]), table, torch.tensor([[2]]))
    loss.backward()
    assert loss.item() == pytest.approx(2e7, rel=1e-6)
    assert hidden.grad.isfinite().all()


def test_the_order_of_positions_does_not_matter():
    generator = torch.Generator().manual_seed(0)
    hidden, table = (torch.randn(9, 4, generator=generator) for _ in range(2))
    targets, negatives = torch.arange(9) % 8 + 1, (torch.arange(9) * 5 % 8 + 1)[:, None]
    order = torch.randperm(9, generator=generator)
    shuffled = bpr(hidden[order], targets[order], table, negatives[order])
    assert shuffled.item() == pytest.approx(bpr(hidden, targets, table, negatives).item(), rel=1e-6)


def test_the_hardest_candidate_is_the_one_that_scores_highest():
    hidden, table = torch.tensor([[1.0], [-1.0]]), torch.tensor([[0.0], [1.0], [2.0], [3.0]])
    candidates = torch.tensor([[[1, 3], [2, 1]], [[1, 3], [3, 2]]])
    assert hardest(hidden, table, candidates).tolist() == [[3, 2], [1, 2]]
