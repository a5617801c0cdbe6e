import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st

from sasrec.data.batching import Batch
from sasrec.models.layers import (
    ACTIVATIONS,
    CausalSelfAttention,
    Dropout,
    FeedForward,
    attention_with_dropout,
    keep_mask,
    layout_of,
    pad,
    unpad,
)


def batch_of(lengths):
    offsets = torch.tensor([0, *np.cumsum(lengths)])
    zeros = torch.zeros(int(offsets[-1]), dtype=torch.int64)
    rows = torch.zeros(len(lengths), dtype=torch.int64)
    return Batch(zeros, offsets, zeros, rows, None, max(lengths))


def heads(*shape, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return [torch.randn(*shape, generator=generator, dtype=torch.float64) for _ in range(3)]


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
    positions = layout_of(batch_of(lengths)).positions
    assert positions.tolist() == [place for length in lengths for place in range(length)]


@pytest.mark.parametrize(("lengths", "same"), [([3, 3], True), ([5], True), ([3, 2], False)])
def test_windows_of_one_length_are_laid_out_without_copying(lengths, same):
    values = torch.randn(sum(lengths), 2)
    padded = pad(values, layout_of(batch_of(lengths)))
    assert (padded.data_ptr() == values.data_ptr()) is same


@pytest.mark.parametrize("probability", [0.0, 0.1, 0.5, 0.9])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_a_mask_has_its_share_of_zeros_and_mean_one(probability, dtype):
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
def test_masks_of_any_size_are_whole(size):
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


@pytest.mark.parametrize("shape", [(1, 1, 1, 2), (2, 3, 7, 4), (3, 1, 20, 5)])
def test_attention_with_dropout_zero_is_fused_attention(shape):
    query, key, value = heads(*shape)
    expected = F.scaled_dot_product_attention(query, key, value, is_causal=True)
    # Both round in float64.
    assert torch.allclose(
        attention_with_dropout(query, key, value, Dropout(0.0)), expected, rtol=0, atol=1e-12
    )


def test_dropped_attention_has_the_same_expectation():
    query, key, value = (part.float() for part in heads(1, 1, 4, 2))
    exact = F.scaled_dot_product_attention(query, key, value, is_causal=True)
    torch.manual_seed(0)
    repeated = [part.expand(40_000, 1, 4, 2) for part in (query, key, value)]
    dropped = attention_with_dropout(*repeated, Dropout(0.5))
    error = dropped.std(0, keepdim=True) / 200  # of the mean of 40,000
    assert ((dropped.mean(0, keepdim=True) - exact).abs() <= 5 * error + 1e-6).all()


def test_dropout_falls_on_probabilities_not_on_values():
    # With values of one everywhere a row is the sum of its kept probabilities: at the first
    # position, which sees only itself, 0 or 2, and the same in each column of the head.
    query, key, _ = heads(500, 1, 3, 4)
    torch.manual_seed(0)
    mixed = attention_with_dropout(query, key, torch.ones_like(query), Dropout(0.5))
    assert set(mixed[:, :, 0].flatten().tolist()) == {0.0, 2.0}
    assert torch.allclose(mixed, mixed[..., :1].expand_as(mixed))
    assert mixed[:, :, 2].unique().numel() > 100


def test_attention_is_dropped_while_training_only():
    torch.manual_seed(0)
    attention = CausalSelfAttention(8, heads=2, dropout=0.5)
    layout = layout_of(batch_of([5, 3]))
    hidden = torch.randn(8, 8)
    assert not torch.equal(attention(hidden, layout), attention(hidden, layout))
    attention.eval()
    assert torch.equal(attention(hidden, layout), attention(hidden, layout))


def test_attention_is_what_the_formula_says():
    torch.manual_seed(0)
    attention = CausalSelfAttention(6, heads=2, dropout=0.5).double().eval()
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
def test_activations_are_the_ones_of_their_names(name, at_one):
    at = ACTIVATIONS[name](torch.tensor([1.0], dtype=torch.float64))
    assert at.item() == pytest.approx(at_one, rel=1e-12)


def test_feed_forward_treats_each_position_alone():
    torch.manual_seed(0)
    layer, hidden = FeedForward(4, inner=6, activation="relu"), torch.randn(3, 4)
    alone = torch.cat([layer(position[None]) for position in hidden])
    assert torch.allclose(layer(hidden), alone, atol=1e-6)
