"""Gradients are summed in the same order each time, for any number of threads."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from sasrec.losses.full import smoothed
from sasrec.losses.sampled import bce
from sasrec.models.contract import NextItemModel
from sasrec.models.parts.layers import Layout
from sasrec.models.parts.positions import GAP_BUCKETS, Distances, RelativeBias


def relative_bias() -> Tensor:
    bias = RelativeBias(2, kind="both", max_history=60)
    times = (torch.rand(30, 60) * GAP_BUCKETS).double().exp2().cumsum(1)
    distances = Distances(times, None, rows=30, steps=torch.randint(0, 60, (60, 60)))
    (bias(distances) * torch.randn(30, 2, 60, 60)).sum().backward()
    return torch.cat([weight.grad.flatten() for weight in bias.parameters()])  # type: ignore[union-attr]


def sampled(shape: tuple[int, ...]) -> Tensor:
    table = torch.randn(4_000, 64, requires_grad=True)
    targets = torch.randint(1, 50, (2_000,))
    bce(torch.randn(2_000, 64), targets, table, torch.randint(1, 50, shape)).backward()
    assert table.grad is not None
    return table.grad


def smoothed_labels() -> Tensor:
    table = torch.randn(100, 64, requires_grad=True)
    targets = torch.randint(1, 50, (2_000,))
    smoothed(torch.zeros(()), torch.randn(2_000, 64), targets, table, 0.1).backward()
    assert table.grad is not None
    return table.grad


def positions() -> Tensor:
    table = torch.randn(20, 64, requires_grad=True)
    layout = Layout(200, 20, torch.randint(0, 4_000, (3_000,)), torch.zeros(201))
    weights = torch.randn(3_000, 64)
    (layout.add_by_position(torch.zeros(3_000, 64), table) * weights).sum().backward()
    assert table.grad is not None
    return table.grad


class Scorer(NextItemModel):
    """A model that only has an item table."""

    def __init__(self) -> None:
        super().__init__()
        self.table = torch.nn.Parameter(torch.randn(60, 64))

    @property
    def item_table(self) -> Tensor:
        return self.table


def candidates() -> Tensor:
    scorer = Scorer()
    scores = scorer.score(torch.randn(1_000, 64), torch.randint(0, 60, (1_000, 3)))
    (scores * torch.randn(1_000, 3)).sum().backward()
    assert scorer.table.grad is not None
    return scorer.table.grad


@pytest.mark.parametrize(
    "gradient",
    [
        relative_bias,
        lambda: sampled((2_000, 3)),
        lambda: sampled((2_000,)),
        smoothed_labels,
        positions,
        candidates,
    ],
    ids=["relative bias", "own negatives", "shared negatives", "smoothing", "positions", "scores"],
)
def test_a_gradient_is_the_same_each_time(gradient: Callable[[], Tensor]) -> None:
    found = []
    for _ in range(20):
        torch.manual_seed(0)
        found.append(gradient())
    assert all(torch.equal(found[0], other) for other in found[1:])
