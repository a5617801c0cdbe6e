"""Progress on standard error: a bar on a terminal, otherwise a line per epoch."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from sasrec.cli.terminal import plain_console
from sasrec.data.movielens import Progress

if TYPE_CHECKING:
    from sasrec.training.progress import Observer


def observer_for(*, quiet: bool, loss_decimals: int) -> Observer:
    """Return the observer that shows the progress of a training.

    Args:
        quiet: Show nothing; progress only goes to the log.
        loss_decimals: Decimal places of the loss.

    Returns:
        An observer that draws a bar if standard error is a terminal, and otherwise prints lines.
    """
    from sasrec.training.bars import BarObserver, LineObserver
    from sasrec.training.progress import LogObserver

    if quiet:
        return LogObserver()
    if sys.stderr.isatty():
        return BarObserver(plain_console(stderr=True))
    return LineObserver(loss_decimals)


def fetch_progress() -> Progress:
    """Return a function that prints the progress of a download, a line every 10 %.

    Returns:
        A function of the number of bytes done and the total number of bytes.
    """
    shown = -1

    def show(done: int, total: int) -> None:
        nonlocal shown
        tenth = 10 * done // total if total else 0
        if tenth != shown:
            shown = tenth
            of = f" of {total / 1e6:.1f}" if total else ""
            print(f"downloading: {done / 1e6:.1f}{of} MB", file=sys.stderr)

    return show
