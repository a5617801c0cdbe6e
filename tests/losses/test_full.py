import weakref
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from sasrec.losses import full
from sasrec.losses.full import softmax_cross_entropy, softmax_cross_entropy_plain
from sasrec.losses.workspace import Workspace
from sasrec.settings.training import TrainingSettings

LOSSES = [softmax_cross_entropy_plain, softmax_cross_entropy]
SIZES = [(1, 2, 1), (17, 3, 4), (33, 101, 8), (64, 50, 5), (129, 7, 16)]  # P, V, d


def inputs(n_positions, n_items, width, *, scale=1.0, dtype=torch.float32):
    generator = torch.Generator().manual_seed(n_positions)
    hidden = torch.randn(n_positions, width, generator=generator, dtype=torch.float64) * scale
    table = torch.randn(n_items, width, generator=generator, dtype=torch.float64)
    targets = torch.randint(1, n_items, (n_positions,), generator=generator)
    # Rounded first, so that the truth is about the same numbers.
    rounded = hidden.to(dtype), table.to(dtype)
    return rounded[0].requires_grad_(), targets, rounded[1].requires_grad_()


def value_and_gradients(loss, hidden, targets, table):
    value = loss(hidden, targets, table)
    return value.detach(), *torch.autograd.grad(value, (hidden, table))


def truth(hidden, targets, table):
    doubled = [part.detach().double().requires_grad_() for part in (hidden, table)]
    value = F.cross_entropy(doubled[0] @ doubled[1].T, targets)
    return value.detach(), *torch.autograd.grad(value, doubled)


@pytest.fixture(params=[(1, 1), (4 * 101 * 20, 4 * 20 * 50), (2**28, 2**20), (2**28, 1000)])
def _pieces(request, monkeypatch):
    """Run with 4 positions and 4 items at a time, about 20 and 50, and everything at once."""
    monkeypatch.setattr(full, "KEPT_BYTES", request.param[0])
    monkeypatch.setattr(full, "CHUNK_BYTES", request.param[1])
    monkeypatch.setattr(full, "MIN_PIECE_POSITIONS", 4)
    monkeypatch.setattr(full, "SIZE_MULTIPLE", 4)


@pytest.mark.usefixtures("_pieces")
@pytest.mark.parametrize("scale", [1.0, 100.0])
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("loss", LOSSES)
def test_values_and_gradients_are_exact(loss, size, scale):
    some = inputs(*size, scale=scale)
    for ours, true in zip(value_and_gradients(loss, *some), truth(*some), strict=True):
        # float32 keeps 7 digits; the largest logits lose the digits of their own size.
        tolerance = 2e-6 * max(1.0, scale) * max(1.0, true.abs().max().item())
        assert torch.allclose(ours.double(), true, rtol=0, atol=tolerance)


@pytest.mark.usefixtures("_pieces")
@pytest.mark.parametrize("size", SIZES)
def test_the_error_of_pieces_is_no_larger_than_that_of_the_plain_version(size):
    some = inputs(*size, scale=10.0)
    plain, pieces = (value_and_gradients(loss, *some) for loss in LOSSES)
    for fast, slow, true in zip(pieces, plain, truth(*some), strict=True):
        largest = max(1.0, true.abs().max().item())
        assert (fast - true).abs().max() <= 2 * (slow - true).abs().max() + 5e-6 * largest


@pytest.mark.parametrize("loss", LOSSES)
def test_float64_is_kept(loss):
    some = inputs(20, 9, 4, dtype=torch.float64)
    for ours, true in zip(value_and_gradients(loss, *some), truth(*some), strict=True):
        assert ours.dtype == torch.float64
        assert torch.allclose(ours, true, rtol=0, atol=1e-12)


@pytest.mark.usefixtures("_pieces")
def test_gradients_pass_gradcheck():
    hidden, targets, table = inputs(19, 5, 3, dtype=torch.float64)
    assert torch.autograd.gradcheck(
        lambda h, t: softmax_cross_entropy(h, targets, t), (hidden, table)
    )


@pytest.mark.parametrize("loss", LOSSES)
def test_without_positions_the_loss_is_zero(loss):
    hidden, table = torch.zeros(0, 3, requires_grad=True), torch.randn(4, 3, requires_grad=True)
    value = loss(hidden, torch.zeros(0, dtype=torch.int64), table)
    value.backward()
    assert value.item() == 0
    assert hidden.grad.shape == (0, 3)
    assert (table.grad == 0).all()


@pytest.mark.parametrize("loss", LOSSES)
def test_huge_scores_stay_finite(loss):
    hidden = torch.tensor([[1e4], [-1e4]], requires_grad=True)
    table = torch.tensor([[0.0], [1e2], [-1e2]], requires_grad=True)
    value, *gradients = value_and_gradients(loss, hidden, torch.tensor([1, 1]), table)
    # Logits are 0, 1e6, -1e6 and their opposites: the first is certain, the second off by 2e6.
    assert value.item() == pytest.approx(1e6, rel=1e-6)
    assert all(gradient.isfinite().all() for gradient in gradients)


@pytest.mark.parametrize("loss", LOSSES)
def test_two_positions_by_hand(loss):
    # Logits 0, 0 (padding counts): log 2. Logits 0, ln 3: log(4/3).
    hidden, table = torch.tensor([[0.0], [1.0]]), torch.tensor([[0.0], [3.0]]).log1p() * 0
    table[1] = torch.tensor(3.0).log()
    value = loss(hidden, torch.tensor([1, 1]), table)
    expected = (torch.tensor(2.0).log() + torch.tensor(4 / 3).log()) / 2
    assert value.item() == pytest.approx(expected.item(), rel=1e-6)


@pytest.mark.usefixtures("_pieces")
def test_the_order_of_positions_does_not_matter():
    hidden, targets, table = inputs(129, 101, 8)
    order = torch.randperm(129, generator=torch.Generator().manual_seed(0))
    first = value_and_gradients(softmax_cross_entropy, hidden, targets, table)
    second = value_and_gradients(softmax_cross_entropy, hidden[order], targets[order], table)
    assert first[0].item() == pytest.approx(second[0].item(), rel=1e-6)
    assert torch.allclose(
        first[1][order],
        torch.autograd.grad(
            softmax_cross_entropy(shuffled := hidden[order], targets[order], table), shuffled
        )[0],
        atol=1e-6,
    )
    assert torch.allclose(first[2], second[2], atol=1e-6)


@pytest.mark.parametrize("frozen", ["hidden", "table", "both"])
def test_either_input_may_need_no_gradient(frozen):
    hidden, targets, table = inputs(20, 9, 4)
    if frozen in {"hidden", "both"}:
        hidden = hidden.detach()
    if frozen in {"table", "both"}:
        table = table.detach()
    plain, pieces = (loss(hidden, targets, table) for loss in LOSSES)
    assert pieces.item() == pytest.approx(plain.item(), rel=1e-6)
    for part in (hidden, table):
        if part.requires_grad:
            ours, theirs = (torch.autograd.grad(value, part)[0] for value in (pieces, plain))
            assert torch.allclose(ours, theirs, atol=1e-6)


def test_the_gradient_is_scaled_by_the_incoming_gradient():
    hidden, targets, table = inputs(20, 9, 4)
    once = value_and_gradients(softmax_cross_entropy, hidden, targets, table)
    thrice = value_and_gradients(
        lambda *some: 3 * softmax_cross_entropy(*some), hidden, targets, table
    )
    for single, triple in zip(once, thrice, strict=True):
        assert torch.allclose(3 * single, triple, atol=1e-6)


def test_autocast_multiplies_in_bfloat16_and_sums_in_float32():
    hidden, targets, table = inputs(64, 50, 8)
    with torch.autocast("cpu", torch.bfloat16):
        value, *gradients = value_and_gradients(softmax_cross_entropy, hidden, targets, table)
    true, *true_gradients = truth(hidden, targets, table)
    assert value.dtype == torch.float32
    assert value.item() != softmax_cross_entropy(hidden, targets, table).item()
    assert value.item() == pytest.approx(true.item(), rel=2**-7)  # bfloat16 keeps 8 bits
    for ours, exact in zip(gradients, true_gradients, strict=True):
        assert ours.dtype == torch.float32
        assert (ours - exact).abs().max() < 2**-5 * exact.abs().max()


def test_content_of_a_larger_call_does_not_affect_a_smaller_one():
    some = {size: inputs(*size) for size in SIZES}
    fresh = {size: value_and_gradients(softmax_cross_entropy, *some[size]) for size in SIZES}
    for size in reversed(SIZES):  # now all of them write where others have written before
        again = value_and_gradients(softmax_cross_entropy, *some[size])
        for before, after in zip(fresh[size], again, strict=True):
            assert torch.equal(before, after)


def test_a_workspace_used_in_inference_mode_can_be_used_in_training():
    hidden, targets, table = inputs(13, 1021, 4)
    with torch.inference_mode():
        quiet = softmax_cross_entropy(hidden.detach(), targets, table.detach())
    assert softmax_cross_entropy(hidden, targets, table).item() == quiet.item()


def test_threads_do_not_share_a_workspace():
    some = [inputs(n, 211, 8) for n in (64, 80)]
    alone = [softmax_cross_entropy(*each).item() for each in some]
    with ThreadPoolExecutor(2) as pool:
        together = list(pool.map(lambda each: softmax_cross_entropy(*each).item(), some * 50))
    assert together == alone * 50


@pytest.mark.parametrize("half", [False, True])
@pytest.mark.parametrize("n_items", [5, 41, 64, 1683])
def test_the_initial_content_of_the_workspace_does_not_matter(n_items: int, half: bool):
    workspace = Workspace()

    def outcome() -> list[torch.Tensor]:
        torch.manual_seed(n_items)
        hidden, table = torch.randn(70, 16, requires_grad=True), torch.randn(n_items, 16) * 0.1
        table.requires_grad_()
        with torch.autocast("cpu", torch.bfloat16, enabled=half):
            targets = torch.randint(1, n_items, (70,))
            loss = softmax_cross_entropy(hidden, targets, table, workspace=workspace)
        loss.backward()
        return [loss, hidden.grad, table.grad]

    clean = outcome()
    for poison in (torch.nan, torch.inf):
        dtype = torch.bfloat16 if half else torch.float32
        workspace.take(2**20, dtype, torch.device("cpu")).fill_(poison)
        for one, other in zip(outcome(), clean, strict=True):
            assert torch.equal(one, other)


def test_a_workspace_returns_the_same_memory_and_grows():
    workspace, cpu = Workspace(), torch.device("cpu")
    first = workspace.take(10, torch.float32, cpu)
    assert workspace.take(5, torch.float32, cpu).data_ptr() == first.data_ptr()
    assert len(workspace.take(20, torch.float32, cpu)) == 20
    workspace.take(3, torch.int8, cpu)
    assert workspace.bytes == 83


def test_a_run_keeps_its_workspace_until_its_end_and_no_longer(monkeypatch):
    made = []

    class Watched(Workspace):
        def __init__(self):
            super().__init__()
            made.append(weakref.ref(self))

    monkeypatch.setattr(full, "Workspace", Watched)
    hidden, table = torch.randn(3, 4), torch.randn(9, 4)
    objective = full.CE.objective(
        TrainingSettings(),
        counts=np.ones(9, dtype=np.int64),
        device=torch.device("cpu"),
        generator=torch.Generator(),
    )
    for _ in range(2):
        objective(hidden, torch.tensor([1, 2, 3]), table)
    [of_the_run] = made
    assert of_the_run().bytes > 0
    del objective
    assert of_the_run() is None
    softmax_cross_entropy(hidden, torch.tensor([1, 2, 3]), table)
    assert made[1]() is None
