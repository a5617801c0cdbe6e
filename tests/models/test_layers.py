import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st

from sasrec.data.batches.batching import Batch
from sasrec.models.parts.attention import SelfAttention
from sasrec.models.parts.dropout import Dropout, keep_mask
from sasrec.models.parts.dropout_attention import dropout_attention, dropout_attention_plain
from sasrec.models.parts.feed_forward import ACTIVATIONS, FeedForward
from sasrec.models.parts.layers import layout_of, pad, unpad


def batch_of(lengths):
    offsets = torch.tensor([0, *np.cumsum(lengths)])
    zeros = torch.zeros(int(offsets[-1]), dtype=torch.int64)
    rows = torch.zeros(len(lengths), dtype=torch.int64)
    return Batch(zeros, offsets, zeros, rows, None, max(lengths))


@given(st.lists(st.integers(1, 9), min_size=1, max_size=9), st.integers(1, 5))
def test_unpadding_undoes_padding(lengths, width):
    values = torch.randn(sum(lengths), width)
    layout = layout_of(batch_of(lengths))
    padded = pad(values, layout)
    assert padded.shape == (len(lengths), max(lengths), width)
    assert torch.equal(unpad(padded, layout), values)
    for row, window in zip(padded, values.split(lengths), strict=True):
        assert torch.equal(row[: len(window)], window)
        assert (row[len(window) :] == 0).all()


@given(st.lists(st.integers(1, 9), min_size=1, max_size=9))
def test_positions_count_from_each_windows_oldest_event(lengths):
    table = torch.arange(10.0)[:, None]
    added = layout_of(batch_of(lengths)).add_by_position(torch.zeros(sum(lengths), 1), table)
    assert added[:, 0].tolist() == [place for length in lengths for place in range(length)]


@pytest.mark.parametrize(("lengths", "same"), [([3, 3], True), ([5], True), ([3, 2], False)])
def test_windows_of_one_length_are_laid_out_without_copying(lengths, same):
    values = torch.randn(sum(lengths), 2)
    padded = pad(values, layout_of(batch_of(lengths)))
    assert (padded.data_ptr() == values.data_ptr()) is same


@pytest.mark.parametrize("probability", [0.0, 0.1, 0.5, 0.9])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_a_mask_has_the_right_share_of_zeros_and_mean_one(probability, dtype):
    torch.manual_seed(0)
    size = 200_001
    mask = keep_mask(torch.Size([3, size // 3]), probability, dtype)
    assert mask.shape == (3, size // 3)
    assert mask.dtype == dtype
    # Five standard errors of a share.
    tolerance = 5 * (probability * (1 - probability) / size) ** 0.5
    assert (mask == 0).float().mean() == pytest.approx(probability, abs=tolerance + 1e-9)
    exact = 1 / (1 - probability)
    kept = mask[mask > 0].double()
    assert torch.allclose(kept, torch.tensor(exact).double(), rtol=2**-8, atol=0)  # bfloat16
    if dtype != torch.bfloat16:
        assert mask.double().mean() == pytest.approx(1, abs=tolerance * exact + 1e-6)


@pytest.mark.parametrize("size", [1, 2, 3, 4, 5, 63])
def test_masks_of_any_size_have_valid_values(size):
    mask = keep_mask(torch.Size([size]), 0.5, torch.float32)
    assert mask.shape == (size,)
    assert set(mask.tolist()) <= {0.0, 2.0}


def test_neighbours_in_a_mask_are_independent():
    torch.manual_seed(0)
    kept = keep_mask(torch.Size([200_000]), 0.5, torch.float32) - 1  # -1 or 1
    for distance in (1, 2, 3, 4):
        # Five standard errors, 1/sqrt(200,000) each.
        assert (kept[distance:] * kept[:-distance]).mean().abs() < 5 * 200_000**-0.5


def test_dropout_repeats_with_torchs_seed_and_differs_between_calls():
    dropout, values = Dropout(0.5), torch.ones(1000)
    torch.manual_seed(1)
    first, second = dropout(values), dropout(values)
    torch.manual_seed(1)
    assert torch.equal(dropout(values), first)
    assert not torch.equal(first, second)


@pytest.mark.parametrize(("probability", "training"), [(0.0, True), (0.5, False)])
def test_dropout_leaves_values_alone_when_it_is_off(probability, training):
    values = torch.randn(5)
    assert Dropout(probability).train(training)(values) is values


def test_gradients_pass_where_values_passed():
    values = torch.ones(500, requires_grad=True)
    dropped = Dropout(0.3)(values)
    dropped.sum().backward()
    assert torch.equal(values.grad, dropped.detach())


def projected(rows, columns, heads, depth, *, seed=0, scale=1.0):
    generator = torch.Generator().manual_seed(seed)
    shape = (rows, columns, 3, heads, depth)
    return torch.randn(shape, generator=generator, dtype=torch.float64) * scale


def ones(rows, columns, heads, depth):
    return torch.ones(rows * heads, columns, columns, dtype=torch.float64)


SHAPES = [(1, 1, 1, 2), (2, 7, 3, 4), (3, 20, 1, 5), (1, 2, 2, 1)]


@pytest.mark.parametrize("attention", [dropout_attention, dropout_attention_plain])
@pytest.mark.parametrize("shape", SHAPES)
def test_attention_without_dropout_equals_fused_attention(shape, attention):
    parts = projected(*shape)
    query, key, value = parts.permute(2, 0, 3, 1, 4)
    expected = F.scaled_dot_product_attention(query, key, value, is_causal=True).transpose(1, 2)
    assert torch.allclose(attention(parts, ones(*shape)), expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("scale", [1.0, 30.0, 1000.0])
@pytest.mark.parametrize("shape", SHAPES)
def test_fast_attention_equals_the_plain_version(shape, scale):
    torch.manual_seed(0)
    parts = projected(*shape, scale=scale)
    before = parts.clone()
    mask = keep_mask(ones(*shape).shape, 0.5, torch.float64)
    weights = torch.randn(shape[0], shape[1], shape[2], shape[3], dtype=torch.float64)
    found = []
    for attention in (dropout_attention, dropout_attention_plain):
        given = parts.clone().requires_grad_()
        mixed = attention(given, mask)
        (mixed * weights).sum().backward()
        found.append((mixed.detach(), given.grad))
    assert torch.equal(parts, before)
    for fast, plain in zip(*found, strict=True):
        assert torch.allclose(fast, plain, rtol=1e-9, atol=1e-9 * scale)


def test_gradients_of_fast_attention_pass_gradcheck():
    mask = keep_mask(torch.Size([4, 5, 5]), 0.3, torch.float64)
    parts = projected(2, 5, 2, 3).requires_grad_()
    assert torch.autograd.gradcheck(lambda given: dropout_attention(given, mask), parts)


def test_fast_attention_in_bfloat16_equals_the_plain_version_to_its_precision():
    parts = projected(4, 30, 2, 8).bfloat16()
    mask = keep_mask(torch.Size([8, 30, 30]), 0.5, torch.bfloat16)
    exact = dropout_attention_plain(parts.double(), mask.double())
    assert (dropout_attention(parts, mask) - exact).abs().max() < 2**-6 * exact.abs().max()


def test_dropout_does_not_change_the_expected_attention():
    parts = projected(1, 4, 1, 2).float()
    exact = dropout_attention_plain(parts, torch.ones(1, 4, 4))
    torch.manual_seed(0)
    mask = keep_mask(torch.Size([40_000, 4, 4]), 0.5, torch.float32)
    dropped = dropout_attention(parts.expand(40_000, -1, -1, -1, -1), mask)
    error = dropped.std(0, keepdim=True) / 200  # of the mean of 40,000
    assert ((dropped.mean(0, keepdim=True) - exact).abs() <= 5 * error + 1e-6).all()


def test_dropout_applies_to_probabilities_not_to_values():
    # With values of one everywhere a row is the sum of its kept probabilities: at the first
    # position, which sees only itself, 0 or 2, and the same in each column of the head.
    parts = projected(500, 3, 1, 4)
    parts[:, :, 2] = 1
    torch.manual_seed(0)
    mixed = dropout_attention(parts, keep_mask(torch.Size([500, 3, 3]), 0.5, torch.float64))
    assert set(mixed[:, 0].flatten().round(decimals=12).tolist()) == {0.0, 2.0}
    assert torch.allclose(mixed, mixed[..., :1].expand_as(mixed))
    assert mixed[:, 2].unique().numel() > 100


def test_attention_is_dropped_while_training_only():
    torch.manual_seed(0)
    attention = SelfAttention(8, heads=2, dropout=0.5)
    layout = layout_of(batch_of([5, 3]))
    hidden = torch.randn(8, 8)
    assert not torch.equal(attention(hidden, layout), attention(hidden, layout))
    attention.eval()
    assert torch.equal(attention(hidden, layout), attention(hidden, layout))


def test_attention_matches_the_formula():
    torch.manual_seed(0)
    attention = SelfAttention(6, heads=2, dropout=0.5).double().eval()
    hidden = torch.randn(4, 6, dtype=torch.float64)
    query, key, value = attention.query_key_value(hidden).split(6, dim=1)
    parts = []
    for head in (slice(0, 3), slice(3, 6)):
        rows = []
        for place in range(4):
            scores = query[place, head] @ key[: place + 1, head].T / 3**0.5
            rows.append(scores.softmax(0) @ value[: place + 1, head])
        parts.append(torch.stack(rows))
    expected = attention.output(torch.cat(parts, dim=1))
    assert torch.allclose(attention(hidden, layout_of(batch_of([4]))), expected, atol=1e-12)


@pytest.mark.parametrize(
    ("name", "at_one"),
    [
        ("gelu", 0.8413447460685429),  # 1 * Phi(1)
        ("relu", 1.0),
        ("swish", 0.7310585786300049),
        ("tanh", 0.7615941559557649),
        ("sigmoid", 0.7310585786300049),
    ],
)
def test_activations_match_their_names(name, at_one):
    at = ACTIVATIONS[name](torch.tensor([1.0], dtype=torch.float64))
    assert at.item() == pytest.approx(at_one, rel=1e-12)


def test_feed_forward_treats_each_position_separately():
    torch.manual_seed(0)
    layer, hidden = FeedForward(4, inner=6, activation="relu"), torch.randn(3, 4)
    alone = torch.cat([layer(position[None]) for position in hidden])
    assert torch.allclose(layer(hidden), alone, atol=1e-6)
