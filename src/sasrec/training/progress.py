"""Progress of training: results of an epoch, and observers that receive them."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Protocol

from sasrec.errors import counted

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class EpochResult:
    """Results of one epoch.

    Attributes:
        epoch: Number of the epoch, from 1.
        loss: Mean training loss over the targets of the epoch.
        seconds: Training time without validation.
        targets: Number of training targets.
        score: Value of the validation metric; None if this epoch was not validated.
        is_best: Whether the score is the best so far.
        checks_left: Training stops after this many more validations without a new best.
        watched: Name of the validation metric.
        smaller_is_better: Whether a lower score is better.
    """

    epoch: int
    loss: float
    seconds: float
    targets: int
    score: float | None
    is_best: bool
    checks_left: int
    watched: str = "score"
    smaller_is_better: bool = False

    @property
    def merit(self) -> float | None:
        """The score, negated if lower is better, so that higher merit is always better."""
        return -self.score if self.score is not None and self.smaller_is_better else self.score


class Observer(Protocol):
    """Receives the progress of training; any method may do nothing."""

    def started(self, epochs: int, targets: int) -> None:
        """Training starts, with this maximum number of epochs and training targets per epoch."""

    def advanced(self, epoch: int, targets: int) -> None:
        """This number of training targets of the epoch has been processed."""

    def finished_epoch(self, result: EpochResult) -> None:
        """An epoch and its validation have ended."""

    def stopped(self, reason: str) -> None:
        """Training has ended, for this reason."""


class LogObserver:
    """Logs one line per epoch."""

    def __init__(self, loss_decimals: int = 4) -> None:
        """Store the format of the loss.

        Args:
            loss_decimals: Decimal places of the loss.
        """
        self._loss_decimals = loss_decimals

    def started(self, epochs: int, targets: int) -> None:
        """Log the number of epochs and targets.

        Args:
            epochs: Maximum number of epochs.
            targets: Training targets per epoch.
        """
        logger.info(
            "training at most %s of %s", counted(epochs, "epoch"), counted(targets, "target")
        )

    def advanced(self, epoch: int, targets: int) -> None:
        """Do nothing within an epoch.

        Args:
            epoch: Number of the epoch, from 1.
            targets: Training targets processed in this epoch.
        """

    def finished_epoch(self, result: EpochResult) -> None:
        """Log the results of an epoch.

        Args:
            result: Results of the epoch.
        """
        logger.info(epoch_line(result, self._loss_decimals))

    def stopped(self, reason: str) -> None:
        """Log why training ended.

        Args:
            reason: Why training ended.
        """
        logger.info("training ended: %s", reason)


def epoch_line(result: EpochResult, loss_decimals: int = 4) -> str:
    """Return the results of an epoch in one line.

    Args:
        result: Results of the epoch.
        loss_decimals: Decimal places of the loss.

    Returns:
        For example ``epoch 3: loss 6.51, ndcg@20 0.0412 (best so far), 1.31 s, 74,200 targets/s``.
    """
    score = "" if result.score is None else f", {result.watched} {result.score:.4f}"
    best = " (best so far)" if result.is_best else ""
    rate = result.targets / max(result.seconds, 1e-9)
    return (
        f"epoch {result.epoch}: loss {result.loss:.{loss_decimals}f}{score}{best}, "
        f"{result.seconds:.2f} s, {rate:,.0f} targets/s"
    )
