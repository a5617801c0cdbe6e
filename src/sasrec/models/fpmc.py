"""FPMC: a factorised Markov chain beside matrix factorisation (Rendle et al. 2010); and its halves.

    FPMC   score = UI[user] . IU[item] + LI[last] . IL[item]
    FMC    score = LI[last] . IL[item]             the first-order chain alone
    BPR    score = U[user] . I[item]               matrix factorisation alone (arXiv:1205.2618)

State and item table are the two vectors side by side, so that the sum is one product.
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
"""What these models were proposed with: pairs of a target and a negative."""


class FPMC(NextItemModel):
    """The user's taste, and what follows the last item."""

    Settings = FactorSettings
    defaults = PAIRWISE
    uses_users = True

    def __init__(self, settings: FactorSettings, catalogue: Catalogue) -> None:
        """Make the tables with random values from torch's default generator.

        Args:
            settings: Size.
            catalogue: How many items and users there are; only the last event counts.
        """
        super().__init__()
        width = settings.embedding_size
        self.user_embedding = vectors(catalogue.n_users + 1, width, nn.init.xavier_normal_)
        self.user_item_embedding = vectors(catalogue.n_items + 1, width, nn.init.xavier_normal_)
        self.last_embedding = vectors(catalogue.n_items + 1, width, nn.init.xavier_normal_)
        self.next_embedding = vectors(catalogue.n_items + 1, width, nn.init.xavier_normal_)

    @property
    def item_table(self) -> Tensor:
        """What users and last items are multiplied with, [V, 2 d]."""
        return torch.cat([self.user_item_embedding.weight, self.next_embedding.weight], dim=1)

    def encode(self, batch: Batch, at: Tensor | None = None) -> Tensor:
        """Return the user's vector beside that of each event, or of some.

        Args:
            batch: Any batch.
            at: int64 [S], the positions wanted; None wants all.

        Returns:
            float [P, 2 d], or [S, 2 d].
        """
        last = batch.items if at is None else batch.items[at]
        users = self.user_embedding(users_of(batch, at))
        return torch.cat([users, self.last_embedding(last)], dim=1)

    def own_epochs(self, training: Training) -> Epochs | None:
        """Return epochs in compiled code, where the training is one by pairs.

        Args:
            training: What is to be taken over.

        Returns:
            The epochs, or None.
        """
        return pair_epochs(self.pair_form(), training)

    def pair_form(self) -> Form:
        """Return both products."""
        tables = (
            *(self.user_embedding, self.user_item_embedding),
            *(self.last_embedding, self.next_embedding),
        )
        return Form(tuple(each.weight.detach() for each in tables), (USER, LAST))


class FMC(NextItemModel):
    """What follows the last item, whoever the user is."""

    Settings = FactorSettings
    defaults = PAIRWISE

    def __init__(self, settings: FactorSettings, catalogue: Catalogue) -> None:
        """Make the tables with random values from torch's default generator.

        Args:
            settings: Size.
            catalogue: How many items there are; only the last event counts.
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
        """What last items are multiplied with, [V, d]."""
        return self.next_embedding.weight

    def encode(self, batch: Batch, at: Tensor | None = None) -> Tensor:
        """Return the vector of each event, or of some.

        Args:
            batch: Any batch.
            at: int64 [S], the positions wanted; None wants all.

        Returns:
            float [P, d], or [S, d].
        """
        result: Tensor = self.last_embedding(batch.items if at is None else batch.items[at])
        return result

    def own_epochs(self, training: Training) -> Epochs | None:
        """Return epochs in compiled code, where the training is one by pairs.

        Args:
            training: What is to be taken over.

        Returns:
            The epochs, or None.
        """
        return pair_epochs(self.pair_form(), training)

    def pair_form(self) -> Form:
        """Return the product."""
        tables = self.last_embedding, self.next_embedding
        return Form(tuple(each.weight.detach() for each in tables), (LAST,))


class BPRMF(NextItemModel):
    """The user's taste, whatever came last."""

    Settings = FactorSettings
    defaults = PAIRWISE
    uses_users = True
    needs_users = True

    def __init__(self, settings: FactorSettings, catalogue: Catalogue) -> None:
        """Make the tables with random values from torch's default generator.

        Args:
            settings: Size.
            catalogue: How many items and users there are; the history does not count.
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
        """Return the user's vector at each position, or at some.

        Args:
            batch: Any batch.
            at: int64 [S], the positions wanted; None wants all.

        Returns:
            float [P, d], or [S, d].
        """
        result: Tensor = self.user_embedding(users_of(batch, at))
        return result

    def own_epochs(self, training: Training) -> Epochs | None:
        """Return epochs in compiled code, where the training is one by pairs.

        Args:
            training: What is to be taken over.

        Returns:
            The epochs, or None.
        """
        return pair_epochs(self.pair_form(), training)

    def pair_form(self) -> Form:
        """Return the product."""
        tables = self.user_embedding, self.item_embedding
        return Form(tuple(each.weight.detach() for each in tables), (USER,))
