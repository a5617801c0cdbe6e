"""Stores of every kind, empty for each test; servers are started once."""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from store_servers import Opener, PostgresServer, RedisServer, postgres_folder, redis_program

from sasrec_serve.stores.contract import HistoryStore
from sasrec_serve.stores.opening import open_store

WRITABLE = ["sqlite", "redis", "postgresql"]


@pytest.fixture(scope="session")
def redis_server() -> Iterator[RedisServer]:
    if redis_program() is None:
        pytest.skip("redis-server is not installed (Debian: apt-get install redis-server)")
    server = RedisServer()
    server.start()
    yield server
    server.remove()


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    if postgres_folder() is None:
        pytest.skip("PostgreSQL is not installed (Debian: apt-get install postgresql)")
    server = PostgresServer()
    server.start()
    yield server
    server.remove()


@pytest.fixture
def store_url(kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty store of a kind."""
    if kind == "sqlite":
        return f"sqlite:///{tmp_path}/events.sqlite"
    server = request.getfixturevalue("redis_server" if kind == "redis" else "postgres_server")
    if server.process is None:
        server.start()
    server.clear()
    return server.url


@pytest.fixture
def opener(store_url: str) -> Iterator[Opener]:
    """Opens the store; what it opened is closed after the test."""
    stores: list[HistoryStore] = []

    def opened(**options: object) -> HistoryStore:
        stores.append(open_store(store_url, **options))
        return stores[-1]

    yield opened
    for store in stores:
        with suppress(Exception):
            store.close()


@pytest.fixture
def store(opener: Opener) -> HistoryStore:
    """An empty store."""
    return opener()


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run each test that has a store on all stores that can be written."""
    named = [mark.args[0] for mark in metafunc.definition.iter_markers("parametrize")]
    if "kind" in metafunc.fixturenames and "kind" not in named:
        metafunc.parametrize("kind", WRITABLE)
