"""Device and precision: what the words ``auto``, ``cuda`` or ``bfloat16`` mean on this machine."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from sasrec.errors import DeviceError, counted

CUBLAS_WORKSPACE = "CUBLAS_WORKSPACE_CONFIG"


def pick_device(name: str, gpu_id: str = "0", local: int = 0) -> torch.device:
    """Return the device a setting stands for.

    Args:
        name: ``auto``, ``cpu`` or ``cuda``.
        gpu_id: Number of the GPU, if there is a choice; or several with commas between.
        local: Of several processes on this machine, which this is; each takes the GPU at its
            place in ``gpu_id``, or the next ones where that names one.

    Returns:
        The device; ``auto`` is the GPU if there is one.

    Raises:
        DeviceError: The name is unknown, or a GPU was asked for that there is not.
    """
    if name not in {"auto", "cpu", "cuda"}:
        raise DeviceError(f"device is {name!r}; choose 'auto', 'cpu' or 'cuda'")
    available = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if name == "cuda" and not available:
        raise DeviceError(
            "device is 'cuda' and this machine has no usable GPU; use 'cpu' or 'auto'"
        )
    if name == "cpu" or not available or not gpu_id:
        return torch.device("cpu")
    numbers = [int(part) for part in gpu_id.split(",") if part.strip()]
    number = numbers[local] if local < len(numbers) else numbers[0] + local
    if number >= available:
        here = counted(available, "GPU")
        raise DeviceError(f"gpu_id is {gpu_id!r} and this machine has {here}, from 0")
    return torch.device("cuda", number)


def pick_precision(name: str, device: torch.device) -> str:
    """Return the precision of matrix products a setting stands for.

    Args:
        name: ``auto``, ``float32`` or ``bfloat16``.
        device: Where they are computed.

    Returns:
        ``float32`` or ``bfloat16``; ``auto`` is bfloat16 where the device has instructions for it,
        as it would be slower without.
    """
    if name != "auto":
        return name
    if device.type == "cuda":
        native = torch.cuda.is_bf16_supported(including_emulation=False)
    else:
        # A newer function of torch; where it is missing we do not know, and stay exact.
        flags: dict[str, bool] = getattr(torch.cpu, "get_capabilities", dict)()
        native = any(flags.get(flag) for flag in ("avx512_bf16", "amx_bf16", "bf16"))
    return "bfloat16" if native else "float32"


@contextmanager
def same_results_again(device: torch.device) -> Iterator[None]:
    """Let a GPU use only operations that give the same result again, for a while.

    Where PyTorch has no such operation it warns. A CPU needs nothing of the kind.

    Args:
        device: Where to compute.

    Yields:
        Nothing; PyTorch's settings and the environment are as before afterwards.
    """
    if device.type != "cuda":
        yield
        return
    was_on = torch.are_deterministic_algorithms_enabled()
    only_warned = torch.is_deterministic_algorithms_warn_only_enabled()
    adds_workspace = CUBLAS_WORKSPACE not in os.environ
    os.environ.setdefault(CUBLAS_WORKSPACE, ":4096:8")  # without it cuBLAS may vary
    torch.use_deterministic_algorithms(True, warn_only=True)
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(was_on, warn_only=only_warned)
        if adds_workspace:
            os.environ.pop(CUBLAS_WORKSPACE, None)
