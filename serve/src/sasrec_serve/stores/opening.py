"""Opens a store by its URL."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

from sasrec_serve.errors import DataError
from sasrec_serve.stores.addresses import masked, path_and_options
from sasrec_serve.stores.checks import check_keep
from sasrec_serve.stores.contract import KEEP, HistoryStore
from sasrec_serve.stores.log_columns import LogColumns
from sasrec_serve.stores.nothing import NoStore

SQLITE = (".sqlite", ".sqlite3", ".db")
KNOWN = (
    "none, events.sqlite or sqlite:///events.sqlite, events.parquet, redis://host:6379/0, "
    "rediss:// (with TLS), valkey://, or postgresql://user:password@host:5432/database"
)


def open_store(
    url: str | Path | None, *, keep: int | None = KEEP, columns: LogColumns | None = None
) -> HistoryStore:
    """Open a store of users' histories, or create it.

    Args:
        url: ``none`` or None; a path ending in ``.sqlite``, ``.db`` or ``.parquet``; or a URL that
            begins with ``sqlite:///``, ``parquet:///``, ``redis://``, ``rediss://``, ``valkey://``,
            ``unix://`` (Redis at a socket), ``postgresql://`` or ``postgres://``.
        keep: The most events to return of one user, the latest ones; None for all. Everything is
            stored, and only items of these events can be left out of lists as already seen.
        columns: Names of the columns of a Parquet file.

    Returns:
        The store.

    Raises:
        DataError: The URL or ``keep`` is invalid, a package is missing, the store is of another
            program or version, or the server refuses.
        StoreUnavailable: The server does not answer, or another process locks the file.
    """  # StoreUnavailable is raised by the stores
    check_keep(keep)
    text = str(url or "none").strip()
    kind = _kind(text)
    if kind is None:
        raise DataError(f"{masked(text)!r} is no store of histories; known are: {KNOWN}")
    if columns is not None and kind is not _parquet:
        raise DataError(f"{masked(text)!r} is no Parquet file, so columns have no effect")
    return kind(text, keep, columns)


def check_exists(url: str) -> None:
    """Check that a store in an SQLite file exists, as opening it would create it.

    Args:
        url: As for ``open_store``.

    Raises:
        DataError: The URL is that of an SQLite file that does not exist, or is invalid.
    """  # invalid ones are found by path_and_options
    text = url.strip()
    if _kind(text) is _sqlite:
        path, _ = path_and_options(text, frozenset({"mode"}))
        if not path.is_file():
            raise DataError(f"{path} does not exist; check the path of --store")


Opener = Callable[[str, int | None, LogColumns | None], HistoryStore]


def _kind(text: str) -> Opener | None:
    scheme = urlsplit(text).scheme.lower() if "://" in text else ""
    if scheme:
        return SCHEMES.get(scheme)
    if text == "none":
        return _none
    suffix = Path(text.partition("?")[0]).suffix.lower()
    return _sqlite if suffix in SQLITE else _parquet if suffix == ".parquet" else None


def _none(_text: str, _keep: int | None, _columns: LogColumns | None) -> HistoryStore:
    return NoStore()


def _sqlite(text: str, keep: int | None, _columns: LogColumns | None) -> HistoryStore:
    from sasrec_serve.stores.sqlite import SqliteStore

    path, options = path_and_options(text, frozenset({"mode"}))
    if path.name == ":memory:":
        raise DataError(f"{text!r} would be lost when the process ends; name a file")
    mode = options.get("mode", "rw")
    if mode not in ("ro", "rw"):
        raise DataError(f"{text!r} has mode={mode!r}; choose ro (only read) or rw")
    return SqliteStore(path, keep=keep, read_only=mode == "ro")


def _parquet(text: str, keep: int | None, columns: LogColumns | None) -> HistoryStore:
    from sasrec_serve.stores.parquet import ParquetStore

    path, _ = path_and_options(text, frozenset())
    return ParquetStore(path, keep=keep, columns=columns or LogColumns())


def _redis(text: str, keep: int | None, _columns: LogColumns | None) -> HistoryStore:
    from sasrec_serve.stores.redis_store import RedisStore

    scheme, _, rest = text.partition("://")
    return RedisStore(f"{scheme.lower().replace('valkey', 'redis')}://{rest}", keep=keep)


def _postgres(text: str, keep: int | None, _columns: LogColumns | None) -> HistoryStore:
    from sasrec_serve.stores.postgres import PostgresStore

    return PostgresStore(text, keep=keep)


SCHEMES: dict[str, Opener] = {
    "sqlite": _sqlite,
    "parquet": _parquet,
    "redis": _redis,
    "rediss": _redis,
    "valkey": _redis,
    "valkeys": _redis,
    "unix": _redis,
    "postgresql": _postgres,
    "postgres": _postgres,
}
