"""Histories of item numbers as flat arrays, and the states that a model computes for them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from sasrec.data.batches.batching import Collator
from sasrec.data.batches.event_types import EventTargets
from sasrec.data.batches.grouping import sorted_groups
from sasrec.data.batches.windows import Windows
from sasrec.data.sequences import Sequences
from sasrec.evaluation.scoring import encode_batches
from sasrec.models.contract import NextItemModel
from sasrec.recommender.answers import Answerer


@dataclass(frozen=True, slots=True)
class FlatHistories:
    """Consecutive histories of a data set with a model's numbers.

    Attributes:
        first: Index of the first history.
        items: int64 [N], item numbers from 1; one history after the other.
        offsets: int64 [n + 1], where each history begins, and N.
        times: float64 [N], times of the events; None if unknown.
        users: int64 [n], number of each user in the model's vocabulary; 0 for an unknown user.
        types: uint8 [N], types of the events by the numbers of the model; None if unknown.
    """

    first: int
    items: np.ndarray
    offsets: np.ndarray
    times: np.ndarray | None
    users: np.ndarray
    types: np.ndarray | None = None

    @classmethod
    def of(cls, sequences: Sequences, begin: int, end: int) -> FlatHistories:
        """Return some histories of a data set.

        Args:
            sequences: All histories, with the model's numbers.
            begin: Index of the first history.
            end: Index after the last one.
        """
        offsets = sequences.offsets[begin : end + 1]
        events = slice(int(offsets[0]), int(offsets[-1]))
        known = sequences.model_users
        return cls(
            first=begin,
            items=sequences.items[events].astype(np.int64),
            offsets=offsets - offsets[0],
            times=None if sequences.times is None else sequences.times[events],
            users=np.zeros(end - begin, dtype=np.int64) if known is None else known[begin:end],
            types=None if sequences.types is None else sequences.types[events],
        )

    def __len__(self) -> int:
        """Return the number of histories."""
        return len(self.users)

    def events_of(self, which: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the events of some histories.

        Args:
            which: int64 [m], indices of the histories.

        Returns:
            int64 [e], position in ``which`` of the history of each event, ascending; and
            int64 [e], the items.
        """
        lengths = self.offsets[which + 1] - self.offsets[which]
        rows = np.repeat(np.arange(len(which)), lengths)
        shifts = self.offsets[which] - np.cumsum(lengths) + lengths
        return rows, self.items[np.arange(len(rows)) + np.repeat(shifts, lengths)]


@dataclass(frozen=True, slots=True)
class FlatQueries:
    """The part of some histories that a model uses.

    Attributes:
        model: The model, in evaluation mode.
        owners: int64 [q], index of the history of each query.
    """

    model: NextItemModel
    owners: np.ndarray
    _collator: Collator
    _windows: Windows
    _device: torch.device

    @classmethod
    def of(cls, histories: FlatHistories, answerer: Answerer) -> FlatQueries:
        """Return the queries of histories: their latest events with items the model has learned.

        Args:
            histories: The histories.
            answerer: The model with its vocabularies.
        """
        scorer = answerer.scorer
        users = histories.users
        if answerer.trained_users is not None:
            users = np.where(answerer.trained_users[users], users, 0)
        kept = answerer.trained[histories.items]
        offsets = np.concatenate(([0], np.cumsum(kept)))[histories.offsets]
        items = histories.items[kept]
        times = histories.times
        times = times[kept] if times is not None and scorer.model.needs_times else None
        types = None if histories.types is None else histories.types[kept]
        owners = np.flatnonzero(np.diff(offsets))
        if scorer.model.needs_users:  # the model ignores the history, so padding can fill it
            owners, times, types = np.flatnonzero(users), None, None
            items, offsets = np.zeros(len(users), np.int64), np.arange(len(users) + 1)
        lengths = np.minimum(np.diff(offsets)[owners], scorer.max_history)
        starts = offsets[owners + 1] - lengths
        windows = Windows(starts, lengths, np.zeros_like(starts), users[owners])
        sequences = Sequences(items.astype(np.int32), times, offsets, types=types)
        collator = Collator(
            sequences,
            with_times=times is not None,
            device=scorer.device,
            targets=EventTargets(scorer.asked_type),
        )
        return cls(scorer.model, owners, collator, windows, scorer.device)

    def __len__(self) -> int:
        """Return the number of queries."""
        return len(self.owners)

    def states(self, positions: int) -> tuple[np.ndarray, Tensor]:
        """Compute the state after the last event of each query.

        Args:
            positions: Most positions of a batch, padding included.

        Returns:
            int64 [q], indices of the queries in the order of their states, and float [q, d].
        """
        groups = sorted_groups(self._windows, positions)
        order = np.concatenate(groups)
        batches = self._collator.batches(self._windows.take(order), [len(each) for each in groups])
        pairs = zip(groups, batches, strict=True)
        return order, torch.cat([each for _, _, each in encode_batches(self.model, pairs)])

    def state_alone(self, index: int) -> Tensor:
        """Compute the state of a query in a batch of its own.

        Args:
            index: Which query.

        Returns:
            float [1, d].
        """
        alone = self._windows.take(np.array([index]))
        batch = self._collator.batch(alone)
        [(_, _, state)] = encode_batches(self.model, [(np.zeros(1, np.int64), batch)])
        return state
