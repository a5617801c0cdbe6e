"""Starts several processes that train together, on this machine and perhaps on others."""

from __future__ import annotations

import logging
import os
import queue
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import torch
import torch.distributed as dist

from sasrec.errors import SasrecError, SettingsError
from sasrec.system.children import safe_path
from sasrec.system.processes import stop_after_step
from sasrec.system.streams import guard_streams


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
        answer = _answer_of_all(context, answers)
    except ProcessExitedException as error:
        try:
            answer = answers.get(timeout=5)
        except queue.Empty:
            raise SasrecError(f"a training process ended unexpectedly: {error}") from error
    if isinstance(answer, SasrecError):
        raise answer
    return answer


def _answer_of_all(context: Any, answers: Any) -> Any:
    """Wait until all processes have ended; after an interrupt, forward it to them every second.

    The answer is taken as soon as it is there: a process with a long one does not end before.

    Args:
        context: From ``start_processes``.
        answers: The queue in which one process puts its answer.

    Returns:
        The answer.

    Raises:
        KeyboardInterrupt: The user interrupted a second time; the processes have been killed.
    """
    interrupted = False
    found: list[Any] = []
    while True:
        try:
            ended = context.join(timeout=1)
            if not found and (ended or not answers.empty()):
                found.append(answers.get())
            if ended:
                return found[0]
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
    stop_after_step()
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
