"""What is acknowledged survives: writers and servers are killed in the middle of appends."""

import os
import signal
import time
from collections import Counter
from contextlib import ExitStack

import pytest
from store_servers import Opener, PostgresServer, RedisServer, slow
from store_writers import acknowledged, writer

from sasrec_serve.errors import StoreUnavailable
from sasrec_serve.stores import postgres_server
from sasrec_serve.stores.contract import Event, HistoryStore

USERS = ["u0", "u1", "u2"]


def stored(store: HistoryStore) -> Counter[tuple[str, str]]:
    return Counter(
        (history.user or "", item) for history in store.histories(USERS) for item in history.items
    )


def wait_for_events(store: HistoryStore, count: int) -> None:
    deadline = time.monotonic() + 60
    while sum(stored(store).values()) < count:
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_killed_writer_loses_and_doubles_nothing(opener: Opener, store_url: str) -> None:
    store = opener(keep=None)
    told: list[tuple[str, str]] = []
    for round_ in range(3):
        with writer(store_url, f"w{round_}") as process:
            wait_for_events(store, len(told) + 60)
            process.send_signal(signal.SIGKILL)
            told += acknowledged(process)
    found = stored(store)
    assert len(told) > 100
    assert set(told) <= set(found)
    assert set(found.values()) == {1}


def test_several_processes_append_at_once(opener: Opener, store_url: str) -> None:
    store = opener(keep=None)
    told: list[tuple[str, str]] = []
    with ExitStack() as running:
        processes = [
            running.enter_context(writer(store_url, f"w{n}", threads=2, last=90)) for n in range(4)
        ]
        for process in processes:
            told += acknowledged(process)
            assert process.wait(60) == 0
    assert len(told) == 4 * 2 * 90
    assert stored(store) == Counter(told)


@pytest.mark.parametrize("kind", ["redis", slow("postgresql")])
def test_a_killed_server_loses_nothing_and_is_found_again(
    kind: str, opener: Opener, store_url: str, request: pytest.FixtureRequest
) -> None:
    server: RedisServer | PostgresServer = request.getfixturevalue(
        "redis_server" if kind == "redis" else "postgres_server"
    )
    store = opener(keep=None)
    with writer(store_url, "w") as process:
        wait_for_events(store, 60)
        server.kill()
        told = acknowledged(process)  # each thread ends with an error
    with pytest.raises(StoreUnavailable) as raised:
        store.append([Event("u0", "lost", id="lost")])
    assert "does not answer" in str(raised.value)
    assert "secret-word" not in str(raised.value)
    server.start()
    found = stored(store)
    assert set(told) <= set(found)
    assert set(found.values()) == {1}
    assert store.append([Event("new", "a", id="1")]) == 1


@pytest.mark.parametrize("kind", ["redis", slow("postgresql")])
def test_a_server_that_was_restarted_between_two_calls_is_not_noticed(
    kind: str, store: HistoryStore, request: pytest.FixtureRequest
) -> None:
    server = request.getfixturevalue("redis_server" if kind == "redis" else "postgres_server")
    store.append([Event("u", "a")])
    server.kill()
    server.start()
    assert store.append([Event("u", "b")]) == 1
    server.kill()
    server.start()
    assert store.histories(["u"])[0].items == ["a", "b"]


@pytest.mark.parametrize("kind", ["redis"])
def test_a_redis_server_that_hangs_is_given_up_in_time(
    store: HistoryStore, redis_server: RedisServer
) -> None:
    assert redis_server.process is not None
    redis_server.process.send_signal(signal.SIGSTOP)
    try:
        with pytest.raises(StoreUnavailable, match="does not answer"):
            store.append([Event("u", "a")])
    finally:
        redis_server.process.send_signal(signal.SIGCONT)


@pytest.mark.parametrize("kind", ["postgresql"])
def test_a_postgresql_server_that_hangs_is_given_up_in_time(
    store: HistoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres_server, "ANSWER_SECONDS", 0.5)
    for call in (store.append, store.merge):
        with store._lending.lent() as connection:  # type: ignore[attr-defined]
            process = connection.info.backend_pid
        os.kill(process, signal.SIGSTOP)
        try:
            with pytest.raises(StoreUnavailable, match=r"no answer in 0\.5 seconds"):
                call([Event("u", "a")])
        finally:
            os.kill(process, signal.SIGCONT)
    assert store.append([Event("u", "b")]) == 1
