"""How fast does sasrec-serve answer, and what happens when models are swapped or workers killed?

Server and load share the machine. Load is open-loop: requests are due at a constant rate, and a
latency counts from when a request was due. Models have random weights and the network of ``best``;
histories have 1 to 50 events.

.venv/bin/python benchmarks/serving.py rate                        # 12,101 items, 1,000 requests/s
.venv/bin/python benchmarks/serving.py rate --items 1000000 --rate 200
.venv/bin/python benchmarks/serving.py swaps                       # 20 new models under that load
.venv/bin/python benchmarks/serving.py kill                        # kill -9 of one of two workers
.venv/bin/python benchmarks/serving.py hostile                     # 100,000 hostile requests
.venv/bin/python benchmarks/serving.py peers          # against FastAPI around RecTools and PyTorch
"""

import argparse
import csv
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from serving_load import Load, open_loop, request_bytes

RESULTS = Path(__file__).parent / "results" / "serving.csv"
LENGTH, DISTINCT = 50, 2000
RECTOOLS = Path(__file__).parents[1] / ".venv-rectools/bin/python"
RECTOOLS_SERVER = Path(__file__).parent / "peer_rectools_server.py"
TARGET = 50.0
"""Milliseconds of p99 at which throughputs are compared."""
PEER = """
import sys
import sasrec
from fastapi import FastAPI
from pydantic import BaseModel
import torch, uvicorn

torch.set_num_threads(1)
recommender = sasrec.load(sys.argv[1])
app = FastAPI()

class Asked(BaseModel):
    history: list[str]
    k: int = 10

class Item(BaseModel):
    item: str
    title: str | None
    score: float

class Answer(BaseModel):
    items: list[Item]

@app.post("/recommend")
def recommend(asked: Asked) -> Answer:
    [found] = recommender.recommend([asked.history], asked.k)
    titles = recommender.titles
    return Answer(items=[
        Item(item=item, title=titles.get(item), score=score)
        for item, score in zip(found.items, found.scores)
    ])

uvicorn.run(app, port=int(sys.argv[2]), log_level="error")
"""


def machine() -> str:
    """Return one line about the machine."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    model = next((line.split(":")[1].strip() for line in lines if "model name" in line), "?")
    return f"{os.cpu_count()} cores, {model}, load before {os.getloadavg()[0]:.1f}"


def requests(n_items: int, k: int = 10) -> list[bytes]:
    """Return requests for histories of 1 to 50 random items."""
    draw = random.Random(0)
    return [
        request_bytes(
            "/recommend",
            {
                "history": [
                    f"B{draw.randrange(n_items):09d}" for _ in range(draw.randrange(1, LENGTH + 1))
                ],
                "k": k,
            },
        )
        for _ in range(DISTINCT)
    ]


def exported(n_items: int, folder: Path, scale: float = 1.0) -> Path:
    """Return a folder with a model, written by a process whose memory is not this one's."""
    code = (
        "import sys, torch; sys.path.insert(0, sys.argv[1])\n"
        "from export import random_model; import sasrec\n"
        "model = random_model(int(sys.argv[2]))\n"
        "with torch.no_grad():\n"
        "    for weight in model.model.parameters(): weight.mul_(float(sys.argv[4]))\n"
        "if sys.argv[5] == 'model':\n"
        "    from sasrec.models.sasrec import SASRecSettings as Form\n"
        "    from sasrec.settings.presets import PRESETS\n"
        "    best = PRESETS['best'].values.items()\n"
        "    model.settings['model'] = {k: v for k, v in best if k in Form.model_fields}\n"
        "    model.save(sys.argv[3])\n"
        "else: sasrec.export(model, sys.argv[3])\n"
    )
    what = "model" if folder.name == "model" else "export"
    here = str(Path(__file__).parent)
    words = [sys.executable, "-c", code, here, str(n_items), str(folder), str(scale), what]
    subprocess.run(words, check=True, capture_output=True)
    return folder


@contextmanager
def serving(place: Path, *words: str) -> Iterator[tuple[int, subprocess.Popen[str]]]:
    """Run a server; yield its port and its process."""
    process = subprocess.Popen(
        [sys.executable, "-m", "sasrec_serve", str(place), "--port", "0", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    assert process.stdout is not None
    try:
        yield int(process.stdout.readline().rsplit(":", 1)[1]), process
    finally:
        process.terminate()
        process.wait(30)


def asked(port: int, path: str, body: object | None = None) -> bytes:
    """Return the body of an answer."""
    raw = None if body is None else json.dumps(body).encode()
    headers = {"content-type": "application/json"}
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", raw, headers)
    with urllib.request.urlopen(request) as answer:
        found: bytes = answer.read()
    return found


def resident(pid: int) -> float:
    """Return the memory of a process in MB; mapped files count as far as they were read."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS")) / 1e3


def processor_seconds(pid: int) -> float:
    """Return the processor time of a process."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def rate(options: argparse.Namespace, folder: Path) -> Load:
    """Return latencies at a constant rate."""
    place = exported(options.items, folder / "export")
    with serving(place, *options.words) as (port, process):
        wanted = requests(options.items)
        open_loop(port, wanted, min(options.rate, 100), seconds=2)
        before, used = resident(process.pid), processor_seconds(process.pid)
        load = open_loop(port, wanted, options.rate, seconds=options.seconds)
        used = (processor_seconds(process.pid) - used) / max(1, len(load.seconds)) * 1e6
        print(f"memory {before:.0f} MB before, {resident(process.pid):.0f} MB after; ", end="")
        print(f"{used:.0f} us of processor time a request")
    return load


def swaps(options: argparse.Namespace, folder: Path) -> Load:
    """Return latencies while the model is replaced 20 times."""
    models = [exported(options.items, folder / str(n), scale=1 + n) for n in range(2)]
    place = folder / "served"
    place.symlink_to(models[0])
    outcomes = []

    def swap(port: int) -> None:
        for number in range(options.swaps):
            time.sleep(options.seconds / (options.swaps + 1))
            (folder / "next").symlink_to(models[(number + 1) % 2])
            (folder / "next").replace(place)
            outcomes.append(json.loads(asked(port, "/reload", {}))["outcome"])

    with serving(place, *options.words) as (port, process):
        wanted = requests(options.items)
        open_loop(port, wanted, 100, seconds=2)
        before = resident(process.pid)
        thread = threading.Thread(target=swap, args=(port,))
        thread.start()
        load = open_loop(port, wanted, options.rate, seconds=options.seconds)
        thread.join()
        print(f"{outcomes.count('swapped')} swaps, answers by model {list(load.models.values())}")
        print(f"memory {before:.0f} MB before, {resident(process.pid):.0f} MB after")
    return load


def kill(options: argparse.Namespace, folder: Path) -> Load:
    """Return latencies while one of two workers is killed again and again; print lost events."""
    place = exported(options.items, folder / "export")
    store = folder / "events.sqlite"
    acknowledged: set[tuple[str, str]] = set()
    is_done = threading.Event()

    def send(port: int) -> None:
        number = 0
        while not is_done.is_set():
            number += 1
            user, event = f"u{number % 7}", f"e{number}"
            body = {"events": [{"user": user, "item": "B000000001", "id": event}]}
            try:
                asked(port, "/events", body)
                acknowledged.add((user, event))
            except OSError:
                continue  # not acknowledged

    def end(pid: int) -> None:
        while not is_done.wait(3):
            children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
            if len(children) == 2:
                os.kill(int(random.choice(children)), signal.SIGKILL)

    words = ("--workers", "2", "--store", f"sqlite:///{store}", *options.words)
    with serving(place, *words) as (port, process):
        wanted = requests(options.items)
        open_loop(port, wanted, 100, seconds=2)
        threads = [
            threading.Thread(target=send, args=(port,)),
            threading.Thread(target=end, args=(process.pid,)),
        ]
        for thread in threads:
            thread.start()
        load = open_loop(port, wanted, options.rate, seconds=options.seconds)
        is_done.set()
        for thread in threads:
            thread.join()
    from sasrec_serve.stores.opening import open_store

    kept = open_store(f"sqlite:///{store}", keep=None).histories([f"u{n}" for n in range(7)])
    stored = sum(len(history.items) for history in kept)
    print(f"{len(acknowledged):,} events acknowledged, {stored:,} stored")
    return load


def hostile(options: argparse.Namespace, folder: Path) -> Load:
    """Return the answers to mutated requests, and print whether the server is still ready."""
    place = exported(options.items, folder / "export")
    draw = random.Random(0)
    with serving(place, "--max-receive-seconds", "1", *options.words) as (port, process):
        good = requests(options.items)
        mutated = []
        for number in range(20_000):
            head, _, body = good[number % DISTINCT].partition(b"\r\n\r\n")
            changed = bytearray(body)
            for _ in range(draw.randrange(1, 5)):
                changed[draw.randrange(len(changed))] = draw.randrange(256)
            mutated.append(head + b"\r\n\r\n" + bytes(changed))
        half_open = [socket.create_connection(("127.0.0.1", port)) for _ in range(200)]
        for connection in half_open:
            connection.sendall(b"POST /recommend HTTP/1.1\r\ncontent-length: 9\r\n")
        open_loop(port, good, 100, seconds=2)
        before = resident(process.pid)
        seconds = 100_000 / options.rate
        load = open_loop(port, mutated, options.rate, seconds=seconds)
        ready = json.loads(asked(port, "/ready"))["ready"]
        print(f"ready {ready}; memory {before:.0f} MB before, {resident(process.pid):.0f} MB after")
        for connection in half_open:
            connection.close()
    return load


def best_rate(port: int, wanted: list[bytes], start: float) -> float:
    """Return the highest rate with p99 of at most 50 ms, by doubling and halving."""

    def is_good(rate: float) -> bool:
        load = open_loop(port, wanted, rate, seconds=5)
        return not load.errors and load.milliseconds(0.99) <= TARGET and len(load.statuses) == 1

    low, high = 0.0, start
    while is_good(high):
        low, high = high, 2 * high
    while high - low > 0.1 * high:
        middle = (low + high) / 2
        low, high = (middle, high) if is_good(middle) else (low, middle)
        if high < 1:
            break
    return low


@contextmanager
def peer(words: list[str]) -> Iterator[int]:
    """Run another server, with its port as the last word; yield the port once it listens."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    process = subprocess.Popen([*words, str(port)], env=environment, stderr=subprocess.DEVNULL)
    try:
        while process.poll() is None:
            try:
                socket.create_connection(("127.0.0.1", port)).close()
                break
            except OSError:
                time.sleep(0.1)
        yield port
    finally:
        process.terminate()
        process.wait()


def peers(options: argparse.Namespace, folder: Path) -> None:
    """Compare throughput at p99 <= 50 ms with FastAPI around RecTools and our PyTorch model."""
    wanted = requests(options.items)
    model = exported(options.items, folder / "model")
    rectools = [str(RECTOOLS), str(RECTOOLS_SERVER), str(options.items)]
    found = {}
    for name, words in {
        "RecTools": rectools,
        "the PyTorch Recommender": [sys.executable, "-c", PEER, str(model)],
    }.items():
        with peer(words) as port:
            found[name] = best_rate(port, wanted, 20)
        print(f"FastAPI around {name}: {found[name]:,.1f} requests/s with p99 <= 50 ms")
    with serving(exported(options.items, folder / "export"), *options.words) as (port, _):
        ours = best_rate(port, wanted, 200)
    print(f"sasrec-serve: {ours:,.0f} requests/s with p99 <= 50 ms")
    for name, theirs in found.items():
        print(f"ratio to {name}: {ours / theirs if theirs else float('inf'):,.1f}")


MODES: dict[str, Callable[[argparse.Namespace, Path], Load | None]] = {
    "rate": rate,
    "swaps": swaps,
    "kill": kill,
    "hostile": hostile,
    "peers": peers,
}


def main() -> None:
    """Measure, print and save."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("mode", choices=MODES)
    parser.add_argument("--items", type=int, default=12_101)
    parser.add_argument("--rate", type=float, default=1000)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--swaps", type=int, default=20)
    options, options.words = parser.parse_known_args()[0], parser.parse_known_args()[1]
    print(machine())
    folder = Path(tempfile.mkdtemp())
    try:
        load = MODES[options.mode](options, folder)
    finally:
        shutil.rmtree(folder)
    if load is None:
        return
    print(f"{options.items:,} items, {options.rate:,.0f} requests/s: {load.line()}")
    RESULTS.parent.mkdir(exist_ok=True)
    is_new = not RESULTS.exists()
    with RESULTS.open("a", newline="") as file:
        writer = csv.writer(file)
        if is_new:
            writer.writerow(
                [
                    "mode",
                    "items",
                    "rate",
                    "seconds",
                    "answers",
                    "errors",
                    "p50_ms",
                    "p99_ms",
                    "p999_ms",
                    "max_ms",
                    "machine",
                ]
            )
        shares = [round(load.milliseconds(share), 3) for share in (0.5, 0.99, 0.999, 1)]
        writer.writerow(
            [
                options.mode,
                options.items,
                options.rate,
                options.seconds,
                load.good,
                load.errors,
                *shares,
                machine(),
            ]
        )


if __name__ == "__main__":
    main()
