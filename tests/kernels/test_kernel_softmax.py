import pytest
import torch
import torch.nn.functional as F
from kernel_inputs import error

from sasrec.kernels import library
from sasrec.kernels.softmax import softmax_and_gradients, supports, workspace_bytes
from sasrec.losses.full import softmax_cross_entropy

SIZES = [
    *[(1, 2, 32), (100, 70, 32), (2022, 1683, 64), (33, 300, 96), (64, 64, 128), (31, 33, 64)],
    (1100, 20_000, 32),
]
"""Positions, items, width: fewer than a block, whole blocks, and one more or fewer; three pieces,
where exponentials are kept."""


def inputs(n_positions, n_items, width, scale=1.0):
    generator = torch.Generator().manual_seed(n_items)
    hidden = torch.randn(n_positions, width, generator=generator) * scale
    table = torch.randn(n_items, width, generator=generator) * 0.3
    return hidden, torch.randint(1, n_items, (n_positions,), generator=generator), table


def truth(hidden, targets, table):
    hidden, table = (part.double().requires_grad_() for part in (hidden, table))
    loss = F.cross_entropy(hidden @ table.T, targets, reduction="sum")
    return loss.detach(), *torch.autograd.grad(loss, (hidden, table))


def of_the_kernel(hidden, targets, table):
    memory = torch.empty(workspace_bytes(len(hidden), *table.shape), dtype=torch.int8)
    return softmax_and_gradients(hidden, targets, table, memory)


@pytest.mark.usefixtures("level")
@pytest.mark.parametrize("size", SIZES)
def test_loss_and_gradients_are_exact_to_the_precision_of_bfloat16(size):
    hidden, targets, table = inputs(*size)
    loss, hidden_grad, table_grad = of_the_kernel(hidden, targets, table)
    true, *gradients = truth(hidden, targets, table)
    assert abs(loss - float(true)) < 2e-3 * max(1.0, abs(float(true)))
    # A gradient is a difference of about one; of a few items it may nearly vanish.
    for ours, right in zip((hidden_grad, table_grad), gradients, strict=True):
        assert (ours - right).abs().max() < 0.03 * max(1.0, float(right.abs().max()))


@pytest.mark.usefixtures("level")
def test_the_error_is_no_larger_than_that_of_pytorchs_bfloat16_products():
    some = inputs(512, 1000, 64)
    _, *ours = of_the_kernel(*some)
    _, *true = truth(*some)
    leaves = some[0].requires_grad_(), some[2].requires_grad_()
    with torch.autocast("cpu", torch.bfloat16), library.at_most(library.NONE):
        loss = softmax_cross_entropy(leaves[0], some[1], leaves[1]) * len(some[0])
    theirs = torch.autograd.grad(loss, leaves)
    for ours_one, theirs_one, true_one in zip(ours, theirs, true, strict=True):
        assert error(ours_one, true_one) < error(theirs_one, true_one) < 0.01


@pytest.mark.usefixtures("level")
@pytest.mark.parametrize("n_threads", [1, 2, 3, 7])
def test_the_number_of_threads_does_not_change_the_result(n_threads):
    some, before = inputs(300, 500, 64), torch.get_num_threads()
    loss, *gradients = of_the_kernel(*some)
    try:
        torch.set_num_threads(n_threads)
        again, *others = of_the_kernel(*some)
    finally:
        torch.set_num_threads(before)
    assert again == pytest.approx(loss, rel=1e-6)
    assert all(torch.equal(*pair) for pair in zip(gradients, others, strict=True))


@pytest.mark.usefixtures("level")
def test_the_initial_content_of_the_workspace_does_not_matter():
    hidden, targets, table = inputs(70, 90, 32)
    size = workspace_bytes(70, 90, 32)
    one, other = (
        softmax_and_gradients(hidden, targets, table, torch.full((size,), value, dtype=torch.int8))
        for value in (0, -1)  # -1 throughout is NaN
    )
    assert one[0] == other[0]
    assert all(torch.equal(*pair) for pair in zip(one[1:], other[1:], strict=True))


@pytest.mark.usefixtures("level")
def test_the_workspace_does_not_grow_with_positions_times_items():
    one, more = workspace_bytes(1000, 10_000, 64), workspace_bytes(10_000, 100_000, 64)
    assert more <= 10 * one


@pytest.mark.usefixtures("level")
@pytest.mark.parametrize("scale", [100.0, torch.inf, torch.nan])
def test_scores_that_are_too_large_are_left_to_pytorch(scale):
    hidden, targets, table = inputs(40, 50, 64, scale)
    assert of_the_kernel(hidden, targets, table) is None


@pytest.mark.usefixtures("level")
def test_the_loss_is_correct_if_scores_are_too_large():
    hidden, targets, table = inputs(40, 50, 64, 100.0)
    with torch.autocast("cpu", torch.bfloat16):
        loss = softmax_cross_entropy(hidden.requires_grad_(), targets, table)
    assert float(loss.detach()) == pytest.approx(
        float(truth(hidden, targets, table)[0]) / 40, rel=0.01
    )


@pytest.mark.usefixtures("level")
def test_unsupported_inputs_are_left_to_pytorch():
    hidden, _, table = inputs(4, 5, 32)
    assert supports(hidden, table, torch.bfloat16)
    assert not supports(hidden, table, torch.float32)
    assert not supports(hidden, table.double(), torch.bfloat16)
    assert not supports(hidden[:, :8], table[:, :8], torch.bfloat16)
    assert not supports(hidden[:0], table, torch.bfloat16)
    with library.at_most(library.NONE):
        assert not supports(hidden, table, torch.bfloat16)


@pytest.mark.usefixtures("level")
@pytest.mark.parametrize("target", [-1, 50, 5_000_000])
def test_targets_outside_the_table_are_refused(target):
    hidden, targets, table = inputs(40, 50, 64)
    targets[7] = target
    with pytest.raises(IndexError, match="50 rows"):
        of_the_kernel(hidden, targets, table)


@pytest.mark.usefixtures("level")
def test_targets_may_have_another_integer_type():
    hidden, targets, table = inputs(40, 50, 64)
    assert (
        of_the_kernel(hidden, targets.int(), table)[0] == of_the_kernel(hidden, targets, table)[0]
    )
