"""The interface for models that implement their own training epochs.

Most models use the trainer's training loop. A model whose training step takes less time than the
trainer's PyTorch calls for that step can implement its own loop (``parts/pairs.py``).
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
    """The weights of a model as the optimiser sees them: small ones are combined in one tensor."""

    @property
    def weights(self) -> Sequence[nn.Parameter]:
        """Everything the optimiser updates."""
        ...

    def location_of(self, view: Tensor) -> tuple[int, int]:
        """Return where in ``weights`` the memory of a tensor lies.

        Args:
            view: A contiguous tensor that shares memory with one of ``weights``.

        Returns:
            The index in ``weights``, and the index of the element at which the tensor starts.
        """
        ...


class MovingAverage(Protocol):
    """The moving average of these weights; the code that takes a training step updates it.

    Attributes:
        values: The average of each weight.
        decay: 0 makes the average equal to the weights; values near 1 average over more steps.
        steps: Number of updates so far.
    """

    values: list[Tensor]
    decay: float
    steps: int


@dataclass(frozen=True, slots=True)
class Training:
    """A training run that a model may take over.

    Attributes:
        batches: The training data.
        draw: Maps targets [P] to their negatives [P], if the loss is -log sigmoid(score of the
            target - score of one negative); None for all other losses.
        optimiser: Optimiser of the weights; its learning rate is constant, and gradients are not
            clipped.
        weights: The model's weights.
        average: Moving average of the weights.
    """

    batches: TrainingBatches
    draw: Callable[[Tensor], Tensor] | None
    optimiser: Optimizer
    weights: TrainedWeights
    average: MovingAverage


class Epochs(Protocol):
    """Takes the steps of each epoch, and updates optimiser and average as the trainer would."""

    def epoch(self, order: np.random.Generator) -> Iterator[tuple[Tensor, int]]:
        """Take the steps of an epoch.

        Args:
            order: Random number generator for the order of the training targets.

        Yields:
            The loss before each step, a scalar, and the number of its targets. A loss that is not
            finite is the last one, and no step is taken for it.
        """
        ...
