"""Answers: histories as people hand them in become lists and scores in their tokens."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import torch

from sasrec.data.vocabulary import Vocabulary
from sasrec.recommender.histories import Chunk
from sasrec.recommender.serving import Questions, Scorer


@dataclass(frozen=True, slots=True)
class Recommendation:
    """What to show one person.

    Attributes:
        items: Item tokens, best first; equal scores stand in the order of the vocabulary.
        scores: Their scores; comparable within one list only.
        unknown: Tokens of the history the model does not know, skipped; items that occur in no
            training event are among them.
        by_popularity: Whether there was nothing the model could go by, so that these are the most
            popular items of late.
        untrained: Which of the items occur in no training event, so that their scores say nothing;
            only candidates can be such.
    """

    items: list[str]
    scores: list[float]
    unknown: list[str]
    by_popularity: bool
    untrained: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Choice:
    """How lists are to be.

    Attributes:
        k: Their length, from 1.
        barred: bool [V], items that are in no list, padding among them.
        exclude_seen: Whether the items of a history are left out of its list.
    """

    k: int
    barred: np.ndarray
    exclude_seen: bool


@dataclass(frozen=True, slots=True)
class Answerer:
    """A model and what its numbers mean.

    Attributes:
        scorer: The model, ready to answer.
        items: Item tokens by number.
        users: User tokens by number, if the model knows people.
        people: bool [U + 1], those of them something was learned of; None takes all.
        trained: bool [V], items that occur in training events.
        popularity: int64 [V], what the most popular items are chosen by.
    """

    scorer: Scorer
    items: Vocabulary
    users: Vocabulary | None
    people: np.ndarray | None
    trained: np.ndarray
    popularity: np.ndarray

    def numbers(self, chunk: Chunk) -> list[np.ndarray]:
        """Return the items of each history, int64; 0 for those not in the vocabulary.

        Args:
            chunk: Histories in tokens.
        """
        return [self.items.numbers(tokens).astype(np.int64) for tokens in chunk.tokens]

    def questions(self, chunk: Chunk, numbers: list[np.ndarray]) -> tuple[np.ndarray, Questions]:
        """Return what the model can say something of.

        Args:
            chunk: Histories in tokens.
            numbers: Their items.

        Returns:
            Places in the chunk, int64 [n], and these histories in numbers.
        """
        people = self._people(chunk.users)
        known = [self.trained[each] for each in numbers]
        histories = [each[which] for each, which in zip(numbers, known, strict=True)]
        times = [
            None if moments is None or not self.scorer.model.needs_times else moments[which]
            for moments, which in zip(chunk.times, known, strict=True)
        ]
        places = np.flatnonzero([len(each) for each in histories])
        if self.scorer.model.needs_users:  # and none of the history: one of padding will do
            histories = [each if len(each) else np.zeros(1, np.int64) for each in histories]
            times = [None] * len(histories)
            places = np.flatnonzero(people)
        some = [histories[place] for place in places]
        return places, Questions(some, [times[place] for place in places], people[places])

    def _people(self, users: list[str | None]) -> np.ndarray:
        """Return the numbers of people, int64; 0 for those the model has learned nothing of."""
        if self.users is None:
            return np.zeros(len(users), dtype=np.int64)
        numbers = self.users.numbers("" if user is None else user for user in users)
        strange = np.array([user is None for user in users], dtype=bool)
        if self.people is not None:
            strange |= ~self.people[numbers]
        return np.where(strange, 0, numbers).astype(np.int64)

    def scores(self, chunk: Chunk, items: np.ndarray) -> np.ndarray:
        """Return the scores of some items after each history.

        Args:
            chunk: Histories in tokens.
            items: int64 [K], item numbers.

        Returns:
            float32 [n, K]; popularity where the model can say nothing of a history, and NaN for
            items it can say nothing of.
        """
        places, asked = self.questions(chunk, self.numbers(chunk))
        table = np.tile(self.popularity[items].astype(np.float32), (len(chunk.tokens), 1))
        if len(places):
            table[places] = self.scorer.scores(asked, items)
        table[:, ~self.trained[items]] = np.nan
        return table

    def lists(self, chunk: Chunk, choice: Choice) -> Iterator[Recommendation]:
        """Rank the items for each history.

        Args:
            chunk: Histories in tokens.
            choice: How lists are to be.

        Yields:
            A recommendation a history, in the same order.
        """
        numbers = self.numbers(chunk)
        places, asked = self.questions(chunk, numbers)
        seen = [np.unique(each) for each in numbers] if choice.exclude_seen else None
        found = self._ranked(places, asked, choice, seen)
        popular = _Popular(self.popularity, choice)
        for place, tokens in enumerate(chunk.tokens):
            by_popularity = place not in found
            if by_popularity:
                items = popular.items(None if seen is None else seen[place])
                scores = self.popularity[items].astype(np.float32)
            else:
                items, scores = found[place]
            known = self.trained[numbers[place]].tolist()
            yield Recommendation(
                items=self.items.tokens(items),
                scores=scores.tolist(),
                unknown=[token for token, kept in zip(tokens, known, strict=True) if not kept],
                by_popularity=by_popularity,
                untrained=self._untrained(items),
            )

    def _untrained(self, items: np.ndarray) -> list[str]:
        trained = self.trained[items]
        return [] if trained.all() else self.items.tokens(items[~trained])

    def _ranked(
        self,
        places: np.ndarray,
        asked: Questions,
        choice: Choice,
        seen: list[np.ndarray] | None,
    ) -> dict[int, tuple[np.ndarray, np.ndarray]]:
        """Return item numbers and scores of the best, by place in the chunk."""
        theirs = None if seen is None else [seen[place] for place in places]
        barred = torch.from_numpy(choice.barred).to(self.scorer.device)
        found = {
            int(place): (np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.float32))
            for place in places
        }
        for some in self.scorer.lists(asked, choice.k, barred=barred, seen=theirs):
            begins = np.flatnonzero(np.diff(some.rows, prepend=-1))
            ends = np.append(begins, len(some.rows))[1:]
            for begin, end in zip(begins, ends, strict=True):
                place = int(places[some.rows[begin]])
                found[place] = (some.items[begin:end], some.scores[begin:end])
        return found


class _Popular:
    """The items of a choice, the most popular first, equals by number; sorted when first needed."""

    def __init__(self, popularity: np.ndarray, choice: Choice) -> None:
        self._popularity, self._choice = popularity, choice
        self._order: np.ndarray | None = None

    def items(self, seen: np.ndarray | None) -> np.ndarray:
        """Return the numbers of the first k that were not seen, int64."""
        if self._order is None:
            allowed = np.flatnonzero(~self._choice.barred)
            order = np.argsort(-self._popularity[allowed], kind="stable")
            self._order = allowed[order]
        if seen is None or not len(seen):
            return self._order[: self._choice.k]
        # No more than so many have to be looked at to find k that were not seen.
        first = self._order[: self._choice.k + len(seen)]
        return first[~np.isin(first, seen)][: self._choice.k]
