"""Rows of a table and their gradient equal those of PyTorch's embedding."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sasrec.kernels.lookup import VectorTable, rows_of

SHAPES = [(5000,), (700, 3), (0,), (4, 0)]


def gradient(rows: Tensor, table: Tensor) -> Tensor:
    torch.manual_seed(1)
    [found] = torch.autograd.grad((rows * torch.randn(rows.shape)).sum(), table)
    return found


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("padding", [False, True])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_rows_and_gradient_equal_pytorchs_to_the_last_bit(
    shape: tuple[int, ...], padding: bool, threads: int
) -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        torch.manual_seed(0)
        table = torch.randn(90, 16, requires_grad=True)
        numbers = torch.randint(0, 90, shape)
        own = rows_of(table, numbers, padding=padding)
        other = F.embedding(numbers, table, padding_idx=0 if padding else None)
        assert torch.equal(own, other)
        assert torch.equal(gradient(own, table), gradient(other, table))
    finally:
        torch.set_num_threads(before)


def test_padding_gets_no_gradient() -> None:
    table = VectorTable(4, 2, padding_idx=0)
    table(torch.tensor([[0, 1], [1, 3]])).sum().backward()
    assert table.weight.grad is not None
    assert table.weight.grad.tolist() == [[0, 0], [2, 2], [0, 0], [1, 1]]


def test_a_number_out_of_range_is_refused() -> None:
    with pytest.raises(IndexError):
        rows_of(torch.randn(3, 2), torch.tensor([3]))


def test_initial_weights_equal_those_of_an_embedding() -> None:
    torch.manual_seed(3)
    own = VectorTable(7, 3, padding_idx=0)
    torch.manual_seed(3)
    other = nn.Embedding(7, 3, padding_idx=0)
    assert torch.equal(own.weight, other.weight)
    assert list(own.state_dict()) == list(other.state_dict())
