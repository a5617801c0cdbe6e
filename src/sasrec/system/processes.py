"""Processes: one training spread over several, each with a share of every batch.

All processes hold the same weights. Each computes the gradient of its share; the sum, weighted by
targets, is the gradient of the whole batch, so that the outcome is that of one process but for the
random numbers of dropout.
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
    """Which of several processes this is.

    Attributes:
        rank: Its number, from 0.
        processes: How many there are.
        local: Its number on this machine, from 0.
    """

    rank: int = 0
    processes: int = 1
    local: int = 0


def process_info() -> ProcessInfo:
    """Return the place of this process; alone it is the first of one."""
    if not (dist.is_available() and dist.is_initialized()):
        return ProcessInfo()
    return ProcessInfo(
        dist.get_rank(), dist.get_world_size(), int(os.environ.get("LOCAL_RANK", "0"))
    )


def average_gradients(weights: Iterable[nn.Parameter], targets: int) -> None:
    """Replace each gradient by the mean over all processes, weighted by their targets.

    This is also where they agree to stop.

    Args:
        weights: The same in every process, with gradients of the mean loss of its own targets.
        targets: How many targets this process had; there must be one somewhere.

    Raises:
        KeyboardInterrupt: Somebody has interrupted one of the processes.
    """
    own = [weight for weight in weights if weight.requires_grad]
    gradients = [torch.zeros_like(w) if w.grad is None else w.grad for w in own]
    notes = torch.tensor([float(targets), float(_stop.is_set())], device=own[0].device)
    flat = torch.cat([gradient.flatten() * targets for gradient in gradients] + [notes])
    dist.all_reduce(flat)
    if flat[-1] > 0:
        raise KeyboardInterrupt
    flat /= flat[-2].clone()
    sizes = [gradient.numel() for gradient in gradients]
    for weight, mean in zip(own, torch.split(flat[:-2], sizes), strict=True):
        weight.grad = mean.view_as(weight)


def sum_over_processes(values: Tensor) -> Tensor:
    """Return the sum over all processes.

    Args:
        values: Of this process, of the same shape everywhere.

    Returns:
        The same in every process.
    """
    if process_info().processes > 1:
        dist.all_reduce(values)
    return values


def from_first_process(value: float | None) -> float | None:
    """Return what the first process holds, so that all decide alike.

    Args:
        value: Of this process.

    Returns:
        That of process 0.
    """
    if process_info().processes == 1:
        return value
    held = [value]
    dist.broadcast_object_list(held)
    return held[0]


@dataclass(frozen=True, slots=True)
class Group:
    """Processes to be started, and how they find those of other machines.

    Attributes:
        here: Processes on this machine.
        world: Processes in all.
        offset: Rank of the first process on this machine.
        address: Name or IP of the machine with rank 0.
        port: Port there.
    """

    here: int
    world: int
    offset: int
    address: str
    port: str

    def __post_init__(self) -> None:
        """Check the numbers.

        Raises:
            SettingsError: They do not fit each other, the address is that of no machine, or the
                port is no number.
        """
        if self.here < 1 or self.offset < 0 or self.offset + self.here > self.world:
            raise SettingsError(
                f"nproc {self.here} and group_offset {self.offset} do not fit into world_size "
                f"{self.world}; this machine runs ranks group_offset to group_offset + nproc - 1"
            )
        try:
            socket.getaddrinfo(self.address or "-", None)
        except (OSError, UnicodeError) as error:
            raise SettingsError(
                f"ip is {self.address!r}, which names no machine ({error})"
            ) from error
        if not self.port.isdecimal() or not 0 < int(self.port) < 65_536:
            raise SettingsError(f"port is {self.port!r}; it is a number from 1 to 65535")


def run_in_processes(work: Callable[..., Any], arguments: tuple[Any, ...], group: Group) -> Any:
    """Call a function in several new processes that train together.

    Args:
        work: Importable by its name; called with ``arguments`` in every process.
        arguments: Anything that can be pickled.
        group: How many processes, and where.

    Returns:
        What it returned in the first process on this machine.

    Raises:
        SasrecError: It raised one.
    """
    from torch.multiprocessing import get_context
    from torch.multiprocessing.spawn import ProcessExitedException, start_processes

    # It announces that it ends the others; we say why.
    logging.getLogger("torch.multiprocessing.spawn").setLevel(logging.ERROR)
    with without_main_script(), interrupts_ignored(), safe_path():
        answers = get_context("spawn").Queue()  # starts a process too, which tracks resources
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
    """Wait for all processes; an interrupt is passed on to them until they have ended.

    Args:
        context: From ``start_processes``.

    Raises:
        KeyboardInterrupt: A second one came; the processes were ended at once.
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
            if interrupted:  # a second time: no more patience
                for process in context.processes:
                    process.kill()
                raise
            interrupted = True


@contextmanager
def interrupts_ignored() -> Iterator[None]:
    """Let new processes begin deaf to Ctrl-C; each listens once it has something to lose.

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
    """Take Ctrl-C as the wish to stop after this step; all processes then stop at the same one.

    Raising at once would leave the others waiting for a sum that never comes.
    """
    signal.signal(signal.SIGINT, lambda number, frame: _stop.set())


@contextmanager
def without_main_script() -> Iterator[None]:
    """Keep new processes from running the user's script once more before they begin.

    They need it only for what the script itself defines, and here they are handed nothing of it;
    so a script needs no ``if __name__ == "__main__"``.

    Yields:
        Nothing.
    """
    script = sys.modules["__main__"]
    sys.modules["__main__"] = ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = script


def _join_group(group: Group, local: int, backend: str) -> None:
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
            f"the {group.world} processes do not find each other at {where} ({reason}); choose "
            "another free port, or see that all machines were started"
        ) from error


def _run_process(
    local: int, work: Callable[..., Any], arguments: tuple[Any, ...], group: Group, answers: Any
) -> None:
    guard_streams()
    os.environ["LOCAL_RANK"] = str(local)
    cuda = torch.cuda.is_available() and torch.cuda.device_count() >= group.here
    if not cuda:  # share the cores, as threads that wait for each other's core are slow
        torch.set_num_threads(max(1, torch.get_num_threads() // group.here))
    _stop_after_step()
    try:
        _join_group(group, local, "nccl" if cuda else "gloo")
        answer = work(*arguments)
    except SasrecError as error:
        answers.put(error)
        answers.close()
        answers.join_thread()
        os._exit(2)  # the others may wait for us, and are ended by our parent
    if local == 0:
        answers.put(answer)
    dist.destroy_process_group()
