"""TransRec: users as translations from item to item (He et al. 2017, arXiv:1707.02410).

    score(item) = bias[item] - || U[user] + T + E[last] - E[item] ||

The score is based on a distance, not on a dot product, so there is no item table.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import torch
from pydantic import Field
from torch import Tensor, nn

from sasrec.data.batches.batching import Batch
from sasrec.kernels.pairs import Form
from sasrec.models.contract import Catalogue, NextItemModel
from sasrec.models.epochs import Epochs, Training
from sasrec.models.parts.layers import users_of, vectors
from sasrec.models.parts.pairs import pair_epochs
from sasrec.settings.fields import Settings

UNDER_ROOT = 1e-12
"""Number added under the square root, whose gradient is infinite at 0."""


class TransRecSettings(Settings):
    """Size of the vectors; name and default are RecBole's."""

    embedding_size: int = Field(64, ge=1, le=65_536)
    """Width of item and user vectors."""
    weight_of_length: float = Field(1.0, ge=0, allow_inf_nan=False)
    """Weight in the loss of the L1 norm of the global translation vector."""


class TransRec(NextItemModel):
    """The TransRec model."""

    Settings = TransRecSettings
    defaults: ClassVar[Mapping[str, object]] = {"loss": "BPR"}
    uses_users = True

    def __init__(self, settings: TransRecSettings, catalogue: Catalogue) -> None:
        """Create the tables with random values from PyTorch's default generator.

        Args:
            settings: Width of the vectors.
            catalogue: Number of items and users; the longest window has no effect.
        """
        super().__init__()
        width = settings.embedding_size
        self.weight_of_length = settings.weight_of_length
        self.user_embedding = vectors(catalogue.n_users + 1, width, nn.init.xavier_normal_)
        self.item_embedding = vectors(catalogue.n_items + 1, width, nn.init.xavier_normal_)
        self.bias = vectors(catalogue.n_items + 1, 1, nn.init.xavier_normal_)
        self.translation = nn.Parameter(torch.zeros(width))

    def encode(self, batch: Batch, at: Tensor | None = None) -> Tensor:
        """Return the translated vector of each event, U[user] + E[event] + T, or of some events.

        Args:
            batch: Any batch.
            at: int64 [S], indices of the positions to compute; None computes all.

        Returns:
            float [P, d], or [S, d].
        """
        last = batch.items if at is None else batch.items[at]
        state: Tensor = self.user_embedding(users_of(batch, at)) + self.item_embedding(last)
        return state + self.translation

    def score(self, hidden: Tensor, items: Tensor | None = None) -> Tensor:
        """Return bias minus distance.

        Args:
            hidden: float [P, d], states.
            items: int64 [P, K], candidates for each state; None scores the whole catalogue.

        Returns:
            float [P, V], or [P, K] for candidates.
        """
        if items is None:
            return self.bias.weight[:, 0] - distances(hidden, self.item_embedding.weight)
        apart = hidden[:, None, :] - self.item_embedding(items)
        result: Tensor = self.bias(items)[..., 0] - (apart.square().sum(-1) + UNDER_ROOT).sqrt()
        return result

    def penalty(self) -> Tensor:
        """Return the weighted L1 norm of T; RecBole's other terms have no gradient."""
        return self.weight_of_length * self.translation.abs().sum()

    def own_epochs(self, training: Training) -> Epochs | None:
        """Return compiled training epochs, if the loss compares pairs.

        Args:
            training: The training to take over.

        Returns:
            The epochs, or None.
        """
        return pair_epochs(self.pair_form(), training)

    def pair_form(self) -> Form:
        """Return the tables and constants of the distance, for the compiled kernel."""
        tables = self.user_embedding, self.item_embedding, self.bias
        weights = (*(each.weight.detach() for each in tables), self.translation.detach()[None])
        return Form(weights, (), UNDER_ROOT, self.weight_of_length)


def distances(left: Tensor, right: Tensor) -> Tensor:
    """Return the Euclidean distance between each pair of vectors.

    Computing it from dot products is several times faster, and double precision keeps small
    distances accurate. That computation has no gradient at distance 0, so ``torch.cdist`` is used
    if a gradient may be needed.

    Args:
        left: float [P, d].
        right: float [V, d].

    Returns:
        float [P, V].
    """
    has_doubles = left.device.type in ("cpu", "cuda")
    if not has_doubles or (torch.is_grad_enabled() and (left.requires_grad or right.requires_grad)):
        return torch.cdist(left, right, compute_mode="donot_use_mm_for_euclid_dist")
    a, b = left.double(), right.double()
    squares = torch.addmm(b.square().sum(1), a, b.T, alpha=-2)
    squares += a.square().sum(1)[:, None]
    return squares.clamp_min_(0).sqrt_().to(left.dtype)
