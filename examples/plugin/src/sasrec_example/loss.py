"""A margin loss that treats targets and negatives differently."""

from __future__ import annotations

import torch
from torch import Tensor

from sasrec import SampledLoss
from sasrec.losses.contract import SampledFunction
from sasrec.losses.drawing import Negatives
from sasrec.losses.scores import Table, pair_scores
from sasrec.settings.training import TrainingSettings

MARGIN = 1.0


def build(settings: TrainingSettings, n_items: int) -> SampledFunction:
    """Return the loss for a run; ``score_penalty`` is the weight of the negatives."""
    weight = settings.score_penalty

    def asymmetric_margin(
        hidden: Tensor, targets: Tensor, table: Table, negatives: Negatives
    ) -> Tensor:
        positive, negative = pair_scores(hidden, targets, table, negatives.items)
        missed = (
            torch.relu(MARGIN - positive).square().sum()
        )  # quadratic for targets, linear for negatives
        false = torch.relu(MARGIN + negative).sum() / max(negative.shape[1], 1)
        return (missed + weight * false) / max(len(targets), 1)

    return asymmetric_margin


ASYMMETRIC_MARGIN = SampledLoss("AsymmetricMargin", build, uses=frozenset({"score_penalty"}))
