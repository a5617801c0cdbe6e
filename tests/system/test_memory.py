import importlib
import platform
import sys

import pytest
import torch

from sasrec.system import memory
from sasrec.system.memory import forget_peak, keep_freed_memory, peak_bytes


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc can be told")
def test_glibc_takes_the_settings() -> None:
    assert keep_freed_memory()


def test_elsewhere_nothing_happens(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "libc_ver", lambda: ("", ""))
    assert not keep_freed_memory()


def test_training_can_do_without_a_module_that_only_unix_has(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "resource", None)
    assert importlib.reload(memory).keep_freed_memory() in {True, False}


def test_a_peak_is_forgotten_with_what_was_freed() -> None:
    before = peak_bytes()
    large = torch.ones(2**26)  # 256 MB
    assert peak_bytes() > before + 2**27
    del large
    if not forget_peak():
        pytest.skip("this system keeps its peak")
    assert peak_bytes() < before + 2**27
