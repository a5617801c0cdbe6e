"""Turn errors into one-line messages and exit codes; this is the only module that does so."""

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

OUT_OF_MEMORY = (
    "not enough memory; use smaller values, such as of batch_size, or a machine with more memory"
)
OUT_OF_MEMORY_PHRASES = ("not enough memory", "out of memory", "allocate memory", "bad allocation")
"""Phrases that occur in the messages of libraries when memory runs out."""
LONGEST_MESSAGE = 1000
"""In characters; longer messages, which quote a long input value, are shortened."""
MOST_MISTAKES = 20
"""Mistakes shown at a time; a file that is not a settings file may contain thousands."""
USER_ERROR = 2
"""Exit code for an error that the user can fix."""
STOPPED = 3
"""Exit code when a check of the data says that nothing should be learned from them."""
INTERRUPTED = 130
"""Exit code after Ctrl-C or SIGTERM; shells and Typer use the same number."""
READER_GONE = 141
"""Exit code when the reader of a pipe, such as ``head``, closed it; the usual code for SIGPIPE."""


def run_and_exit(work: Callable[[], object]) -> NoReturn:
    """Run a program, print errors as one line, and exit.

    Args:
        work: The program; it returns 130 if the user interrupted it, and 3 if a check stops it.

    Raises:
        SystemExit: Always. The code is 0 for success, 2 for an error that the user can fix, 3 if a
            check of the data says stop, 130 if the user interrupted the program, 141 if the reader
            of a pipe closed it, and 1 for a bug in sasrec.
    """
    _reopen_closed_streams()
    _escape_unencodable()
    logging.raiseExceptions = False  # print no traceback if a log message cannot be written
    with guarded_streams():
        _run(work)


def _run(work: Callable[[], object]) -> NoReturn:
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # like Ctrl-C: save, then exit
    try:
        _check_utf8(sys.argv[1:])
        code = work()
        if code == INTERRUPTED:
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
        _fail(OUT_OF_MEMORY)
    except OSError as error:
        _fail(f"{error.filename or 'output'}: {error.strerror or error}")
    except Exception as error:
        if hasattr(error, "format_message"):  # an error of Click: the command line is wrong
            _refuse_usage(error)
        if any(words in str(error) for words in OUT_OF_MEMORY_PHRASES):
            _fail(OUT_OF_MEMORY)
        _report_bug()
    sys.exit(STOPPED if code == STOPPED else 0)


def _escape_unencodable() -> None:
    """Make the streams escape characters that the console's encoding cannot represent."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _check_utf8(words: list[str]) -> None:
    """Raise an error if a command-line argument, such as a file name, is not valid UTF-8.

    Args:
        words: The arguments.

    Raises:
        SasrecError: An argument is not valid UTF-8.
    """
    for word in words:
        try:
            word.encode()
        except UnicodeEncodeError:
            raise SasrecError(
                f"{word!a} is not valid UTF-8; rename the file or its folder"
            ) from None


def _refuse_usage(error: Any) -> NoReturn:
    if type(error).__name__ == "NoArgsIsHelpError":
        error.show()
        sys.exit(2)
    context = getattr(error, "ctx", None)
    command = context.command_path if context is not None else "sasrec"
    _fail(f"{error.format_message().rstrip('.')} (see '{command} --help')")


def _report_bug() -> NoReturn:
    """Write the traceback to a file, print a short message, and exit."""
    with tempfile.NamedTemporaryFile("w", prefix="sasrec-", suffix=".log", delete=False) as trace:
        trace.write(without_passwords(traceback.format_exc()))
    print(
        "error: this is a bug in sasrec, not in your input; please report it and attach the file "
        f"{trace.name}",
        file=sys.stderr,
    )
    sys.exit(1)


def _error_lines(error: SasrecError) -> list[str]:
    """Return the lines to print: the error text, or a list of the first mistakes in it."""
    if not isinstance(error, SeveralMistakesError):
        return [str(error)]
    lines = [f"{len(error.mistakes)} mistakes in the settings:", *error.mistakes[:MOST_MISTAKES]]
    more = len(error.mistakes) - MOST_MISTAKES
    return [*lines, f"and {counted(more, 'more mistake')}"] if more > 0 else lines


def _fail(*lines: str, code: int = USER_ERROR) -> NoReturn:
    """Print an error of one or several lines, and exit."""
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
    """Connect standard streams that were closed when the process started to the null device."""
    for name, descriptor in (("stdin", 0), ("stdout", 1), ("stderr", 2)):
        if getattr(sys, name) is None:
            with suppress(OSError):  # uses the lowest free descriptor, which is the closed one
                os.open(os.devnull, os.O_RDWR)
            mode = "r" if descriptor == 0 else "w"
            setattr(sys, name, os.fdopen(descriptor, mode, closefd=False))
