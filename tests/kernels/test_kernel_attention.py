import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from kernel_inputs import error, narrow
from torch import nn

from sasrec.kernels import library
from sasrec.kernels.attention import (
    Bias,
    dropout_attention,
    gap_numbers,
    keep_bits,
    kept_mask,
    supports,
)
from sasrec.models.parts.attention import SelfAttention
from sasrec.models.parts.dropout_attention import dropout_attention_plain
from sasrec.models.parts.layers import Layout
from sasrec.models.parts.positions import UNKNOWN, Distances, RelativeBias, gap_buckets


def both(projected, bits, kept):
    """Return output and gradient of the kernel, and those of the formula in float32."""
    rows, columns, _, heads, depth = projected.shape
    grad = narrow(rows, columns, heads, depth, seed=1)
    ours = projected.clone().requires_grad_()
    output = dropout_attention(ours, bits, kept)
    output.backward(grad)
    true = projected.float().requires_grad_()
    right = dropout_attention_plain(true, kept_mask(bits, columns, kept))
    right.backward(grad.float())
    return (output.detach(), ours.grad), (right.detach(), true.grad)


@pytest.mark.usefixtures("level")
@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    rows=st.integers(1, 5),
    columns=st.integers(2, 130),
    heads=st.integers(1, 3),
    depth=st.sampled_from([16, 32, 48, 64, 96]),
    probability=st.sampled_from([0.0, 0.1, 0.5]),
)
def test_output_and_gradients_match_the_formulas(rows, columns, heads, depth, probability):
    projected = narrow(rows, columns, 3, heads, depth, seed=columns)
    bits = keep_bits(projected, probability)
    (output, grad), (right, right_grad) = both(projected, bits, 1 - probability)
    assert error(output, right) < 0.01
    assert error(grad, right_grad) < 0.02


@pytest.mark.usefixtures("level")
@settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    rows=st.integers(1, 4),
    columns=st.integers(2, 70),
    kind=st.sampled_from(["position", "time", "both"]),
    timed=st.booleans(),
)
def test_a_bias_by_distance_matches_the_formulas(rows, columns, kind, timed):
    torch.manual_seed(columns)
    projected, grad = narrow(rows, columns, 3, 2, 32), narrow(rows, columns, 2, 32, seed=1)
    bits, untimed = keep_bits(projected, 0.3), torch.rand(rows) < 0.2
    # Gaps are small integers or up to 2**70; none is so close to a power of two that rounding would
    # change its bucket.
    times = (torch.rand(rows, columns, dtype=torch.float64) * 70).exp2().cumsum(1)
    steps = torch.arange(columns)
    distances = Distances(
        times if timed else None,
        untimed if timed else None,
        rows=rows,
        steps=(steps[:, None] - steps).clamp_(min=0),
    )
    bias = RelativeBias(2, kind=kind, max_history=80)
    for table in bias.parameters():
        nn.init.normal_(table)
    ours = projected.clone().requires_grad_()
    output = dropout_attention(ours, bits, 0.7, bias.kernel_bias(distances))
    output.backward(grad)
    found = {name: table.grad.clone() for name, table in bias.named_parameters()}
    bias.zero_grad()
    true = projected.float().requires_grad_()
    right = dropout_attention_plain(true, kept_mask(bits, columns, 0.7), bias(distances))
    right.backward(grad.float())
    assert error(output.detach(), right.detach()) < 0.01
    assert error(ours.grad, true.grad) < 0.02
    for name, table in bias.named_parameters():
        # The errors of a query cancel, so the sum may consist of rounding errors only.
        allowed = 0.1 * max(float(table.grad.norm()), (rows * columns) ** 0.5)
        assert float((found[name] - table.grad).norm()) < allowed


@pytest.mark.usefixtures("level")
@pytest.mark.parametrize("columns", [1, 31, 32, 65])
def test_gap_numbers_equal_the_buckets_of_the_plain_version(columns):
    times = (torch.arange(3 * columns).double() ** 3).view(3, columns)
    untimed = torch.tensor([False, True, False])
    numbers = gap_numbers(times, untimed, rows=3, columns=columns)
    true = gap_buckets(times[:, :, None] - times[:, None, :])
    true[1] = UNKNOWN
    assert torch.equal(numbers.mT[:, :columns, :columns].long(), true)
    assert (gap_numbers(None, None, rows=3, columns=columns) == UNKNOWN).all()


@pytest.mark.usefixtures("level")
def test_a_single_event_sees_itself():
    projected = narrow(3, 1, 3, 2, 32)
    output = dropout_attention(projected, keep_bits(projected, 0.0), 1.0)
    assert error(output, projected[:, :, 2]) < 0.01


@pytest.mark.usefixtures("level")
def test_positions_do_not_depend_on_later_ones():
    projected = narrow(2, 40, 3, 1, 32)
    bits = keep_bits(projected, 0.0)
    before = dropout_attention(projected, bits, 1.0)
    projected[:, 20:] += 1
    after = dropout_attention(projected, bits, 1.0)
    assert torch.equal(before[:, :20], after[:, :20])
    assert not torch.equal(before[:, 20:], after[:, 20:])


@pytest.mark.usefixtures("level")
@pytest.mark.parametrize("probability", [0.1, 0.5, 0.9])
def test_bits_are_dropped_with_the_given_probability(probability):
    torch.manual_seed(1)
    mask = kept_mask(keep_bits(narrow(20, 50, 3, 2, 32), probability), 50, 1 - probability)
    assert mask.shape == (40, 50, 50)
    assert mask.unique().tolist() == pytest.approx([0.0, 1 / (1 - probability)])
    deviation = (probability * (1 - probability) / mask.numel()) ** 0.5
    assert float((mask == 0).float().mean()) == pytest.approx(probability, abs=5 * deviation)


@pytest.mark.usefixtures("level")
def test_bits_repeat_with_torchs_seed_and_differ_between_calls():
    values = narrow(2, 50, 3, 2, 32)
    torch.manual_seed(3)
    first, second = keep_bits(values, 0.5), keep_bits(values, 0.5)
    torch.manual_seed(3)
    assert torch.equal(first, keep_bits(values, 0.5))
    assert not torch.equal(first, second)


@pytest.mark.usefixtures("level")
def test_the_kernel_reports_scores_that_are_too_large():
    projected = narrow(1, 5, 3, 1, 32) * 100
    assert dropout_attention(projected, keep_bits(projected, 0.5), 0.5) is None


@pytest.mark.usefixtures("level")
def test_the_layer_is_correct_if_scores_are_too_large():
    layer = SelfAttention(64, heads=2, dropout=0.5).train()
    hidden = narrow(10, 64) * 1000
    layout = Layout(2, 5, None, torch.tensor([0, 5, 10]))
    torch.manual_seed(0)
    with torch.autocast("cpu", torch.bfloat16):
        output = layer(hidden, layout)
    assert output.isfinite().all()


@pytest.mark.usefixtures("level")
@pytest.mark.parametrize("n_threads", [1, 2, 3])
def test_the_number_of_threads_does_not_change_the_result(n_threads):
    projected, before = narrow(7, 37, 3, 2, 32), torch.get_num_threads()
    bits = keep_bits(projected, 0.5)
    ours, _ = both(projected, bits, 0.5)
    try:
        torch.set_num_threads(n_threads)
        again, _ = both(projected, bits, 0.5)
    finally:
        torch.set_num_threads(before)
    assert all(torch.equal(*pair) for pair in zip(ours, again, strict=True))


def test_without_kernels_pytorch_computes_attention():
    layer = SelfAttention(64, heads=2, dropout=0.5).train()
    layout = Layout(1, 5, None, torch.tensor([0, 5]))
    with library.at_most(library.NONE), torch.autocast("cpu", torch.bfloat16):
        assert layer(narrow(5, 64), layout).isfinite().all()


def test_unsupported_or_slower_inputs_are_left_to_pytorch():
    if library.level() == library.NONE:
        pytest.skip("this processor, or this build, has no such products")
    parts = narrow(100, 3, 2, 32)
    with library.at_most(library.AVX512):
        assert supports(parts, 50)
        assert not supports(parts, 9)
    assert supports(parts, 9) == (library.level() == library.AMX)
    assert not supports(narrow(100, 3, 2, 8), 50)
    assert not supports(parts.float(), 50)
    with library.at_most(library.NONE):
        assert not supports(parts, 50)


@pytest.mark.usefixtures("level")
def test_a_bias_of_too_few_distances_is_refused():
    projected = narrow(2, 50, 3, 2, 32)
    bias = Bias(by_step=torch.zeros(20, 2))
    with pytest.raises(IndexError, match="50 distances"):
        dropout_attention(projected, keep_bits(projected, 0.5), 0.5, bias)
