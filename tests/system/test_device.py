"""Settings of the process that a run on a GPU changes and restores."""

import os
from collections.abc import Iterator

import pytest
import torch

from sasrec.system.device import CUBLAS_WORKSPACE, deterministic_operations

GPU = torch.device("cuda")  # works without a GPU


@pytest.fixture(autouse=True)
def _as_found() -> Iterator[None]:
    yield
    torch.use_deterministic_algorithms(False)


def flags() -> tuple[bool, bool, str | None]:
    return (
        torch.are_deterministic_algorithms_enabled(),
        torch.is_deterministic_algorithms_warn_only_enabled(),
        os.environ.get(CUBLAS_WORKSPACE),
    )


@pytest.mark.parametrize("own", [None, ":16:8"])
@pytest.mark.parametrize(("on", "only_warns"), [(False, False), (True, False), (True, True)])
def test_the_flags_of_a_gpu_are_restored(
    monkeypatch: pytest.MonkeyPatch, own: str | None, on: bool, only_warns: bool
) -> None:
    monkeypatch.delenv(CUBLAS_WORKSPACE, raising=False)
    if own is not None:
        monkeypatch.setenv(CUBLAS_WORKSPACE, own)
    torch.use_deterministic_algorithms(on, warn_only=only_warns)
    before = flags()
    with deterministic_operations(GPU):
        assert flags() == (True, True, own or ":4096:8")
        with deterministic_operations(GPU):
            pass
        assert flags() == (True, True, own or ":4096:8")
    assert flags() == before
    with pytest.raises(KeyError), deterministic_operations(GPU):
        raise KeyError
    assert flags() == before


def test_a_cpu_needs_no_flags() -> None:
    before = flags()
    with deterministic_operations(torch.device("cpu")):
        assert flags() == before
