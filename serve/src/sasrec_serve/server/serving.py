"""Running a server: in this process, or in several that share a port."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Callable

from sasrec_serve.errors import SettingsError
from sasrec_serve.server.hosts import is_loopback
from sasrec_serve.server.logs import log, log_to_stderr
from sasrec_serve.server.options import ServerOptions


def serve(options: ServerOptions, *, announce: Callable[[str], None]) -> None:
    """Answer requests until SIGTERM or SIGINT.

    Args:
        options: How the server is started.
        announce: Is called with the address when requests are accepted.

    Raises:
        ServeError: The model, the store, the keys, the rules or the address cannot be used.
    """  # raised by the parts
    from sasrec_serve.server.exports import exports_at

    exports_at(options.place)
    log_to_stderr(options.log_level)
    with listening_socket(options.host, options.port) as listening:
        address = _address(listening)
        if options.keys is None and not is_loopback(listening):
            log(logging.WARNING, "everybody who reaches this address can ask; consider --keys")
        if options.workers > 1:
            from sasrec_serve.server.supervisor import Supervisor

            Supervisor(options, listening, lambda: announce(address)).run()
        else:
            run_process(options, listening, started=lambda: announce(address))


def run_process(
    options: ServerOptions,
    listening: socket.socket,
    *,
    started: Callable[[], None],
    reload_others: Callable[[], None] = lambda: None,
    parent: int | None = None,
) -> None:
    """Load the model, and answer requests until a signal.

    Args:
        options: How the server is started.
        listening: The socket to accept connections from.
        started: Is called when requests are accepted.
        reload_others: Tells other processes to look for a new export.
        parent: A file that is readable when the parent process has ended.

    Raises:
        ServeError: Something cannot be used.
    """  # raised by Process
    from sasrec_serve.server.process import Process

    process = Process(options)
    try:
        import uvloop
    except ImportError:  # not on Windows and PyPy
        runner = asyncio.Runner()
    else:
        runner = asyncio.Runner(loop_factory=uvloop.new_event_loop)
    with runner:
        runner.run(
            process.serve([listening], started=started, reload_others=reload_others, parent=parent)
        )


def listening_socket(host: str, port: int) -> socket.socket:
    """Return a socket that listens at an address.

    Args:
        host: Name or address.
        port: Port; 0 takes a free one.

    Returns:
        The socket.

    Raises:
        SettingsError: The address is unknown, in use or not allowed.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        found = socket.socket(family, kind, protocol)
        try:
            found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            found.bind(address)
            found.listen(2048)
        except BaseException:
            found.close()
            raise
    except (OSError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise SettingsError(
            f"cannot listen at {host!r}, port {port}: {reason}; choose another --host or --port"
        ) from error
    found.set_inheritable(True)
    return found


def _address(listening: socket.socket) -> str:
    host, port = listening.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
