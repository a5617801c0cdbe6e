"""Copies of files that cannot be read as they are: compressed, or not UTF-8.

A copy is a temporary file, since readers read a file more than once. Its folder is the one that
Python's ``tempfile`` uses, which ``TMPDIR`` changes.
"""

from __future__ import annotations

import codecs
import gzip
import sys
import tempfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from types import TracebackType
from typing import IO, Any

from sasrec.data.formats.changes import check_unchanged, file_status
from sasrec.errors import DataError
from sasrec.settings.text_tables import UTF_8

COMPRESSIONS = {".gz": "gzip", ".gzip": "gzip", ".zst": "zstd", ".zstd": "zstd"}
"""Suffix to the name of the compression."""
NOT_TEXT = (".parquet",)
"""Suffixes of files whose encoding is their own."""
BLOCK = 2**20
MAX_EXPANSION, ALWAYS_ALLOWED_BYTES = 200, 2**26
"""A file may expand to 200 times its size plus 64 MiB; logs expand to 5 to 50 times theirs."""


class Copies:
    """Temporary copies of files; a context manager, which deletes them at its end.

    Attributes:
        originals: Path of each copy to what messages call the file.
    """

    def __init__(self) -> None:
        self.originals: dict[Path, str] = {}
        self._folder: tempfile.TemporaryDirectory[str] | None = None

    def __enter__(self) -> Copies:
        """Return the copies."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Delete all copies."""
        if self._folder is not None:
            self._folder.cleanup()

    def new(self, name: str, original: str) -> Path:
        """Return a path for a copy.

        Args:
            name: Its file name.
            original: What messages call the file.

        Returns:
            A path in a folder of its own, which exists.

        Raises:
            DataError: The temporary folder cannot be written.
        """
        try:
            if self._folder is None:
                self._folder = tempfile.TemporaryDirectory(
                    prefix="sasrec-", ignore_cleanup_errors=True
                )
            folder = Path(self._folder.name) / str(len(self.originals))
            folder.mkdir()
        except OSError as error:
            raise DataError(no_space(original, error)) from error
        path = folder / name
        self.originals[path] = original
        return path

    def with_originals(self, text: str) -> str:
        """Return a message in which each copy has the name of its original.

        Args:
            text: A message.
        """
        for path, original in self.originals.items():
            text = text.replace(str(path), original)
        return text

    @contextmanager
    def named(self) -> Iterator[None]:
        """Give copies the names of their originals in the message of an error.

        Raises:
            DataError: The error, if it is one of data.
        """
        try:
            yield
        except DataError as error:
            text = self.with_originals(str(error))
            if text == str(error):
                raise
            raise error.with_text(text) from error


def no_space(original: str, error: OSError) -> str:
    """Return the message that a copy cannot be written.

    Args:
        original: What messages call the file.
        error: Why.
    """
    return (
        f"{original} needs a temporary copy, which cannot be written to {tempfile.gettempdir()} "
        f"({error.strerror or error}); set TMPDIR to a folder with enough space"
    )


def plain_name(path: Path) -> str:
    """Return the name of a file without the suffix of a compression.

    Args:
        path: The file.
    """
    return path.name if path.suffix.lower() not in COMPRESSIONS else path.stem


def readable(path: Path, encoding: str, copies: Copies) -> Path:
    """Return a file itself, or a copy that is not compressed and, if it is text, UTF-8.

    Args:
        path: The file.
        encoding: Its encoding.
        copies: Where copies are kept.

    Returns:
        A file with the same lines.

    Raises:
        DataError: The file is damaged, truncated, or changed while it was copied; it expands to far
            too much; or it does not have this encoding.
    """
    name = plain_name(path)
    is_text = not name.lower().endswith(NOT_TEXT)
    if name == path.name and (encoding == UTF_8 or not is_text):
        return path
    before = file_status(path)
    copy = copies.new(name, copies.originals.get(path, str(path)))
    most = MAX_EXPANSION * before.st_size + ALWAYS_ALLOWED_BYTES
    blocks = _within(_unpacked(path), path, most if name != path.name else None)
    if encoding != UTF_8 and is_text:
        blocks = _as_utf_8(blocks, path, encoding)
    write_blocks(copy, blocks, str(path))
    check_unchanged(path, before)
    return copy


def write_blocks(path: Path, blocks: Iterator[bytes], original: str) -> None:
    """Write a copy.

    Args:
        path: The file to write.
        blocks: Its content.
        original: What messages call the file.

    Raises:
        DataError: It cannot be written, or reading its content fails.
    """
    try:
        with path.open("wb") as file:
            for block in blocks:
                file.write(block)
    except OSError as error:
        raise DataError(no_space(original, error)) from error


def _unpacked(path: Path) -> Iterator[bytes]:
    """Yield the content of a file, decompressed if its suffix says so.

    Raises:
        DataError: The file is damaged or truncated, or cannot be read.
    """
    kind = COMPRESSIONS.get(path.suffix.lower(), "")
    damage: tuple[type[Exception], ...] = (gzip.BadGzipFile, zlib.error)
    try:
        with path.open("rb") as raw:
            file: IO[bytes] = raw
            if kind == "gzip":
                file = gzip.GzipFile(fileobj=raw)  # type: ignore[assignment]
            if kind == "zstd":
                zstd = _zstd(path)
                file, damage = zstd.ZstdFile(raw), (zstd.ZstdError,)
            while block := file.read(BLOCK):
                yield block
    except EOFError as error:
        raise DataError(
            f"{path} is truncated ({kind} data without an end); download or write the file again"
        ) from error
    except damage as error:
        raise DataError(
            f"{path} cannot be decompressed as {kind} ({error}); download or write the file "
            "again, or correct its suffix"
        ) from error
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}") from error


def _zstd(path: Path) -> Any:
    """Return the module that reads zstd, which Python has from version 3.14 on.

    Raises:
        DataError: There is none.
    """
    try:
        return import_module(
            "compression.zstd" if sys.version_info >= (3, 14) else "backports.zstd"
        )
    except ImportError as error:
        raise DataError(
            f"{path}: reading zstd needs another package; pip install backports.zstd"
        ) from error


def _within(blocks: Iterator[bytes], path: Path, most: int | None) -> Iterator[bytes]:
    """Yield blocks until they are too many bytes.

    Args:
        blocks: The content of a file, decompressed.
        path: The file.
        most: Upper limit on its bytes; None for no limit.

    Raises:
        DataError: They are more.
    """
    size = 0
    for block in blocks:
        size += len(block)
        if most is not None and size > most:
            raise DataError(
                f"{path} expands to more than {most:,} bytes, {MAX_EXPANSION} times its size and "
                "64 MiB; if this is real, decompress it first"
            )
        yield block


def _as_utf_8(blocks: Iterator[bytes], path: Path, encoding: str) -> Iterator[bytes]:
    """Yield texts in UTF-8.

    Args:
        blocks: The texts in another encoding.
        path: The file.
        encoding: The encoding.

    Raises:
        DataError: They do not have this encoding.
    """
    decoder = codecs.getincrementaldecoder(encoding)()
    line, is_first = 1, True
    try:
        for block in blocks:
            text = decoder.decode(block)
            yield (text.removeprefix("\ufeff") if is_first else text).encode()
            is_first = is_first and not text
            line += text.count("\n")
        yield decoder.decode(b"", final=True).encode()
    except UnicodeError as error:
        raise DataError(
            f"{path}: the text after line {line} is not {encoding} ({error}); set its encoding"
        ) from error
