"""The ASGI application: routes, keys, reading of bodies, errors, counts and logs."""

from __future__ import annotations

import logging
import time
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from sasrec_serve.server.answering import written
from sasrec_serve.server.hosts import host_name, is_own_name
from sasrec_serve.server.keys import Keys
from sasrec_serve.server.logs import log
from sasrec_serve.server.messages import Reply, Request
from sasrec_serve.server.metrics import Metrics
from sasrec_serve.server.options import LogRequests
from sasrec_serve.server.refusals import Refused, WrongMethod

Scope: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send: TypeAlias = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Handler: TypeAlias = Callable[[Request], Awaitable[Reply]]

SAFE_HEADERS = ((b"x-content-type-options", b"nosniff"), (b"cache-control", b"no-store"))
METHODS = {"GET": ("GET", "HEAD"), "POST": ("POST",)}
"""Methods that a route answers; uvicorn sends no body after HEAD."""
OTHER = "other"
NO_BODY = b""
TOO_LARGE = "the body is larger than {:,} bytes; send less at once"


@dataclass(frozen=True, slots=True)
class Route:
    """What answers a path.

    Attributes:
        method: GET or POST.
        handler: Answers.
        is_open: Whether no key is needed.
        takes_json: Whether there is a body, which is JSON.
    """

    method: str
    handler: Handler
    is_open: bool = False
    takes_json: bool = False


@dataclass(slots=True)
class Settings:
    """What is the same for all requests.

    Attributes:
        keys: The accepted keys; None accepts everybody.
        body_bytes: Limit of a body.
        hosts: Names that requests may be sent to, besides those that no other site can have; None
            allows all.
        log_requests: Which requests are logged.
        log_histories: Whether bodies are logged too.
    """

    keys: Keys | None
    body_bytes: int
    hosts: frozenset[str] | None = None
    log_requests: LogRequests = "errors"
    log_histories: bool = False


class Application:
    """Answers requests."""

    def __init__(self, routes: Mapping[str, Route], settings: Settings, metrics: Metrics) -> None:
        """Keep the routes.

        Args:
            routes: By path.
            settings: What is the same for all requests.
            metrics: Counts requests.
        """
        self.settings = settings
        self._routes, self._metrics = routes, metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, as ASGI defines it.

        Args:
            scope: Method, path and headers.
            receive: Returns parts of the body.
            send: Takes parts of the answer.
        """
        begun = time.perf_counter()
        path = scope["path"]
        route = self._routes.get(path)
        body = NO_BODY
        try:
            route = self._checked(route, scope)
            if route.takes_json:
                _check_type(scope)
            if route.method == "POST":
                body = await _body(scope, receive, self.settings.body_bytes)
            reply = await route.handler(Request(body, scope["query_string"], _host(scope)))
        except Refused as refused:
            reply = _refusal(refused)
        except Exception:
            logging.getLogger(__name__).exception("an error of the server")
            reply = _refusal(Refused(500, "the server made a mistake; its log says which"))
        await send(
            {
                "type": "http.response.start",
                "status": reply.status,
                "headers": [
                    (b"content-type", reply.content_type),
                    (b"content-length", b"%d" % len(reply.body)),
                    *SAFE_HEADERS,
                    *reply.headers,
                ],
            }
        )
        await send({"type": "http.response.body", "body": reply.body})
        seconds = time.perf_counter() - begun
        self._metrics.request(OTHER if route is None else path, reply.status, seconds)
        self._log(scope, reply, seconds, body)

    def _checked(self, route: Route | None, scope: Scope) -> Route:
        """Return the route of a request that may be answered.

        Raises:
            Refused: There is no such path, a key is missing, or the host has another name.
            WrongMethod: The path has another method.
        """
        _check_host(_host(scope), self.settings.hosts)
        if route is None:
            raise Refused(404, "there is no such path; GET /docs lists all", "path")
        if scope["method"] not in METHODS[route.method]:
            raise WrongMethod(", ".join(METHODS[route.method]))
        if self.settings.keys is not None and not route.is_open:
            key = _key(scope)
            if key is None or self.settings.keys.name_of(key) is None:
                raise Refused(
                    401,
                    "send an API key of this server in the header 'Authorization: Bearer KEY'",
                    "headers",
                )
        return route

    def _log(self, scope: Scope, reply: Reply, seconds: float, body: bytes) -> None:
        which = self.settings.log_requests
        if which == "none" or (which == "errors" and reply.status < 400):
            return
        values: dict[str, Any] = {
            "method": scope["method"],
            "path": scope["path"][:200],
            "status": reply.status,
            "milliseconds": round(1000 * seconds, 2),
        }
        if self.settings.log_histories:
            values["body"] = body.decode(errors="replace")
            values["answer"] = reply.body[:500].decode(errors="replace")
        log(logging.WARNING if reply.status >= 500 else logging.INFO, "request", **values)


def _refusal(refused: Refused) -> Reply:
    headers: tuple[tuple[bytes, bytes], ...] = ()
    if isinstance(refused, WrongMethod):
        headers = ((b"allow", refused.allowed.encode()),)
    elif refused.status == 401:
        headers = ((b"www-authenticate", b"Bearer"),)
    elif refused.retry_seconds is not None:
        headers = ((b"retry-after", b"%d" % refused.retry_seconds),)
    message = refused.message.encode(errors="backslashreplace").decode()
    body = written({"error": message, "where": refused.where})
    return Reply(body, refused.status, headers=headers)


def _header(scope: Scope, name: bytes) -> bytes | None:
    for key, value in scope["headers"]:
        if key == name:
            found: bytes = value
            return found
    return None


def _host(scope: Scope) -> str:
    return (_header(scope, b"host") or b"").decode("latin-1")


def _check_host(host: str, allowed: frozenset[str] | None) -> None:
    """Refuse a request to a name that another site may have.

    Raises:
        Refused: With status 421.
    """
    name = host_name(host)
    if allowed is not None and name not in allowed and not is_own_name(name):
        raise Refused(
            421,
            f"this server is not known as {name[:60]!a}; start it with --allow-host NAME if it "
            "should be",
            "headers",
        )


def _key(scope: Scope) -> str | None:
    """Return the key that a request has; None if it has none."""
    value = _header(scope, b"authorization")
    if value is not None:
        kind, _, key = value.decode("latin-1").partition(" ")
        return key.strip() if kind.lower() == "bearer" else None
    other = _header(scope, b"x-api-key")
    return None if other is None else other.decode("latin-1").strip()


def _check_type(scope: Scope) -> None:
    """Refuse other content than JSON; pages of other sites cannot send JSON without being asked.

    Raises:
        Refused: With status 415.
    """
    kind = (_header(scope, b"content-type") or b"").partition(b";")[0].strip().lower()
    if kind != b"application/json":
        raise Refused(415, "send JSON with the header 'Content-Type: application/json'", "headers")


async def _body(scope: Scope, receive: Receive, most: int) -> bytes:
    """Return the body of a request.

    Raises:
        Refused: With status 413: it is too large. With status 400: it is incomplete.
    """
    length = _header(scope, b"content-length")
    if length is not None and (not length.isdigit() or len(length) > 15 or int(length) > most):
        raise Refused(413, TOO_LARGE.format(most), "body")
    parts, size = [], 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Refused(400, "the connection ended before the body did", "body")
        parts.append(message["body"])
        size += len(parts[-1])
        if size > most:
            raise Refused(413, TOO_LARGE.format(most), "body")
        if not message.get("more_body", False):
            return parts[0] if len(parts) == 1 else b"".join(parts)
