import pytest
import torch
import torch.nn.functional as F
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from kernel_inputs import error, narrow
from torch import nn

from sasrec.kernels.bits import random_bits, unpacked_bits
from sasrec.kernels.layers import (
    dropout_sum,
    dropout_sum_norm,
    linear,
    normalised,
    supports_linear,
    supports_sum,
)

ANY = settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))


def run(function, *leaves, grad):
    """Return the output of a function and the gradients of its inputs."""
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
def test_a_linear_layer_equals_pytorchs(rows, width, out, gelu):
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
def test_the_gelu_is_correct_for_all_values():
    # Numbers from -30 to 30; the weight is an identity matrix.
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
def test_dropout_sum_norm_equals_its_three_steps(rows, width, probability, seed):
    residual, values = narrow(rows, width, seed=seed), narrow(rows, width, seed=seed + 1)
    scale, shift = narrow(width, seed=seed + 2).float(), narrow(width, seed=seed + 3).float()
    sum_grad, grad = narrow(rows, width, seed=seed + 4), narrow(rows, width, seed=seed + 5)
    torch.manual_seed(seed)
    norm = nn.LayerNorm(width, eps=1e-6)
    norm.weight.data, norm.bias.data = scale, shift
    leaves = residual.requires_grad_(), values.requires_grad_()
    both = dropout_sum_norm(*leaves, norm, probability=probability)
    torch.autograd.backward(both, (sum_grad, grad))
    ours = *both, *(leaf.grad for leaf in (*leaves, norm.weight, norm.bias))
    mask = torch.ones(rows, width)
    if probability:
        torch.manual_seed(seed)
        mask = unpacked_bits(random_bits((rows, width // 32), probability)) / (1 - probability)

    exact = [part.detach().double().requires_grad_() for part in (residual, values, scale, shift)]
    total = exact[0] + exact[1] * mask
    normed = F.layer_norm(total, (width,), exact[2], exact[3], 1e-6)
    torch.autograd.backward((total, normed), (sum_grad.double(), grad.double()))
    true = total, normed, *(leaf.grad for leaf in exact)
    for part, right in zip(ours, true, strict=True):
        assert error(part.detach(), right.detach()) < 0.02


@pytest.mark.usefixtures("level")
@pytest.mark.parametrize("probability", [0.0, 0.3])
def test_dropout_sum_equals_dropout_plus_residual(probability):
    residual, values, grad = (narrow(50, 64, seed=seed) for seed in range(3))
    torch.manual_seed(0)
    ours = run(lambda *x: dropout_sum(*x, probability=probability), residual, values, grad=grad)
    mask = torch.ones(50, 64)
    if probability:
        torch.manual_seed(0)
        mask = unpacked_bits(random_bits((50, 2), probability)) / (1 - probability)
    true = run(lambda r, v: r + v * mask, residual.float(), values.float(), grad=grad)
    for part, right in zip(ours, true, strict=True):
        assert error(part, right) < 0.01


@pytest.mark.usefixtures("level")
def test_normalised_equals_layer_norm():
    norm, values, grad = nn.LayerNorm(96, eps=1e-5), narrow(40, 96), narrow(40, 96, seed=1)
    ours = run(lambda x: normalised(x, norm), values, grad=grad)
    weights = norm.weight.grad.clone(), norm.bias.grad.clone()
    norm.zero_grad()
    true = run(norm, values.float(), grad=grad)
    for part, right in zip(ours, true, strict=True):
        assert error(part, right) < 0.01
    for part, right in zip(weights, (norm.weight.grad, norm.bias.grad), strict=True):
        assert error(part, right) < 0.01


@pytest.mark.usefixtures("level")
def test_equal_values_are_normalised_to_the_shift():
    values = torch.ones(3, 64).bfloat16()
    norm = nn.LayerNorm(64, eps=1e-12)
    norm.bias.data.fill_(2)
    _, output = dropout_sum_norm(values, values, norm, probability=0.0)
    assert torch.equal(output.float(), torch.full((3, 64), 2.0))


@pytest.mark.usefixtures("level")
@pytest.mark.parametrize("n_threads", [1, 2, 3])
def test_the_number_of_threads_does_not_change_the_result(n_threads):
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
    for one, other in zip(ours[2:], again[2:], strict=True):  # summed in another order
        assert error(one, other) < 1e-6


@pytest.mark.usefixtures("level")
def test_unsupported_inputs_are_left_to_pytorch():
    values, norm = narrow(5, 64), nn.LayerNorm(64)
    assert supports_sum(values, values, norm)
    assert not supports_sum(values, values.float())
    assert not supports_sum(values, values[:3])
    assert not supports_sum(values, values, nn.LayerNorm(64).bfloat16())
    assert not supports_sum(values, values, nn.LayerNorm(64, elementwise_affine=False))
    assert not supports_sum(values[:, :40])
    layer = nn.Linear(64, 96)
    assert supports_linear(values, layer.weight, layer.bias)
    assert not supports_linear(values, layer.weight, None)
    assert not supports_linear(values[:, :32], layer.weight, layer.bias)
    assert not supports_linear(values.float(), layer.weight, layer.bias)


@pytest.mark.usefixtures("level")
def test_a_probability_may_be_an_integer():
    values = narrow(5, 64)
    assert torch.equal(dropout_sum(values, values, probability=0), values + values)


@pytest.mark.usefixtures("level")
def test_the_default_type_does_not_matter():
    hidden, weight, bias = narrow(5, 64), narrow(32, 64).float(), narrow(32).float()
    grad = narrow(5, 32, seed=1)
    ours = run(linear, hidden, weight, bias, grad=grad)
    torch.set_default_dtype(torch.float64)
    try:
        again = run(linear, hidden, weight, bias, grad=grad)
    finally:
        torch.set_default_dtype(torch.float32)
    assert all(torch.equal(*pair) for pair in zip(ours, again, strict=True))


@pytest.mark.usefixtures("level")
def test_almost_everything_may_be_dropped():
    assert unpacked_bits(random_bits((100, 100), 1 - 1e-7)).float().mean() < 1e-3
