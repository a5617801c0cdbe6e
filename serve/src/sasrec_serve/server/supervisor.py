"""Several processes that share a port: one that ends is replaced, and the others go on."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import selectors
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from types import FrameType

from sasrec_serve.errors import ServeError
from sasrec_serve.server.logs import log
from sasrec_serve.server.metrics import FOLDER
from sasrec_serve.server.options import ServerOptions

READY, RELOAD = b"ready\n", b"reload\n"
FAILED = b"failed "
"""What a worker writes to its pipe; an error follows as JSON on the same line."""
SOON = 10.0
"""A worker that ends within so many seconds is replaced only after a pause."""
LONGEST_PAUSE = 10.0
EXTRA = 5.0
"""Seconds that workers get to end by themselves, more than requests in progress get."""


@dataclass(slots=True)
class _Worker:
    process: subprocess.Popen[bytes]
    reports: int
    """Pipe from the worker."""
    begun: float
    is_ready: bool = False


class Supervisor:
    """Starts workers, replaces those that end, and ends all on a signal."""

    def __init__(
        self, options: ServerOptions, listening: socket.socket, started: Callable[[], None]
    ) -> None:
        """Keep what workers need.

        Args:
            options: Options of each worker.
            listening: The socket that all of them accept connections from.
            started: Is called once, when all workers accept connections.
        """
        self._options, self._listening, self._started = options, listening, started
        self._is_started = self._has_answered = False
        self._workers: list[_Worker] = []
        self._due: list[float] = []  # when workers are to be started again
        self._pause = 0.0
        self._is_stopping = self._is_reloading = False
        self._selector = selectors.DefaultSelector()
        # Readable for workers as soon as this process has ended, however it ended.
        self._alive, self._own_end = os.pipe()
        self._wake, self._wake_end = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._metrics = tempfile.mkdtemp(prefix="sasrec-serve-metrics-")

    def run(self) -> None:
        """Run until SIGTERM or SIGINT.

        Raises:
            ServeError: A worker cannot start, and none has before.
        """
        self._handle_signals()
        self._selector.register(self._wake, selectors.EVENT_READ, None)
        try:
            for _ in range(self._options.workers):
                self._start()
            while not self._is_stopping:
                self._turn()
        finally:
            self._end_all()
            shutil.rmtree(self._metrics, ignore_errors=True)

    def _handle_signals(self) -> None:
        signal.set_wakeup_fd(self._wake_end, warn_on_full_buffer=False)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._stop)
        signal.signal(signal.SIGHUP, self._reload)
        signal.signal(signal.SIGCHLD, _ignore)  # wakes the loop

    def _stop(self, number: int, frame: FrameType | None) -> None:
        self._is_stopping = True

    def _reload(self, number: int, frame: FrameType | None) -> None:
        self._is_reloading = True

    def _start(self) -> None:
        """Start a worker.

        Raises:
            ServeError: The system allows no further process, and no worker has been ready.
        """
        try:
            self._start_process()
        except OSError as error:  # such as no memory; the other workers must go on
            reason = error.strerror or str(error)
            if not self._has_answered:
                raise ServeError(
                    f"cannot start a worker: {reason}; start fewer --workers, or raise the limits "
                    "of the system"
                ) from error
            log(logging.ERROR, "a worker cannot start; trying again", reason=reason)
            self._due.append(time.monotonic() + LONGEST_PAUSE)

    def _start_process(self) -> None:
        reports, theirs = os.pipe()
        try:
            process = self._process(theirs)
        except BaseException:
            os.close(reports)
            raise
        finally:
            os.close(theirs)
        worker = _Worker(process, reports, time.monotonic())
        self._workers.append(worker)
        self._selector.register(reports, selectors.EVENT_READ, worker)

    def _process(self, reports: int) -> subprocess.Popen[bytes]:
        """Return a new worker process.

        Args:
            reports: Pipe that it writes to.
        """
        listening = self._listening.fileno()
        process = subprocess.Popen(
            [
                sys.executable,
                "-P",  # modules in the current folder are not the server's
                "-m",
                "sasrec_serve.server.worker",
                *(str(number) for number in (listening, reports, self._alive)),
            ],
            pass_fds=(listening, reports, self._alive),
            stdin=subprocess.PIPE,  # not an argument, which everybody can read: passwords of stores
            env={**os.environ, FOLDER: self._metrics},
        )
        if process.stdin is not None:
            with contextlib.suppress(BrokenPipeError), process.stdin as stdin:  # it ended already
                stdin.write(self._options.to_json().encode())
        return process

    def _turn(self) -> None:
        """Wait for something to happen, and react."""
        now = time.monotonic()
        timeout = min([max(0.0, due - now) for due in self._due], default=None)
        for key, _ in self._selector.select(timeout):
            if key.data is None:
                os.read(self._wake, 4096)
            else:
                self._hear(key.data)
        if self._is_reloading:
            self._is_reloading = False
            self._reload_except(None)
        self._replace_ended()

    def _hear(self, worker: _Worker) -> None:
        """Read what a worker reports; nothing means that it has ended."""
        text = os.read(worker.reports, 65536)
        if not text:
            self._selector.unregister(worker.reports)
            os.close(worker.reports)
            return
        for line in text.splitlines(keepends=True):
            if line == READY:
                worker.is_ready = self._has_answered = True
                log(logging.INFO, "a worker is ready", worker=worker.process.pid)
                self._announce()
            elif line == RELOAD:
                self._reload_except(worker)
            elif line.startswith(FAILED):
                self._failed(json.loads(line[len(FAILED) :]))

    def _announce(self) -> None:
        n_ready = sum(worker.is_ready for worker in self._workers)
        if not self._is_started and n_ready == self._options.workers:
            self._is_started = True
            self._started()

    def _failed(self, reason: str) -> None:
        """React to a worker that cannot start.

        Raises:
            ServeError: No worker has been ready so far.
        """
        if not self._has_answered:
            raise ServeError(reason)
        log(logging.ERROR, "a worker cannot start; trying again", reason=reason)

    def _reload_except(self, asking: _Worker | None) -> None:
        for worker in self._workers:
            if worker is not asking and worker.is_ready:
                worker.process.send_signal(signal.SIGHUP)

    def _replace_ended(self) -> None:
        now = time.monotonic()
        for worker in [each for each in self._workers if each.process.poll() is not None]:
            self._workers.remove(worker)
            self._forget(worker)
            lived = now - worker.begun
            self._pause = 0.0 if lived > SOON else min(LONGEST_PAUSE, 2 * self._pause + 0.1)
            self._due.append(now + self._pause)
        due, self._due = self._due, []
        for moment in due:
            if moment <= now:
                self._start()
            else:
                self._due.append(moment)

    def _forget(self, worker: _Worker) -> None:
        from prometheus_client.multiprocess import mark_process_dead

        code = worker.process.returncode
        log(
            logging.ERROR,
            "a worker ended; it is replaced",
            worker=worker.process.pid,
            exit_code=code if code >= 0 else None,
            signal=_signal_name(-code) if code < 0 else None,
        )
        mark_process_dead(worker.process.pid, self._metrics)  # type: ignore[no-untyped-call]

    def _end_all(self) -> None:
        """Let the workers answer what they have, then end them."""
        for worker in self._workers:
            if worker.process.poll() is None:
                worker.process.terminate()
        end = time.monotonic() + self._options.limits.stop_seconds + EXTRA
        for worker in self._workers:
            try:
                worker.process.wait(max(0.1, end - time.monotonic()))
            except subprocess.TimeoutExpired:
                log(logging.ERROR, "a worker did not end in time", worker=worker.process.pid)
                worker.process.kill()
                worker.process.wait()


def _signal_name(number: int) -> str:
    """Return the name of a signal; most real-time signals have none."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return str(number)


def _ignore(number: int, frame: FrameType | None) -> None:
    pass
