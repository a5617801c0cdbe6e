"""The interface of a next-item model.

Letters for dimensions, used throughout the package: P positions in a batch, B sequences in a
batch, L length of the longest sequence, d width, H heads, V items including padding, K negatives,
M cases, N events, U users.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor, nn

from sasrec.data.batches.batching import Batch
from sasrec.data.content.encoded import EncodedContent
from sasrec.kernels.lookup import rows_of
from sasrec.models.epochs import Epochs, Training
from sasrec.settings import fields


@dataclass(frozen=True, slots=True)
class Catalogue:
    """Sizes of the data that a model is created for.

    Attributes:
        n_items: Number of items, padding not counted; an item table has one more row.
        n_users: Number of users in the training data, or 0 if the model does not use users; user
            number 0 stands for all unknown users.
        max_history: Length of the longest window that the model will receive.
        n_types: Number of event types, the unknown type 0 not counted; 0 if types are not used.
        content: What is known about each item; None if the model learns from events only.
    """

    n_items: int
    n_users: int
    max_history: int
    n_types: int = 0
    content: EncodedContent | None = None


class NextItemModel(nn.Module):
    """Maps histories to states and states to scores; independent of loss, optimiser and device.

    A subclass that users select by name defines ``Settings``, and its constructor takes
    ``(settings, catalogue)``.

    Attributes:
        Settings: The class of the model's own settings; each setting needs a default.
        defaults: Values that replace defaults of the model's own settings or of training settings,
            such as ``{"loss": "BPR"}``. With preset ``recbole``, the model's own settings keep the
            defaults in ``Settings``, which are RecBole's if RecBole has the model.
        needs_times: Whether ``encode`` uses the timestamps of events.
        uses_users: Whether the model learns something about each user; unknown users have number 0.
        needs_users: Whether scores depend on the user only, so that the model cannot recommend to
            unknown users.
        uses_types: Whether ``encode`` can use ``types`` and ``next_types`` of a batch; other models
            refuse the setting ``type_column``.
        uses_content: Whether the model uses the content of items in ``Catalogue``.
    """

    Settings: ClassVar[type[fields.Settings]]
    defaults: ClassVar[Mapping[str, object]] = {}
    needs_times: bool = False
    uses_users: bool = False
    needs_users: bool = False
    uses_types: bool = False
    uses_content: bool = False

    @classmethod
    def has_item_table(cls) -> bool:
        """Return whether scores are dot products with item vectors, which the loss CE needs."""
        return cls.item_table is not NextItemModel.item_table

    @property
    def item_table(self) -> Tensor | None:
        """Item vectors [V, d] if scores are their dot products with states, otherwise None."""
        return None

    def encode(self, batch: Batch, at: Tensor | None = None) -> Tensor:
        """Return the state after each event, or after some of them.

        The state at a position must depend only on this position and earlier ones in its window.

        Args:
            batch: Any batch.
            at: int64 [S], indices of the positions to compute, so that a model can skip work for
                the others; None computes all.

        Returns:
            float [P, d], or [S, d].

        Raises:
            NotImplementedError: The model does not implement this method.
        """
        raise NotImplementedError

    def score(self, hidden: Tensor, items: Tensor | None = None) -> Tensor:
        """Return the scores of items as the next item; a higher score is better.

        Args:
            hidden: float [P, d], states.
            items: int64 [P, K], candidates for each state; None scores the whole catalogue.

        Returns:
            float [P, V], or [P, K] for candidates.

        Raises:
            NotImplementedError: The model has no item table and does not implement this method.
        """
        table = self.item_table
        if table is None:
            raise NotImplementedError
        if items is None:
            return hidden @ table.T
        return (hidden[:, None, :] * rows_of(table, items)).sum(-1)

    def prepare(self, batch: Batch) -> Batch:
        """Return the batch that a training step encodes; a model may mask events or set targets.

        Args:
            batch: Windows of the training data.

        Returns:
            The same batch, unless a model overrides this method.
        """
        return batch

    def penalty(self) -> Tensor | None:
        """Return a regularisation term to add to the loss, a scalar; None adds nothing."""
        return None

    def own_epochs(self, training: Training) -> Epochs | None:
        """Return the model's own implementation of training epochs, if it has a faster one.

        Args:
            training: The training to take over.

        Returns:
            The epochs; None, the default, uses the trainer's training loop.
        """
        return None

    def forward(self, batch: Batch, at: Tensor | None = None) -> Tensor:
        """Return ``encode(batch, at)``, for wrappers that call the module.

        Args:
            batch: Any batch.
            at: int64 [S], indices of the positions to compute, or None.

        Returns:
            float [P, d], or [S, d].
        """
        return self.encode(batch, at)
