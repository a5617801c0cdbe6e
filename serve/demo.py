"""Serves the demo model with the histories of its users: ``make demo-serve``.

It fills a store with the data of the demo, starts the server on a free port of this machine, asks
it once with curl, says where the page is, and ends with Ctrl-C, or after the question with --once.
"""

from __future__ import annotations

import argparse
import json
import shlex
import shutil
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

from sasrec_serve.stores.importing import import_events
from sasrec_serve.stores.opening import open_store

QUESTION = {"user": "196", "k": 5}


def main() -> int:
    """Serve until Ctrl-C, SIGTERM or the end of the server.

    Returns:
        The exit code: 0 if the server answered.
    """
    parser = argparse.ArgumentParser(description="Serve the demo model.")
    parser.add_argument("export", type=Path, help="the exported model")
    parser.add_argument("log", type=Path, help="its data, for the histories of users")
    parser.add_argument("--store", type=Path, required=True, help="SQLite file for the histories")
    parser.add_argument("--port", default="0", help="port; 0 takes a free one")
    parser.add_argument("--once", action="store_true", help="end after one question")
    given = parser.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    fill(given.store, given.log)
    words = [str(given.export), "--port", given.port, "--store", str(given.store)]
    server = subprocess.Popen(
        [sys.executable, "-m", "sasrec_serve", *words], stdout=subprocess.PIPE, text=True
    )
    try:
        return show(server, once=given.once)
    except KeyboardInterrupt:
        print("\nThe server ends.")
        return 0
    finally:
        server.terminate()
        server.wait(30)


def fill(store: Path, log: Path) -> None:
    """Store the events of a log that are not there yet.

    Args:
        store: The SQLite file.
        log: The log.
    """
    opened = open_store(store)
    try:
        done = import_events(opened, log)
    finally:
        opened.close()
    print(f"{store} has {done.n_new + done.n_known:,} events of the users", flush=True)


def show(server: subprocess.Popen[str], *, once: bool) -> int:
    """Ask the server once, say where its page is, and wait for its end.

    Args:
        server: The server, which writes its address to a pipe.
        once: Whether not to wait.

    Returns:
        The exit code: 0 if it answered.
    """
    assert server.stdout is not None
    address = server.stdout.readline().rpartition(" ")[2].strip()
    if not address:
        return server.wait() or 1
    answer = asked(f"{address}/recommend", json.dumps(QUESTION))
    for item in json.loads(answer)["lists"][0]["items"]:
        print(f"  {item['score']:7.3f}  {item['title'] or item['item']}")
    print(f"\nThe page to try it: {address}/\nAll requests: {address}/docs", flush=True)
    if once:
        return 0
    print("Ctrl-C ends the server.", flush=True)
    return server.wait()


def asked(url: str, body: str) -> bytes:
    """Return the answer to a question, which is printed as the command that asks it.

    Args:
        url: Where to ask.
        body: JSON.
    """
    words = ["curl", "-sS", "-H", "Content-Type: application/json", "-d", body, url]
    print(f"\n$ {shlex.join(words)}", flush=True)
    if shutil.which("curl"):
        return subprocess.run(words, check=True, stdout=subprocess.PIPE).stdout
    headers = {"Content-Type": "application/json"}
    request = urllib.request.Request(url, body.encode(), headers)
    with urllib.request.urlopen(request, timeout=30) as reply:
        found: bytes = reply.read()
        return found


if __name__ == "__main__":
    sys.exit(main())
