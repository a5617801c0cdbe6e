"""Progress: what the trainer tells those who watch it."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Protocol

from sasrec.errors import counted

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class EpochResult:
    """What one epoch came to.

    Attributes:
        epoch: From 1.
        loss: Mean training loss over its targets.
        seconds: Training time, validation not counted.
        targets: How many were supervised.
        score: Value of the watched metric, or None if this epoch was not validated.
        is_best: Whether the score is the best so far.
        checks_left: Validations without a new best after which training stops.
        watched: Name of the watched metric.
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
        """The score, or what is opposite to it where lower is better; so higher is better."""
        return -self.score if self.score is not None and self.smaller_is_better else self.score


class Observer(Protocol):
    """Somebody who watches; every method may do nothing."""

    def started(self, epochs: int, targets: int) -> None:
        """Learn that training begins: the most epochs it may take, and targets an epoch."""

    def advanced(self, epoch: int, targets: int) -> None:
        """Learn how many targets of an epoch are done."""

    def finished_epoch(self, result: EpochResult) -> None:
        """Learn what an epoch came to."""

    def stopped(self, reason: str) -> None:
        """Learn why training ended."""


class LogObserver:
    """Writes one line an epoch to the log of this package."""

    def __init__(self, loss_decimals: int = 4) -> None:
        """Begin.

        Args:
            loss_decimals: Decimal places of the loss.
        """
        self._loss_decimals = loss_decimals

    def started(self, epochs: int, targets: int) -> None:
        """Note the size of the work.

        Args:
            epochs: Most epochs.
            targets: Targets an epoch.
        """
        logger.info("training at most %s of %d targets", counted(epochs, "epoch"), targets)

    def advanced(self, epoch: int, targets: int) -> None:
        """Stay quiet within an epoch.

        Args:
            epoch: From 1.
            targets: Done so far.
        """

    def finished_epoch(self, result: EpochResult) -> None:
        """Note an epoch.

        Args:
            result: What it came to.
        """
        logger.info(epoch_line(result, self._loss_decimals))

    def stopped(self, reason: str) -> None:
        """Note the end.

        Args:
            reason: Why.
        """
        logger.info("training stopped: %s", reason)


def epoch_line(result: EpochResult, loss_decimals: int = 4) -> str:
    """Return an epoch in one line.

    Args:
        result: What it came to.
        loss_decimals: Decimal places of the loss.

    Returns:
        Such as ``epoch 3: loss 6.51, ndcg@20 0.0412 (best so far), 1.31 s, 74,200 targets/s``.
    """
    score = "" if result.score is None else f", {result.watched} {result.score:.4f}"
    best = " (best so far)" if result.is_best else ""
    rate = result.targets / max(result.seconds, 1e-9)
    return (
        f"epoch {result.epoch}: loss {result.loss:.{loss_decimals}f}{score}{best}, "
        f"{result.seconds:.2f} s, {rate:,.0f} targets/s"
    )
