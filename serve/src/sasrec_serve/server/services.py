"""Everything that the endpoints of one process use."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

from sasrec_serve.server.asks import Ask
from sasrec_serve.server.batching import Batcher
from sasrec_serve.server.limits import Limits
from sasrec_serve.server.metrics import Metrics
from sasrec_serve.server.refusals import Overloaded
from sasrec_serve.server.swapping import ModelSlot

if TYPE_CHECKING:
    from sasrec_serve.stores.contract import HistoryStore

T = TypeVar("T")
THREADS = 8
"""Threads that wait for the store or search items."""


class Threads:
    """Threads for what waits or takes long, with a bounded queue and a bounded wait."""

    def __init__(self, most: int, seconds: float) -> None:
        """Create the threads.

        Args:
            most: How many calls may wait or run; more are refused.
            seconds: How long a call may wait until it begins.
        """
        self._most, self._seconds, self._count = most, seconds, 0
        self._pool = ThreadPoolExecutor(THREADS, thread_name_prefix="sasrec-serve-wait")

    async def run(self, function: Callable[[], T]) -> T:
        """Return what a function returns, which a thread calls.

        Args:
            function: The function.

        Returns:
            Its result.

        Raises:
            Overloaded: Too many calls wait already, or it has waited too long and was not begun.
            CancelledError: The caller was cancelled.
        """
        if self._count >= self._most:
            raise Overloaded(1)
        self._count += 1
        call = self._pool.submit(function)
        is_late = False

        def refuse() -> None:
            nonlocal is_late
            is_late = call.cancel()  # only calls that have not begun can be

        timer = asyncio.get_running_loop().call_later(self._seconds, refuse)
        try:
            return await asyncio.wrap_future(call)
        except asyncio.CancelledError:
            if is_late:
                raise Overloaded(self._seconds) from None
            raise
        finally:
            timer.cancel()
            self._count -= 1

    def close(self) -> None:
        """End the threads after what they do now."""
        self._pool.shutdown(wait=False, cancel_futures=True)


@dataclass(slots=True)
class Services:
    """What the endpoints use.

    Attributes:
        slot: The model that is served.
        batcher: Computes requests together.
        threads: For what takes long: searches for items, and loading of exports.
        store_threads: For what waits for the store, so that a slow one does not hinder the rest.
        limits: Limits of requests.
        metrics: Counts.
        store: Histories of users; None without a store.
        reload_others: Tells the other worker processes to look for a new export.
        is_stopping: Whether the process ends as soon as requests in progress are answered.
    """

    slot: ModelSlot
    batcher: Batcher[Ask]
    threads: Threads
    store_threads: Threads
    limits: Limits
    metrics: Metrics
    store: HistoryStore | None = None
    reload_others: Callable[[], None] = field(default=lambda: None)
    is_stopping: bool = False
