"""The connection to a Redis or Valkey server, and what its settings mean for durability."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from sasrec_serve.errors import DataError, StoreUnavailable
from sasrec_serve.stores.addresses import masked, scrubbed
from sasrec_serve.stores.redis_scripts import VERSION

if TYPE_CHECKING:
    import redis

TABLES = b"1"
"""Version of the keys and their content."""
CONNECTIONS = 32
"""The most connections of one process."""
CONNECT_SECONDS, ANSWER_SECONDS = 1.5, 3.0
SETTINGS = ("appendonly", "appendfsync", "maxmemory-policy")
PERMISSION = ("NOAUTH", "WRONGPASS", "NOPERM")
LOG = logging.getLogger(__name__)


def connected(url: str) -> redis.Redis:
    """Return a client of a server that has this store's keys, or none yet.

    Args:
        url: ``redis://``, ``rediss://`` or ``unix://``.

    Returns:
        The client; it connects anew whenever a connection was lost.

    Raises:
        DataError: The package redis is missing, the URL is invalid, or the server refuses or has
            other data under these keys.
        StoreUnavailable: The server does not answer.
    """  # StoreUnavailable is raised by translating
    try:
        import redis
    except ImportError as error:
        raise DataError(
            f"{masked(url)} needs the package redis; run pip install 'sasrec-serve[redis]'"
        ) from error
    _check_database(url)
    with translating(url):
        client = redis.Redis(connection_pool=_pool(url))
        _check_version(client, url)
        weakness = weakness_of(client)
    if weakness:
        LOG.warning("%s: %s", masked(url), weakness)
    return client


def _pool(url: str) -> redis.ConnectionPool:
    import redis
    from redis.backoff import NoBackoff
    from redis.retry import Retry

    try:
        pool = redis.BlockingConnectionPool.from_url(
            url,
            max_connections=CONNECTIONS,
            timeout=ANSWER_SECONDS,
            socket_timeout=ANSWER_SECONDS,
            socket_connect_timeout=CONNECT_SECONDS,
            retry=Retry(NoBackoff(), 0),  # RedisStore repeats only what may be repeated
            protocol=2,
        )
        pool.connection_class(**pool.connection_kwargs)  # finds unknown options; does not connect
    except (ValueError, TypeError) as error:
        raise DataError(
            f"{masked(url)} is no URL of a Redis server ({scrubbed(str(error), url)}); write "
            "redis://user:password@host:6379/0"
        ) from error
    return pool


def _check_database(url: str) -> None:
    parts = urlsplit(url)  # redis-py ignores a database that is no number
    if parts.scheme != "unix" and not (parts.path.strip("/") or "0").isdecimal():
        raise DataError(
            f"{masked(url)} ends with {parts.path!r}, which is no number of a database; write "
            "redis://host:6379/0"
        )


def _check_version(client: redis.Redis, url: str) -> None:
    try:
        version = client.get(VERSION)
        if version is None:
            client.set(VERSION, TABLES, nx=True)
            version = client.get(VERSION)
    except _response_error() as error:
        if "WRONGTYPE" in str(error):
            version = b"of another type"
        else:
            raise
    if version != TABLES:
        shown = version.decode(errors="replace") if isinstance(version, bytes) else version
        raise DataError(
            f"{masked(url)}: the key {VERSION!r} is {shown!r}, and this sasrec-serve knows version "
            f"{TABLES.decode()!r}; install the sasrec-serve that wrote it, or use another database"
        )


def _response_error() -> type[Exception]:
    import redis

    return redis.ResponseError


def weakness_of(client: redis.Redis) -> str | None:
    """Return how acknowledged events can be lost with a server's settings.

    Args:
        client: The client.

    Returns:
        A sentence; None if they survive a power failure.
    """
    try:
        found = [client.config_get(name) for name in SETTINGS]  # several at once need Redis 7
    except _response_error():
        return "the server does not show its settings, so how durable events are is unknown"
    settings = {str(name): str(value) for pairs in found for name, value in pairs.items()}
    if settings.get("appendonly") != "yes":
        return "events are lost when the server ends, because appendonly is not yes"
    if settings.get("maxmemory-policy", "noeviction") != "noeviction":
        return "events are deleted when memory is full; set maxmemory-policy to noeviction"
    if settings.get("appendfsync") != "always":
        return (
            "the events of about the last second, or two, can be lost in a power failure or if "
            "the server is killed, because appendfsync is not always"
        )
    return None


def is_replica(client: redis.Redis) -> bool:
    """Return whether a server refuses writing because it copies another server.

    Args:
        client: The client.
    """
    return str(client.info("replication").get("role")) == "slave"


@contextmanager
def translating(url: str) -> Iterator[None]:
    """Turn errors of redis-py into those of this package, without the password.

    Args:
        url: The server.

    Yields:
        Nothing.

    Raises:
        DataError: The server refuses.
        StoreUnavailable: The server does not answer, or cannot store now.
    """  # raised by _translated
    import redis

    try:
        yield
    except redis.RedisError as error:
        failure = _translated(error, url)
        raise failure from error


def _translated(error: Exception, url: str) -> DataError:
    import redis

    place, text = masked(url), scrubbed(str(error), url)
    if isinstance(error, redis.AuthenticationError | redis.exceptions.NoPermissionError):
        return _refused(place, text)
    if text.startswith(PERMISSION):
        return _refused(place, text)
    if isinstance(error, redis.ReadOnlyError):
        return DataError(f"{place} is a read-only replica; give the URL of the primary server")
    if isinstance(error, redis.ConnectionError | redis.TimeoutError):
        return StoreUnavailable(
            f"{place} does not answer ({text}); check that the server runs, then try again"
        )
    if isinstance(error, redis.exceptions.OutOfMemoryError) or text.startswith(("OOM", "MISCONF")):
        return StoreUnavailable(f"{place} cannot store events now: {text}")
    if text.startswith(("BUSY", "LOADING", "MASTERDOWN", "TRYAGAIN")):
        return StoreUnavailable(f"{place} is busy: {text}")
    if "WRONGTYPE" in text:
        return DataError(
            f"{place} has other data under keys beginning with sasrec:; use another database"
        )
    return DataError(f"{place} refuses: {text}")


def _refused(place: str, text: str) -> DataError:
    return DataError(f"{place} refuses this user or password ({text}); correct the URL")
