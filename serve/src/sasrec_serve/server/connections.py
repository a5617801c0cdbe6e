"""Connections that send or read too slowly are ended; uvicorn itself would keep them for ever."""

from __future__ import annotations

import asyncio
import json
from collections import deque

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from sasrec_serve.server.limits import Limits

STATUS = {
    400: b"Bad Request",
    408: b"Request Timeout",
    431: b"Request Header Fields Too Large",
    503: b"Service Unavailable",
}

PIECE = 4096
"""Bytes that are read at once; the size of headers is looked at in between."""
TOO_LARGE = "the headers are too large"


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
        self._abort_timer: asyncio.TimerHandle | None = None
        self._field_bytes = self._piece_bytes = 0
        self._in_request = self._in_headers = False
        self._unanswered: deque[RequestResponseCycle] = deque()
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
        self._stop_abort_timer()
        self._forget_requests()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take bytes.

        Args:
            data: The bytes.
        """
        for start in range(0, len(data), PIECE):
            self._receive(data[start : start + PIECE])

    def _receive(self, data: bytes) -> None:
        if self.transport.is_closing() or self.parser is None:
            return
        self._piece_bytes += len(data)
        super().data_received(data)
        if self.transport.is_closing():
            return
        if self._in_request and self._has_large_headers():
            self._end(431, TOO_LARGE)
        elif self._timer is None and (self._in_request or self._is_idle()):
            self._start_timer()

    def _has_large_headers(self) -> bool:
        """Return whether line, headers and trailers are too large, also those not yet complete."""
        return self._field_bytes + self._piece_bytes > self.connection_limits.header_bytes

    def _is_idle(self) -> bool:
        """Return whether bytes came that are no request yet: they ended uvicorn's own timer."""
        has_answer = self.cycle is None or self.cycle.response_complete
        return has_answer and self.timeout_keep_alive_task is None

    def on_message_begin(self) -> None:
        """Note the first byte of a request."""
        super().on_message_begin()
        self._stop_timer()
        self._in_request = self._in_headers = True
        self._field_bytes = self._piece_bytes = 0

    def on_url(self, url: bytes) -> None:
        """Take a part of the address.

        Args:
            url: The part.
        """
        self._count_field(len(url))
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header, or a trailer after a chunked body.

        Args:
            name: Its name.
            value: Its value.
        """
        self._count_field(len(name) + len(value) + 4)
        super().on_header(name, value)

    def _count_field(self, size: int) -> None:
        """Count a part of the headers.

        Raises:
            ValueError: They are too large; the parser gives up.
        """
        self._field_bytes += size
        self._piece_bytes = 0
        if self._has_large_headers():
            raise ValueError(TOO_LARGE)

    def on_headers_complete(self) -> None:
        """Begin to answer."""
        super().on_headers_complete()
        self._in_headers = False
        self._unanswered.append(self.cycle)

    def on_body(self, body: bytes) -> None:
        """Take a part of the body.

        Args:
            body: The part.
        """
        self._piece_bytes = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        """Note the last byte of a request."""
        self._in_request = False
        self._stop_timer()
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """Note the last byte of an answer, which the client may not have read."""
        if self._unanswered:
            self._unanswered.popleft()
        super().on_response_complete()
        self._abort_if_closing()

    def timeout_keep_alive_handler(self) -> None:
        """Close a connection without requests."""
        super().timeout_keep_alive_handler()
        self._abort_if_closing()

    def pause_writing(self) -> None:
        """Note that the client reads slowly."""
        super().pause_writing()
        self._start_abort_timer()

    def resume_writing(self) -> None:
        """Note that the client has read."""
        super().resume_writing()
        if not self.transport.is_closing():
            self._stop_abort_timer()

    def send_400_response(self, msg: str) -> None:
        """Answer what is not HTTP, or has too large headers.

        Args:
            msg: uvicorn's message.
        """
        if self._has_large_headers():
            self._end(431, TOO_LARGE)
        else:
            self._end(400, "this is not a valid HTTP request")

    def _start_timer(self) -> None:
        self._stop_timer()
        self._timer = self.loop.call_later(self.connection_limits.receive_seconds, self._too_slow)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _start_abort_timer(self) -> None:
        if self._abort_timer is None:
            seconds = self.connection_limits.receive_seconds
            self._abort_timer = self.loop.call_later(seconds, self._abort)

    def _stop_abort_timer(self) -> None:
        if self._abort_timer is not None:
            self._abort_timer.cancel()
            self._abort_timer = None

    def _abort_if_closing(self) -> None:
        """End a connection for good if the client does not read what is left to send."""
        if self.transport.is_closing():
            self._start_abort_timer()

    def _too_slow(self) -> None:
        self._timer = None
        cycle = self.cycle
        if cycle is None or cycle.response_complete or not cycle.response_started:
            self._end(408, "the request did not arrive in time")
        else:
            self._abort()

    def _abort(self) -> None:
        self._forget_requests()
        self.transport.abort()

    def _forget_requests(self) -> None:
        """Send nothing more; uvicorn itself would write answers into a closed connection."""
        self.pipeline.clear()
        for cycle in self._unanswered:
            cycle.disconnected = True
            cycle.message_event.set()
        self._unanswered.clear()

    def _awaits_answer(self) -> bool:
        """Return whether a request before the one that is read has no answer yet."""
        own = 1 if self._in_request and not self._in_headers else 0
        return len(self._unanswered) > own

    def _end(self, status: int, message: str, headers: bytes = b"") -> None:
        """Answer and close; nothing after that is read.

        Without a word if it would be taken for the answer to an earlier request.
        """
        if self._awaits_answer():
            self._abort()
            return
        self._forget_requests()
        body = json.dumps({"error": message, "where": None}).encode()
        self.transport.write(
            b"HTTP/1.1 %d %s\r\ncontent-type: application/json\r\n%bcontent-length: %d\r\n"
            b"connection: close\r\n\r\n%b" % (status, STATUS[status], headers, len(body), body)
        )
        self.transport.close()
        self._stop_timer()
        self._start_abort_timer()
