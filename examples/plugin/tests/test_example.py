"""Tests of the package: the checks for every sasrec model, and the results of the other parts."""

import numpy as np
import torch
from sasrec_example.loss import build
from sasrec_example.metric import rank_biased_precision
from sasrec_example.model import LinearAttention

import sasrec.testing
from sasrec.losses.drawing import Negatives
from sasrec.settings.training import TrainingSettings

test_linear_attention = sasrec.testing.model_tests(LinearAttention, {"hidden_size": 8})


def test_a_target_above_and_negatives_below_the_margin_cost_nothing():
    loss = build(TrainingSettings(), n_items=2)
    table, state = torch.tensor([[0.0], [2.0], [-2.0]]), torch.ones(1, 1)
    first, second = torch.tensor([1]), torch.tensor([2])
    assert loss(state, first, table, Negatives(torch.tensor([[2]]), 0.0)).item() == 0
    assert loss(state, second, table, Negatives(torch.tensor([[1]]), 0.0)).item() == 9 + 3


def test_rank_biased_precision_halves_about_every_third_rank():
    found = rank_biased_precision(np.array([1, 2, 11]), 10)
    np.testing.assert_allclose(found, [0.2, 0.16, 0])
