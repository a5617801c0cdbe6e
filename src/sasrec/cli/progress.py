"""What a person sees while training runs: a bar on a terminal, a line an epoch in a log."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from sasrec.cli.terminal import plain_console
from sasrec.data.movielens import Progress
from sasrec.errors import counted

if TYPE_CHECKING:
    from sasrec.training.progress import EpochResult, Observer


def observer_for(*, quiet: bool, loss_decimals: int) -> Observer:
    """Return who watches training: nobody, a bar on a terminal, or plain lines in a log.

    Args:
        quiet: Nobody.
        loss_decimals: Decimal places of the loss.

    Returns:
        The observer; it writes to standard error.
    """
    from sasrec.training.progress import LogObserver

    if quiet:
        return LogObserver()
    return BarObserver() if sys.stderr.isatty() else LineObserver(loss_decimals)


class LineObserver:
    """Prints one line an epoch, for logs."""

    def __init__(self, loss_decimals: int) -> None:
        """Begin.

        Args:
            loss_decimals: Decimal places of the loss.
        """
        self._loss_decimals = loss_decimals

    def started(self, epochs: int, targets: int) -> None:
        """Announce the size of the work.

        Args:
            epochs: Most epochs.
            targets: Targets an epoch.
        """
        print(
            f"at most {counted(epochs, 'epoch')} of {counted(targets, 'target')}", file=sys.stderr
        )

    def advanced(self, epoch: int, targets: int) -> None:
        """Say nothing within an epoch.

        Args:
            epoch: From 1.
            targets: Done so far.
        """

    def finished_epoch(self, result: EpochResult) -> None:
        """Print the epoch.

        Args:
            result: What it came to.
        """
        from sasrec.training.progress import epoch_line

        print(epoch_line(result, self._loss_decimals), file=sys.stderr)

    def stopped(self, reason: str) -> None:
        """Print the reason.

        Args:
            reason: Why training ended.
        """
        print(f"training ended: {reason}", file=sys.stderr)


class BarObserver:
    """Shows the epoch under way with rate and time left, and the last and best scores."""

    def __init__(self) -> None:
        """Make the bar; it appears when training starts."""
        from rich.progress import BarColumn, TextColumn, TimeRemainingColumn
        from rich.progress import Progress as Bar

        self._bar = Bar(
            TextColumn("epoch {task.fields[epoch]}/{task.fields[epochs]}"),
            BarColumn(),
            TextColumn("{task.fields[rate]}"),
            TextColumn("at most"),
            TimeRemainingColumn(),
            TextColumn("{task.fields[note]}"),
            console=plain_console(stderr=True),
            transient=True,
        )
        self._targets = 0
        self._note = ""
        self._rate = ""

    def started(self, epochs: int, targets: int) -> None:
        """Show the bar.

        Args:
            epochs: Most epochs.
            targets: Targets an epoch.
        """
        self._targets = targets
        self._task = self._bar.add_task(
            "", total=epochs * targets, epoch=1, epochs=epochs, rate="", note=""
        )
        self._bar.start()

    def advanced(self, epoch: int, targets: int) -> None:
        """Move the bar.

        Args:
            epoch: From 1.
            targets: Done so far in this epoch.
        """
        done = (epoch - 1) * self._targets + targets
        self._bar.update(self._task, completed=done, epoch=epoch, rate=self._rate, note=self._note)

    def finished_epoch(self, result: EpochResult) -> None:
        """Note the epoch's figures.

        Args:
            result: What it came to.
        """
        self._rate = f"{result.targets / max(result.seconds, 1e-9):,.0f} targets/s"
        if result.score is not None:
            best = "best so far" if result.is_best else f"stops after {result.checks_left} more"
            self._note = f"{result.watched} {result.score:.4f} ({best})"

    def stopped(self, reason: str) -> None:
        """Take the bar away and print the reason.

        Args:
            reason: Why training ended.
        """
        self._bar.stop()
        print(f"training ended: {reason}", file=sys.stderr)


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
