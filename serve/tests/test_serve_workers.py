"""Several processes on one port, and how servers end."""

import json
import os
import re
import signal
import socket
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from exported_forms import recommender_of
from running_server import running, until

import sasrec


@pytest.fixture(scope="module")
def export(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("exports") / "out"
    sasrec.export(recommender_of("recbole"), folder)
    return folder


def children(pid: int) -> list[int]:
    """Return the child processes of a process."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[1]) == pid and fields[0] != "Z":
            found.append(int(path.parent.name))
    return found


def test_a_killed_worker_is_replaced_and_the_others_answer(export: Path, tmp_path: Path) -> None:
    store = ("--store", str(tmp_path / "events.sqlite"))
    with running(export, "--workers", "2", *store, log=tmp_path / "log") as server:
        workers = children(server.process.pid)
        assert len(workers) == 2
        acknowledged, failed, is_done = [], 0, threading.Event()

        def ask(thread: int) -> None:
            nonlocal failed
            number = 0
            while not is_done.is_set():
                number += 1
                event = {"user": f"u{thread}", "item": "i1", "id": f"e{number}"}
                try:
                    if server.ask("POST", "/events", {"events": [event]})[0] == 200:
                        acknowledged.append((event["user"], event["id"]))
                except (OSError, json.JSONDecodeError):
                    failed += 1
                except Exception:  # the connection ended within an answer
                    failed += 1

        threads = [threading.Thread(target=ask, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        until(lambda: len(acknowledged) > 20)
        os.kill(workers[0], signal.SIGKILL)
        before = len(acknowledged)
        until(lambda: len(acknowledged) > before + 50)
        until(lambda: len(children(server.process.pid)) == 2)
        is_done.set()
        for thread in threads:
            thread.join()
        assert failed <= 4  # only what was being answered by the worker that was killed
        assert workers[0] not in children(server.process.pid)
        for user in {user for user, _ in acknowledged}:
            own = len([1 for other, _ in acknowledged if other == user])
            stored = len(server.get(f"/history?user={user}")["events"])
            assert own <= stored <= own + failed
        assert any("a worker ended" in line["message"] for line in server.log())
        until(lambda: sum("worker is ready" in line["message"] for line in server.log()) == 3)
        assert server.metric("sasrec_serve_requests_total") >= len(acknowledged)
        assert server.stop() == 0


def test_workers_import_nothing_from_the_current_folder(
    export: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("numpy", "onnxruntime", "uvicorn"):
        (tmp_path / f"{name}.py").write_text(f"open({str(tmp_path / 'RAN')!r}, 'w')\n")
    monkeypatch.chdir(tmp_path)
    program = (sys.executable, "-P", "-m", "sasrec_serve")
    with running(export, "--workers", "2", log=tmp_path / "log", program=program) as server:
        server.post("/recommend", {"history": ["i1"], "k": 1})
    assert not (tmp_path / "RAN").exists()


def test_workers_end_with_their_supervisor(export: Path, tmp_path: Path) -> None:
    with running(export, "--workers", "2", log=tmp_path / "log") as server:
        workers = children(server.process.pid)
        server.process.kill()
        server.process.wait()
        until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in workers))


@pytest.mark.parametrize("workers", [1, 2])
def test_sigterm_lets_requests_in_progress_finish_and_exits_with_0(
    export: Path, tmp_path: Path, workers: int
) -> None:
    body = json.dumps({"histories": [["i1"] * 50] * 100, "k": 30}).encode()
    with running(export, "--workers", str(workers), log=tmp_path / "log") as server:
        head = b"POST /recommend HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n"
        with server.connection() as slow, server.connection() as idle:
            idle.sendall(b"GET /health HTTP/1.1\r\nhost: x\r\n\r\n")
            first = b""
            while not first.endswith(b'{"status":"ok"}'):
                first += idle.recv(65536)
            slow.sendall(head + b"content-length: %d\r\n\r\n" % len(body) + body[:1000])
            time.sleep(0.3)  # until the request is being received
            server.process.send_signal(signal.SIGTERM)
            assert idle.recv(65536) == b""  # a connection without a request is closed
            slow.sendall(body[1000:])
            answer = b""
            while data := slow.recv(65536):
                answer += data
        assert answer.startswith(b"HTTP/1.1 200 ")
        assert answer.count(b'"by_popularity"') == 100
        assert server.process.wait(30) == 0
        with pytest.raises(OSError, match="refused"):
            socket.create_connection(("127.0.0.1", server.port), timeout=5)


def test_ctrl_c_exits_with_0(export: Path, tmp_path: Path) -> None:
    with running(export, log=tmp_path / "log") as server:
        server.process.send_signal(signal.SIGINT)
        assert server.process.wait(30) == 0


def test_overload_is_refused_early_and_what_is_accepted_is_answered(
    export: Path, tmp_path: Path
) -> None:
    words = ("--max-queue", "300", "--max-seconds", "1")
    with running(export, *words, log=tmp_path / "log") as server:
        body = {"histories": [["i1", "i2", "i3"]] * 100, "k": 40}
        began = time.monotonic()

        def ask(_: int) -> tuple[int, dict[str, str], int]:
            status, headers, raw = server.whole("POST", "/recommend", body)
            return status, headers, len(json.loads(raw).get("lists", ()))

        with ThreadPoolExecutor(48) as threads:
            found = list(threads.map(ask, range(240)))
        statuses = {status for status, _, _ in found}
        assert statuses == {200, 503}, (statuses, time.monotonic() - began)
        for status, headers, n_lists in found:
            assert n_lists == (100 if status == 200 else 0)
            assert status == 200 or re.fullmatch(r"[1-9]\d?", headers["retry-after"])
        assert server.metric("sasrec_serve_overloaded_total") > 0
        assert server.post("/recommend", body)["lists"]
        until(lambda: server.metric("sasrec_serve_queue_histories") == 0)


def test_workers_share_their_metrics(export: Path, tmp_path: Path) -> None:
    with running(export, "--workers", "2", log=tmp_path / "log") as server:
        for _ in range(40):
            server.post("/recommend", {"history": ["i1"]})
        assert server.metric("sasrec_serve_lists_total") == 40
        assert server.metric("sasrec_serve_model_info") == 2  # one model in two workers
