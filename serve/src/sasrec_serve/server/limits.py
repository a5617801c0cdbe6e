"""What one request may ask for, and how much may wait."""

from __future__ import annotations

from dataclasses import dataclass, fields

from sasrec_serve.errors import SettingsError


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits of a server; each is an option of the command, such as ``--max-k``.

    Attributes:
        body_bytes: Bytes of a request's body.
        header_bytes: Bytes of a request's line and headers.
        histories: Histories, users or items of one request.
        events: Events of a history, and events stored by one request.
        k: Items in a list.
        candidates: Candidates or excluded items of one request.
        explained: Latest events of a history whose part in a score is computed.
        batch: Histories that are answered together.
        queue: Histories that wait for an answer; more are refused with status 503.
        connections: Open connections of one process; more are refused with status 503.
        seconds: Longest time that a request waits before it is computed.
        receive_seconds: Longest time from the first to the last byte of a request.
        idle_seconds: How long a connection stays open without a request.
        stop_seconds: How long requests in progress may take after SIGTERM.
    """

    body_bytes: int = 2**20
    header_bytes: int = 2**16
    histories: int = 100
    events: int = 1000
    k: int = 100
    candidates: int = 10_000
    explained: int = 100
    batch: int = 64
    queue: int = 1000
    connections: int = 1000
    seconds: float = 2.0
    receive_seconds: float = 10.0
    idle_seconds: float = 60.0
    stop_seconds: float = 10.0

    def __post_init__(self) -> None:
        """Check the limits.

        Raises:
            SettingsError: A limit is not a positive number.
        """
        for field in fields(self):
            value = getattr(self, field.name)
            if not 0 < value < 2**40:
                option = f"--max-{field.name.replace('_', '-')}"
                raise SettingsError(f"{option} is {value}; it must be a number above 0")
