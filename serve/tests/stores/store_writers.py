"""A process that appends events and prints the number of each that was acknowledged."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

APPEND = """
import sys, threading
from sasrec_serve.stores.contract import Event
from sasrec_serve.stores.opening import open_store
url, name, first, threads, last = sys.argv[1], sys.argv[2], *map(int, sys.argv[3:6])
store = open_store(url)

def work(thread):
    number = first
    while number < last:
        events = [Event(f"u{n % 3}", f"{name}-{thread}-{n}", n, id=f"{name}-{thread}-{n}")
                  for n in range(number, number + 3)]
        store.append(events)
        sys.stdout.write("".join(f"{event.user} {event.item}\\n" for event in events))
        sys.stdout.flush()
        number += 3

workers = [threading.Thread(target=work, args=(n,)) for n in range(threads)]
[worker.start() for worker in workers]
[worker.join() for worker in workers]
"""


@contextmanager
def writer(
    url: str, name: str, *, first: int = 0, threads: int = 4, last: int = 10**9
) -> Iterator[subprocess.Popen[str]]:
    """Start a process that appends events until it is killed or has written the last."""
    arguments = [sys.executable, "-c", APPEND, url, name, str(first), str(threads), str(last)]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def acknowledged(process: subprocess.Popen[str]) -> list[tuple[str, str]]:
    """Return user and item of each event that a process has told as stored."""
    assert process.stdout is not None
    lines = process.stdout.read().split("\n")[:-1]  # what follows the last line end is torn
    return [(line.split()[0], line.split()[1]) for line in lines]
