"""Bodies, headers and connections that mean harm: one message and a status of 4xx, never 500."""

import json
import random
import socket
import time
from collections.abc import Iterator

import pytest
from exported_forms import recommender_of
from hypothesis import given
from hypothesis import strategies as st
from running_server import Server, running, until

import sasrec

HEAD = b"POST /recommend HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n"
GOOD = b'{"history": ["i1"]}'


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("exports")
    sasrec.export(recommender_of("recbole"), folder / "out")
    words = (
        *("--max-receive-seconds", "1", "--max-body-bytes", "20000", "--max-connections", "40"),
        *("--log-requests", "all", "--store", str(folder / "events.sqlite")),
    )
    with running(folder / "out", *words, log=folder / "log") as found:
        yield found


def read_all(connection: socket.socket) -> bytes:
    """Return all bytes until the server closes the connection."""
    found = b""
    try:
        while data := connection.recv(65536):
            found += data
    except ConnectionResetError:
        pass
    return found


def sent(server: Server, raw: bytes) -> bytes:
    """Return what the server answers to raw bytes, after which it closes the connection."""
    with server.connection() as connection:
        connection.sendall(raw)
        return read_all(connection)


@pytest.mark.parametrize(
    ("body", "status", "error"),
    [
        (b"", 400, "the body is not JSON"),
        (b"{", 400, "the body is not JSON"),
        (b"\xff\xfe", 400, "the body is not UTF-8: byte 0"),
        (b"\xef\xbb\xbf{}", 400, "the body is not JSON"),
        (b'{"history": [NaN]}', 400, "NaN, which is not JSON"),
        (b'{"history": [], "k": Infinity}', 400, "Infinity, which is not JSON"),
        (b'{"history": [], "k": -Infinity}', 400, "-Infinity, which is not JSON"),
        (b'{"history": [], "k": 1e999}', 400, "the number '1e999' is too large"),
        (b'{"history": [], "k": ' + 5000 * b"9" + b"}", 400, "too many digits"),
        (b'{"history": [], "k": ' + 400 * b"9" + b"}", 422, "k is too large"),
        (b'{"history": [], "k": -1e300}', 422, "k: input should be greater"),
        (b'{"history": [{"item": "i1", "time": 1e300}]}', 422, "less than or equal"),
        (b'{"history": [{"item": "i1", "time": ' + 400 * b"9" + b"}]}", 422, "history.0"),
        (b'{"history": ["\\ud800"]}', 400, "half of a surrogate pair"),
        (b'{"history": ["\\uDFFF\\uD800"]}', 400, "half of a surrogate pair"),
        (b'{"history": [], "\\ud800": 1}', 400, "half of a surrogate pair"),
        (b'{"history": [], "rules": {"only_where": "\\ud800"}}', 400, "half of a"),
        (b'{"history": ["\\ud83d\\ude00", "\\\\ud800"]}', 200, ""),
        (b'{"history": [], "history": []}', 400, "the name 'history' occurs twice"),
        (b'{"history": ["\\u0000", "\\u001b[31m"]}', 200, ""),
        (9000 * b"[" + 9000 * b"]", 400, "nested too deeply"),
        (b'{"history": ' + 900 * b"[" + 900 * b"]" + b"}", 422, "history"),
        (b'{"history": [], "rules": ' + 900 * b'{"a":' + b"1" + 901 * b"}", 409, "unknown rule"),
        (b'{"history": [], "rules": {"boost": ' + 900 * b"[" + 900 * b"]" + b"}}", 409, "boost"),
        (b'"history"', 422, "must be an object"),
        (b"1", 422, "must be an object"),
        (b'{"history": "i1"}', 422, "history: input should be a valid list"),
        (b'{"history": {"0": "i1"}}', 422, "history"),
        (b'{"history": ["' + 30000 * b"x" + b'"]}', 413, "larger than 20,000 bytes"),
    ],
)
def test_a_hostile_body_gets_one_message(
    server: Server, body: bytes, status: int, error: str
) -> None:
    found = server.ask("POST", "/recommend", body)
    assert found[0] == status, found
    if status != 200:
        assert error in found[1]["error"]
    assert server.get("/ready")["ready"]


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=8,
)
names = ("history", "histories", "user", "users", "k", "candidates", "exclude", "exclude_seen")
more = ("rules", "next_type", "items", "events", "search")


@given(
    path=st.sampled_from(["/recommend", "/similar", "/explain", "/events"]),
    body=values | st.dictionaries(st.sampled_from([*names, *more]), values, max_size=5),
)
def test_any_json_gets_an_answer(server: Server, path: str, body: object) -> None:
    status, answer = server.ask("POST", path, json.dumps(body).encode())
    assert status in (200, 400, 404, 409, 422)
    assert status == 200 or answer["error"]


@given(path=st.sampled_from(["/recommend", "/explain", "/events"]), raw=st.binary(max_size=60))
def test_any_bytes_get_an_answer(server: Server, path: str, raw: bytes) -> None:
    headers = {"content-type": "application/json"}
    assert server.ask("POST", path, raw, headers)[0] in (400, 409, 422)


@pytest.mark.parametrize(
    ("raw", "status"),
    [
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400),
        (b"GET / HTTP/1.1\r\nhost: x\r\nhost\r\n\r\n", 400),
        (b"GET /\xff HTTP/1.1\r\nhost: x\r\n\r\n", 400),
        (b"GET http:// HTTP/1.1\r\nhost: x\r\n\r\n", 400),
        (b"BREW / HTTP/1.1\r\n\r\n", 400),
        (HEAD + b"content-length: -1\r\n\r\n", 400),
        (HEAD + b"content-length: 3\r\ncontent-length: 5\r\n\r\nabc", 400),
        (HEAD + b"content-length: 3\r\ntransfer-encoding: chunked\r\n\r\nabc", 400),
        (HEAD + b"transfer-encoding: chunked\r\n\r\nzz\r\n", 400),
        (HEAD + b"content-length: 99999999999999999999\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nx: " + 70000 * b"y", 431),
        (b"GET / HTTP/1.1\r\n" + 9000 * b"x: yyyy\r\n", 431),
    ],
)
def test_what_is_not_http_is_refused_and_the_connection_closed(
    server: Server, raw: bytes, status: int
) -> None:
    answer = sent(server, raw)
    assert answer.startswith(b"HTTP/1.1 %d " % status), answer[:200]


def test_the_body_may_come_in_pieces(server: Server) -> None:
    with server.connection() as connection:
        connection.sendall(HEAD + b"connection: close\r\ntransfer-encoding: chunked\r\n\r\n")
        for byte in GOOD:
            connection.sendall(b"1\r\n" + bytes([byte]) + b"\r\n")
        connection.sendall(b"0\r\n\r\n")
        assert b"200 OK" in read_all(connection)


def test_pipelined_requests_are_answered_in_order(server: Server) -> None:
    one = HEAD + b"content-length: %d\r\n\r\n" % len(GOOD) + GOOD
    last = b"GET /health HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n"
    answer = sent(server, 5 * one + last)
    assert answer.count(b"200 OK") == 6
    assert answer.endswith(b'{"status":"ok"}')


def test_a_chunked_body_beyond_the_limit_is_refused(server: Server) -> None:
    piece = b"1000\r\n" + 4096 * b"x" + b"\r\n"
    raw = HEAD + b"connection: close\r\ntransfer-encoding: chunked\r\n\r\n" + 8 * piece
    assert b"413 " in sent(server, raw + b"0\r\n\r\n")[:20]


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"\r\n",
        b"POST /recommend HTT",
        HEAD,
        HEAD + b"content-length: 19\r\n\r\n",
        HEAD + b"content-length: 19\r\n\r\n" + GOOD[:5],
        HEAD + b"transfer-encoding: chunked\r\n\r\n5\r\n{",
    ],
)
def test_a_connection_that_sends_too_slowly_is_ended(server: Server, raw: bytes) -> None:
    with server.connection() as connection:
        connection.sendall(raw)
        begun = time.monotonic()
        assert b"408 " in read_all(connection)[:20]
        assert time.monotonic() - begun < 20
    assert server.get("/ready")["ready"]


def test_a_request_that_trickles_in_is_ended(server: Server) -> None:
    with server.connection() as connection:
        answer = b""
        for byte in HEAD * 3:
            try:
                connection.sendall(bytes([byte]))
                connection.settimeout(0.05)
                answer += connection.recv(65536)
                break
            except TimeoutError:
                continue
            except (BrokenPipeError, ConnectionResetError):
                break
        assert answer == b"" or b"408 " in answer[:20]
        assert byte != HEAD[-1]


def test_too_many_connections_are_refused_at_once(server: Server) -> None:
    connections = [server.connection() for _ in range(45)]
    try:
        refused = sum(b"503 " in read_all(each)[:20] for each in connections)
        assert refused >= 5  # the others end because they send nothing
    finally:
        for each in connections:
            each.close()
    assert server.get("/ready")["ready"]


def test_bodies_must_be_sent_as_json(server: Server) -> None:
    for kind in ("text/plain", "application/x-www-form-urlencoded", "application/jsonx"):
        status, answer = server.ask("POST", "/events", GOOD, {"content-type": kind})
        assert status == 415
        assert "Content-Type: application/json" in answer["error"]
    kind = "Application/JSON; charset=utf-8"
    assert server.ask("POST", "/recommend", GOOD, {"content-type": kind})[0] == 200


def test_nothing_of_a_request_reaches_the_log_unescaped(server: Server) -> None:
    sent(
        server,
        b"GET /%1b%5b31m%0ainjected%e2%80%a8 HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n",
    )
    server.post("/recommend", {"history": ["secret-item"]})
    lines = server._log.read_bytes()
    assert all(32 <= byte < 127 or byte == 10 for byte in lines)
    assert b"secret-item" not in lines
    until(lambda: any("injected" in line.get("path", "") for line in server.log()))
    paths = [line["path"] for line in server.log() if line["message"] == "request"]
    assert "/\x1b[31m\ninjected\u2028" in paths


@pytest.mark.slow
def test_a_hundred_thousand_hostile_requests_leave_the_server_ready(server: Server) -> None:
    draw = random.Random(0)
    good = json.dumps({"history": ["i1", "i2"], "k": 3}).encode()
    before = server.metric("process_resident_memory_bytes")
    statuses: dict[int, int] = {}
    connection = server.connection()
    for number in range(100_000):
        body = bytearray(good)
        for _ in range(draw.randrange(1, 4)):
            body[draw.randrange(len(body))] = draw.randrange(256)
        connection.sendall(HEAD + b"content-length: %d\r\n\r\n" % len(body) + body)
        answer = connection.recv(65536)
        while b"\r\n\r\n" not in answer or not answer.endswith(b"}"):
            answer += connection.recv(65536)
        status = int(answer[9:12])
        statuses[status] = statuses.get(status, 0) + 1
        if number % 1000 == 0:
            connection.close()
            connection = server.connection()
    connection.close()
    assert set(statuses) <= {200, 400, 404, 409, 422}, statuses
    assert server.get("/ready")["ready"]
    assert server.metric("process_resident_memory_bytes") < before + 30e6
