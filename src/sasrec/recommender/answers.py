"""Recommendations and scores for histories given as tokens."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from sasrec.data.vocabulary import Vocabulary
from sasrec.errors import DataError
from sasrec.recommender.asked_types import numbered_types
from sasrec.recommender.histories import Chunk, tokens_of
from sasrec.recommender.recommendation import Recommendation
from sasrec.recommender.rules.answering import Answers, ruled_answers
from sasrec.recommender.rules.prepared import PreparedRules
from sasrec.recommender.serving import Queries, Scorer
from sasrec.recommender.time_units import check_unit


@dataclass(frozen=True, slots=True)
class ListOptions:
    """What recommendation lists may contain.

    Attributes:
        k: Number of items in a list, from 1.
        excluded: bool [V], items that no list contains; always includes padding.
        exclude_seen: Whether a list leaves out the items of its history.
        rules: Further rules; None for none.
    """

    k: int
    excluded: np.ndarray
    exclude_seen: bool
    rules: PreparedRules | None = None


@dataclass(frozen=True, slots=True)
class Answerer:
    """A model with its vocabularies, which recommends and scores by token.

    Attributes:
        scorer: Computes scores from item numbers.
        items: Item tokens by number.
        users: User tokens by number; None if the model does not use them.
        trained_users: bool [U + 1], users with a training target; None counts all as trained.
        trained: bool [V], items that occur in training events.
        popularity: int64 [V], event counts that define the most popular items.
        event_types: Names of the event types the model knows, number 1 first.
        time_unit: Unit of the times of the training; None if it is not known.
    """

    scorer: Scorer
    items: Vocabulary
    users: Vocabulary | None
    trained_users: np.ndarray | None
    trained: np.ndarray
    popularity: np.ndarray
    event_types: tuple[str, ...] = ()
    time_unit: str | None = None

    def options(
        self,
        k: int,
        candidates: Sequence[str] | None,
        *,
        exclude_seen: bool,
        rules: PreparedRules | None = None,
    ) -> ListOptions:
        """Return the options of a request, checked.

        Args:
            k: Number of items in a list, from 1.
            candidates: The only item tokens allowed; None allows all trained items.
            exclude_seen: Whether a list leaves out the items of its history.
            rules: Further rules; None for none.

        Returns:
            The options.

        Raises:
            DataError: ``k`` is not a whole number of at least 1, or no candidate is a known item.
        """
        if not isinstance(k, int | np.integer) or isinstance(k, bool) or k < 1:
            raise DataError(f"k is {k!r}; it must be a whole number of at least 1")
        excluded = ~self.trained
        if candidates is not None:
            excluded[:] = True
            excluded[self.items.numbers(tokens_of(candidates, "candidates"))] = False
            excluded[0] = True
            if excluded.all():
                raise DataError("none of the candidates is an item the model knows")
        if rules is not None:
            excluded = rules.excluded(excluded, all_trained=candidates is None)
            rules.check_seen(exclude_seen=exclude_seen)
        return ListOptions(int(k), excluded, exclude_seen, rules)

    def item_numbers(self, chunk: Chunk) -> list[np.ndarray]:
        """Return the item numbers of each history, int64; 0 for unknown items.

        Args:
            chunk: Histories as tokens.
        """
        return [self.items.numbers(tokens).astype(np.int64) for tokens in chunk.tokens]

    def queries(self, chunk: Chunk, numbers: list[np.ndarray]) -> tuple[np.ndarray, Queries]:
        """Return the histories that the model can use.

        Args:
            chunk: Histories as tokens.
            numbers: Their item numbers.

        Returns:
            Their indices in the chunk, int64 [n], and the histories as item numbers.

        Raises:
            DataError: The model uses times, and these are in another unit than in training.
        """  # raised by check_unit
        users = self._user_numbers(chunk.users)
        known = [self.trained[each] for each in numbers]
        histories = [each[which] for each, which in zip(numbers, known, strict=True)]
        times = [
            None if given is None or not self.scorer.model.needs_times else given[which]
            for given, which in zip(chunk.times, known, strict=True)
        ]
        check_unit(times, self.time_unit, "times of histories")
        usable = np.flatnonzero([len(each) for each in histories])
        types = self._types(chunk, known, usable)
        if self.scorer.model.needs_users:  # the model ignores the history, so padding can fill it
            histories = [each if len(each) else np.zeros(1, np.int64) for each in histories]
            times = [None] * len(histories)
            usable = np.flatnonzero(users)
        some = [histories[index] for index in usable]
        return usable, Queries(some, [times[index] for index in usable], users[usable], types)

    def _types(
        self, chunk: Chunk, known: list[np.ndarray], usable: np.ndarray
    ) -> list[np.ndarray] | None:
        """Return the types of the known events of usable histories; None if there are no types."""
        if not self.event_types:
            return None
        types = numbered_types(
            [chunk.types[index] for index in usable],
            [len(known[index]) for index in usable],
            self.event_types,
        )
        return [each[known[index]] for each, index in zip(types, usable, strict=True)]

    def _user_numbers(self, users: list[str | None]) -> np.ndarray:
        """Return user numbers, int64; 0 for None and for unknown or untrained users."""
        if self.users is None:
            return np.zeros(len(users), dtype=np.int64)
        numbers = self.users.numbers("" if user is None else user for user in users)
        unknown = np.array([user is None for user in users], dtype=bool)
        if self.trained_users is not None:
            unknown |= ~self.trained_users[numbers]
        return np.where(unknown, 0, numbers).astype(np.int64)

    def scores(self, chunk: Chunk, items: np.ndarray) -> np.ndarray:
        """Return the scores of some items after each history.

        Args:
            chunk: Histories as tokens.
            items: int64 [K], item numbers.

        Returns:
            float32 [n, K]; popularity for histories that the model cannot use, and NaN for
            unknown and untrained items.
        """
        usable, queries = self.queries(chunk, self.item_numbers(chunk))
        table = np.tile(self.popularity[items].astype(np.float32), (len(chunk.tokens), 1))
        if len(usable):
            table[usable] = self.scorer.scores(queries, items)
        table[:, ~self.trained[items]] = np.nan
        return table

    def lists(self, chunk: Chunk, options: ListOptions) -> Iterator[Recommendation]:
        """Rank the items for each history.

        Args:
            chunk: Histories as tokens.
            options: What the lists may contain.

        Yields:
            One recommendation per history, in the same order.
        """
        numbers = self.item_numbers(chunk)
        usable, queries = self.queries(chunk, numbers)
        if options.rules is not None:
            yield from self._ruled_lists(chunk, options, options.rules)
            return
        seen = [np.unique(each) for each in numbers] if options.exclude_seen else None
        found = self._ranked(usable, queries, options, seen)
        popular = _Popular(self.popularity, options)
        for index, tokens in enumerate(chunk.tokens):
            by_popularity = index not in found
            if by_popularity:
                items = popular.items(None if seen is None else seen[index])
                scores = self.popularity[items].astype(np.float32)
            else:
                items, scores = found[index]
            is_known = self.trained[numbers[index]].tolist()
            yield Recommendation(
                items=self.items.tokens(items),
                scores=scores.tolist(),
                unknown=[token for token, ok in zip(tokens, is_known, strict=True) if not ok],
                by_popularity=by_popularity,
                untrained=self._untrained(items),
            )

    def _ruled_lists(
        self, chunk: Chunk, options: ListOptions, rules: PreparedRules
    ) -> Iterator[Recommendation]:
        """Yield a recommendation under rules for each history."""
        numbers = self.item_numbers(chunk)
        usable, queries = self.queries(chunk, numbers)
        asked = Answers(self.scorer, self.popularity, chunk, numbers, usable, queries)
        found = ruled_answers(
            asked, rules, options.k, excluded=options.excluded, exclude_seen=options.exclude_seen
        )
        is_usable = set(usable.tolist())
        for index, (items, scores, filled) in enumerate(found):
            is_known = self.trained[numbers[index]].tolist()
            tokens = self.items.tokens(items)
            yield Recommendation(
                items=tokens,
                scores=scores.tolist(),
                unknown=[t for t, ok in zip(chunk.tokens[index], is_known, strict=True) if not ok],
                by_popularity=index not in is_usable,
                untrained=self._untrained(items),
                filled_up=tokens[len(tokens) - filled :],
            )

    def _untrained(self, items: np.ndarray) -> list[str]:
        trained = self.trained[items]
        return [] if trained.all() else self.items.tokens(items[~trained])

    def _ranked(
        self,
        usable: np.ndarray,
        queries: Queries,
        options: ListOptions,
        seen: list[np.ndarray] | None,
    ) -> dict[int, tuple[np.ndarray, np.ndarray]]:
        """Return the numbers and scores of the best items, by index of the history."""
        excluded_by_history = None if seen is None else [seen[index] for index in usable]
        excluded = torch.from_numpy(options.excluded).to(self.scorer.device)
        found = {
            int(index): (np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.float32))
            for index in usable
        }
        for some in self.scorer.lists(
            queries, options.k, excluded=excluded, seen=excluded_by_history
        ):
            begins = np.flatnonzero(np.diff(some.rows, prepend=-1))
            ends = np.append(begins, len(some.rows))[1:]
            for begin, end in zip(begins, ends, strict=True):
                index = int(usable[some.rows[begin]])
                found[index] = (some.items[begin:end], some.scores[begin:end])
        return found


class _Popular:
    """The allowed items by descending popularity, ties by number; sorted on first use."""

    def __init__(self, popularity: np.ndarray, options: ListOptions) -> None:
        self._popularity, self._options = popularity, options
        self._order: np.ndarray | None = None

    def items(self, seen: np.ndarray | None) -> np.ndarray:
        """Return the numbers of the k most popular items that were not seen, int64."""
        if self._order is None:
            allowed = np.flatnonzero(~self._options.excluded)
            order = np.argsort(-self._popularity[allowed], kind="stable")
            self._order = allowed[order]
        k = self._options.k
        if seen is None or not len(seen):
            return self._order[:k]
        first = self._order[: k + len(seen)]  # contains k unseen items, if there are k
        return first[~np.isin(first, seen)][:k]
