"""Starts ``sasrec-serve`` as a process on a free port, and asks it over HTTP."""

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

OWN = (sys.executable, "-m", "sasrec_serve")
LONGEST = 60.0
"""Seconds until a server that hangs fails its test."""


class Server:
    """A running server."""

    def __init__(self, process: subprocess.Popen[str], port: int, log: Path) -> None:
        self.process, self.port, self._log = process, port, log

    def ask(
        self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None
    ) -> tuple[int, Any]:
        """Return status and body; a body is sent as JSON, and bytes as they are."""
        status, _, raw = self.whole(method, path, body, headers)
        return status, json.loads(raw)

    def whole(
        self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None
    ) -> tuple[int, dict[str, str], bytes]:
        """Return status, headers and bytes."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=LONGEST)
        try:
            raw = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
            kind = {} if body is None else {"content-type": "application/json"}
            connection.request(method, path, raw, {**kind, **(headers or {})})
            answer = connection.getresponse()
            names = {name.lower(): value for name, value in answer.getheaders()}
            return answer.status, names, answer.read()
        finally:
            connection.close()

    def post(self, path: str, body: Any) -> Any:
        """Return the body of an answer with status 200."""
        status, answer = self.ask("POST", path, body)
        assert status == 200, answer
        return answer

    def get(self, path: str) -> Any:
        """Return the body of an answer with status 200."""
        status, answer = self.ask("GET", path)
        assert status == 200, answer
        return answer

    def metric(self, name: str) -> float:
        """Return the sum of the values of a metric, over its labels."""
        lines = self.whole("GET", "/metrics")[2].decode().splitlines()
        values = [line for line in lines if line.split("{")[0].split(" ")[0] == name]
        assert values, f"there is no metric {name}"
        return sum(float(line.rsplit(" ", 1)[1]) for line in values)

    def connection(self) -> socket.socket:
        """Return an open connection."""
        return socket.create_connection(("127.0.0.1", self.port), timeout=LONGEST)

    def log(self) -> list[dict[str, Any]]:
        """Return the lines of the log."""
        return [json.loads(line) for line in self._log.read_text().splitlines()]

    def stop(self) -> int:
        """End the server with SIGTERM; return its exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(LONGEST)


@contextmanager
def running(place: Path, *words: str, log: Path, program: Sequence[str] = OWN) -> Iterator[Server]:
    """Start a server, wait until it answers, and end it."""
    with log.open("w") as stderr:
        process = subprocess.Popen(
            [*program, str(place), "--port", "0", *words],
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
        )
    assert process.stdout is not None
    try:
        line = process.stdout.readline()
        assert line.startswith("sasrec-serve answers at http://127.0.0.1:"), log.read_text()
        yield Server(process, int(line.rsplit(":", 1)[1]), log)
    finally:
        process.terminate()
        try:
            process.wait(LONGEST)
        finally:
            process.kill()
            process.wait()
            process.stdout.close()


def until(condition: Callable[[], bool], seconds: float = 30) -> None:
    """Wait until a condition holds; fail if it does not in time."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.02)
