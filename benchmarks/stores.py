"""How fast are the stores of histories, and does one lose an acknowledged event if it is killed?

.venv/bin/python benchmarks/stores.py
"""

import argparse
import csv
import os
import platform
import random
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from sasrec_serve.stores.contract import Event, HistoryStore
from sasrec_serve.stores.importing import import_events
from sasrec_serve.stores.opening import open_store

HERE = Path(__file__).parent
sys.path.append(str(HERE.parent / "serve" / "tests" / "stores"))
from store_servers import PostgresServer, RedisServer, Server  # noqa: E402

WORKERS, THREADS, TOGETHER = 2, 4, 10
"""Processes that append at once, threads of each, and events of one append."""
N_USERS = 20_000

WRITER = """
import sys, threading
from sasrec_serve.stores.contract import Event
from sasrec_serve.stores.opening import open_store
url, name, threads, together, users = sys.argv[1], sys.argv[2], *map(int, sys.argv[3:])
store = open_store(url)

def work(thread):
    number = 0
    while True:
        names = [f"{name}-{thread}-{n}" for n in range(number, number + together)]
        events = [Event(f"u{(number + k) % users}", n, number + k, id=n)
                  for k, n in enumerate(names)]
        store.append(events)
        sys.stdout.write("".join(n + "\\n" for n in names))
        sys.stdout.flush()
        number += together

for n in range(threads):
    threading.Thread(target=work, args=(n,)).start()
"""


class Writers:
    """Processes that append to a store until they are killed, and files of what they have told."""

    def __init__(self, url: str, folder: Path) -> None:
        self.url, self.folder = url, folder
        self.running: list[subprocess.Popen] = []
        self.files: list[Path] = []

    def start(self) -> None:
        """Start one more."""
        path = self.folder / f"told-{len(self.files)}"
        numbers = map(str, (THREADS, TOGETHER, N_USERS))
        command = [sys.executable, "-c", WRITER, self.url, f"w{len(self.files)}", *numbers]
        with open(path, "wb") as told:
            self.running.append(subprocess.Popen(command, stdout=told))
        self.files.append(path)

    def kill(self) -> None:
        """Kill the one that runs longest."""
        process = self.running.pop(0)
        process.send_signal(signal.SIGKILL)
        process.wait()

    def n_bytes(self) -> int:
        """Return the size of what was told."""
        return sum(path.stat().st_size for path in self.files)

    def told(self) -> list[str]:
        """Return the items of all acknowledged events."""
        return [item for path in self.files for item in path.read_text().split("\n")[:-1]]


def soak(n_events: int, n_kills: int, folder: Path) -> None:
    """Append events from several processes, kill them, and count what is lost or doubled."""
    url = f"sqlite:///{folder}/soak.sqlite"
    open_store(url).close()
    writers = Writers(url, folder)
    draw = random.Random(0)
    started = time.perf_counter()
    per_event = len("w10-0-12345\n")
    for _ in range(WORKERS):
        writers.start()
    for kill in range(n_kills):
        goal = per_event * n_events * (kill + draw.random()) / n_kills
        while writers.n_bytes() < goal:
            time.sleep(0.01)
        writers.kill()
        writers.start()
    while len(told := writers.told()) < n_events:
        time.sleep(1)
    while writers.running:
        writers.kill()
    seconds = time.perf_counter() - started
    told = writers.told()
    store = open_store(url, keep=None)
    found = Counter(
        item
        for start in range(0, N_USERS, 1000)
        for history in store.histories([f"u{n}" for n in range(start, start + 1000)])
        for item in history.items
    )
    lost = sum(item not in found for item in told)
    doubled = sum(count > 1 for count in found.values())
    size = (folder / "soak.sqlite").stat().st_size / 1e6
    print(
        f"SQLite, {WORKERS} processes of {THREADS} threads, {TOGETHER} events an append, "
        f"{n_kills} times kill -9:\n  {len(told):,} acknowledged, {lost} lost, {doubled} doubled, "
        f"{sum(found.values()) - len(told)} stored but not told; "
        f"{len(told) / seconds:,.0f} events/s, {size:.0f} MB"
    )
    store.close()


def log_of(n_events: int, path: Path) -> None:
    """Write a log of random events."""
    draw = np.random.default_rng(0)
    users = draw.integers(0, N_USERS, n_events)
    items = draw.integers(0, 100_000, n_events)
    times = 1.7e9 + np.arange(n_events, dtype=np.float64)
    tokens = pa.array([f"user-{user}" for user in users])
    table = pa.table([tokens, items, times], names=["user_id", "item_id", "timestamp"])
    pq.write_table(table, path)


def per_second(call: Callable[[int], object], *, threads: int, seconds: float) -> float:
    """Return how often a function is called per second by several threads."""
    counts = [0] * threads
    end = time.perf_counter() + seconds

    def work(thread: int) -> None:
        while time.perf_counter() < end:
            call(counts[thread] * threads + thread)
            counts[thread] += 1

    workers = [threading.Thread(target=work, args=(n,)) for n in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return sum(counts) / seconds


def milliseconds(call: Callable[[int], object], runs: int) -> tuple[float, float]:
    """Return median and 99th percentile of the time of a call."""
    times = []
    for run in range(runs + 20):
        started = time.perf_counter()
        call(run)
        times.append(1e3 * (time.perf_counter() - started))
    measured = sorted(times[20:])
    return statistics.median(measured), measured[int(0.99 * len(measured))]


def users_of(run: int, count: int) -> list[str]:
    """Return pseudo-random users."""
    return [f"user-{(run * count + k) * 7919 % N_USERS}" for k in range(count)]


def reads(store: HistoryStore) -> dict[str, float]:
    """Return the times of reading the latest 50 events of one and of 64 users."""
    row = {}
    for count in (1, 64):
        median, tail = milliseconds(lambda run, n=count: store.histories(users_of(run, n)), 1000)
        row[f"read_{count}_ms"], row[f"read_{count}_p99_ms"] = median, tail
    return row


def writes(store: HistoryStore, seconds: float) -> dict[str, float]:
    """Return the rates of appends of one event by 1 and 32 threads, and of 1,000 events by one."""
    row = {}

    def append(run: int) -> None:
        store.append([Event(users_of(run, 1)[0], "a", 1.8e9 + run)])

    for threads in (1, 32):
        row[f"appends_{threads}"] = per_second(append, threads=threads, seconds=seconds)

    def append_many(run: int) -> None:
        store.append([Event(user, "a", 1.9e9 + run) for user in users_of(run, 1000)])

    row["events_1000"] = 1000 * per_second(append_many, threads=1, seconds=seconds)
    return row


def stores(folder: Path) -> Iterator[tuple[str, str, Server | None]]:
    """Yield name, URL and server of each store that can be written."""
    yield "SQLite", f"sqlite:///{folder}/events.sqlite", None
    for name, kind in (("Redis", RedisServer), ("PostgreSQL", PostgresServer)):
        try:
            server = kind()
            server.start()
        except (AssertionError, OSError) as error:
            print(f"{name} is not installed ({error})")
            continue
        yield name, server.url, server


def measured(name: str, url: str, log: Path, seconds: float) -> dict[str, object]:
    """Return the rates and times of a store, which is filled with a log first."""
    store = open_store(url, keep=50)
    row: dict[str, object] = {"store": name}
    for column in ("import", "import_again"):
        started = time.perf_counter()
        done = import_events(store, log)
        row[column] = done.n_rows / (time.perf_counter() - started)
    row |= reads(store) | writes(store, seconds)
    store.close()
    return row


def shown(rows: list[dict[str, object]]) -> None:
    """Print the rows and write them to the results."""
    names = {
        "import": "import, events/s",
        "import_again": "the same log again, events/s",
        "appends_1": "appends/s, 1 thread",
        "appends_32": "appends/s, 32 threads",
        "events_1000": "events/s, 1,000 an append",
        "read_1_ms": "read 1 user, ms",
        "read_1_p99_ms": "read 1 user, p99 ms",
        "read_64_ms": "read 64 users, ms",
        "read_64_p99_ms": "read 64 users, p99 ms",
    }
    print(f"{'':30}" + "".join(f"{row['store']:>12}" for row in rows))
    for key, title in names.items():
        cells = [row.get(key) for row in rows]
        form = "12.3f" if key.startswith("read") else "12,.0f"
        text = "".join(f"{'-':>12}" if cell is None else f"{cell:{form}}" for cell in cells)
        print(f"{title:30}{text}")
    with open(HERE / "results" / "stores.csv", "w", newline="") as file:
        writer = csv.DictWriter(file, ["store", *names])
        writer.writeheader()
        writer.writerows(rows)
    base, best = rows[0]["appends_1"], rows[0]["appends_32"]
    print(f"ratio of SQLite's appends/s with 32 threads to those with 1: {best / base:.1f}")


def main() -> None:
    """Measure all stores with the same log, then kill writers of SQLite."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--events", type=int, default=1_000_000)
    arguments.add_argument("--kills", type=int, default=20)
    arguments.add_argument("--seconds", type=float, default=5.0)
    given = arguments.parse_args()
    folder = Path(tempfile.mkdtemp())
    load = os.getloadavg()[0]
    print(
        f"{platform.machine()}, {os.cpu_count()} cores, load {load:.1f}, Python {sys.version[:6]}"
    )
    try:
        soak(given.events, given.kills, folder)
        log_of(given.events, log := folder / "log.parquet")
        rows = []
        for name, url, server in stores(folder):
            print(f"measuring {name}", flush=True)
            rows.append(measured(name, url, log, given.seconds))
            if server is not None:
                server.remove()
        started = time.perf_counter()
        parquet = open_store(log, keep=50)
        row = {"store": "Parquet", "import": given.events / (time.perf_counter() - started)}
        rows.append(row | reads(parquet))
        shown(rows)
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
