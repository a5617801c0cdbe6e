"""Streams: what is printed obeys nobody's control characters, and progress costs no training.

Names of files, tokens, titles and messages may hold escapes that a terminal obeys. Rather than to
remember ``printable`` at each print, the streams of a command show them. Rich finds the stream
beneath (``rich_proxied_file``), as its own escapes are meant to be obeyed.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, TextIO

from sasrec.errors import SasrecError, printable

PIECE = 2**14
"""Characters written at a time."""


class ReaderGone(Exception):  # noqa: N818 - nothing went wrong
    """Whoever read standard output, such as ``head``, has seen enough."""


class OutputError(SasrecError):
    """Standard output cannot be written, as on a full disk."""


class _Stream:
    """A text stream with rules of its own for what is written; all else is the stream's."""

    def __init__(self, stream: TextIO, *, escapes: bool, must_arrive: bool) -> None:
        """Wrap a stream.

        Args:
            stream: Written to.
            escapes: Show control characters instead of letting a terminal obey them.
            must_arrive: Tell when nothing can be written; otherwise that is no matter.
        """
        self._stream, self._escapes, self._must_arrive = stream, escapes, must_arrive
        if escapes:
            self.rich_proxied_file = _Stream(stream, escapes=False, must_arrive=must_arrive)

    def write(self, text: str) -> int:
        shown = printable(text) if self._escapes else text
        with self._told():
            # Piece by piece, as an unbuffered stream says nothing of a large write cut short.
            for begin in range(0, len(shown), PIECE):
                self._stream.write(shown[begin : begin + PIECE])
        return len(text)

    def writelines(self, lines: Any) -> None:
        for line in lines:
            self.write(line)

    def flush(self) -> None:
        with self._told():
            self._stream.flush()

    @contextmanager
    def _told(self) -> Iterator[None]:
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
    """Guard standard output and standard error of this process from here on."""
    sys.stdout = _guarded(sys.stdout, must_arrive=True)
    sys.stderr = _guarded(sys.stderr, must_arrive=False)


@contextmanager
def guarded_streams() -> Iterator[None]:
    """Guard standard output and standard error within the block.

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
def bare_streams() -> Iterator[None]:
    """Take the guard away for code of the user's own, whose colours are to be obeyed.

    Yields:
        Nothing.
    """
    before = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = _bare(sys.stdout), _bare(sys.stderr)
    try:
        yield
    finally:
        sys.stdout, sys.stderr = before


def discard(stream: TextIO) -> None:
    """Keep Python from complaining at exit about output nobody can take.

    Args:
        stream: Of a file number.
    """
    bare = _bare(stream)
    with suppress(OSError, ValueError):
        bare.flush()
        return
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), bare.fileno())


def _guarded(stream: TextIO, *, must_arrive: bool) -> Any:
    return _Stream(_bare(stream), escapes=True, must_arrive=must_arrive)


def _bare(stream: Any) -> Any:
    return stream._stream if isinstance(stream, _Stream) else stream
