"""Recommender: a trained model with its vocabulary; raw item tokens in, raw item tokens out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from sasrec.data.batching import Collator
from sasrec.data.sequences import Sequences
from sasrec.data.vocabulary import Vocabulary
from sasrec.data.windows import Windows
from sasrec.errors import DataError
from sasrec.evaluation.ranking import last_scores
from sasrec.histories import checked_histories, moments_of, tokens_of
from sasrec.model_folder import (
    ENVIRONMENT,
    FORMAT,
    METRICS,
    SETTINGS,
    VOCABULARY,
    write_folder,
)
from sasrec.models.attention import recorded_attention
from sasrec.models.contract import NextItemModel


@dataclass(frozen=True, slots=True)
class Recommendation:
    """What to show one person.

    Attributes:
        items: Item tokens, best first.
        scores: Their scores; comparable within one list only.
        unknown: Tokens of the history the model does not know, skipped.
        by_popularity: Whether nothing of the history was left, so that these are the most
            popular items.
    """

    items: list[str]
    scores: list[float]
    unknown: list[str]
    by_popularity: bool


@dataclass(frozen=True, slots=True, repr=False)
class Recommender:
    """A trained model and what its numbers mean.

    Attributes:
        model: The network, on the device it computes on, in evaluation mode.
        items: Item tokens by number.
        counts: int64 [V], training events of each item; for histories with nothing known in them.
        titles: Item token to the text a person knows it by; may be empty.
        users: User tokens by number, for models that have learned something of each; else None.
        settings: All settings of the training run, by group.
        metrics: What was measured after training.
        environment: Versions and machine of the training run.
    """

    model: NextItemModel
    items: Vocabulary
    counts: np.ndarray
    titles: dict[str, str]
    settings: dict[str, Any]
    users: Vocabulary | None = None
    metrics: dict[str, Any] = field(default_factory=dict)
    environment: dict[str, str] = field(default_factory=dict)

    def __repr__(self) -> str:
        """Return one line: the model, its catalogue, the data it was trained on."""
        return (
            f"<Recommender: {self.settings.get('model_name')}, {len(self.items):,} items, trained "
            f"on {self.settings.get('source') or 'a data frame'}>"
        )

    @property
    def max_history(self) -> int:
        """Longest history the model looks at."""
        return int(self.settings["data"]["max_history"])

    def recommend(
        self,
        histories: Sequence[Sequence[str]],
        k: int = 10,
        *,
        exclude_seen: bool = True,
        candidates: Sequence[str] | None = None,
        times: Sequence[Sequence[float]] | None = None,
        users: Sequence[str | None] | None = None,
    ) -> list[Recommendation]:
        """Return the k items most likely to come next, for each history.

        Args:
            histories: Item tokens of each person, oldest first; people and lengths are free.
            k: Length of the lists, from 1; shorter where fewer items are left.
            exclude_seen: Leave out the items of the history.
            candidates: Choose among these item tokens only; None allows the whole catalogue.
            times: When each event of each history was, in the unit of the training data; models
                that look at it (``relative_bias`` by time) do without if there are none.
            users: Token of the person behind each history, where a model knows people (FPMC,
                Caser, TransRec, BPR); None, or one it does not know, is nobody in particular.

        Returns:
            One recommendation a history, in the same order.

        Raises:
            DataError: ``k`` is below 1, a history is a single text and not a list of tokens,
                candidates are a single text or none of them is known, or times do not fit.
        """
        if not isinstance(k, int | np.integer) or isinstance(k, bool) or k < 1:
            raise DataError(f"k is {k!r}; a recommendation needs a whole number of items, from 1")
        k = int(k)
        histories = checked_histories(histories)
        numbers, moments = self._known(histories, times)
        allowed = self._allowed(candidates)
        found: list[Recommendation | None] = [None] * len(histories)
        for places, scores in self._scores(numbers, moments, self._persons(users, len(histories))):
            ranked = scores.masked_fill(~allowed, -torch.inf)
            for row, place in enumerate(places):
                if exclude_seen:
                    ranked[row, torch.from_numpy(numbers[place])] = -torch.inf
            best = ranked.topk(min(k, ranked.shape[1] - 1), dim=1)
            for row, place in enumerate(places):
                kept = best.values[row] > -torch.inf
                found[place] = Recommendation(
                    items=self.items.tokens(best.indices[row][kept].numpy()),
                    scores=best.values[row][kept].tolist(),
                    unknown=[t for t in histories[place] if t not in self.items],
                    by_popularity=not len(numbers[place]),
                )
        return [each for each in found if each is not None]

    def score(
        self,
        histories: Sequence[Sequence[str]],
        items: Sequence[str],
        *,
        times: Sequence[Sequence[float]] | None = None,
        users: Sequence[str | None] | None = None,
    ) -> np.ndarray:
        """Return how well each of some items would follow each history.

        Args:
            histories: Item tokens of each person, oldest first.
            items: Item tokens to judge.
            times: When each event of each history was; as for ``recommend``.
            users: Token of the person behind each history; as for ``recommend``.

        Returns:
            float32 [histories, items]; NaN for an item the model does not know.

        Raises:
            DataError: ``items`` or a history is no list of tokens, or times do not fit.
        """  # by _tokens
        wanted = self.items.numbers(tokens_of(items, "items are"))
        histories = checked_histories(histories)
        table = np.full((len(histories), len(wanted)), np.nan, dtype=np.float32)
        numbers, moments = self._known(histories, times)
        for places, scores in self._scores(numbers, moments, self._persons(users, len(histories))):
            table[places] = scores[:, torch.from_numpy(wanted).long()].numpy()
        table[:, wanted == 0] = np.nan
        return table

    def attention(
        self, history: Sequence[str], *, times: Sequence[float] | None = None
    ) -> tuple[list[str], np.ndarray]:
        """Return how much each event of a history looks at each other one.

        Args:
            history: Item tokens, oldest first; unknown ones are skipped, and of more than
                ``max_history`` the last count.
            times: When each event was; as for ``recommend``.

        Returns:
            The L tokens looked at, and float32 [layers, heads, L, L]: rows look, columns are looked
            at, rows sum to one. BERT4Rec adds a row and a column for its mask.

        Raises:
            DataError: The model has no attention, or knows nothing of the history.
        """
        [tokens] = checked_histories([history])
        [numbers], moments = self._known([tokens], None if times is None else [times])
        if not len(numbers):
            if not tokens:
                raise DataError("the history is empty, so there is nothing to look at")
            asked = ", ".join(map(repr, tokens[:3])) + (", …" if len(tokens) > 3 else "")
            [one] = self.items.tokens([1])
            raise DataError(f"the model knows none of the items {asked}; it knows such as {one!r}")
        known = self.items.tokens(numbers[-self.max_history :])
        with recorded_attention(self.model) as maps:
            self._scores([numbers], moments, np.zeros(1, dtype=np.int64))
        if not maps:
            raise DataError(f"{self.settings['model_name']} has no attention to look at")
        return known, torch.cat(maps).float().cpu().numpy()

    def _known(
        self, histories: list[list[str]], times: Sequence[Sequence[float]] | None
    ) -> tuple[list[np.ndarray], list[np.ndarray] | None]:
        """Return item numbers and times of the events whose items are known.

        Args:
            histories: Item tokens.
            times: Of each event, or None.

        Returns:
            int64 arrays, and float64 arrays or None if the model does not look at times.

        Raises:
            DataError: The times do not fit the histories.
        """
        numbers = [self.items.numbers(history).astype(np.int64) for history in histories]
        known = [history[history > 0] for history in numbers]
        if not self.model.needs_times or times is None:
            return known, None
        moments = moments_of(times, [len(history) for history in histories])
        kept = zip(moments, numbers, strict=True)
        return known, [each[history > 0] for each, history in kept]

    def _persons(self, users: Sequence[str | None] | None, count: int) -> np.ndarray:
        """Return the number of the person behind each history, int64; 0 for nobody in particular.

        Args:
            users: Tokens, or None.
            count: Histories.

        Returns:
            The numbers.

        Raises:
            DataError: There are not as many users as histories.
        """
        if users is None or self.users is None:
            return np.zeros(count, dtype=np.int64)
        if isinstance(users, str) or not isinstance(users, Iterable):
            raise DataError(f"users are a list of user tokens, one for each history, not {users!r}")
        users = list(users)
        tokens = ["" if user is None else str(user) for user in users]
        if len(tokens) != count:
            raise DataError(f"there are {len(tokens)} users for {count} histories")
        numbers = self.users.numbers(tokens).astype(np.int64)
        return np.where([user is None for user in users], 0, numbers)

    def _allowed(self, candidates: Sequence[str] | None) -> Tensor:
        if candidates is None:
            allowed = torch.ones(len(self.items) + 1, dtype=torch.bool)
        else:
            allowed = torch.zeros(len(self.items) + 1, dtype=torch.bool)
            allowed[
                torch.from_numpy(self.items.numbers(tokens_of(candidates, "candidates are"))).long()
            ] = True
        allowed[0] = False
        if not allowed.any():
            raise DataError("none of the candidates is an item the model knows")
        return allowed

    def _scores(
        self, numbers: list[np.ndarray], times: list[np.ndarray] | None, persons: np.ndarray
    ) -> list[tuple[np.ndarray, Tensor]]:
        """Return places and float32 scores [b, V] on the CPU; popularity for empty histories."""
        lengths = np.array([len(history) for history in numbers], dtype=np.int64)
        empty, filled = np.flatnonzero(lengths == 0), np.flatnonzero(lengths)
        scored: list[tuple[np.ndarray, Tensor]] = []
        if len(empty):
            popular = torch.from_numpy(self.counts).float()
            scored.append((empty, popular.repeat(len(empty), 1)))
        if len(filled):
            kept = np.minimum(lengths[filled], self.max_history)
            ends = np.cumsum(lengths[filled])
            flat = np.concatenate([numbers[place] for place in filled]).astype(np.int32)
            moments = None if times is None else np.concatenate([times[place] for place in filled])
            sequences = Sequences(flat, moments, np.concatenate(([0], ends)))
            collator = Collator(sequences, with_times=moments is not None)
            none = np.zeros(len(filled), dtype=np.int64)
            windows = Windows(ends - kept, kept, none, persons[filled])
            device = next(self.model.parameters()).device
            for which, _, scores in last_scores(self.model, collator, windows, device):
                scored.append((filled[which], scores.float().cpu()))
        return scored

    def save(self, folder: str | Path, *, overwrite: bool = False) -> Path:
        """Write the model as a folder: whole or not at all.

        Args:
            folder: Where to; its parents are made.
            overwrite: Replace a model that is there already.

        Returns:
            The folder.

        Raises:
            ModelError: The folder exists and may not be replaced, or cannot be written.
        """  # by write_folder
        items = self.items.entries.to_list()
        texts = {
            SETTINGS: {"format": FORMAT, "sasrec": version("sasrec"), **self.settings},
            VOCABULARY: {
                "items": items,
                "counts": self.counts[1:].tolist(),
                "titles": {item: self.titles[item] for item in items if item in self.titles},
                **({} if self.users is None else {"users": self.users.entries.to_list()}),
            },
            METRICS: self.metrics,
            ENVIRONMENT: self.environment,
        }
        return write_folder(Path(folder), self.model.state_dict(), texts, overwrite=overwrite)
