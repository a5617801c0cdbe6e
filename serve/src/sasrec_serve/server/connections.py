"""Connections that send or read too slowly are ended; uvicorn itself would keep them for ever."""

from __future__ import annotations

import asyncio
import json

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from sasrec_serve.server.limits import Limits

STATUS = {
    400: b"Bad Request",
    408: b"Request Timeout",
    431: b"Request Header Fields Too Large",
    503: b"Service Unavailable",
}


def protocol_with(limits: Limits) -> type[HttpToolsProtocol]:
    """Return the class of connections with limits.

    Args:
        limits: ``connections``, ``header_bytes`` and ``receive_seconds`` are used.
    """

    class Limited(LimitedConnection):
        """A connection with these limits."""

        connection_limits = limits

    return Limited


class LimitedConnection(HttpToolsProtocol):
    """One connection.

    A request must arrive within ``receive_seconds`` of its first byte, however slowly it trickles,
    and an answer must be read as fast. A connection that sends nothing is ended too.
    """

    connection_limits = Limits()

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Accept a connection, unless there are too many.

        Args:
            transport: The connection.
        """
        super().connection_made(transport)
        self._timer: asyncio.TimerHandle | None = None
        self._header_bytes = 0
        self._in_headers = self._in_request = False
        if len(self.connections) > self.connection_limits.connections:
            self._end(503, "too many open connections", b"retry-after: 1\r\n")
        else:
            self._start_timer()

    def connection_lost(self, exc: Exception | None) -> None:
        """Note the end of the connection.

        Args:
            exc: Why it ended; None if it was closed.
        """
        self._stop_timer()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take bytes.

        Args:
            data: The bytes.
        """
        if self.transport.is_closing() or self.parser is None:
            return
        super().data_received(data)
        if self.transport.is_closing():
            return
        if self._in_headers:
            self._header_bytes += len(data)
            if self._header_bytes > self.connection_limits.header_bytes:
                self._end(431, "the headers are too large")
                return
        if self._timer is None and (self._in_request or self._is_idle()):
            self._start_timer()

    def _is_idle(self) -> bool:
        """Return whether bytes came that are no request yet: they ended uvicorn's own timer."""
        has_answer = self.cycle is None or self.cycle.response_complete
        return has_answer and self.timeout_keep_alive_task is None

    def on_message_begin(self) -> None:
        """Note the first byte of a request."""
        super().on_message_begin()
        self._stop_timer()
        self._in_request = self._in_headers = True
        self._header_bytes = 0

    def on_headers_complete(self) -> None:
        """Begin to answer."""
        self._in_headers = False
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """Note the last byte of a request."""
        self._in_request = False
        self._stop_timer()
        super().on_message_complete()

    def pause_writing(self) -> None:
        """Note that the client reads slowly."""
        super().pause_writing()
        self._start_timer()

    def resume_writing(self) -> None:
        """Note that the client has read."""
        super().resume_writing()
        if not self._in_request:
            self._stop_timer()

    def send_400_response(self, msg: str) -> None:
        """Answer what is not HTTP.

        Args:
            msg: uvicorn's message.
        """
        self._end(400, "this is not a valid HTTP request")

    def _start_timer(self) -> None:
        self._stop_timer()
        self._timer = self.loop.call_later(self.connection_limits.receive_seconds, self._too_slow)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _too_slow(self) -> None:
        self._timer = None
        cycle = self.cycle
        if cycle is None or cycle.response_complete or not cycle.response_started:
            self._end(408, "the request did not arrive in time")
        else:
            self.transport.abort()

    def _end(self, status: int, message: str, headers: bytes = b"") -> None:
        """Answer and close; nothing after that is read."""
        body = json.dumps({"error": message, "where": None}).encode()
        self.transport.write(
            b"HTTP/1.1 %d %s\r\ncontent-type: application/json\r\n%bcontent-length: %d\r\n"
            b"connection: close\r\n\r\n%b" % (status, STATUS[status], headers, len(body), body)
        )
        self.transport.close()
