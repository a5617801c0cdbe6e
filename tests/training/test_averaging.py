import pytest
import torch
from torch import nn

from sasrec.training.averaging import WeightAverage


def line(value: float) -> nn.Linear:
    layer = nn.Linear(1, 1, bias=False)
    nn.init.constant_(layer.weight, value)
    return layer


def test_average_follows_the_formula_step_by_step() -> None:
    layer = line(0.0)
    average = WeightAverage(list(layer.parameters()), decay=0.5)
    expected = 0.0
    for step, weight in enumerate([1.0, 5.0, -2.0, 4.0, 4.0, 1.0, 0.0, 3.0, 3.0, 7.0], start=1):
        nn.init.constant_(layer.weight, weight)
        average.update()
        decay = min(0.5, (1 + step) / (10 + step))
        expected = decay * expected + (1 - decay) * weight
        with average.applied():
            assert layer.weight.item() == pytest.approx(expected, rel=1e-5)
        assert layer.weight.item() == weight


def test_without_decay_the_average_is_the_last_weight() -> None:
    layer = line(1.0)
    average = WeightAverage(list(layer.parameters()), decay=0.0)
    nn.init.constant_(layer.weight, 3.0)
    average.update()
    with average.applied():
        assert layer.weight.item() == 3.0


def test_weights_are_restored_even_after_an_error() -> None:
    layer = line(1.0)
    average = WeightAverage(list(layer.parameters()), decay=0.9)
    nn.init.constant_(layer.weight, 2.0)
    with pytest.raises(RuntimeError, match="on purpose"), average.applied():
        raise RuntimeError("on purpose")
    assert layer.weight.item() == 2.0


def test_averaging_does_not_change_gradients_or_optimiser() -> None:
    layer = line(1.0)
    average = WeightAverage(list(layer.parameters()), decay=0.9)
    optimiser = torch.optim.SGD(layer.parameters(), lr=0.1)
    with average.applied():
        pass
    layer(torch.ones(1, 1)).sum().backward()
    optimiser.step()
    assert layer.weight.item() == pytest.approx(0.9)
