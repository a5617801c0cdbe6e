"""What a next-item model is.

Letters for dimensions, used throughout the package: P positions in a batch, B sequences in a
batch, L the longest of them, d width, H heads, V items with padding, K negatives, M cases,
N events, U users.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor, nn

from sasrec.data.batches.batching import Batch
from sasrec.kernels.lookup import rows_of
from sasrec.models.epochs import Epochs, Training
from sasrec.settings import fields


@dataclass(frozen=True, slots=True)
class Catalogue:
    """What a model is made for, beside its settings.

    Attributes:
        n_items: Items, padding not counted; a table of them has one row more.
        n_users: Users in the training data, 0 if they do not matter; number 0 is everybody else.
        max_history: Longest window the model will be given.
    """

    n_items: int
    n_users: int
    max_history: int


class NextItemModel(nn.Module):
    """Turns histories into states and states into scores; knows no loss, optimiser or device.

    A subclass that a user may name carries its ``Settings`` and is made with
    ``(settings, catalogue)``.

    Attributes:
        Settings: The class of its own settings; each has a default.
        defaults: Further values it begins with, of its own settings or those of training, such as
            ``{"loss": "BPR"}``; with preset ``recbole`` its own settings keep their defaults, which
            are RecBole's where that has the model.
        needs_times: Whether ``encode`` wants to know when events were.
        uses_users: Whether it has learned something of each user; others have number 0.
        needs_users: Whether it goes by the user alone, so that it can say nothing of others.
    """

    Settings: ClassVar[type[fields.Settings]]
    defaults: ClassVar[Mapping[str, object]] = {}
    needs_times: bool = False
    uses_users: bool = False
    needs_users: bool = False

    @classmethod
    def has_item_table(cls) -> bool:
        """Return whether scores are products of states and item vectors, as loss CE needs it."""
        return cls.item_table is not NextItemModel.item_table

    @property
    def item_table(self) -> Tensor | None:
        """Item vectors [V, d] whose products with states are the scores; None if they are none."""
        return None

    def encode(self, batch: Batch, at: Tensor | None = None) -> Tensor:
        """Return the state after each event, or after some.

        The state at a position depends on this position and those before it in its own window.

        Args:
            batch: Any batch.
            at: int64 [S], the positions wanted, so that a model can leave out work for the others;
                None wants all.

        Returns:
            float [P, d], or [S, d].

        Raises:
            NotImplementedError: The model does not say how.
        """
        raise NotImplementedError

    def score(self, hidden: Tensor, items: Tensor | None = None) -> Tensor:
        """Return how well items would follow states; higher is better.

        Args:
            hidden: float [P, d], states.
            items: int64 [P, K], candidates of each state; None scores the whole catalogue.

        Returns:
            float [P, V], or [P, K] for candidates.

        Raises:
            NotImplementedError: The model has no item table and does not say how.
        """
        table = self.item_table
        if table is None:
            raise NotImplementedError
        if items is None:
            return hidden @ table.T
        return (hidden[:, None, :] * rows_of(table, items)).sum(-1)

    def prepare(self, batch: Batch) -> Batch:
        """Return what a training step encodes; a model may mask events and set targets here.

        Args:
            batch: As cut from the data.

        Returns:
            The same batch, unless a model does otherwise.
        """
        return batch

    def penalty(self) -> Tensor | None:
        """Return what is added to the loss for the weights' sake, a scalar; None adds nothing."""
        return None

    def own_epochs(self, training: Training) -> Epochs | None:
        """Return epochs of the model's own, where it has a faster way than the trainer's.

        Args:
            training: What is to be taken over.

        Returns:
            The epochs; None, as most models do, leaves them to the trainer.
        """
        return None

    def forward(self, batch: Batch, at: Tensor | None = None) -> Tensor:
        """Return ``encode(batch, at)``, so that wrappers which call the module work.

        Args:
            batch: Any batch.
            at: int64 [S], the positions wanted, or None.

        Returns:
            float [P, d], or [S, d].
        """
        return self.encode(batch, at)
