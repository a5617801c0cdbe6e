"""Files of the web and of object stores, fetched into temporary files."""

from __future__ import annotations

import urllib.error
import urllib.request
from base64 import b64encode
from collections.abc import Callable, Iterator
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import polars as pl

from sasrec.data.formats.copies import Copies, plain_name, write_blocks
from sasrec.data.formats.tables import columns_to_read
from sasrec.data.source_names import WEB, file_name, is_pattern, scheme_of
from sasrec.errors import DataError
from sasrec.settings.data import DataSettings
from sasrec.settings.plugins import suffix_of
from sasrec.settings.text_tables import UTF_8

TIMEOUT_SECONDS = 60
"""For a server that does not answer."""
BLOCK = 2**18


def fetched(
    url: str, settings: DataSettings, copies: Copies, progress: Callable[[int, int], None]
) -> Path:
    """Return a temporary file with the content of a URL.

    Args:
        url: ``https://…``, or that of an object store such as ``s3://bucket/key``, which Polars
            reads with the credentials of the environment. An object store may have a pattern.
        settings: The needed columns; only they are fetched of Parquet files in an object store.
        copies: Where the file is kept.
        progress: Called with the bytes so far and in all, 0 if unknown.

    Returns:
        The file.

    Raises:
        DataError: The URL cannot be reached, or the file is incomplete.
    """
    name = file_name(url)
    if scheme_of(url) in WEB:
        path = copies.new(name, url)
        write_blocks(path, _downloaded(url, progress), url)
        return path
    if suffix_of(Path(name)) == "parquet" or url.endswith("/"):
        path = copies.new("table.parquet", url)
        _fetch_parquet(url, path, settings)
        return path
    path = copies.new(plain_name(Path(name)).replace("*", "_"), url)
    _fetch_lines(url, path, settings)
    return path


def _downloaded(url: str, progress: Callable[[int, int], None]) -> Iterator[bytes]:
    """Yield the content of a URL.

    Raises:
        DataError: It cannot be reached, or ends too early.
    """
    done = 0
    try:
        # Only http and https get here, and redirections to other schemes are refused by urllib.
        with urllib.request.urlopen(_request(url), timeout=TIMEOUT_SECONDS) as response:  # noqa: S310
            total = _length(response)
            while block := response.read(BLOCK):
                done += len(block)
                progress(done, total)
                yield block
    except urllib.error.HTTPError as error:
        error.close()
        raise DataError(f"{url} cannot be read ({error.code} {error.reason})") from error
    except (HTTPException, OSError, ValueError) as error:
        reason = getattr(error, "reason", None) or error
        raise DataError(f"{url} cannot be reached ({reason}); try again") from error
    if done < total:
        raise DataError(f"{url}: only {done:,} of {total:,} bytes arrived; try again")


def _request(url: str) -> urllib.request.Request:
    """Return a request for a URL; a user name and password in it are sent as HTTP expects them.

    Raises:
        DataError: The URL was saved with a model, so without its password.
    """
    if ":***@" in url or "=***" in url:
        raise DataError(f"the password in {url} was not saved; give the address with it once more")
    parts = urlsplit(url)
    login, _, host = parts.netloc.rpartition("@")
    request = urllib.request.Request(parts._replace(netloc=host).geturl())  # noqa: S310
    if login:
        basic = b64encode(unquote(login).encode()).decode()
        request.add_unredirected_header("Authorization", f"Basic {basic}")
    return request


def _length(response: HTTPResponse) -> int:
    text = response.headers.get("Content-Length") or ""
    return int(text) if text.isdecimal() else 0


def _fetch_parquet(url: str, path: Path, settings: DataSettings) -> None:
    """Write the needed columns of a Parquet file, or of several, to a temporary file.

    Args:
        url: The file, a pattern, or a folder with ``/`` at its end.
        path: The temporary file.
        settings: The needed columns.
    """
    is_folder = is_pattern(url) or url.endswith("/")

    def fetch() -> None:
        own = pl.scan_parquet(url, hive_partitioning=False).collect_schema().names()
        table = pl.scan_parquet(url, hive_partitioning=is_folder, try_parse_hive_dates=False)
        names = table.collect_schema().names()
        # As in a folder on this machine, columns in the names of folders are text.
        table = table.with_columns(
            pl.col([name for name in names if name not in own]).cast(pl.String)
        )
        if {settings.user_column, settings.item_column} <= set(names):
            table = table.select(name for name in columns_to_read(settings) if name in names)
        else:  # the error later lists all columns
            table = table.head(0)
        table.sink_parquet(path)

    _through_polars(url, fetch)


def _fetch_lines(url: str, path: Path, settings: DataSettings) -> None:
    """Write the lines of a text to a temporary file; compressed ones are decompressed.

    Raises:
        DataError: Polars cannot do this.
    """
    scan: Any = getattr(pl, "scan_lines", None)
    if scan is None or settings.encoding != UTF_8 or is_pattern(url):
        raise DataError(
            f"{url}: of an object store, only Parquet and single UTF-8 files can be read, the "
            "latter with a newer version of Polars; download the file first"
        )
    _through_polars(
        url, lambda: scan(url).sink_csv(path, include_header=False, quote_style="never")
    )


def _through_polars(url: str, fetch: Callable[[], None]) -> None:
    """Fetch something with Polars.

    Args:
        url: What is fetched.
        fetch: Fetches it.

    Raises:
        DataError: Polars fails.
    """
    try:
        fetch()
    except (pl.exceptions.PolarsError, OSError, ImportError, ValueError) as error:
        [first_line, *_] = str(error).strip().splitlines() or [type(error).__name__]
        raise DataError(
            f"{url} cannot be read ({first_line}); check the address and the credentials"
        ) from error
