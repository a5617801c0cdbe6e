"""A worker process of a supervisor: ``python -m sasrec_serve.server.worker``."""

from __future__ import annotations

import json
import os
import socket
import sys

from sasrec_serve.errors import ServeError
from sasrec_serve.server.logs import log_to_stderr
from sasrec_serve.server.options import options_from
from sasrec_serve.server.serving import run_process
from sasrec_serve.server.supervisor import FAILED, READY, RELOAD


def main(listening: int, reports: int, parent: int, *, text: str) -> int:
    """Answer requests until the supervisor ends this process.

    Args:
        listening: The socket to accept connections from.
        reports: Pipe to the supervisor.
        parent: Readable when the supervisor has ended.
        text: The options as JSON.

    Returns:
        The exit code.
    """
    options = options_from(text)
    log_to_stderr(options.log_level)
    try:
        run_process(
            options,
            socket.socket(fileno=listening),
            started=lambda: _report(reports, READY),
            reload_others=lambda: _report(reports, RELOAD),
            parent=parent,
        )
    except ServeError as error:
        _report(reports, FAILED + json.dumps(str(error)).encode() + b"\n")
        return 2
    return 0


def _report(reports: int, line: bytes) -> None:
    os.write(reports, line)


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), text=sys.stdin.read()))
