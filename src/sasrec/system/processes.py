"""Data-parallel training: several processes each compute a share of every batch.

All processes hold the same weights. Each computes the gradient of its share of the batch. The
average of these gradients, weighted by the number of targets, is the gradient of the whole batch,
so the result is the same as with one process, except for the random numbers of dropout.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterable
from dataclasses import dataclass

import torch
import torch.distributed as dist
from torch import Tensor, nn


@dataclass(frozen=True, slots=True)
class ProcessInfo:
    """The rank of this process, and the number of processes.

    Attributes:
        rank: Number of this process among all processes, from 0.
        processes: Number of processes.
        local: Number of this process among those on this machine, from 0.
    """

    rank: int = 0
    processes: int = 1
    local: int = 0


def process_info() -> ProcessInfo:
    """Return the rank of this process; a process on its own has rank 0 of 1."""
    if not (dist.is_available() and dist.is_initialized()):
        return ProcessInfo()
    return ProcessInfo(
        dist.get_rank(), dist.get_world_size(), int(os.environ.get("LOCAL_RANK", "0"))
    )


_stop = threading.Event()


def stop_after_step() -> None:
    """On Ctrl-C, note that training is to stop; all processes then stop after the same step.

    Raising KeyboardInterrupt immediately would leave the other processes waiting for this
    process's gradients forever.
    """
    signal.signal(signal.SIGINT, lambda number, frame: _stop.set())


def average_gradients(weights: Iterable[nn.Parameter], targets: int) -> None:
    """Replace each gradient by the mean over all processes, weighted by their numbers of targets.

    If one process was interrupted, all processes stop here, after the same step.

    Args:
        weights: The weights, the same in every process; their gradients are those of the mean loss
            over this process's own targets.
        targets: Number of targets in this process; the sum over all processes is at least 1.

    Raises:
        KeyboardInterrupt: The user interrupted one of the processes.
    """
    own = [weight for weight in weights if weight.requires_grad]
    gradients = [torch.zeros_like(w) if w.grad is None else w.grad for w in own]
    counters = torch.tensor([float(targets), float(_stop.is_set())], device=own[0].device)
    flat = torch.cat([gradient.flatten() * targets for gradient in gradients] + [counters])
    dist.all_reduce(flat)
    if flat[-1] > 0:
        raise KeyboardInterrupt
    flat /= flat[-2].clone()
    sizes = [gradient.numel() for gradient in gradients]
    for weight, mean in zip(own, torch.split(flat[:-2], sizes), strict=True):
        weight.grad = mean.view_as(weight)


def sum_over_processes(values: Tensor) -> Tensor:
    """Return the element-wise sum over all processes.

    Args:
        values: The values of this process; every process passes the same shape.

    Returns:
        The sums, the same in every process.
    """
    if process_info().processes > 1:
        dist.all_reduce(values)
    return values


def from_first_process(value: float | None) -> float | None:
    """Return the value of process 0, so that all processes make the same decision.

    Args:
        value: The value of this process.

    Returns:
        The value of process 0.
    """
    if process_info().processes == 1:
        return value
    values = [value]
    dist.broadcast_object_list(values)
    return values[0]
