import pytest
import torch
import torch.nn.functional as F
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.kernels.conftest import error, narrow

from sasrec.kernels.bits import random_bits, spread
from sasrec.kernels.layers import dropped_sum_norm, linear

ANY = settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))


def run(function, *leaves, grad):
    """Return the output of a function and the gradients of what it was given."""
    leaves = [leaf.detach().clone().requires_grad_() for leaf in leaves]
    output = function(*leaves)
    output.backward(grad.to(output.dtype))
    return output.detach(), *(leaf.grad for leaf in leaves)


@pytest.mark.usefixtures("level")
@ANY
@given(
    rows=st.integers(1, 300),
    width=st.sampled_from([32, 64, 96, 256]),
    out=st.sampled_from([32, 64, 192]),
    gelu=st.booleans(),
)
def test_a_linear_layer_is_pytorchs(rows, width, out, gelu):
    hidden, weight = narrow(rows, width), narrow(out, width, seed=1, scale=0.2).float()
    bias, grad = narrow(out, seed=2).float(), narrow(rows, out, seed=3)
    ours = run(lambda *x: linear(*x, gelu=gelu), hidden, weight, bias, grad=grad)

    def plain(*leaves):
        straight = F.linear(*leaves)
        return F.gelu(straight) if gelu else straight

    true = run(plain, hidden.float(), weight, bias, grad=grad)
    assert [part.dtype for part in ours] == [torch.bfloat16] * 2 + [torch.float32] * 2
    for part, right in zip(ours, true, strict=True):
        assert error(part, right) < 0.01


@pytest.mark.usefixtures("level")
def test_the_gelu_is_right_everywhere():
    # Numbers from -30 to 30, through an identity.
    values = torch.linspace(-30, 30, 32 * 64).bfloat16().view(64, 32)
    ours, slope, *_ = run(
        lambda *x: linear(*x, gelu=True),
        values,
        torch.eye(32),
        torch.zeros(32),
        grad=torch.ones(64, 32),
    )
    true, true_slope = run(F.gelu, values.double(), grad=torch.ones(64, 32))
    assert torch.allclose(ours.double(), true, rtol=2**-8, atol=1e-5)
    assert torch.allclose(slope.double(), true_slope, rtol=2**-8, atol=1e-5)


@pytest.mark.usefixtures("level")
@ANY
@given(
    rows=st.integers(1, 100),
    width=st.sampled_from([32, 64, 96, 256]),
    probability=st.sampled_from([0.0, 0.2, 0.5]),
    seed=st.integers(0, 100),
)
def test_dropped_sum_norm_is_its_three_parts(rows, width, probability, seed):
    residual, values = narrow(rows, width, seed=seed), narrow(rows, width, seed=seed + 1)
    scale, shift = narrow(width, seed=seed + 2).float(), narrow(width, seed=seed + 3).float()
    grad = narrow(rows, width, seed=seed + 4)
    torch.manual_seed(seed)
    ours = run(
        lambda *x: dropped_sum_norm(*x, probability=probability, eps=1e-6),
        residual,
        values,
        scale,
        shift,
        grad=grad,
    )
    mask = torch.ones(rows, width)
    if probability:
        torch.manual_seed(seed)
        mask = spread(random_bits((rows, width // 32), probability)) / (1 - probability)

    def plain(residual, values, scale, shift):
        return F.layer_norm(residual + values * mask, (width,), scale, shift, 1e-6)

    true = run(plain, residual.float(), values.float(), scale, shift, grad=grad)
    for part, right in zip(ours, true, strict=True):
        assert error(part, right) < 0.02


@pytest.mark.usefixtures("level")
def test_equal_values_are_normalised_to_the_shift():
    values = torch.ones(3, 64).bfloat16()
    output = dropped_sum_norm(
        values, values, torch.ones(64), torch.full((64,), 2.0), probability=0.0, eps=1e-12
    )
    assert torch.equal(output.float(), torch.full((3, 64), 2.0))


@pytest.mark.usefixtures("level")
@pytest.mark.parametrize("n_threads", [1, 2, 3])
def test_threads_share_the_work_without_a_trace(n_threads):
    before = torch.get_num_threads()
    hidden, weight, bias = narrow(90, 64), narrow(96, 64, seed=1).float(), narrow(96).float()
    grad = narrow(90, 96, seed=2)
    ours = run(linear, hidden, weight, bias, grad=grad)
    try:
        torch.set_num_threads(n_threads)
        again = run(linear, hidden, weight, bias, grad=grad)
    finally:
        torch.set_num_threads(before)
    assert all(torch.equal(*pair) for pair in zip(ours[:2], again[:2], strict=True))
    for one, other in zip(ours[2:], again[2:], strict=True):  # added up in another order
        assert error(one, other) < 1e-6
