"""How a server is started."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeAlias

from sasrec_serve.errors import SettingsError
from sasrec_serve.server.limits import Limits

LogRequests: TypeAlias = Literal["none", "errors", "all"]
PATHS = ("place", "rules", "items", "keys")
LOG_LEVELS = ("debug", "info", "warning", "error")


@dataclass(frozen=True, slots=True)
class ServerOptions:
    """Options of a server.

    Attributes:
        place: An export, or a folder of exports.
        host: Address to listen on.
        port: Port to listen on; 0 takes a free one.
        allow_host: Names of the server, besides ``localhost``, addresses and names without a dot;
            only looked at on the loopback interface without keys.
        workers: Number of processes.
        threads: Threads that share a search among 100,000 items or more, 1 or 2.
        approximate: Whether to search with an index that misses some of the best items.
        watch: Seconds between two looks for a new export; 0 looks only when asked.
        store: URL of the store of histories; None for none.
        rules: File of the operator's sets of rules; None for none.
        items: Table with a row for each item, for rules; None for that of the export.
        keys: File of API keys; None lets everybody ask.
        log_level: Lowest level that is logged.
        log_requests: Which requests are logged.
        log_histories: Whether the log contains the bodies of logged requests.
        limits: Limits of requests.
    """

    place: Path
    host: str = "127.0.0.1"
    port: int = 8000
    allow_host: Sequence[str] = ()
    workers: int = 1
    threads: int = 1
    approximate: bool = False
    watch: float = 0.0
    store: str | None = None
    rules: Path | None = None
    items: Path | None = None
    keys: Path | None = None
    log_level: str = "info"
    log_requests: LogRequests = "errors"
    log_histories: bool = False
    limits: Limits = field(default_factory=Limits)

    def __post_init__(self) -> None:
        """Check the options.

        Raises:
            SettingsError: A number is out of range.
        """
        if not 0 <= self.port < 2**16:
            raise SettingsError(f"--port is {self.port}; it must be from 0 to 65535")
        if not 1 <= self.workers <= 256:
            raise SettingsError(f"--workers is {self.workers}; it must be from 1 to 256")
        if not 0 <= self.watch < 2**31:
            raise SettingsError(f"--watch is {self.watch}; it must be a number of seconds from 0")

    def to_json(self) -> str:
        """Return the options as text, for a worker process."""
        return json.dumps(asdict(self), default=str)


def options_from(text: str) -> ServerOptions:
    """Return options from what ``to_json`` returned.

    Args:
        text: The text.
    """
    values: Mapping[str, Any] = json.loads(text)
    paths = {name: values[name] and Path(values[name]) for name in PATHS}
    names = tuple(values["allow_host"])
    limits = Limits(**values["limits"])
    return ServerOptions(**{**values, **paths, "allow_host": names, "limits": limits})
