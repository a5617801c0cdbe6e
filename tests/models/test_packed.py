from unittest import mock

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from sasrec.data.batches.batching import Batch
from sasrec.models.parts import attention as module
from sasrec.models.parts.attention import SelfAttention
from sasrec.models.parts.attention_paths import attend_fused
from sasrec.models.parts.layers import layout_of
from sasrec.models.parts.packed import packed_attention, packed_attention_plain


def batch_of(lengths: list[int]) -> Batch:
    offsets = torch.tensor([0, *lengths]).cumsum(0)
    items = torch.arange(1, sum(lengths) + 1)
    return Batch(items, offsets, items, torch.zeros(len(lengths)).long(), None, max(lengths))


@given(st.lists(st.integers(1, 9), min_size=1, max_size=6), st.booleans(), st.booleans())
def test_packed_attention_equals_attention_over_padded_windows(lengths, causal, rotary):
    torch.manual_seed(0)
    attention = SelfAttention(8, heads=2, dropout=0.5, causal=causal, rotary=rotary).double().eval()
    hidden = torch.randn(sum(lengths), 8, dtype=torch.float64, requires_grad=True)
    layout = layout_of(batch_of(lengths))
    outcomes = []

    def plain(parts, view):
        offsets = view.layout.offsets
        return packed_attention_plain(parts, offsets, causal=view.causal).flatten(1)

    for way in (attend_fused, plain):
        with mock.patch.object(module, "choose_attention", return_value=way):
            found = attention(hidden, layout)
        gradient = torch.autograd.grad((found * torch.arange(8)).sum(), hidden)[0]
        outcomes.append((found, gradient))
    for one, other in zip(*outcomes, strict=True):
        assert torch.allclose(one, other, atol=1e-12)


def test_a_window_does_not_depend_on_its_neighbours():
    torch.manual_seed(0)
    parts = torch.randn(7, 3, 2, 4, dtype=torch.float64)
    offsets = torch.tensor([0, 3, 7])
    before = packed_attention_plain(parts, offsets, causal=True)
    parts[3:] += 1
    after = packed_attention_plain(parts, offsets, causal=True)
    assert torch.equal(before[:3], after[:3])
    assert not torch.allclose(before[3:], after[3:])


@pytest.mark.parametrize("lengths", [[4, 4], [4, 1, 3]])
def test_steps_count_from_the_start_of_each_window(lengths):
    expected = [step for length in lengths for step in range(length)]
    assert layout_of(batch_of(lengths)).steps.tolist() == expected


def kernel(query, key, value, begins, *_, causal, scale):
    """What the GPU's kernels compute, and that they refuse heads of odd sizes."""
    size = query.shape[-1]
    assert size % 8 == 0
    parts = torch.stack([query, key, value], 1)
    parts[:, 0] *= scale * size**0.5
    return packed_attention_plain(parts, begins, causal=causal)


def flash(*args, **kept):
    assert not kept["return_debug_mask"]
    return (kernel(*args[:4], causal=args[8], scale=kept["scale"]), None)


def efficient(query, key, value, bias, *args, **kept):
    assert bias is None
    causal = bool(kept["custom_mask_type"])
    found = kernel(query[0], key[0], value[0], args[0], causal=causal, scale=kept["scale"])
    return (found[None], None)


@pytest.mark.parametrize("size", [5, 8, 25])
@pytest.mark.parametrize("causal", [True, False])
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32])
def test_heads_of_any_width_are_padded_for_the_kernels(monkeypatch, size, causal, dtype):
    monkeypatch.setattr(torch.ops.aten, "_flash_attention_forward", flash)
    monkeypatch.setattr(torch.ops.aten, "_efficient_attention_forward", efficient)
    torch.manual_seed(0)
    parts = torch.randn(9, 3, 2, size).to(dtype)
    offsets = torch.tensor([0, 2, 9])
    found = packed_attention(parts, offsets, longest=7, dropout=0.0, causal=causal)
    expected = packed_attention_plain(parts, offsets, causal=causal)
    assert found.shape == (9, 2, size)
    assert torch.allclose(found, expected, atol=1e-5 if dtype == torch.float32 else 0.05)
