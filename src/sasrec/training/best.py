"""The weights with the best validation score, which the model has after training."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from sasrec.errors import ModelError
from sasrec.models.contract import NextItemModel
from sasrec.training.divergence import REMEDIES


class Best:
    """The best weights so far, with their score and epoch.

    Attributes:
        weights: Name to value; empty while there are none.
        score: Validation score of these weights.
        epoch: Epoch after which these weights were stored; 0 while there are none.
        stale: Number of validations since then.
    """

    def __init__(self, model: NextItemModel) -> None:
        """Start without weights.

        Args:
            model: The model whose weights are stored.
        """
        self._model = model
        self.weights: dict[str, Tensor] = {}
        self.score = -math.inf
        self.epoch = 0
        self.stale = 0

    def consider(self, epoch: int, score: float | None) -> bool:
        """Store the model's weights if their score is at least as good as the best so far.

        Weights that are NaN or infinite are never stored, as their score is meaningless.

        Args:
            epoch: Number of the epoch, from 1.
            score: Validation score, higher is better; None if this epoch was not validated.

        Returns:
            Whether the weights were stored.
        """
        if score is None:
            return False
        is_best = score >= self.score and _all_finite(self._model)
        if is_best:
            self._store(epoch)
            self.score = score
        else:
            self.stale += 1
        return is_best

    def keep_latest(self, epoch: int) -> None:
        """Store the model's weights, for training without validation, unless NaN or infinite.

        Args:
            epoch: Number of the epoch, from 1.
        """
        if _all_finite(self._model):
            self._store(epoch)

    def _store(self, epoch: int) -> None:
        self.stale, self.epoch = 0, epoch
        self.weights = {
            name: value.detach().clone() for name, value in self._model.state_dict().items()
        }

    def restore(self) -> None:
        """Load the best weights into the model.

        Raises:
            ModelError: No weights were stored.
        """
        if not self.epoch:
            raise ModelError(
                "in every epoch the validation score or the weights were NaN or infinite, so there "
                f"is no model to keep; {REMEDIES}"
            )
        self._model.load_state_dict(self.weights)


def _all_finite(model: nn.Module) -> bool:
    """Return whether all weights are finite; synchronises once with the device."""
    return bool(torch.stack([weight.isfinite().all() for weight in model.parameters()]).all())
