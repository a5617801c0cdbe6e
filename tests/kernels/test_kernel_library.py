import ctypes
import hashlib
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from kernel_inputs import error

from sasrec.data.batches.batching import Batch
from sasrec.errors import SettingsError
from sasrec.kernels import attention as kernel
from sasrec.kernels import library
from sasrec.kernels.attention import kept_mask
from sasrec.losses.full import softmax_cross_entropy
from sasrec.models.contract import Catalogue
from sasrec.models.parts.dropout_attention import dropout_attention_plain
from sasrec.models.sasrec import SASRec, SASRecSettings


def level_with(**variables):
    """Return the level that a new process reports with these environment variables."""
    code = "from sasrec.kernels import library; print(library.level())"
    ended = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        check=True,
    )
    return int(ended.stdout)


def test_an_environment_variable_switches_kernels_off():
    assert level_with(SASREC_KERNELS="off") == library.NONE
    assert level_with(SASREC_KERNELS="avx512") <= library.AVX512


def test_a_misspelt_variable_is_refused(monkeypatch):
    monkeypatch.setenv("SASREC_KERNELS", "of")
    with pytest.raises(SettingsError, match="SASREC_KERNELS is 'of'; set it to 'off' or 'avx512'"):
        library._loaded.__wrapped__()


def test_without_a_library_there_is_no_level(monkeypatch):
    monkeypatch.setattr(library, "LIBRARY", Path("absent"))
    assert library._loaded.__wrapped__() == (None, library.NONE)


def test_a_library_that_cannot_be_loaded_is_ignored(monkeypatch, tmp_path):
    (tmp_path / "library").write_bytes(b"no library at all")
    monkeypatch.setattr(library, "LIBRARY", tmp_path / "library")
    assert library._loaded.__wrapped__() == (None, library.NONE)


def test_the_interface_number_is_the_hash_of_the_sources():
    """If this fails after a change of the C sources, copy the right number into library.py."""
    whole, folder = hashlib.sha256(), library.LIBRARY.parent
    for path in (*sorted(folder.glob("*.c")), *sorted(folder.glob("*.h"))):
        whole.update(path.read_bytes())
    assert f"{library.SOURCE_HASH:012x}" == whole.hexdigest()[:12]


@pytest.mark.skipif(not library.LIBRARY.is_file(), reason="kernels were not built")
def test_a_library_of_other_sources_is_not_used_and_logs_a_warning(monkeypatch, caplog):
    assert library._loaded.__wrapped__()[0] is not None
    assert not caplog.records
    monkeypatch.setattr(library, "SOURCE_HASH", library.SOURCE_HASH + 1)
    assert library._loaded.__wrapped__() == (None, library.NONE)
    [record] = caplog.records
    assert "does not match this version's C sources and is not used" in record.getMessage()
    assert len(record.getMessage().splitlines()) == 1


def test_a_library_without_a_source_hash_counts_as_one_of_other_sources():
    assert library._source_hash_of(SimpleNamespace()) == 0 != library.SOURCE_HASH


def test_limits_can_be_nested():
    before = library.level()
    with library.at_most(library.AVX512):
        assert library.level() == min(before, library.AVX512)
        with library.at_most(library.NONE):
            assert library.level() == library.NONE
        assert library.level() == min(before, library.AVX512)
    assert library.level() == before


@pytest.mark.skipif(not library.is_available(), reason="kernels were not built")
def test_available_kernels_names_the_level(monkeypatch):
    for level, word in enumerate(("plain", "avx512", "amx")):
        monkeypatch.setattr(library, "level", lambda level=level: level)
        assert library.available_kernels() == word
    with library.at_most(library.NONE):
        assert library.available_kernels() == "none"


@pytest.mark.usefixtures("level")
@pytest.mark.parametrize(
    "form",
    [
        {},
        {"block": "pre_norm", "output_norm": True, "positions": "reversed"},
        {"block": "paper", "hidden_act": "relu"},
        {"block": "gated", "feed_forward": "swiglu", "positions": "none"},
        {"similarity": "cosine", "temperature": 0.1, "norm": "rms", "relative_bias": "both"},
    ],
)
def test_a_step_equals_pytorchs_to_the_precision_of_bfloat16(form):
    """Loss and gradients of whole networks without dropout."""
    torch.manual_seed(0)
    settings = SASRecSettings(
        hidden_dropout_prob=0, attn_dropout_prob=0, initializer_range=0.1, **form
    )
    model = SASRec(settings, Catalogue(90, 0, 20)).train()
    batch = some_windows(rows=7, columns=20, n_items=90)
    exact = value_and_gradients(model, batch)
    with torch.autocast("cpu", torch.bfloat16):
        ours = value_and_gradients(model, batch)
        with library.at_most(library.NONE):
            theirs = value_and_gradients(model, batch)
    for name, true in exact.items():
        # Gradients close to zero consist of rounding errors with any implementation.
        allowed = max(2 * error(theirs[name], true), 0.02)
        assert error(ours[name], true) < allowed or true.norm() < 1e-4, name


@pytest.mark.usefixtures("level")
@pytest.mark.parametrize("kind", ["none", "both"])
def test_attention_inside_a_network_equals_the_plain_version(kind, monkeypatch):
    """Both with attention dropout by the same bits."""
    torch.manual_seed(0)
    settings = SASRecSettings(
        hidden_dropout_prob=0, attn_dropout_prob=0.3, relative_bias=kind, time_dropout_prob=0
    )
    model = SASRec(settings, Catalogue(90, 0, 40)).train()
    batch = some_windows(rows=5, columns=40, n_items=90)
    calls = []

    def plain(projected, bits, kept, bias):
        calls.append(bias)
        mask = kept_mask(bits, projected.shape[1], kept).to(projected.dtype)
        return dropout_attention_plain(projected.float(), mask.float(), added(bias)).bfloat16()

    def added(bias):
        if bias.numbers is None:
            return None
        gaps = bias.by_gap[bias.numbers.mT[:, :40, :40].long()].permute(0, 3, 1, 2)
        steps = torch.arange(40)
        return gaps + bias.by_step[(steps[:, None] - steps).clamp(min=0)].permute(2, 0, 1)

    with torch.autocast("cpu", torch.bfloat16):
        ours = value_and_gradients(model, batch)
        monkeypatch.setattr(kernel, "dropout_attention", plain)
        theirs = value_and_gradients(model, batch)
    assert len(calls) == settings.n_layers
    for name, true in theirs.items():
        allowed = 0.05 * max(1e-2, float(true.norm()))
        assert float((ours[name] - true).norm()) < allowed, name


def some_windows(rows, columns, n_items):
    items = torch.randint(1, n_items + 1, (rows * columns + 1,))
    return Batch(
        items=items[:-1],
        offsets=torch.arange(rows + 1) * columns,
        targets=items[1:],
        users=torch.zeros(rows, dtype=torch.int64),
        negatives=None,
        longest=columns,
        times=torch.arange(rows * columns).double() ** 2,
        n_supervised=rows * columns,
    )


def value_and_gradients(model, batch):
    model.zero_grad()
    torch.manual_seed(1)
    loss = softmax_cross_entropy(model(batch), batch.targets, model.item_table)
    loss.backward()
    gradients = {
        name: weight.grad.clone()
        for name, weight in model.named_parameters()
        if weight.grad is not None
    }
    return {"loss": loss.detach(), **gradients}


def test_arguments_that_a_kernel_would_misread_are_refused():
    if library.level() == library.NONE:
        pytest.skip("this processor, or this build, has no such products")
    with pytest.raises(ValueError, match="strides"):
        library.call("bits", torch.empty(4, 4, dtype=torch.int32).T, 16, 0, 0)
    with pytest.raises(ctypes.ArgumentError):
        library.call("bits", torch.empty(4, dtype=torch.int32), 4.0, 0, 0)
    with pytest.raises(TypeError):
        library.call("bits", torch.empty(4, dtype=torch.int32))
