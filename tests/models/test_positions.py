import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from sasrec.models.parts.dropout import drop_rows
from sasrec.models.parts.dropout_attention import dropout_attention, dropout_attention_plain
from sasrec.models.parts.positions import GAP_BUCKETS, gap_buckets, rotated


@pytest.mark.parametrize(
    ("gap", "bucket"),
    [
        (-5, 0),
        (0, 0),
        (0.9, 0),
        (1, 1),
        (1.9, 1),
        (2, 2),
        (3, 2),
        (86_400, 17),
        (1e30, GAP_BUCKETS - 1),
    ],
)
def test_each_bucket_is_twice_as_wide_as_the_one_before(gap, bucket):
    assert gap_buckets(torch.tensor([gap], dtype=torch.float64)).tolist() == [bucket]


@given(st.integers(0, 20), st.integers(0, 20), st.integers(1, 20))
def test_rotated_products_depend_on_the_distance_only(first, second, shift):
    torch.manual_seed(0)
    query, key = torch.randn(2, 1, 8, dtype=torch.float64)

    def product(at, other):
        return (
            rotated(query, torch.tensor([at]))[0] @ rotated(key, torch.tensor([other]))[0]
        ).item()

    assert product(first, second) == pytest.approx(product(first + shift, second + shift), abs=1e-5)


def test_rotation_keeps_norms_and_leaves_the_first_position_unchanged():
    values = torch.randn(18, 2, 3, 6)
    turned = rotated(values, torch.arange(9).repeat(2))
    assert torch.allclose(turned.norm(dim=-1), values.norm(dim=-1), atol=1e-5)
    assert torch.allclose(turned[[0, 9]], values[[0, 9]])
    assert not torch.allclose(turned[[1, 10]], values[[1, 10]], atol=1e-2)


@pytest.mark.parametrize("rows", [1, 3])
def test_fast_attention_with_a_bias_equals_the_plain_version_with_gradients(rows):
    torch.manual_seed(1)
    parts = torch.randn(3, 5, 3, 2, 4, dtype=torch.float64)
    bias = torch.randn(rows, 2, 5, 5, dtype=torch.float64)
    mask = (torch.rand(6, 5, 5) > 0.3).double() / 0.7
    found = []
    for attention in (dropout_attention, dropout_attention_plain):
        given = [each.clone().requires_grad_() for each in (parts, bias)]
        mixed = attention(given[0], mask, given[1])
        (mixed * torch.arange(mixed.numel()).view(mixed.shape)).sum().backward()
        found.append([mixed, given[0].grad, given[1].grad])
    for fast, plain in zip(*found, strict=True):
        assert torch.allclose(fast, plain, rtol=1e-10, atol=1e-9)


def test_rows_are_dropped_as_a_whole():
    torch.manual_seed(0)
    kept = drop_rows(torch.ones(20_000, 3), 0.25)
    assert torch.equal(kept[:, 0], kept[:, 2])
    assert kept.unique().tolist() == pytest.approx([0, 4 / 3])
    assert (kept[:, 0] == 0).float().mean() == pytest.approx(0.25, abs=0.02)
