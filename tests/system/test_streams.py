import io
import json
import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from typing import Any

import pytest
from rich.table import Table
from rich.text import Text

from sasrec.cli.terminal import plain_console
from sasrec.errors import printable, without_passwords
from sasrec.system.streams import OutputError, ReaderGone, guarded_streams, unguarded_streams
from sasrec.training.bars import BarObserver

EVIL = "a\x1b[2Jb\rc\x08d\x9be\u202ef\u2066g\x07\x7f"
SHOWN = r"a\x1b[2Jb\x0dc\x08d\u009be\u202ef\u2066g\x07\u007f"


class Full(io.StringIO):
    """A stream on a full disk, or whose reader has closed it."""

    def __init__(self, error: OSError) -> None:
        super().__init__()
        self.error = error

    def write(self, text: str) -> int:
        raise self.error

    def flush(self) -> None:
        raise self.error


@contextmanager
def captured() -> Iterator[tuple[io.StringIO, io.StringIO]]:
    """Capture both streams; pytest's fixtures replace them too early for this."""
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        yield out, err


def test_prints_and_logs_escape_control_characters() -> None:
    before = type(sys.stdout)
    with captured() as streams, guarded_streams(), guarded_streams():
        print(EVIL, "Žluťoučký 漢字 👩‍👩‍👧 نص", sep="\t")
        print(EVIL, file=sys.stderr)
        handler = logging.StreamHandler()
        handler.emit(logging.LogRecord("x", 30, "", 0, EVIL, None, None))
    assert streams[0].getvalue() == f"{SHOWN}\tŽluťoučký 漢字 👩‍👩‍👧 نص\n"
    assert streams[1].getvalue() == f"{SHOWN}\n" * 2
    assert type(sys.stdout) is before


def test_json_stays_json() -> None:
    value = {"title": EVIL + "".join(map(chr, range(0x300))) + "\u2028\ufeff\U0001f389"}
    with captured() as streams, guarded_streams():
        print(json.dumps(value, ensure_ascii=False))
    assert json.loads(streams[0].getvalue()) == value


def test_a_console_escapes_control_characters_in_tables_and_titles() -> None:
    with captured() as streams, guarded_streams():
        console = plain_console()
        console.width = 200
        table = Table(title=EVIL)
        table.add_column(EVIL)
        table.add_row(EVIL)
        table.add_row(Text(EVIL))
        console.print(table, EVIL, "[red]:smile:")
    printed = streams[0].getvalue()
    assert printed.count(SHOWN) == 4  # Rich itself takes some of them out of a Text
    assert "[red]:smile:" in printed
    assert printable(printed) == printed


def test_a_progress_bar_works_while_other_output_is_escaped(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "200")
    out, err = Terminal(), Terminal()
    with redirect_stdout(out), redirect_stderr(err), guarded_streams():
        bar = BarObserver(plain_console(stderr=True))
        bar.started(2, 10)
        bar.advanced(1, 5)
        print(EVIL, file=sys.stderr)
        bar.stopped("\x1b[2J")
    shown = err.getvalue()
    assert "\x1b[?25l" in shown  # the bar's own: no cursor while it moves
    assert "\x1b[2J" not in shown
    assert "\u202e" not in shown
    assert "\x9b" not in shown
    assert "\\x1b[?25l" not in shown
    assert "\\x1b[0m" not in shown
    assert r"training ended: \x1b[2J" in shown


def test_a_scripts_own_colours_are_not_escaped() -> None:
    with captured() as streams, guarded_streams(), unguarded_streams():
        print("\x1b[31mred")
    assert streams[0].getvalue() == "\x1b[31mred\n"


@pytest.mark.parametrize("error", [OSError(28, "No space left"), BrokenPipeError(32, "gone")])
def test_progress_that_cannot_be_written_is_ignored(
    error: OSError, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stderr", Full(error))
    with guarded_streams():
        print("epoch 1", file=sys.stderr, flush=True)
        plain_console(stderr=True).print("epoch 2")


@pytest.mark.parametrize(
    ("error", "kind"),
    [(OSError(28, "No space left"), OutputError), (BrokenPipeError(32, "gone"), ReaderGone)],
)
@pytest.mark.parametrize("say", [print, lambda text: plain_console().print(text)])
def test_results_that_cannot_be_written_raise_an_error(
    say: Any, error: OSError, kind: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdout", Full(error))
    with guarded_streams(), pytest.raises(kind):
        say("a result")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("no https://me:secret@host/x.csv here", "no https://me:***@host/x.csv here"),
        ("mysql:/me:se/cret@host", "mysql:/me:***@host"),
        ("//me:secret@host", "//me:***@host"),
        ("https://h/x?a=1&access_token=secret&b=2", "https://h/x?a=1&access_token=***&b=2"),
        ("https://h/x?Password=secret: no such file", "https://h/x?Password=***: no such file"),
        ("https://h/x?design=blue&page=2", "https://h/x?design=blue&page=2"),
        ("12:30 me@host, a@b.c: x", "12:30 me@host, a@b.c: x"),
        ("data/ml.inter, line 17: 3 columns", "data/ml.inter, line 17: 3 columns"),
    ],
)
def test_passwords_in_urls_are_not_shown(text: str, shown: str) -> None:
    assert without_passwords(text) == shown
