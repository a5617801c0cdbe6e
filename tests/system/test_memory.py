import importlib
import platform
import subprocess
import sys
import textwrap

import pytest
import torch

from sasrec.system import memory
from sasrec.system.memory import (
    current_bytes,
    freed_memory_kept,
    peak_bytes,
    release_memory_after,
    reset_peak,
)

has_glibc = pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="needs glibc")


@has_glibc
def test_glibc_accepts_the_settings() -> None:
    with freed_memory_kept() as done:
        assert done


def test_without_glibc_nothing_happens(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "_glibc", lambda: None)
    with release_memory_after(), freed_memory_kept() as done:
        assert not done


def test_training_does_not_need_a_module_that_only_unix_has(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "resource", None)
    importlib.reload(memory)


HELD = """
import os, threading
from pathlib import Path
import torch
from sasrec.losses.full import softmax_cross_entropy
from sasrec.losses.workspace import Workspace
from sasrec.system.memory import freed_memory_kept, release_memory_after

SIZE = 2**27  # larger than any block that glibc keeps by default

def held():
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")

def is_kept():
    before = held()
    used = torch.ones(SIZE, dtype=torch.int8)
    del used
    return held() - before > SIZE // 2

assert not is_kept()
"""


def alone(code: str) -> None:
    """Run code in a new process, whose memory no other test has used."""
    subprocess.run([sys.executable, "-c", HELD + textwrap.dedent(code)], check=True)


@has_glibc
def test_freed_memory_is_kept_within_the_block_only() -> None:
    alone(
        """
        before = held()
        with release_memory_after():
            with freed_memory_kept():
                assert is_kept()
            assert held() > before + SIZE // 2
        assert held() < before + SIZE // 2
        assert not is_kept()
        """
    )


@has_glibc
def test_freed_memory_is_kept_until_the_last_thread_ends() -> None:
    alone(
        """
        started, may_end = threading.Event(), threading.Event()
        def other():
            with freed_memory_kept():
                started.set()
                may_end.wait(60)
        thread = threading.Thread(target=other)
        thread.start()
        assert started.wait(60)
        with release_memory_after():
            pass
        assert is_kept()
        may_end.set()
        thread.join()
        with release_memory_after():
            pass
        assert not is_kept()
        """
    )


@has_glibc
def test_a_large_call_returns_its_memory() -> None:
    alone(
        """
        hidden, table = torch.randn(512, 4), torch.randn(100_000, 4)
        targets = torch.ones(512, dtype=torch.int64)
        softmax_cross_entropy(hidden, targets, table[:1000])
        before, workspace = held(), Workspace()
        softmax_cross_entropy(hidden, targets, table, workspace=workspace)
        assert held() > before + 150_000_000  # 512 x 100,000 scores take 205 MB
        del workspace
        softmax_cross_entropy(hidden, targets, table)
        assert held() < before + 50_000_000
        """
    )


def test_resetting_the_peak_forgets_freed_memory() -> None:
    if not reset_peak():  # forgets the earlier tests of this process
        pytest.skip("this system keeps its peak")
    before = peak_bytes()
    large = torch.ones(2**26)  # 256 MB
    assert peak_bytes() > before + 2**27
    del large
    assert reset_peak()
    assert peak_bytes() < before + 2**27


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells the current use")
def test_current_memory_grows_with_what_is_held() -> None:
    before = current_bytes()
    held = torch.ones(2**24)  # 64 MiB
    after = current_bytes()
    assert before is not None
    assert after is not None
    assert 2**25 < after - before < 2**28, held.numel()
    assert after <= peak_bytes() + 2**22  # the kernel counts both a little late
