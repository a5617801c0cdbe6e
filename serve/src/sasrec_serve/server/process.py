"""One process that answers requests, from the loading of the model to the last answer."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import signal
import socket
import sys
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import uvicorn

from sasrec_serve.errors import ServeError
from sasrec_serve.server.answering import answers
from sasrec_serve.server.application import Application, Settings
from sasrec_serve.server.asks import Ask
from sasrec_serve.server.batching import Batcher
from sasrec_serve.server.connections import protocol_with
from sasrec_serve.server.hosts import host_name, is_loopback
from sasrec_serve.server.keys import Keys, keys_in, read_keys
from sasrec_serve.server.logs import log
from sasrec_serve.server.metrics import Metrics
from sasrec_serve.server.options import ServerOptions
from sasrec_serve.server.routes import routes
from sasrec_serve.server.served import load_served
from sasrec_serve.server.services import Services, Threads
from sasrec_serve.server.swapping import ModelSlot

if TYPE_CHECKING:
    from sasrec_serve.stores.contract import HistoryStore

SWITCH = 0.0005
"""Seconds after which a thread that computes in Python lets another one go on; Python's 5
milliseconds would be a part of the answer's time."""
BACKLOG = 2048
COUNT_SECONDS = 0.5


class Server(uvicorn.Server):
    """uvicorn's server; signals are left to this package."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals alone."""
        yield


class Process:
    """A process that answers requests.

    Attributes:
        options: How it is started.
    """

    def __init__(self, options: ServerOptions) -> None:
        """Load everything that can be wrong: keys, the store, the model, rules.

        Args:
            options: How it is started.

        Raises:
            ServeError: Something cannot be used.
        """
        self.options = options
        self._keys = _keys(options.keys)
        self._store = _store(options.store)
        self._metrics = Metrics()
        load = partial(
            load_served,
            threads=options.threads,
            approximate=options.approximate,
            rules_file=options.rules,
            items_file=options.items,
        )
        self._is_check_due = self._is_checking = False
        self._slot = ModelSlot(options.place, load, self._metrics)

    async def serve(
        self,
        sockets: Sequence[socket.socket],
        *,
        started: Callable[[], None],
        reload_others: Callable[[], None],
        parent: int | None = None,
    ) -> None:
        """Answer requests until a signal ends the process.

        Args:
            sockets: Where to listen.
            started: Is called when requests are accepted.
            reload_others: Tells the other processes to look for a new export.
            parent: A file that is readable when the parent process has ended; None without one.
        """
        sys.setswitchinterval(SWITCH)
        metrics, slot = self._metrics, self._slot
        services = Services(
            slot=slot,
            batcher=Batcher[Ask](
                lambda asks: answers(slot.current, asks, metrics), self.options.limits
            ),
            threads=Threads(self.options.limits.queue, self.options.limits.seconds),
            store_threads=Threads(self.options.limits.queue, self.options.limits.seconds),
            limits=self.options.limits,
            metrics=metrics,
            store=self._store,
            reload_others=reload_others,
        )
        application = self._application(services, sockets)
        server = Server(self._config(application))
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, _stop, server, services)
        loop.add_signal_handler(signal.SIGHUP, self._reload, services, application)
        if parent is not None:
            loop.add_reader(parent, _stop, server, services)
        watching = loop.create_task(self._watch(services, application))
        counting = loop.create_task(_count_waiting(services))
        gc.collect()
        gc.freeze()  # what is there now stays; collections need not look at it again
        starting = loop.create_task(_tell(server, started))
        try:
            await server.serve(list(sockets))
        finally:
            watching.cancel()
            counting.cancel()
            starting.cancel()
            services.batcher.close()
            services.threads.close()
            services.store_threads.close()
            if self._store is not None:
                self._store.close()

    def _application(self, services: Services, sockets: Sequence[socket.socket]) -> Application:
        # A page of another site has no key, and reaches other addresses without a trick anyway.
        is_private = self._keys is None and all(is_loopback(each) for each in sockets)
        settings = Settings(
            keys=self._keys,
            hosts=frozenset(map(host_name, self.options.allow_host)) if is_private else None,
            body_bytes=self.options.limits.body_bytes,
            log_requests=self.options.log_requests,
            log_histories=self.options.log_histories,
        )
        return Application(
            routes(services, has_keys=self._keys is not None), settings, self._metrics
        )

    def _config(self, application: Application) -> uvicorn.Config:
        limits = self.options.limits
        return uvicorn.Config(
            application,
            http=protocol_with(limits),
            ws="none",
            interface="asgi3",
            lifespan="off",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            timeout_keep_alive=int(limits.idle_seconds) or 1,
            timeout_graceful_shutdown=int(limits.stop_seconds) or 1,
            backlog=BACKLOG,
        )

    def _reload(self, services: Services, application: Application) -> None:
        """Look for a new export and for changed keys, as SIGHUP asks."""
        _read_keys_again(self.options.keys, application)
        self._is_check_due = True
        if not self._is_checking:  # signals that come meanwhile make one more check, not many
            self._is_checking = True
            task = asyncio.get_running_loop().create_task(self._check(services))
            task.add_done_callback(_log_failure)

    async def _check(self, services: Services) -> None:
        """Look for a new export until no signal has come meanwhile."""
        try:
            while self._is_check_due:
                self._is_check_due = False
                await services.threads.run(partial(services.slot.check, again=True))
        finally:
            self._is_checking = False

    async def _watch(self, services: Services, application: Application) -> None:
        """Look for new exports and changed keys from time to time."""
        if not self.options.watch:
            return
        keys = self.options.keys
        changed = _changed(keys)
        while True:
            await asyncio.sleep(self.options.watch)
            if changed != (now := _changed(keys)):
                changed = now
                _read_keys_again(keys, application)
            try:
                await services.threads.run(services.slot.check)
            except Exception:  # such as an overload; the next look may succeed
                logging.getLogger(__name__).exception("looking for a new export failed")


async def _count_waiting(services: Services) -> None:
    """Note from time to time how many histories wait; another worker may be asked for metrics."""
    while True:
        services.metrics.queue(services.batcher.waiting)
        await asyncio.sleep(COUNT_SECONDS)


async def _tell(server: Server, started: Callable[[], None]) -> None:
    while not server.started:
        await asyncio.sleep(0.01)
    started()


def _stop(server: Server, services: Services) -> None:
    services.is_stopping = True
    server.should_exit = True


def _log_failure(task: asyncio.Task[object]) -> None:
    if not task.cancelled() and task.exception() is not None:
        log(logging.ERROR, "looking for a new export failed", reason=str(task.exception()))


def _keys(path: Path | None) -> Keys | None:
    return None if path is None else read_keys(path)


def _store(url: str | None) -> HistoryStore | None:
    if url is None:
        return None
    from sasrec_serve.stores.opening import open_store

    store = open_store(url)
    return None if store.describe().kind == "none" else store


def _changed(path: Path | None) -> int:
    try:
        return 0 if path is None else path.stat().st_mtime_ns
    except OSError:
        return 0


def _read_keys_again(path: Path | None, application: Application) -> None:
    """Take changed keys; a file that cannot be read leaves the earlier ones."""
    if path is None:
        return
    try:
        application.settings.keys = keys = keys_in(path)
        if not keys.hashes:
            log(logging.WARNING, "the file of keys has no keys, so nobody can ask")
    except ServeError as error:
        log(
            logging.ERROR,
            "the file of keys cannot be read; the earlier keys hold",
            reason=str(error),
        )
