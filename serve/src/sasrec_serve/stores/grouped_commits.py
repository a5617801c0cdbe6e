"""Group commit: batches that come together from several threads are written together."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from sasrec_serve.errors import StoreUnavailable

Batch = TypeVar("Batch")
STOPPED = "the thread that stored these events together with others was stopped; try again"


class _Waiting(Generic[Batch]):
    """A batch whose thread waits until it is written, or until it shall write the next group."""

    def __init__(self, batch: Batch) -> None:
        self.batch = batch
        self.wake = threading.Event()
        self.is_done = False
        self.count = 0
        self.error: Exception | None = None


class GroupedCommits(Generic[Batch]):
    """Writes batches of several threads in groups, in order of their arrival.

    The thread that comes first writes its own batch. What arrives in the meantime is written by the
    thread that has waited longest, in one step, so a slow flush to disk is shared by many.
    """

    def __init__(self, write: Callable[[Sequence[Batch]], Sequence[int]]) -> None:
        """Create it.

        Args:
            write: Writes all batches or none, and returns a number for each; it is never called by
                two threads at once.
        """
        self._write = write
        self._lock = threading.Lock()
        self._queue: list[_Waiting[Batch]] = []
        self._is_writing = False

    def write(self, batch: Batch) -> int:
        """Write a batch, alone or together with others, and wait for it.

        Args:
            batch: The batch.

        Returns:
            What ``write`` returned for it.

        Raises:
            Exception: What ``write`` raised for the group of this batch.
        """
        mine = _Waiting(batch)
        with self._lock:
            self._queue.append(mine)
            leads, self._is_writing = not self._is_writing, True
        if not leads:
            self._wait(mine)
        if not mine.is_done:
            self._write_group()
        if mine.error is not None:
            raise type(mine.error)(*mine.error.args) from mine.error
        return mine.count

    def _wait(self, mine: _Waiting[Batch]) -> None:
        """Wait until a batch is written, or shall be written with those that wait too."""
        try:
            mine.wake.wait()
        except BaseException:  # such as Ctrl-C: the others must not wait for this thread
            with self._lock:
                if mine in self._queue:
                    self._queue.remove(mine)
                    if mine.wake.is_set():
                        self._choose_next()
            raise

    def _write_group(self) -> None:
        """Write all waiting batches, wake their threads, and choose who writes the next group."""
        with self._lock:
            group, self._queue = self._queue, []
        try:
            counts = self._write([waiting.batch for waiting in group])
            for waiting, count in zip(group, counts, strict=True):
                waiting.count = count
        except Exception as error:
            for waiting in group:
                waiting.error = error
        except BaseException:  # such as Ctrl-C: raised here, and an error for the others
            for waiting in group:
                waiting.error = StoreUnavailable(STOPPED)
            raise
        finally:
            self._finish(group)

    def _finish(self, group: list[_Waiting[Batch]]) -> None:
        for waiting in group:
            waiting.is_done = True
        with self._lock:
            self._choose_next()
        for waiting in group:
            waiting.wake.set()

    def _choose_next(self) -> None:
        """Wake the thread that has waited longest, to write the next group; holds the lock."""
        self._is_writing = bool(self._queue)
        if self._queue:
            self._queue[0].wake.set()
