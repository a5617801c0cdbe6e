"""Work on many rows, piece by piece: in several threads, with results in order."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

import torch

from sasrec.system.memory import freed_memory_kept

Result = TypeVar("Result")


def in_order(
    work: Callable[[tuple[int, int]], Result],
    pieces: Iterator[tuple[int, int]],
    device: torch.device,
) -> Iterator[Result]:
    """Do some work piece by piece.

    On a CPU, each of PyTorch's threads works on a piece of its own: matrix libraries divide a
    product of few rows badly between threads, and everything outside products runs on one.

    Args:
        work: Receives a piece: the indices of its first row and of the one after its last.
        pieces: The pieces.
        device: Where the model is.

    Returns:
        An iterator over what ``work`` returned, in order.
    """
    # Here and not in the iterator, which Polars may run in another thread.
    n_threads = torch.get_num_threads() if device.type == "cpu" else 1
    return _results(work, pieces, n_threads)


def _results(
    work: Callable[[tuple[int, int]], Result], pieces: Iterator[tuple[int, int]], n_threads: int
) -> Iterator[Result]:
    with freed_memory_kept():
        if n_threads == 1:
            yield from map(work, pieces)
        else:
            yield from _in_threads(work, pieces, n_threads)


def _in_threads(
    work: Callable[[tuple[int, int]], Result], pieces: Iterator[tuple[int, int]], n_threads: int
) -> Iterator[Result]:
    """Yield the results of all pieces in order; each thread computes with one of PyTorch's."""
    waiting: deque[Future[Result]] = deque()
    # A new thread starts with PyTorch's latest number of threads, so that is set back at the end.
    executor = ThreadPoolExecutor(n_threads, initializer=torch.set_num_threads, initargs=(1,))
    try:
        for piece in pieces:
            waiting.append(executor.submit(work, piece))
            if len(waiting) > n_threads:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        executor.shutdown(cancel_futures=True)
        torch.set_num_threads(n_threads)
