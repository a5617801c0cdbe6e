"""The best weights so far, which a training leaves behind."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from sasrec.errors import ModelError
from sasrec.models.contract import NextItemModel
from sasrec.training.divergence import REMEDIES


class Best:
    """The best weights so far, and how long ago that was.

    Attributes:
        weights: Name to value; empty before the first.
        score: Of these weights.
        epoch: Whose weights they are; 0 before the first.
        stale: Validations since.
    """

    def __init__(self, model: NextItemModel) -> None:
        """Begin with none.

        Args:
            model: Whose weights are kept.
        """
        self._model = model
        self.weights: dict[str, Tensor] = {}
        self.score = -math.inf
        self.epoch = 0
        self.stale = 0

    def consider(self, epoch: int, score: float | None, *, always: bool) -> bool:
        """Keep the model's weights if they are the best so far; equal counts as better.

        Args:
            epoch: From 1.
            score: Higher is better; None if this epoch was not validated.
            always: Nothing is validated, so that the last weights are the best.

        Returns:
            Whether a score made them the best.
        """
        is_best = score is not None and score >= self.score
        if (is_best or always) and not _all_finite(self._model):
            is_best = always = False  # a score of such weights is chance
        if is_best or always:
            self.stale, self.epoch = 0, epoch
            self.weights = {
                name: value.detach().clone() for name, value in self._model.state_dict().items()
            }
            self.score = self.score if score is None else score
        elif score is not None:
            self.stale += 1
        return is_best

    def restore(self) -> None:
        """Give the model its best weights.

        Raises:
            ModelError: There are none.
        """
        if not self.epoch:
            raise ModelError(
                "no epoch gave a score and weights that are finite numbers, so there is nothing to "
                f"keep; {REMEDIES}"
            )
        self._model.load_state_dict(self.weights)


def _all_finite(model: nn.Module) -> bool:
    """Return whether every weight is a finite number; one question to the device."""
    return bool(torch.stack([weight.isfinite().all() for weight in model.parameters()]).all())
