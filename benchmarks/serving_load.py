"""Open-loop load over HTTP: requests are due at a constant rate, whatever the server does.

A latency is counted from when a request was due to when its answer was complete, so a server that
stops for a moment is charged for all requests that were due meanwhile. One process with raw sockets
and prebuilt requests, because server and load share the cores.
"""

import json
import select
import socket
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

ANSWERED = 65536
TIMEOUT = 10.0
"""Seconds after the last request was due until all that is unanswered counts as an error."""


@dataclass
class Load:
    """What was measured.

    Attributes:
        seconds: Latencies of answered requests, by order of answers.
        due: When they were due, seconds from the start.
        statuses: Number of answers by status.
        errors: Requests without an answer: the connection ended, or it took too long.
        models: Number of answers by the digest of their model.
        duration: Seconds from the first request to the last answer.
    """

    seconds: list[float] = field(default_factory=list)
    due: list[float] = field(default_factory=list)
    statuses: dict[int, int] = field(default_factory=dict)
    errors: int = 0
    models: dict[bytes, int] = field(default_factory=dict)
    duration: float = 0.0

    def milliseconds(self, share: float) -> float:
        """Return a quantile of the latencies, such as 0.99."""
        return float(np.quantile(self.seconds, share)) * 1e3 if self.seconds else float("nan")

    @property
    def good(self) -> int:
        """Number of answers with status 200."""
        return self.statuses.get(200, 0)

    def line(self) -> str:
        """Return one line that tells all."""
        rate = self.good / self.duration if self.duration else 0.0
        others = {k: v for k, v in self.statuses.items() if k != 200}
        return (
            f"{rate:,.0f} answers/s, p50 {self.milliseconds(0.5):.2f} ms, "
            f"p99 {self.milliseconds(0.99):.2f} ms, p99.9 {self.milliseconds(0.999):.2f} ms, "
            f"max {self.milliseconds(1):.1f} ms, errors {self.errors}"
            + (f", other statuses {others}" if others else "")
        )


class _Connection:
    def __init__(self, address: tuple[str, int]) -> None:
        self.address = address
        self.due = 0.0
        self.received = b""
        self.length = -1
        self.open()

    def open(self) -> None:
        self.socket = socket.create_connection(self.address, timeout=5)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.setblocking(False)

    def fileno(self) -> int:
        return self.socket.fileno()

    def send(self, request: bytes, due: float) -> None:
        self.due, self.received, self.length = due, b"", -1
        if self._is_ended():  # while it was idle, as when a worker is killed: clients open another
            self.socket.close()
            self.open()
        self.socket.send(request)

    def _is_ended(self) -> bool:
        try:
            return self.socket.recv(1, socket.MSG_PEEK) == b""
        except BlockingIOError:
            return False
        except OSError:
            return True

    def read(self) -> bool:
        """Return whether the answer is complete.

        Raises:
            ConnectionError: The server closed the connection.
        """
        data = self.socket.recv(ANSWERED)
        if not data:
            raise ConnectionError("the server closed the connection")
        self.received += data
        if self.length < 0:
            end = self.received.find(b"\r\n\r\n")
            if end < 0:
                return False
            at = self.received.find(b"content-length: ") + 16
            self.length = end + 4 + int(self.received[at : self.received.find(b"\r", at)])
        return len(self.received) >= self.length


def request_bytes(path: str, body: object, headers: str = "") -> bytes:
    """Return a POST request."""
    text = json.dumps(body).encode()
    head = (
        f"POST {path} HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\n{headers}"
        f"content-length: {len(text)}\r\n\r\n"
    )
    return head.encode() + text


def open_loop(
    port: int, requests: Sequence[bytes], rate: float, *, seconds: float, connections: int = 32
) -> Load:
    """Return what happens when requests are sent at a constant rate.

    Args:
        port: Port on the loopback address.
        requests: Complete requests, taken in turn.
        rate: Requests per second.
        seconds: How long.
        connections: Connections that are kept open; a request that finds all of them busy waits,
            and its waiting counts.
    """
    load, address = Load(), ("127.0.0.1", port)
    idle = deque(_Connection(address) for _ in range(connections))
    busy: set[_Connection] = set()
    total, sent, started = int(rate * seconds), 0, time.perf_counter()
    while sent < total or busy:
        now = time.perf_counter() - started
        while sent < total and sent / rate <= now and idle:
            connection = idle.popleft()
            try:
                connection.send(requests[sent % len(requests)], sent / rate)
                busy.add(connection)
            except OSError:
                load.errors += 1
                _reopen(connection, idle)
            sent += 1
        if sent < total and idle:
            wait = max(0.0, sent / rate - (time.perf_counter() - started))
        else:
            wait = max(0.0, total / rate + TIMEOUT - now)
        if not busy:
            time.sleep(wait)
            continue
        ready = select.select(list(busy), [], [], wait)[0]
        if not ready and sent >= total:
            load.errors += len(busy)
            break
        for connection in ready:
            try:
                is_complete = connection.read()
            except OSError:
                busy.discard(connection)
                load.errors += 1
                _reopen(connection, idle)
                continue
            if is_complete:
                busy.discard(connection)
                idle.append(connection)
                _note(load, connection, time.perf_counter() - started)
    load.duration = max(time.perf_counter() - started, total / rate)
    return load


def _note(load: Load, connection: _Connection, now: float) -> None:
    load.seconds.append(now - connection.due)
    load.due.append(connection.due)
    status = int(connection.received[9:12])
    load.statuses[status] = load.statuses.get(status, 0) + 1
    if status == 200:
        at = connection.received.rfind(b'"model":"') + 9
        model = connection.received[at : at + 12]
        load.models[model] = load.models.get(model, 0) + 1


def _reopen(connection: _Connection, idle: deque[_Connection]) -> None:
    connection.socket.close()
    try:
        connection.open()
        idle.append(connection)
    except OSError:
        pass  # one connection fewer
