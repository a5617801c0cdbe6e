"""FPMC: matrix factorisation plus a factorised Markov chain (Rendle et al. 2010), and each alone.

    FPMC   score = UI[user] . IU[item] + LI[last] . IL[item]
    FMC    score = LI[last] . IL[item]             the first-order chain alone
    BPR    score = U[user] . I[item]               matrix factorisation alone (arXiv:1205.2618)

For FPMC, the state and the item table are both concatenated from two vectors, so that the sum is
one product.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from pydantic import Field
from torch import Tensor, nn

from sasrec.data.batches.batching import Batch
from sasrec.kernels.pairs import LAST, USER, Form
from sasrec.models.contract import Catalogue, NextItemModel
from sasrec.models.epochs import Epochs, Training
from sasrec.models.parts.layers import users_of, vectors
from sasrec.models.parts.pairs import pair_epochs
from sasrec.settings.fields import Settings


class FactorSettings(Settings):
    """Size of the vectors; name and default are RecBole's."""

    embedding_size: int = Field(64, ge=1, le=65_536)
    """Width of each vector."""


PAIRWISE: Mapping[str, object] = {"loss": "BPR"}
"""The loss that these models were proposed with; it compares a target and a negative."""


class FPMC(NextItemModel):
    """Scores by the user's preferences and by transitions from the last item."""

    Settings = FactorSettings
    defaults = PAIRWISE
    uses_users = True

    def __init__(self, settings: FactorSettings, catalogue: Catalogue) -> None:
        """Create the tables with random values from PyTorch's default generator.

        Args:
            settings: Width of the vectors.
            catalogue: Number of items and users; the longest window has no effect.
        """
        super().__init__()
        width = settings.embedding_size
        self.user_embedding = vectors(catalogue.n_users + 1, width, nn.init.xavier_normal_)
        self.user_item_embedding = vectors(catalogue.n_items + 1, width, nn.init.xavier_normal_)
        self.last_embedding = vectors(catalogue.n_items + 1, width, nn.init.xavier_normal_)
        self.next_embedding = vectors(catalogue.n_items + 1, width, nn.init.xavier_normal_)

    @property
    def item_table(self) -> Tensor:
        """Item vectors to multiply with users and with last items, concatenated, [V, 2 d]."""
        return torch.cat([self.user_item_embedding.weight, self.next_embedding.weight], dim=1)

    def encode(self, batch: Batch, at: Tensor | None = None) -> Tensor:
        """Return the user's vector and the vector of each event, or of some, concatenated.

        Args:
            batch: Any batch.
            at: int64 [S], indices of the positions to compute; None computes all.

        Returns:
            float [P, 2 d], or [S, 2 d].
        """
        last = batch.items if at is None else batch.items[at]
        users = self.user_embedding(users_of(batch, at))
        return torch.cat([users, self.last_embedding(last)], dim=1)

    def own_epochs(self, training: Training) -> Epochs | None:
        """Return compiled training epochs, if the loss compares pairs.

        Args:
            training: The training to take over.

        Returns:
            The epochs, or None.
        """
        return pair_epochs(self.pair_form(), training)

    def pair_form(self) -> Form:
        """Return the tables of both products, for the compiled kernel."""
        tables = (
            *(self.user_embedding, self.user_item_embedding),
            *(self.last_embedding, self.next_embedding),
        )
        return Form(tuple(each.weight.detach() for each in tables), (USER, LAST))


class FMC(NextItemModel):
    """Scores by transitions from the last item; the user has no effect."""

    Settings = FactorSettings
    defaults = PAIRWISE

    def __init__(self, settings: FactorSettings, catalogue: Catalogue) -> None:
        """Create the tables with random values from PyTorch's default generator.

        Args:
            settings: Width of the vectors.
            catalogue: Number of items; users and the longest window have no effect.
        """
        super().__init__()
        self.last_embedding = vectors(
            catalogue.n_items + 1, settings.embedding_size, nn.init.xavier_normal_
        )
        self.next_embedding = vectors(
            catalogue.n_items + 1, settings.embedding_size, nn.init.xavier_normal_
        )

    @property
    def item_table(self) -> Tensor:
        """Item vectors to multiply with last items, [V, d]."""
        return self.next_embedding.weight

    def encode(self, batch: Batch, at: Tensor | None = None) -> Tensor:
        """Return the vector of each event, or of some of them.

        Args:
            batch: Any batch.
            at: int64 [S], indices of the positions to compute; None computes all.

        Returns:
            float [P, d], or [S, d].
        """
        result: Tensor = self.last_embedding(batch.items if at is None else batch.items[at])
        return result

    def own_epochs(self, training: Training) -> Epochs | None:
        """Return compiled training epochs, if the loss compares pairs.

        Args:
            training: The training to take over.

        Returns:
            The epochs, or None.
        """
        return pair_epochs(self.pair_form(), training)

    def pair_form(self) -> Form:
        """Return the tables of the product, for the compiled kernel."""
        tables = self.last_embedding, self.next_embedding
        return Form(tuple(each.weight.detach() for each in tables), (LAST,))


class BPRMF(NextItemModel):
    """Scores by the user's preferences; the history has no effect."""

    Settings = FactorSettings
    defaults = PAIRWISE
    uses_users = True
    needs_users = True

    def __init__(self, settings: FactorSettings, catalogue: Catalogue) -> None:
        """Create the tables with random values from PyTorch's default generator.

        Args:
            settings: Width of the vectors.
            catalogue: Number of items and users; the longest window has no effect.
        """
        super().__init__()
        self.user_embedding = vectors(
            catalogue.n_users + 1, settings.embedding_size, nn.init.xavier_normal_
        )
        self.item_embedding = vectors(
            catalogue.n_items + 1, settings.embedding_size, nn.init.xavier_normal_
        )

    @property
    def item_table(self) -> Tensor:
        """Item vectors [V, d]."""
        return self.item_embedding.weight

    def encode(self, batch: Batch, at: Tensor | None = None) -> Tensor:
        """Return the user's vector at each position, or at some of them.

        Args:
            batch: Any batch.
            at: int64 [S], indices of the positions to compute; None computes all.

        Returns:
            float [P, d], or [S, d].
        """
        result: Tensor = self.user_embedding(users_of(batch, at))
        return result

    def own_epochs(self, training: Training) -> Epochs | None:
        """Return compiled training epochs, if the loss compares pairs.

        Args:
            training: The training to take over.

        Returns:
            The epochs, or None.
        """
        return pair_epochs(self.pair_form(), training)

    def pair_form(self) -> Form:
        """Return the tables of the product, for the compiled kernel."""
        tables = self.user_embedding, self.item_embedding
        return Form(tuple(each.weight.detach() for each in tables), (USER,))
