"""Which implementation of attention a layer chooses."""

import pytest
import torch

from sasrec.kernels import library
from sasrec.models.parts.attention import SelfAttention, choose_attention
from sasrec.models.parts.attention_paths import (
    AttentionOptions,
    attend_compiled,
    attend_fused,
    attend_packed,
    attend_with_dropout,
)
from sasrec.models.parts.layers import Layout
from sasrec.models.parts.positions import Distances, RelativeBias
from sasrec.models.parts.recording import recorded_attention

RAGGED = Layout(2, 40, torch.arange(60), torch.tensor([0, 40, 60]))
EVEN = Layout(2, 40, None, torch.tensor([0, 40, 80]))
BIAS = RelativeBias(2, kind="position", max_history=40)


def way(device: str, layout: Layout, *, causal=True, dropout=0.2, bias=None, width=32):
    """Return the implementation chosen for bfloat16 values on a device, which may be fake."""
    parts = torch.empty(0, 3, 2, width, dtype=torch.bfloat16, device="meta")
    if device == "cpu":
        parts = torch.empty(80, 3, 2, width, dtype=torch.bfloat16)
    if device == "cuda":
        parts = _OnCuda(parts)
    return choose_attention(parts, AttentionOptions(layout, causal, dropout, bias, None), None)


class _OnCuda:
    """A tensor that reports a GPU as its device."""

    def __init__(self, like):
        self.device, self.shape, self.dtype = torch.device("cuda"), like.shape, like.dtype


@pytest.mark.parametrize(
    ("layout", "asked", "expected"),
    [
        (RAGGED, {}, attend_packed),
        (RAGGED, {"causal": False, "dropout": 0.0}, attend_packed),
        (RAGGED, {"bias": BIAS}, attend_fused),
        (EVEN, {}, attend_fused),
    ],
)
def test_on_a_gpu_windows_of_unequal_length_are_packed(layout, asked, expected):
    assert way("cuda", layout, **asked) is expected


@pytest.mark.parametrize("layout", [RAGGED, EVEN])
def test_on_a_cpu_causal_dropout_uses_its_own_implementations(layout):
    assert way("cpu", layout, dropout=0.0) is attend_fused
    assert way("cpu", layout, causal=False) is attend_fused
    assert way("cpu", layout, width=8) is attend_with_dropout
    with library.at_most(library.NONE):
        assert way("cpu", layout) is attend_with_dropout
    if library.level() == library.NONE:
        pytest.skip("this processor, or this build, has no such products")
    assert way("cpu", layout) is attend_compiled


@pytest.mark.parametrize("causal", [True, False])
@pytest.mark.parametrize("biased", [True, False])
def test_recording_does_not_change_the_output(causal, biased):
    torch.manual_seed(0)
    bias = RelativeBias(2, kind="position", max_history=40) if biased else None
    layer = SelfAttention(8, heads=2, dropout=0.5, causal=causal, bias=bias).eval()
    for parameter in layer.parameters():
        torch.nn.init.normal_(parameter)
    steps = torch.arange(5)
    distances = Distances(None, None, rows=2, steps=(steps[:, None] - steps).clamp_(min=0))
    layout = Layout(2, 5, torch.tensor([0, 1, 2, 3, 4, 5, 6]), torch.tensor([0, 5, 7]))
    hidden = torch.randn(7, 8)
    plain = layer(hidden, layout, distances=distances)
    with recorded_attention(layer) as kept:
        recorded = layer(hidden, layout, distances=distances)
    assert [each.shape for each in kept] == [(2, 2, 5, 5)]
    assert torch.allclose(plain, recorded, atol=1e-5)
    assert torch.allclose(kept[0].sum(-1), torch.ones(2, 2, 5))
