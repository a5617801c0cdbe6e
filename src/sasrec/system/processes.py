"""Data-parallel training: several processes each compute a share of every batch.

All processes hold the same weights. Each computes the gradient of its share of the batch. The
average of these gradients, weighted by the number of targets, is the gradient of the whole batch,
so the result is the same as with one process, except for the random numbers of dropout.
"""

from __future__ import annotations

import logging
import os
import queue
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn

from sasrec.errors import SasrecError, SettingsError
from sasrec.system.children import safe_path
from sasrec.system.streams import guard_streams


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


@dataclass(frozen=True, slots=True)
class ProcessGroup:
    """The processes to start on this machine, and how they connect to those on other machines.

    Attributes:
        here: Number of processes on this machine.
        world: Number of processes on all machines.
        offset: Rank of the first process on this machine.
        address: Host name or IP address of the machine with rank 0.
        port: Port on that machine.
    """

    here: int
    world: int
    offset: int
    address: str
    port: str

    def __post_init__(self) -> None:
        """Check the settings.

        Raises:
            SettingsError: The numbers contradict each other, the address cannot be resolved, or
                the port is not a number from 1 to 65535.
        """
        if self.here < 1 or self.offset < 0 or self.offset + self.here > self.world:
            raise SettingsError(
                f"nproc {self.here} and group_offset {self.offset} do not fit into world_size "
                f"{self.world}; this machine runs ranks group_offset to group_offset + nproc - 1, "
                "which must lie from 0 to world_size - 1"
            )
        try:
            socket.getaddrinfo(self.address or "-", None)
        except (OSError, UnicodeError) as error:
            raise SettingsError(
                f"ip is {self.address!r}, which cannot be resolved ({error}); give the host name "
                "or IP address of the machine with rank 0"
            ) from error
        if not self.port.isdecimal() or not 0 < int(self.port) < 65_536:
            raise SettingsError(f"port is {self.port!r}; choose a number from 1 to 65535")


def run_in_processes(
    work: Callable[..., Any], arguments: tuple[Any, ...], group: ProcessGroup
) -> Any:
    """Call a function in several new processes that train together.

    Args:
        work: A function that can be imported by name; every process calls it with ``arguments``.
        arguments: Arguments that can be pickled.
        group: The number of processes, and how they connect.

    Returns:
        The result of the first process on this machine.

    Raises:
        SasrecError: The function raised this error, or a process ended unexpectedly.
    """
    from torch.multiprocessing import get_context
    from torch.multiprocessing.spawn import ProcessExitedException, start_processes

    # It logs that it ends the other processes; the error we raise gives the reason.
    logging.getLogger("torch.multiprocessing.spawn").setLevel(logging.ERROR)
    with without_main_script(), interrupts_ignored(), safe_path():
        answers = get_context("spawn").Queue()  # this starts a process too, the resource tracker
        context = start_processes(
            _run_process, (work, arguments, group, answers), group.here, join=False
        )  # type: ignore[no-untyped-call]
    try:
        _wait_for_all(context)
    except ProcessExitedException as error:
        try:
            answer = answers.get(timeout=5)
        except queue.Empty:
            raise SasrecError(f"a training process ended unexpectedly: {error}") from error
    else:
        answer = answers.get()
    if isinstance(answer, SasrecError):
        raise answer
    return answer


def _wait_for_all(context: Any) -> None:
    """Wait until all processes have ended; after an interrupt, forward it to them every second.

    Args:
        context: From ``start_processes``.

    Raises:
        KeyboardInterrupt: The user interrupted a second time; the processes have been killed.
    """
    interrupted = False
    while True:
        try:
            if context.join(timeout=1):
                return
            if interrupted:
                for process in context.processes:
                    if process.is_alive():
                        os.kill(process.pid, signal.SIGINT)
        except KeyboardInterrupt:
            if interrupted:  # for the second time
                for process in context.processes:
                    process.kill()
                raise
            interrupted = True


@contextmanager
def interrupts_ignored() -> Iterator[None]:
    """Ignore Ctrl-C within the block; processes started in it ignore it until they handle it.

    Yields:
        Nothing.
    """
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


_stop = threading.Event()


def _stop_after_step() -> None:
    """On Ctrl-C, note that training is to stop; all processes then stop after the same step.

    Raising KeyboardInterrupt immediately would leave the other processes waiting for this
    process's gradients forever.
    """
    signal.signal(signal.SIGINT, lambda number, frame: _stop.set())


@contextmanager
def without_main_script() -> Iterator[None]:
    """Prevent processes started within the block from running the user's script again.

    They would need the script only to unpickle objects that it defines, and they are given none.
    So a script needs no ``if __name__ == "__main__"``.

    Yields:
        Nothing.
    """
    script = sys.modules["__main__"]
    sys.modules["__main__"] = ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = script


def _join_group(group: ProcessGroup, local: int, backend: str) -> None:
    where = f"{group.address}:{group.port}"
    try:
        dist.init_process_group(
            backend,
            init_method=f"tcp://{where}",
            world_size=group.world,
            rank=group.offset + local,
        )
    except (RuntimeError, ValueError) as error:
        reason = str(error).partition("\n")[0]
        raise SasrecError(
            f"the {group.world} processes cannot connect at {where} ({reason}); choose another "
            "free port, or check that the processes were started on all machines"
        ) from error


def _run_process(
    local: int,
    work: Callable[..., Any],
    arguments: tuple[Any, ...],
    group: ProcessGroup,
    answers: Any,
) -> None:
    guard_streams()
    os.environ["LOCAL_RANK"] = str(local)
    cuda = torch.cuda.is_available() and torch.cuda.device_count() >= group.here
    if not cuda:  # divide the cores among the processes; more threads than cores are slow
        torch.set_num_threads(max(1, torch.get_num_threads() // group.here))
    _stop_after_step()
    try:
        _join_group(group, local, "nccl" if cuda else "gloo")
        answer = work(*arguments)
    except SasrecError as error:
        answers.put(error)
        answers.close()
        answers.join_thread()
        os._exit(2)  # at once: other processes may wait for this one; the parent ends them
    if local == 0:
        answers.put(answer)
    dist.destroy_process_group()
