"""Safe standard streams: control characters are escaped, and failed progress output is ignored.

File names, tokens, titles and messages may contain escape sequences that a terminal would execute.
The wrapped streams escape them, so that not every print needs to call ``printable``. Rich writes
escape sequences on purpose, so it gets a stream without this escaping (``rich_proxied_file``).
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, TextIO

from sasrec.errors import SasrecError, printable

CHUNK = 2**14
"""Number of characters per write to the underlying stream."""


class ReaderGone(Exception):  # noqa: N818 - nothing went wrong
    """The program that reads our standard output, such as ``head``, has closed the pipe."""


class OutputError(SasrecError):
    """Standard output cannot be written, for example because the disk is full."""


class _Stream:
    """Wraps a text stream: escapes what is written and handles errors; delegates the rest."""

    def __init__(self, stream: TextIO, *, escapes: bool, required: bool) -> None:
        """Wrap a stream.

        Args:
            stream: The stream to write to.
            escapes: Whether to escape control characters.
            required: Whether to raise an error if writing fails; otherwise failures are ignored.
        """
        self._stream, self._escapes, self._must_arrive = stream, escapes, required
        if escapes:
            self.rich_proxied_file = _Stream(stream, escapes=False, required=required)

    def write(self, text: str) -> int:
        shown = printable(text) if self._escapes else text
        with self._errors_translated():
            # In chunks, because an unbuffered stream does not report a large write that it cut off.
            for begin in range(0, len(shown), CHUNK):
                self._stream.write(shown[begin : begin + CHUNK])
        return len(text)

    def writelines(self, lines: Any) -> None:
        for line in lines:
            self.write(line)

    def flush(self) -> None:
        with self._errors_translated():
            self._stream.flush()

    @contextmanager
    def _errors_translated(self) -> Iterator[None]:
        try:
            yield
        except BrokenPipeError as error:
            if self._must_arrive:
                raise ReaderGone from error
        except OSError as error:
            if self._must_arrive:
                reason = error.strerror or error
                raise OutputError(f"standard output cannot be written: {reason}") from error

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def guard_streams() -> None:
    """Replace this process's standard output and standard error by safe streams."""
    sys.stdout = _guarded(sys.stdout, required=True)
    sys.stderr = _guarded(sys.stderr, required=False)


@contextmanager
def guarded_streams() -> Iterator[None]:
    """Use safe streams for standard output and standard error within the block.

    Yields:
        Nothing.
    """
    before = sys.stdout, sys.stderr
    guard_streams()
    try:
        yield
    finally:
        sys.stdout, sys.stderr = before


@contextmanager
def unguarded_streams() -> Iterator[None]:
    """Use the original streams within the block, so that a user's own code can print colours.

    Yields:
        Nothing.
    """
    before = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = _unwrapped(sys.stdout), _unwrapped(sys.stderr)
    try:
        yield
    finally:
        sys.stdout, sys.stderr = before


def discard(stream: TextIO) -> None:
    """Discard output that cannot be written, so that Python does not report it at exit.

    Args:
        stream: Standard output or standard error.
    """
    original = _unwrapped(stream)
    with suppress(OSError, ValueError):
        original.flush()
        return
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), original.fileno())


def _guarded(stream: TextIO, *, required: bool) -> Any:
    return _Stream(_unwrapped(stream), escapes=True, required=required)


def _unwrapped(stream: Any) -> Any:
    return stream._stream if isinstance(stream, _Stream) else stream
