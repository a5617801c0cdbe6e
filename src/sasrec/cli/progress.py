"""What a person sees while training runs: a bar on a terminal, a line an epoch in a log."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from sasrec.cli.terminal import plain_console
from sasrec.data.movielens import Progress

if TYPE_CHECKING:
    from sasrec.training.progress import Observer


def observer_for(*, quiet: bool, loss_decimals: int) -> Observer:
    """Return who watches training: nobody, a bar on a terminal, or plain lines in a log.

    Args:
        quiet: Nobody.
        loss_decimals: Decimal places of the loss.

    Returns:
        The observer; it writes to standard error.
    """
    from sasrec.training.bars import BarObserver, LineObserver
    from sasrec.training.progress import LogObserver

    if quiet:
        return LogObserver()
    if sys.stderr.isatty():
        return BarObserver(plain_console(stderr=True))
    return LineObserver(loss_decimals)


def fetch_progress() -> Progress:
    """Return a function that shows how a download goes, a line each tenth.

    Returns:
        To be told bytes so far and bytes in all.
    """
    shown = -1

    def show(done: int, total: int) -> None:
        nonlocal shown
        tenth = 10 * done // total if total else 0
        if tenth != shown:
            shown = tenth
            of = f" of {total / 1e6:.1f}" if total else ""
            print(f"fetching: {done / 1e6:.1f}{of} MB", file=sys.stderr)

    return show
