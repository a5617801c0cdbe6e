"""Starts real Redis and PostgreSQL servers for tests, which can be killed and started again."""

import glob
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from sasrec_serve.errors import DataError
from sasrec_serve.stores.contract import HistoryStore
from sasrec_serve.stores.opening import open_store

SECONDS = 60
Opener = Callable[..., HistoryStore]
POSTGRES_FOLDERS = "/usr/lib/postgresql/*/bin:/usr/pgsql-*/bin:/opt/homebrew/opt/postgresql*/bin"


def slow(kind: str) -> object:
    """Return a kind of store whose test takes several seconds."""
    return pytest.param(kind, marks=pytest.mark.slow)


def refused(url: object, **options: object) -> str:
    """Return the message with which a store is refused."""
    with pytest.raises(DataError) as raised:
        open_store(url, **options)
    return str(raised.value)


def redis_program() -> str | None:
    return shutil.which("redis-server") or shutil.which("valkey-server")


def postgres_folder() -> Path | None:
    """Return the folder of initdb and postgres, the newest if there are several."""
    folders = [path for part in POSTGRES_FOLDERS.split(":") for path in sorted(glob.glob(part))]
    found = shutil.which("initdb")
    for folder in [*([str(Path(found).resolve().parent)] if found else []), *reversed(folders)]:
        if (Path(folder) / "initdb").exists() and (Path(folder) / "postgres").exists():
            return Path(folder)
    return None


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Server:
    """A server process whose data stay when it is killed."""

    def __init__(self) -> None:
        # Short, as the path of a Unix socket has at most 107 bytes.
        self.folder = Path(tempfile.mkdtemp(prefix="store-"))
        self.port = free_port()
        self.process: subprocess.Popen[bytes] | None = None

    def command(self) -> list[str]:
        raise NotImplementedError

    def is_ready(self) -> bool:
        raise NotImplementedError

    def account(self) -> pwd.struct_passwd | None:
        return None

    def start(self) -> None:
        account = self.account()
        with open(self.folder / "log", "ab") as log:
            self.process = subprocess.Popen(
                self.command(),
                stdout=log,
                stderr=log,
                cwd=self.folder,
                start_new_session=True,
                user=account.pw_uid if account else None,
                group=account.pw_gid if account else None,
                extra_groups=[] if account else None,
            )
        deadline = time.monotonic() + SECONDS
        while not self.is_ready():
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError((self.folder / "log").read_text()[-2000:])
            time.sleep(0.05)

    def kill(self, number: int = signal.SIGKILL) -> None:
        """Kill the server and the processes that it started."""
        assert self.process is not None
        os.killpg(self.process.pid, number)
        self.process.wait()
        self.process = None

    def remove(self) -> None:
        if self.process is not None:
            self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)


class RedisServer(Server):
    """Redis that flushes each append to disk."""

    def __init__(self, *options: str) -> None:
        super().__init__()
        self.options = options
        self.url = f"redis://127.0.0.1:{self.port}/0"

    def command(self) -> list[str]:
        program = redis_program()
        assert program is not None
        return [
            *(program, "--port", str(self.port), "--bind", "127.0.0.1", "--save", ""),
            *("--dir", str(self.folder), "--appendonly", "yes", "--appendfsync", "always"),
            *self.options,
        ]

    def is_ready(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=1) as connection:
                connection.sendall(b"PING\r\n")
                return connection.recv(100)[:5] in (b"+PONG", b"-NOAU")
        except OSError:
            return False

    def clear(self) -> None:
        import redis

        with redis.Redis.from_url(self.url) as client:
            client.flushall()


class PostgresServer(Server):
    """PostgreSQL, run by another user where the tests are run by root."""

    def __init__(self) -> None:
        super().__init__()
        folder = postgres_folder()
        assert folder is not None
        self.programs = folder
        self.url = f"postgresql://tester:secret-word@127.0.0.1:{self.port}/postgres"
        self.folder.chmod(0o755)
        (self.folder / "log").touch()
        self.data = self.folder / "data"
        self.data.mkdir()
        password = self.folder / "password"
        password.write_text("secret-word")
        if account := self.account():
            for path in (self.data, self.folder / "log", password):
                os.chown(path, account.pw_uid, account.pw_gid)
        self._create(password, account)

    def _create(self, password: Path, account: pwd.struct_passwd | None) -> None:
        subprocess.run(
            [
                *(
                    str(self.programs / "initdb"),
                    "-D",
                    str(self.data),
                    "-U",
                    "tester",
                    "-E",
                    "UTF8",
                ),
                *("--locale=C", "--auth=scram-sha-256", f"--pwfile={password}"),
            ],
            check=True,
            capture_output=True,
            cwd=self.folder,
            user=account.pw_uid if account else None,
            group=account.pw_gid if account else None,
            extra_groups=[] if account else None,
        )

    def account(self) -> pwd.struct_passwd | None:
        if os.getuid() != 0:
            return None
        names = {entry.pw_name: entry for entry in pwd.getpwall()}
        return names.get("postgres") or names["nobody"]

    def command(self) -> list[str]:
        return [
            *(str(self.programs / "postgres"), "-D", str(self.data), "-p", str(self.port)),
            *("-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories="),
            *("-c", "shared_buffers=16MB", "-c", "max_connections=50"),
        ]

    def is_ready(self) -> bool:
        import psycopg

        try:
            psycopg.connect(self.url, connect_timeout=2).close()
        except psycopg.OperationalError:
            return False
        return True

    def clear(self) -> None:
        import psycopg

        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute("DROP TABLE IF EXISTS sasrec_events, sasrec_version")
