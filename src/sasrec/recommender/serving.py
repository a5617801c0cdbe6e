"""Serving: histories in numbers become scores and ranked lists, a bounded piece at a time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor

from sasrec.data.batches.batching import Batch, Collator
from sasrec.data.batches.cases import grouped_batches
from sasrec.data.batches.windows import Windows
from sasrec.data.sequences import Sequences
from sasrec.evaluation.leaders import (
    NOISE,
    Contest,
    doubtful_rows,
    in_order,
    places_within,
    products,
)
from sasrec.evaluation.scoring import last_states
from sasrec.models.contract import NextItemModel

SCORE_BYTES, FEWEST_ROWS = 2**24, 16
"""Scores held at a time, but never fewer rows of them: the product reads the table for each piece.
"""


@dataclass(frozen=True, slots=True)
class Questions:
    """Histories in numbers, all of which the model can answer.

    Attributes:
        numbers: int64 arrays, item numbers, oldest first; at least one each.
        times: float64 arrays, when the events were; None where that is not known.
        users: int64 [n], the person behind each; 0 for nobody the model knows.
    """

    numbers: list[np.ndarray]
    times: list[np.ndarray | None]
    users: np.ndarray

    def __len__(self) -> int:
        """Return the number of histories."""
        return len(self.numbers)

    def only(self, place: int) -> Questions:
        """Return one of them.

        Args:
            place: Which.

        Returns:
            It alone.
        """
        return Questions([self.numbers[place]], [self.times[place]], self.users[place, None])


@dataclass(frozen=True, slots=True)
class Table:
    """What states are multiplied with.

    Attributes:
        vectors: float [V, d].
        longest: Length of the longest item vector, padding left out.
    """

    vectors: Tensor
    longest: float


@dataclass(slots=True)
class PreparedTable:
    """The item table of a model, made once, and anew when its weights have changed.

    A model may normalise the whole of it, which takes as long as the product with a state.
    """

    _kept: tuple[Any, Table | None] | None = field(default=None, repr=False)

    def of(self, model: NextItemModel) -> Table | None:
        """Return the table.

        Args:
            model: Always the same one.

        Returns:
            The table, or None if the model's scores are no products.
        """
        state = _versions(model)
        kept = self._kept
        if kept is None or kept[0] != state:
            kept = self._kept = (state, _table(model))  # at once, as threads may look
        return kept[1]


def _versions(model: NextItemModel) -> list[tuple[int, int]]:
    weights = [*model.parameters(), *model.buffers()]
    return [(w.data_ptr(), 0 if w.is_inference() else w._version) for w in weights]


@torch.inference_mode()
def _table(model: NextItemModel) -> Table | None:
    vectors = model.item_table
    if vectors is None:
        return None
    lengths = vectors[1:].norm(dim=1)
    return Table(vectors, float(lengths.max()) if len(lengths) else 0.0)


@dataclass(frozen=True, slots=True)
class Ranked:
    """The best items for some histories, in flat form.

    Attributes:
        rows: int64 [n], places of the histories, those of one together.
        items: int64 [n], item numbers; of each history the best first.
        scores: float32 [n].
    """

    rows: np.ndarray
    items: np.ndarray
    scores: np.ndarray


@dataclass(frozen=True, slots=True)
class Scorer:
    """A model ready to answer.

    Attributes:
        model: In evaluation mode.
        table: What its states are multiplied with; None if its scores are no products.
        n_items: Items in the catalogue, padding not counted.
        max_history: Longest history the model sees.
    """

    model: NextItemModel
    table: Table | None
    n_items: int
    max_history: int

    def lists(
        self, asked: Questions, k: int, *, barred: Tensor, seen: list[np.ndarray] | None
    ) -> Iterator[Ranked]:
        """Rank the items for each history, a bounded piece at a time.

        A list does not depend on who else is asked for: where rounding could turn two neighbours
        round, the history is computed once more, alone.

        Args:
            asked: The histories.
            k: Length of the lists, from 1.
            barred: bool [V], items that are in no list, padding among them.
            seen: int64 arrays, items that are not in the list of a history; None for none.

        Yields:
            The lists of some histories.
        """
        size = self._rows_at_a_time
        for all_places, all_states in self._states(asked):
            for begin in range(0, len(all_places), size):
                places = all_places[begin : begin + size]
                states = all_states[begin : begin + size]
                with torch.inference_mode():
                    scores = self._scores(states).float().masked_fill_(barred, -torch.inf)
                    if seen is not None:
                        rows = np.repeat(np.arange(len(places)), [len(seen[p]) for p in places])
                        items = np.concatenate([seen[place] for place in places])
                        scores[torch.from_numpy(rows), torch.from_numpy(items)] = -torch.inf
                    yield self._ranked(asked, places, states, scores, k)

    def _ranked(
        self, asked: Questions, places: np.ndarray, states: Tensor, scores: Tensor, k: int
    ) -> Ranked:
        margin = torch.zeros(len(states), device=states.device)
        if self.table is not None:
            margin = states.float().norm(dim=1) * (self.table.longest * NOISE)
        contest = Contest.among(scores, min(k, scores.shape[1] - 1), margin)
        rows, items = contest.rows.cpu().numpy(), contest.items.cpu().numpy()
        exact = self._exact(states, contest)
        order = in_order(rows, items, exact)
        if self.table is not None and len(asked) > 1:
            found = doubtful_rows(rows, exact[order], k, margin.double().cpu().numpy())
            if len(found):
                states = states.clone()
                for row in found:
                    [(_, [alone])] = self._states(asked.only(places[row]))
                    states[row] = alone
                exact = self._exact(states, contest)
                order = in_order(rows, items, exact)
        kept = order[places_within(rows) < k]
        return Ranked(places[rows[kept]], items[kept], exact[kept].astype(np.float32))

    def _exact(self, states: Tensor, contest: Contest) -> np.ndarray:
        exact = contest.scores
        if self.table is not None:
            exact = products(states, contest.rows, self.table.vectors, contest.items)
        found: np.ndarray = exact.cpu().numpy()
        return found

    @torch.inference_mode()
    def scores(self, asked: Questions, items: np.ndarray) -> np.ndarray:
        """Return the scores of some items after each history.

        Args:
            asked: The histories.
            items: int64 [K], item numbers.

        Returns:
            float32 [n, K].
        """
        found = np.zeros((len(asked), len(items)), dtype=np.float32)
        wanted = torch.from_numpy(items).to(self.device)
        vectors = None if self.table is None else self.table.vectors[wanted]
        size = self._rows_at_a_time
        for places, states in self._states(asked):
            for begin in range(0, len(places), size):
                some = states[begin : begin + size]
                scores = self._scores(some)[:, wanted] if vectors is None else some @ vectors.T
                found[places[begin : begin + size]] = scores.float().cpu().numpy()
        return found

    def batch(self, asked: Questions) -> Batch:
        """Return histories as one batch.

        Args:
            asked: All with times, or all without.

        Returns:
            The batch, on the model's device.
        """
        collator, windows = self._windows(asked, np.arange(len(asked)))
        return collator.batch(windows).to(self.device)

    @property
    def device(self) -> torch.device:
        """Where the model computes."""
        weights = [*self.model.parameters(), *self.model.buffers()]
        return weights[0].device

    @property
    def _rows_at_a_time(self) -> int:
        return max(FEWEST_ROWS, SCORE_BYTES // (4 * (self.n_items + 1)))

    def _scores(self, states: Tensor) -> Tensor:
        return self.model.score(states) if self.table is None else states @ self.table.vectors.T

    def _states(self, asked: Questions) -> Iterator[tuple[np.ndarray, Tensor]]:
        """Yield places of some histories, int64 [b], and the states after them, float [b, d]."""
        timed = np.array([times is not None for times in asked.times], dtype=bool)
        for kind in (timed, ~timed):  # a history without times leaves the others theirs
            places = np.flatnonzero(kind)
            if len(places):
                batches = grouped_batches(*self._windows(asked, places), self.device)
                for which, _, states in last_states(self.model, batches):
                    yield places[which], states

    def _windows(self, asked: Questions, places: np.ndarray) -> tuple[Collator, Windows]:
        numbers = [asked.numbers[place][-self.max_history :] for place in places]
        given = [asked.times[place] for place in places]
        times = [each[-self.max_history :] for each in given if each is not None]
        lengths = np.array([len(each) for each in numbers])
        ends = np.cumsum(lengths)
        moments = np.concatenate(times) if times else None
        flat = np.concatenate(numbers).astype(np.int32)
        sequences = Sequences(flat, moments, np.concatenate(([0], ends)))
        none = np.zeros(len(places), dtype=np.int64)
        windows = Windows(ends - lengths, lengths, none, asked.users[places])
        return Collator(sequences, with_times=bool(times)), windows
