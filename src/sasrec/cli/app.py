"""The front door: the commands, and the one place where an error becomes an exit code."""

from __future__ import annotations

import os
import sys
import tempfile
import traceback

import typer

from sasrec.cli.data import data_app
from sasrec.cli.recommend import recommend
from sasrec.cli.run import config, evaluate, train
from sasrec.errors import SasrecError

app = typer.Typer(
    name="sasrec",
    help="Sequential recommendation: learn from the order of what people did, predict the next.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
INTERRUPTED = 130
"""Typer's exit code for Ctrl-C."""
FREE_KEYS = {"allow_extra_args": True, "ignore_unknown_options": True}
app.command(context_settings=FREE_KEYS)(train)
app.command()(evaluate)
app.command()(recommend)
app.command(context_settings=FREE_KEYS)(config)
app.add_typer(data_app, name="data")


def main() -> None:
    """Run the command line and leave the process.

    Raises:
        SystemExit: Always; 0 if it worked, 2 if the user can mend it, 1 if only we can.
    """
    try:
        app()
    except SasrecError as error:
        _fail(str(error))
    except KeyboardInterrupt:
        _fail("interrupted; nothing was saved")
    except SystemExit as leaving:
        if leaving.code == INTERRUPTED:
            _fail("interrupted; nothing was saved")
        raise
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(2)
    except Exception:  # the last resort: keep the trace, spare the user
        with tempfile.NamedTemporaryFile(
            "w", prefix="sasrec-", suffix=".log", delete=False
        ) as trace:
            traceback.print_exc(file=trace)
        print(
            f"error: this is a bug in sasrec, not in your input; report it with {trace.name}",
            file=sys.stderr,
        )
        sys.exit(1)


def _fail(message: str) -> None:
    print(f"error: {message}", file=sys.stderr)
    sys.exit(2)
