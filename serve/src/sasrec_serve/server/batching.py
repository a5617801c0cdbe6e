"""Micro-batching: requests that come together are computed together, and a lone one at once.

One thread computes. While it is busy, requests gather; when it is done, it takes all that fit into
a batch. So nothing waits for company, and the wait is bounded by the batch that is being computed.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from queue import SimpleQueue
from typing import Generic, Protocol, TypeVar

from sasrec_serve.server.limits import Limits
from sasrec_serve.server.refusals import Overloaded, Refused


class Sized(Protocol):
    """Anything that can be asked of the computing thread."""

    @property
    def n_histories(self) -> int:
        """Number of histories to compute."""
        ...


A = TypeVar("A", bound=Sized)
Compute = Callable[[Sequence[A]], Sequence[bytes | Exception]]
"""Returns the answer, or an error, for each of some asks."""
SWEEP = 0.05
"""Seconds between two looks for requests that have waited too long."""
STEADY = 0.9
"""Weight of earlier batches in the average time of a history."""


@dataclass(slots=True, eq=False)
class _Waiting(Generic[A]):
    ask: A
    size: int
    future: asyncio.Future[bytes]
    deadline: float
    is_taken: bool = False
    answer: bytes | Exception | None = None


class Batcher(Generic[A]):
    """Gathers requests and computes them in one thread.

    All methods are called in the thread of the event loop.

    Attributes:
        waiting: Histories that wait, those being computed not counted.
    """

    def __init__(self, compute: Compute[A], limits: Limits) -> None:
        """Start the thread.

        Args:
            compute: Computes a batch, in the thread of this object.
            limits: ``batch``, ``queue`` and ``seconds`` are used.
        """
        self.waiting = 0
        self._compute, self._limits = compute, limits
        self._loop = asyncio.get_running_loop()
        self._pending: deque[_Waiting[A]] = deque()
        self._wakes: SimpleQueue[bool] = SimpleQueue()
        self._seconds = 0.0
        self._is_waking = self._is_sweeping = False
        self._thread = threading.Thread(target=self._work, name="sasrec-serve-compute", daemon=True)
        self._thread.start()

    def submit(self, ask: A) -> asyncio.Future[bytes]:
        """Add a request.

        Args:
            ask: What to compute.

        Returns:
            A future of the answer.

        Raises:
            Overloaded: Too many histories wait already, or it would take too long.
        """
        size = max(1, ask.n_histories)
        expected = self.waiting * self._seconds
        if self.waiting and (
            self.waiting + size > self._limits.queue or expected > self._limits.seconds
        ):
            raise Overloaded(expected)
        future: asyncio.Future[bytes] = self._loop.create_future()
        deadline = self._loop.time() + self._limits.seconds
        self.waiting += size
        self._pending.append(_Waiting(ask, size, future, deadline))
        if not self._is_waking:  # once for all requests that are read in this turn of the loop
            self._is_waking = True
            self._loop.call_soon(self._wake)
        return future

    def close(self) -> None:
        """End the thread after the batch it computes; waiting requests get no answer."""
        self._wakes.put(False)
        self._thread.join(timeout=self._limits.stop_seconds)

    def _wake(self) -> None:
        self._is_waking = False
        self._wakes.put(True)
        if not self._is_sweeping:
            self._is_sweeping = True
            self._loop.call_later(SWEEP, self._sweep)

    def _sweep(self) -> None:
        """Refuse requests that have waited too long, while others are computed."""
        self._is_sweeping = bool(self._pending)
        now = self._loop.time()
        for each in [each for each in list(self._pending) if each.deadline < now]:
            if not each.future.done():
                each.future.set_exception(Overloaded(self._limits.seconds))
        if self._is_sweeping:
            self._loop.call_later(SWEEP, self._sweep)

    def _work(self) -> None:
        """Compute batches until the object is closed."""
        while self._wakes.get():
            while batch := self._next_batch():
                begun = time.perf_counter()
                size = sum(each.size for each in batch)
                self._answer([each for each in batch if not each.future.done()])
                each_took = (time.perf_counter() - begun) / size
                try:
                    self._loop.call_soon_threadsafe(self._finish, batch, size, each_took)
                except RuntimeError:  # the loop is closed: nobody waits any more
                    return

    def _next_batch(self) -> list[_Waiting[A]]:
        """Return the next requests while they fit; a single one may be larger than a batch."""
        batch: list[_Waiting[A]] = []
        size = 0
        while self._pending and (not batch or size + self._pending[0].size <= self._limits.batch):
            batch.append(self._pending.popleft())
            size += batch[-1].size
        return batch

    def _answer(self, batch: Sequence[_Waiting[A]]) -> None:
        if not batch:
            return
        try:
            answers = self._compute([each.ask for each in batch])
        except Exception as error:  # one of them broke the program: told as such, and logged
            answers = [error] * len(batch)
        for each, answer in zip(batch, answers, strict=True):
            each.answer = answer

    def _finish(self, batch: Sequence[_Waiting[A]], size: int, each_took: float) -> None:
        self.waiting -= size
        self._seconds = (
            each_took if not self._seconds else STEADY * self._seconds + (1 - STEADY) * each_took
        )
        for each in batch:
            if each.future.done():  # cancelled, or refused by the sweep
                continue
            if isinstance(each.answer, bytes):
                each.future.set_result(each.answer)
            else:
                each.future.set_exception(each.answer or Refused(503, "the server is stopping"))
