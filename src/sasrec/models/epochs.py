"""Epochs of a model's own: what it is given to take the steps of training itself.

Most models leave that to the trainer. A model whose steps are far shorter than the calls that the
trainer makes for each may do them by itself (``parts/pairs.py``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from torch import Tensor, nn
from torch.optim import Optimizer

from sasrec.data.batches.training_batches import TrainingBatches


class TrainedWeights(Protocol):
    """The weights of a model as its optimiser sees them: small ones lie together in one tensor."""

    @property
    def weights(self) -> Sequence[nn.Parameter]:
        """Everything the optimiser updates."""
        ...

    def first_location(self, view: Tensor) -> tuple[int, int]:
        """Return in which of ``weights`` a tensor lies that shares a weight's memory.

        Args:
            view: Contiguous.

        Returns:
            Its place in ``weights``, and the element it begins at.
        """
        ...


class MovingAverage(Protocol):
    """The moving average of these weights; whoever takes a step updates it.

    Attributes:
        values: The average of each weight.
        decay: 0 follows the weights exactly, towards 1 remembers longer.
        steps: Updates so far.
    """

    values: list[Tensor]
    decay: float
    steps: int


@dataclass(frozen=True, slots=True)
class Training:
    """A training that a model may take over.

    Attributes:
        batches: Where its events come from.
        draw: Where the loss is -log sigmoid(score of the target - score of one negative): from
            targets [P] to their negatives [P]. None for all other losses.
        optimiser: Over the weights; its learning rate stays as it is, and gradients are not
            clipped.
        weights: The model's weights.
        average: Of the same.
    """

    batches: TrainingBatches
    draw: Callable[[Tensor], Tensor] | None
    optimiser: Optimizer
    weights: TrainedWeights
    average: MovingAverage


class Epochs(Protocol):
    """Takes the steps of each epoch; the state of optimiser and average is left as steps do."""

    def epoch(self, order: np.random.Generator) -> Iterator[tuple[Tensor, int]]:
        """Take the steps of an epoch.

        Args:
            order: Source of the order of training targets.

        Yields:
            The loss before each step, a scalar, and how many targets it saw. A loss that is not
            finite is the last, and no step was taken for it.
        """
        ...
