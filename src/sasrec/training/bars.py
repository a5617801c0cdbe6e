"""Progress display: a bar on a terminal or in a notebook, or lines."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from sasrec.errors import counted
from sasrec.training.progress import EpochResult, LogObserver, Observer, epoch_line

if TYPE_CHECKING:
    from rich.console import Console


def default_observer(loss_decimals: int) -> Observer:
    """Return the observer for training started from Python.

    Args:
        loss_decimals: Decimal places of the loss.

    Returns:
        A progress bar in a notebook or an interactive session; otherwise an observer that logs.
    """
    from rich.console import Console

    if in_notebook():
        return BarObserver(Console())  # rich writes to the output of the cell
    if hasattr(sys, "ps1") and sys.stderr.isatty():
        return BarObserver(Console(stderr=True))
    return LogObserver(loss_decimals)


def in_notebook() -> bool:
    """Return whether this code runs in a cell of a Jupyter notebook."""
    ipython = sys.modules.get("IPython")
    shell = None if ipython is None else ipython.get_ipython()
    return shell is not None and hasattr(shell, "kernel")


class LineObserver:
    """Prints one line per epoch to stderr."""

    def __init__(self, loss_decimals: int) -> None:
        """Store the format of the loss.

        Args:
            loss_decimals: Decimal places of the loss.
        """
        self._loss_decimals = loss_decimals

    def started(self, epochs: int, targets: int) -> None:
        """Print the number of epochs and targets.

        Args:
            epochs: Maximum number of epochs.
            targets: Training targets per epoch.
        """
        work = f"{counted(epochs, 'epoch')} of {counted(targets, 'target')}"
        print(f"at most {work}", file=sys.stderr)

    def advanced(self, epoch: int, targets: int) -> None:
        """Do nothing within an epoch.

        Args:
            epoch: Number of the epoch, from 1.
            targets: Training targets processed in this epoch.
        """

    def finished_epoch(self, result: EpochResult) -> None:
        """Print the results of an epoch.

        Args:
            result: Results of the epoch.
        """
        print(epoch_line(result, self._loss_decimals), file=sys.stderr)

    def stopped(self, reason: str) -> None:
        """Print why training ended.

        Args:
            reason: Why training ended.
        """
        print(f"training ended: {reason}", file=sys.stderr)


class BarObserver:
    """Shows a progress bar with the current epoch, speed, remaining time and last score."""

    def __init__(self, console: Console) -> None:
        """Create the bar; it appears when training starts.

        Args:
            console: Console to show it on.
        """
        from rich.progress import BarColumn, TextColumn, TimeRemainingColumn
        from rich.progress import Progress as Bar

        self._bar = Bar(
            TextColumn("epoch {task.fields[epoch]}/{task.fields[epochs]}"),
            BarColumn(),
            TextColumn("{task.fields[rate]}"),
            TextColumn("at most"),
            TimeRemainingColumn(),
            TextColumn("{task.fields[note]}"),
            console=console,
            transient=True,
        )
        self._targets = 0
        self._note = ""
        self._rate = ""

    def started(self, epochs: int, targets: int) -> None:
        """Show the bar.

        Args:
            epochs: Maximum number of epochs.
            targets: Training targets per epoch.
        """
        self._targets = targets
        self._task = self._bar.add_task(
            "", total=epochs * targets, epoch=1, epochs=epochs, rate="", note=""
        )
        self._bar.start()

    def advanced(self, epoch: int, targets: int) -> None:
        """Move the bar.

        Args:
            epoch: Number of the epoch, from 1.
            targets: Training targets processed in this epoch.
        """
        done = (epoch - 1) * self._targets + targets
        self._bar.update(self._task, completed=done, epoch=epoch, rate=self._rate, note=self._note)

    def finished_epoch(self, result: EpochResult) -> None:
        """Update speed and score.

        Args:
            result: Results of the epoch.
        """
        self._rate = f"{result.targets / max(result.seconds, 1e-9):,.0f} targets/s"
        if result.score is not None:
            best = (
                "best so far"
                if result.is_best
                else f"stops after {result.checks_left} more without a new best"
            )
            self._note = f"{result.watched} {result.score:.4f} ({best})"

    def stopped(self, reason: str) -> None:
        """Remove the bar and print why training ended.

        Args:
            reason: Why training ended.
        """
        self._bar.stop()
        self._bar.console.print(f"training ended: {reason}", highlight=False)
