"""Requests and signals that once blocked, loosened or crashed a server."""

import asyncio
import json
import os
import signal
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from exported_forms import recommender_of
from running_server import Server, running, until
from test_serve_workers import children

import sasrec
from sasrec_serve.errors import SettingsError
from sasrec_serve.rules.from_requests import rules_from_request
from sasrec_serve.rules.rules import Rules
from sasrec_serve.rules.switches import RuleSwitches
from sasrec_serve.server.exports import exports_at, mark_of
from sasrec_serve.server.hosts import host_name, is_own_name
from sasrec_serve.server.json_bodies import parsed
from sasrec_serve.server.keys import keys_in, new_key
from sasrec_serve.server.refusals import Overloaded, Refused
from sasrec_serve.server.services import Threads

HEAD = b"POST /recommend HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n"


@pytest.fixture(scope="module")
def export(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("exports") / "out"
    sasrec.export(recommender_of("recbole"), folder)
    return folder


@pytest.fixture(scope="module")
def server(export: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    words = ("--max-receive-seconds", "1", "--max-idle-seconds", "2")
    log = tmp_path_factory.mktemp("log") / "log"
    with running(export, *words, log=log) as found:
        yield found


def test_a_name_that_occurs_twice_among_many_is_found_at_once() -> None:
    names = [f'"{number:x}":0' for number in range(100_000)]
    with pytest.raises(Refused, match="'1869f' occurs twice"):
        parsed(f"{{{','.join([*names, names[-1]])}}}".encode())  # took minutes if quadratic


@pytest.mark.parametrize("head", [HEAD, HEAD + b"connection: close\r\n"])
def test_answers_that_nobody_reads_do_not_keep_connections(server: Server, head: bytes) -> None:
    body = json.dumps({"histories": [["i1"]] * 100, "k": 40}).encode()
    request = head + b"content-length: %d\r\n\r\n" % len(body) + body
    before = _files(server)
    connections = []
    for _ in range(5):
        connection = socket.socket()
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.connect(("127.0.0.1", server.port))
        connection.settimeout(1)
        connections.append(connection)
        try:
            for _ in range(20):
                connection.sendall(request)
        except OSError:  # the server reads no more
            pass
    try:
        until(lambda: _files(server) <= before, 30)
    finally:
        for connection in connections:
            connection.close()
    assert not [line for line in server.log() if line["level"] == "error"]


def _files(server: Server) -> int:
    return len(os.listdir(f"/proc/{server.process.pid}/fd"))


def test_trailers_count_as_headers(server: Server) -> None:
    with server.connection() as connection:
        connection.sendall(HEAD + b"transfer-encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n")
        try:
            for _ in range(100):
                connection.sendall(b"x: " + 4096 * b"y" + b"\r\n")
        except OSError:
            return
        assert b"431 " in connection.recv(100)


def test_headers_that_come_at_once_have_a_limit_too(server: Server) -> None:
    with server.connection() as connection:
        connection.sendall(b"GET /health HTTP/1.1\r\nx: " + 90000 * b"y" + b"\r\n\r\n")
        assert b"431 " in connection.recv(100)


def test_a_broken_request_is_not_answered_in_the_place_of_the_one_before(server: Server) -> None:
    body = b'{"history": ["i1"]}'
    with server.connection() as connection:
        connection.sendall(
            HEAD + b"content-length: %d\r\n\r\n" % len(body) + body + b"\x00\r\n\r\n"
        )
        answer = connection.recv(100)
    assert answer == b"" or b" 200 " in answer


@pytest.mark.parametrize(
    "rules",
    [
        {"boost": "multiply 1e300"},
        {"boost": ["multiply 1e15", "multiply 1e15"]},
        {"boost": "multiply 1e-30"},
        {"boost": "add -1e30"},
        {"boost": ["add 1e308", "add 1e308"]},
        {"max_per": {"title": 10**30}},
    ],
)
def test_numbers_that_are_too_large_are_refused(server: Server, rules: dict[str, object]) -> None:
    status, answer = server.ask("POST", "/recommend", {"history": ["i1"], "rules": rules})
    assert status == 409
    assert f"{next(iter(rules))}: " in answer["error"]
    with pytest.raises(sasrec.SasrecError):
        recommender_of("recbole").recommend([["i1"]], rules=rules)


@pytest.mark.parametrize(
    ("servers", "own", "name"),
    [
        ({"seen": "never"}, {"rebuy_where": "stock > 0"}, "rebuy_where"),
        ({"seen": "older than 30d"}, {"now": 1e12}, "now"),
        ({"seen": "never"}, {"seen_types": ["view"]}, "seen_types"),
        ({"seen_types": ["buy"]}, {"rebuy_where": "stock > 0"}, "rebuy_where"),
        ({"candidates": ["a"]}, {"fill_up": "popularity"}, "fill_up"),
        ({"candidates_by_user": "t.csv"}, {"fill_up": "popularity"}, "fill_up"),
    ],
)
def test_a_request_cannot_loosen_rules_of_the_server(
    servers: dict[str, object], own: dict[str, object], name: str
) -> None:
    request = rules_from_request(own)
    for switches in (
        RuleSwitches(Rules(**servers)),  # type: ignore[arg-type]
        RuleSwitches(sets={"a": Rules(**servers)}, default=("a",)),  # type: ignore[arg-type]
    ):
        with pytest.raises(SettingsError, match=f"the request must not set {name}"):
            switches.rules_for(None, request)
    same = RuleSwitches(Rules(**{**servers, **own}))  # type: ignore[arg-type]
    assert getattr(same.rules_for(None, request), name) == getattr(request, name)
    assert getattr(RuleSwitches().rules_for(None, request), name) == getattr(request, name)


def test_excluded_items_are_cleaned_like_those_of_the_data(tmp_path: Path) -> None:
    recommender = recommender_of("recbole")
    recommender.settings["data"]["clean_tokens"] = ["case", "spaces"]
    recommender.save(tmp_path / "model")
    sasrec.export(tmp_path / "model", tmp_path / "out")
    with running(tmp_path / "out", log=tmp_path / "log") as server:
        body = {"history": ["i1"], "k": 40, "exclude": [" I3"]}
        [found] = server.post("/recommend", body)["lists"]
        items = [each["item"] for each in found["items"]]
        assert "i3" not in items
        assert len(items) > 30
        body = {"history": ["i1"], "k": 1, "exclude": ["i3"], "candidates": ["i2", "i40"]}
        [found] = server.post("/recommend", body)["lists"]
        items = [each["item"] for each in found["items"]]
        assert found["untrained"] == [item for item in items if item == "i40"]


def test_pages_of_other_sites_cannot_take_the_server_for_their_own(server: Server) -> None:
    for host in ("shop.example:8000", "127.0.0.1.nip.example", "LOCALHOST.example."):
        status, answer = server.ask("GET", "/model", headers={"host": host})
        assert status == 421
        assert "--allow-host NAME" in answer["error"]
    for host in (
        "localhost:1",
        "127.0.0.1",
        "[::1]:8000",
        "app.localhost",
        "proxy",
        "",
        "10.0.0.1",
    ):
        assert server.ask("GET", "/health", headers={"host": host})[0] == 200
    assert host_name("Shop.Example.:80") == "shop.example"
    assert not is_own_name("shop.example")


def test_names_can_be_allowed_and_keys_make_them_unnecessary(export: Path, tmp_path: Path) -> None:
    with running(export, "--allow-host", "Shop.example", log=tmp_path / "log") as server:
        assert server.ask("GET", "/model", headers={"host": "shop.example:443"})[0] == 200
        assert server.ask("GET", "/model", headers={"host": "other.example"})[0] == 421
    key = new_key("a", tmp_path / "keys")
    with running(export, "--keys", str(tmp_path / "keys"), log=tmp_path / "log") as server:
        headers = {"host": "other.example", "x-api-key": key}
        assert server.ask("GET", "/model", headers=headers)[0] == 200


def test_the_last_key_can_be_revoked(export: Path, tmp_path: Path) -> None:
    path = tmp_path / "keys"
    key = {"x-api-key": new_key("a", path)}
    with running(export, "--keys", str(path), "--watch", "0.1", log=tmp_path / "log") as server:
        assert server.ask("GET", "/model", headers=key)[0] == 200
        path.write_text("# none\n")
        assert keys_in(path).hashes == ()
        until(lambda: server.ask("GET", "/model", headers=key)[0] == 401)


def test_signals_without_a_name_end_a_worker_and_not_the_server(
    export: Path, tmp_path: Path
) -> None:
    with running(export, "--workers", "2", log=tmp_path / "log") as server:
        os.kill(children(server.process.pid)[0], 40)
        until(lambda: any(line.get("signal") == "40" for line in server.log()))
        until(lambda: len(children(server.process.pid)) == 2)
        assert server.get("/ready")["ready"]


def test_a_copy_that_goes_on_is_looked_at_again(tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_text("{}")
    first = mark_of(tmp_path)
    assert first is not None
    (tmp_path / "network.onnx").write_bytes(b"1")
    second = mark_of(tmp_path)
    assert second != first
    (tmp_path / "link").symlink_to("nowhere")
    assert mark_of(tmp_path) not in (first, second, None)
    (tmp_path / "lost+found").mkdir()
    assert exports_at(tmp_path) == [tmp_path.resolve()]
    assert mark_of(tmp_path / "lost+found") is None


def test_calls_that_have_waited_too_long_are_refused_and_never_begun() -> None:
    gate, begun = threading.Event(), []

    async def main() -> None:
        threads = Threads(100, 0.2)
        calls = [asyncio.ensure_future(threads.run(gate.wait)) for _ in range(8)]
        await asyncio.sleep(0.05)
        start = time.monotonic()
        with pytest.raises(Overloaded):
            await threads.run(lambda: begun.append(1))
        assert time.monotonic() - start < 5
        gate.set()
        assert await asyncio.gather(*calls) == [True] * 8
        assert await threads.run(lambda: 3) == 3
        threads.close()

    asyncio.run(main())
    assert begun == []


def test_a_store_that_was_deleted_says_so_each_time_and_hinders_no_search(
    export: Path, tmp_path: Path
) -> None:
    path = tmp_path / "events.sqlite"
    with running(export, "--store", str(path), log=tmp_path / "log") as server:
        body = {"events": [{"user": "u", "item": "i1"}]}
        assert server.post("/events", body) == {"stored": 1}
        path.unlink()
        for _ in range(3):
            status, answer = server.ask("POST", "/events", body)
            assert status == 503
            assert "was deleted, moved or replaced" in answer["error"]
        assert server.get("/items?search=three")["found"] == 1


def test_many_signals_make_few_looks_for_an_export(export: Path, tmp_path: Path) -> None:
    with running(export, log=tmp_path / "log") as server:
        for _ in range(200):
            server.process.send_signal(signal.SIGHUP)
        assert server.get("/items?search=three")["found"] == 1
        assert server.post("/recommend", {"history": ["i1"]})["lists"]
