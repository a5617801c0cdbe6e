"""Resolve the settings ``device`` and ``precision`` for this machine."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from sasrec.errors import DeviceError, counted

CUBLAS_WORKSPACE = "CUBLAS_WORKSPACE_CONFIG"


def pick_device(name: str, gpu_id: str = "0", local: int = 0) -> torch.device:
    """Return the device that a setting selects.

    Args:
        name: ``auto``, ``cpu`` or ``cuda``.
        gpu_id: Number of the GPU, or several numbers separated by commas.
        local: Number of this process on this machine, from 0. Process i uses the i-th GPU in
            ``gpu_id``; if ``gpu_id`` holds a single number g, process i uses GPU g + i.

    Returns:
        The device; ``auto`` selects a GPU if the machine has one.

    Raises:
        DeviceError: The name is unknown, or the machine does not have the requested GPU.
    """
    if name not in {"auto", "cpu", "cuda"}:
        raise DeviceError(f"device is {name!r}; choose 'auto', 'cpu' or 'cuda'")
    available = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if name == "cuda" and not available:
        raise DeviceError(
            "device is 'cuda', but this machine has no usable GPU; use 'cpu' or 'auto'"
        )
    if name == "cpu" or not available or not gpu_id:
        return torch.device("cpu")
    numbers = [int(part) for part in gpu_id.split(",") if part.strip()]
    number = numbers[local] if local < len(numbers) else numbers[0] + local
    if number >= available:
        raise DeviceError(
            f"gpu_id is {gpu_id!r}, but this machine has {counted(available, 'GPU')}; the largest "
            f"number is {available - 1}"
        )
    return torch.device("cuda", number)


def pick_precision(name: str, device: torch.device) -> str:
    """Return the precision of matrix products that a setting selects.

    Args:
        name: ``auto``, ``float32`` or ``bfloat16``.
        device: The device that computes them.

    Returns:
        ``float32`` or ``bfloat16``. ``auto`` selects bfloat16 only if the device has instructions
        for it; without them it would be slower than float32.
    """
    if name != "auto":
        return name
    if device.type == "cuda":
        native = torch.cuda.is_bf16_supported(including_emulation=False)
    else:
        # Older versions of PyTorch lack this function; then use float32, which is exact.
        flags: dict[str, bool] = getattr(torch.cpu, "get_capabilities", dict)()
        native = any(flags.get(flag) for flag in ("avx512_bf16", "amx_bf16", "bf16"))
    return "bfloat16" if native else "float32"


@contextmanager
def deterministic_operations(device: torch.device) -> Iterator[None]:
    """Use only deterministic operations on a GPU within the block.

    PyTorch warns about operations that have no deterministic version. On a CPU this does nothing,
    because nothing needs to change there.

    Args:
        device: The device that computes.

    Yields:
        Nothing; PyTorch's settings and the environment are restored afterwards.
    """
    if device.type != "cuda":
        yield
        return
    was_on = torch.are_deterministic_algorithms_enabled()
    only_warned = torch.is_deterministic_algorithms_warn_only_enabled()
    adds_workspace = CUBLAS_WORKSPACE not in os.environ
    os.environ.setdefault(CUBLAS_WORKSPACE, ":4096:8")  # otherwise cuBLAS is not deterministic
    torch.use_deterministic_algorithms(True, warn_only=True)
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(was_on, warn_only=only_warned)
        if adds_workspace:
            os.environ.pop(CUBLAS_WORKSPACE, None)
