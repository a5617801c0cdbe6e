"""Redis and PostgreSQL: passwords, rights, foreign data, and settings that lose events."""

import logging

import pytest
from store_servers import PostgresServer, RedisServer, redis_program, refused

from sasrec_serve.errors import DataError
from sasrec_serve.stores.contract import Event, HistoryStore
from sasrec_serve.stores.opening import open_store


@pytest.mark.parametrize("kind", ["redis"])
def test_other_data_in_redis_are_not_touched(redis_server: RedisServer, store_url: str) -> None:
    import redis

    with redis.Redis.from_url(store_url) as client:
        client.set("sasrec:version", "9")
        assert "is '9', and this sasrec-serve knows version '1'" in refused(store_url)
        client.delete("sasrec:version")
        client.lpush("sasrec:version", "x")
        assert "use another database" in refused(store_url)
        client.delete("sasrec:version")
        client.set("sasrec:events:u", "mine")
        store = open_store(store_url)
        for call in (lambda: store.append([Event("u", "a")]), lambda: store.histories(["u"])):
            with pytest.raises(DataError, match="has other data under keys beginning with sasrec:"):
                call()
        assert client.get("sasrec:events:u") == b"mine"
        store.close()


@pytest.mark.parametrize("kind", ["redis"])
def test_settings_of_redis_that_lose_events_are_told(
    store: HistoryStore, store_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    import redis

    safe = {"appendfsync": "always", "maxmemory-policy": "noeviction", "appendonly": "yes"}
    with redis.Redis.from_url(store_url) as client:
        try:
            for name, value, told in (
                ("appendfsync", "everysec", "because appendfsync is not always"),
                ("maxmemory-policy", "allkeys-lru", "set maxmemory-policy to noeviction"),
                ("appendonly", "no", "events are lost when the server ends"),
            ):
                client.config_set(name, value)
                assert told in str(store.describe().weakness)
            with caplog.at_level(logging.WARNING):
                open_store(store_url).close()
            assert "events are lost when the server ends" in caplog.text
        finally:
            for name, value in safe.items():
                client.config_set(name, value)
    assert store.describe().weakness is None


@pytest.mark.skipif(redis_program() is None, reason="redis-server is not installed")
def test_redis_with_passwords_sockets_and_replicas() -> None:
    server = RedisServer("--requirepass", "secret-word", "--unixsocket", "redis.sock")
    socket = server.folder / "redis.sock"
    server.start()
    try:
        host = f"127.0.0.1:{server.port}"
        for url in (f"redis://{host}", f"valkey://:wrong-word@{host}/0"):
            text = refused(url)
            assert "refuses this user or password" in text
            assert "wrong-word" not in text
        open_store(f"valkey://:secret-word@{host}/0").append([Event("u", "a")])
        store = open_store(f"unix://{socket}?db=0&password=secret-word")
        assert store.histories(["u"])[0].items == ["a"]
        assert "secret-word" not in store.describe().place
        store._client.replicaof("127.0.0.1", 1)  # type: ignore[attr-defined]
        assert store.describe().read_only
        with pytest.raises(DataError, match="is a read-only replica"):
            store.append([Event("u", "b")])
        assert store.histories(["u"])[0].items == ["a"]
        store.close()
    finally:
        server.remove()


@pytest.mark.parametrize("kind", ["postgresql"])
def test_other_tables_in_postgresql_are_not_touched(
    postgres_server: PostgresServer, store_url: str
) -> None:
    import psycopg

    with psycopg.connect(store_url, autocommit=True) as connection:
        connection.execute("CREATE TABLE sasrec_events (mine int)")
        assert "has a table sasrec_events of another program" in refused(store_url)
        postgres_server.clear()
        open_store(store_url).close()
        connection.execute("UPDATE sasrec_version SET version = 9")
        assert "has version 9 of the store's tables" in refused(store_url)


@pytest.mark.parametrize("kind", ["postgresql"])
def test_what_postgresql_refuses_is_told_without_the_password(
    postgres_server: PostgresServer, store_url: str
) -> None:
    import psycopg

    at = f"127.0.0.1:{postgres_server.port}"
    text = refused(f"postgresql://tester:wrong-word@{at}/postgres")
    assert "refuses the connection" in text
    assert "wrong-word" not in text
    assert "refuses the connection" in refused(store_url.replace("/postgres", "/missing"))
    with psycopg.connect(store_url, autocommit=True) as connection:
        connection.execute("DROP ROLE IF EXISTS reader")
        connection.execute("CREATE ROLE reader LOGIN PASSWORD 'reader-word'")
        reader = f"postgresql://reader:reader-word@{at}/postgres"
        assert "lacks a right" in refused(reader)  # to create tables
        store = open_store(store_url)
        store.append([Event("u", "a")])
        connection.execute("GRANT SELECT ON sasrec_events, sasrec_version TO reader")
        reading = open_store(reader)
        assert reading.histories(["u"])[0].items == ["a"]
        with pytest.raises(DataError, match="lacks a right"):
            reading.append([Event("u", "b")])
        connection.execute("ALTER ROLE tester SET default_transaction_read_only = on")
        try:
            with pytest.raises(DataError, match="is read-only"):
                open_store(store_url).append([Event("u", "b")])
        finally:
            connection.execute("SET default_transaction_read_only = off")
            connection.execute("ALTER ROLE tester RESET default_transaction_read_only")
        postgres_server.clear()
        with pytest.raises(DataError, match="has lost its tables"):
            store.histories(["u"])
        reading.close()
        store.close()
        connection.execute("DROP ROLE reader")


@pytest.mark.parametrize("kind", ["postgresql"])
def test_commits_of_postgresql_wait_for_the_disk_whatever_the_default(store_url: str) -> None:
    import psycopg

    with psycopg.connect(store_url, autocommit=True) as connection:
        connection.execute("ALTER ROLE tester SET synchronous_commit = off")
        try:
            store = open_store(store_url)
            with store._lending.lent() as used:  # type: ignore[attr-defined]
                assert used.execute("SHOW synchronous_commit").fetchone() == ("on",)
            store.close()
        finally:
            connection.execute("ALTER ROLE tester RESET synchronous_commit")
