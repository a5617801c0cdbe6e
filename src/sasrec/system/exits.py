"""Exits: the one place where an error becomes a line and an exit code."""

from __future__ import annotations

import io
import logging
import os
import signal
import sys
import tempfile
import traceback
from collections.abc import Callable
from contextlib import suppress
from typing import Any, NoReturn

from sasrec.errors import Interrupted, SasrecError, SeveralMistakesError, counted, without_passwords
from sasrec.system.streams import ReaderGone, discard, guarded_streams

OUT_OF_MEMORY_PHRASES = ("not enough memory", "out of memory", "allocate memory", "bad allocation")
"""How libraries say it."""
LONGEST_MESSAGE = 1000
"""Characters; a value a user wrote may be longer than anybody wants to read again."""
MOST_MISTAKES = 20
"""Told at a time; a file that is no settings file may hold thousands."""
USER_ERROR = 2
"""Exit code of what the user can mend."""
INTERRUPTED = 130
"""Exit code of what the user stopped, by Ctrl-C or SIGTERM, as shells and Typer have it."""
READER_GONE = 141
"""Exit code when the reader of a pipe, such as head, has seen enough; other programs' too."""


def run_and_exit(work: Callable[[], object]) -> NoReturn:
    """Do the work of a program and leave the process; errors are told in one line.

    Args:
        work: Of the whole program; it returns 130 if the user interrupted it.

    Raises:
        SystemExit: Always; 0 if it worked, 2 if the user can mend it, 130 if the user stopped it,
            141 if the reader of a pipe left, 1 if only we can mend it.
    """
    _reopen_closed_streams()
    _escape_unencodable()
    logging.raiseExceptions = False  # a log nobody can take is no reason to print traces
    with guarded_streams():
        _run(work)


def _run(work: Callable[[], object]) -> NoReturn:
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # as Ctrl-C: keep what there is, go
    try:
        _check_utf8(sys.argv[1:])
        if work() == INTERRUPTED:
            _fail("interrupted", code=INTERRUPTED)
        sys.stdout.flush()
    except SasrecError as error:
        _fail(
            *_error_lines(error), code=INTERRUPTED if isinstance(error, Interrupted) else USER_ERROR
        )
    except KeyboardInterrupt:
        _fail("interrupted", code=INTERRUPTED)
    except (ReaderGone, BrokenPipeError):
        discard(sys.stdout)
        sys.exit(READER_GONE)
    except MemoryError:
        _fail("not enough memory; use smaller sizes, or a machine with more")
    except OSError as error:
        _fail(f"{error.filename or 'output'}: {error.strerror or error}")
    except Exception as error:
        if hasattr(error, "format_message"):  # the command line itself was wrong
            _refuse_usage(error)
        if any(words in str(error) for words in OUT_OF_MEMORY_PHRASES):
            _fail("not enough memory; use smaller sizes, or a machine with more")
        _report_bug()
    sys.exit(0)


def _escape_unencodable() -> None:
    """Let the streams escape what a console has no letters for; tokens may hold anything."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _check_utf8(words: list[str]) -> None:
    """Refuse words, such as file names, that are no text in UTF-8.

    Args:
        words: Of the command line.

    Raises:
        SasrecError: There is such a word.
    """
    for word in words:
        try:
            word.encode()
        except UnicodeEncodeError:
            raise SasrecError(
                f"{word!a} is no text in UTF-8; rename the file, or its folder"
            ) from None


def _refuse_usage(error: Any) -> NoReturn:
    if type(error).__name__ == "NoArgsIsHelpError":
        error.show()
        sys.exit(2)
    context = getattr(error, "ctx", None)
    command = context.command_path if context is not None else "sasrec"
    _fail(f"{error.format_message().rstrip('.')} (see '{command} --help')")


def _report_bug() -> NoReturn:
    """Keep the trace in a file, spare the user, and leave."""
    with tempfile.NamedTemporaryFile("w", prefix="sasrec-", suffix=".log", delete=False) as trace:
        trace.write(without_passwords(traceback.format_exc()))
    print(
        f"error: this is a bug in sasrec, not in your input; report it with {trace.name}",
        file=sys.stderr,
    )
    sys.exit(1)


def _error_lines(error: SasrecError) -> list[str]:
    """Return the text of an error; of several mistakes, how many there are and the first ones."""
    if not isinstance(error, SeveralMistakesError):
        return [str(error)]
    lines = [f"{len(error.mistakes)} mistakes in the settings:", *error.mistakes[:MOST_MISTAKES]]
    more = len(error.mistakes) - MOST_MISTAKES
    return [*lines, f"and {counted(more, 'more mistake')}"] if more > 0 else lines


def _fail(*lines: str, code: int = USER_ERROR) -> NoReturn:
    """Print an error, one line or several, and leave with an exit code."""
    text = "\n  ".join(map(_one_line, lines))
    print(f"error: {text}", file=sys.stderr, flush=True)
    discard(sys.stdout)
    sys.exit(code)


def _one_line(message: str) -> str:
    text = without_passwords(" ".join(message.split()))
    if len(text) > LONGEST_MESSAGE:
        text = f"{text[: LONGEST_MESSAGE // 2]} […] {text[-LONGEST_MESSAGE // 2 :]}"
    return text


def _reopen_closed_streams() -> None:
    """Give streams that were closed before we began a place to write to."""
    for name, number in (("stdin", 0), ("stdout", 1), ("stderr", 2)):
        if getattr(sys, name) is None:
            with suppress(OSError):  # the lowest free number is the one that was closed
                os.open(os.devnull, os.O_RDWR)
            setattr(sys, name, os.fdopen(number, "r" if number == 0 else "w", closefd=False))
