"""Recommendations and scores for histories given as tokens."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from sasrec_serve.errors import DataError
from sasrec_serve.event_types import numbered_types
from sasrec_serve.lists import Recommendation
from sasrec_serve.queries import Queries
from sasrec_serve.requests import Request
from sasrec_serve.rules.answering import Asked, ruled_answers
from sasrec_serve.rules.prepared import PreparedRules
from sasrec_serve.scoring.kernel_scan import Best
from sasrec_serve.scoring.scorer import Scorer
from sasrec_serve.times import check_unit
from sasrec_serve.tokens import tokens_of
from sasrec_serve.vocabulary import Vocabulary


class Catalogue:
    """Which items a model has learned, and how popular they are.

    Attributes:
        items: Item tokens by number.
        trained: bool [V], items that the model has learned.
        popularity: int64 [V], event counts that define the most popular items.
    """

    def __init__(self, items: Vocabulary, trained: np.ndarray, popularity: np.ndarray) -> None:
        """Keep the facts about items.

        Args:
            items: Item tokens by number.
            trained: bool [V].
            popularity: int64 [V].
        """
        self.items, self.trained, self.popularity = items, trained, popularity

    @cached_property
    def by_popularity(self) -> np.ndarray:
        """Numbers of the learned items, most popular first, ties by number; int64."""
        return self.sorted(np.flatnonzero(self.trained))

    def sorted(self, items: np.ndarray) -> np.ndarray:
        """Return items by descending popularity, ties by number.

        Args:
            items: int64 [n], ascending item numbers.
        """
        order = np.argsort(-self.popularity[items], kind="stable")
        found: np.ndarray = items[order]
        return found


@dataclass(frozen=True, slots=True)
class ListOptions:
    """What recommendation lists may contain.

    Attributes:
        k: Number of items in a list, from 1.
        allowed: bool [V], items that a list may contain; never padding.
        exclude_seen: Whether a list leaves out the items of its history.
        all_trained: Whether exactly the learned items are allowed.
        rules: Further rules; None for none.
    """

    k: int
    allowed: np.ndarray
    exclude_seen: bool
    all_trained: bool
    rules: PreparedRules | None = None


@dataclass(frozen=True, slots=True)
class Answerer:
    """A model with its vocabularies, which recommends and scores by token.

    Attributes:
        scorer: Computes scores from item numbers.
        catalogue: The items.
        users: User tokens by number; None if the model does not use them.
        trained_users: bool [U + 1], users the model has learned; None counts all as learned.
        event_types: Names of the event types the model knows, number 1 first.
        time_unit: Unit of the times of the training; None if it is not known.
        needs_times: Whether the network reads the times of events.
        needs_users: Whether scores depend on the user only.
    """

    scorer: Scorer
    catalogue: Catalogue
    users: Vocabulary | None
    trained_users: np.ndarray | None
    event_types: tuple[str, ...]
    time_unit: str | None
    needs_times: bool
    needs_users: bool

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
            candidates: The only item tokens allowed; None allows all learned items.
            exclude_seen: Whether a list leaves out the items of its history.
            rules: Further rules; None for none.

        Returns:
            The options.

        Raises:
            DataError: ``k`` is not a whole number of at least 1, or no candidate is a known item.
        """
        check_k(k)
        allowed, all_trained = self.catalogue.trained, candidates is None
        if candidates is not None:
            allowed = self._candidates(candidates)
        if rules is not None:
            rules.check_seen(exclude_seen=exclude_seen)
            allowed = rules.among(allowed, all_trained=all_trained)
            all_trained = False
        return ListOptions(int(k), allowed, exclude_seen, all_trained, rules)

    def _candidates(self, candidates: Sequence[str]) -> np.ndarray:
        """Return which items are candidates, bool [V].

        Raises:
            DataError: The model knows none of them.
        """
        numbers = self.catalogue.items.numbers(tokens_of(candidates, "candidates"))
        allowed = np.zeros(len(self.catalogue.trained), dtype=bool)
        allowed[numbers] = True
        allowed[0] = False
        if not allowed.any():
            raise DataError("none of the candidates is an item the model knows")
        return allowed

    def item_numbers(self, request: Request) -> list[np.ndarray]:
        """Return the item numbers of each history, int64; 0 for unknown items.

        Args:
            request: Histories as tokens.
        """
        return [self.catalogue.items.numbers(tokens) for tokens in request.tokens]

    def queries(self, request: Request, numbers: list[np.ndarray]) -> tuple[np.ndarray, Queries]:
        """Return the histories that the model can use.

        Args:
            request: Histories as tokens.
            numbers: Their item numbers.

        Returns:
            Their indices in the request, int64 [n], and the histories as item numbers.

        Raises:
            DataError: The model uses times, and these are in another unit than in training.
        """  # raised by check_unit
        users = self._user_numbers(request.users)
        known = [self.catalogue.trained[each] for each in numbers]
        histories = [each[which] for each, which in zip(numbers, known, strict=True)]
        times = [
            None if given is None or not self.needs_times else given[which]
            for given, which in zip(request.times, known, strict=True)
        ]
        check_unit(times, self.time_unit)
        usable = np.flatnonzero([len(each) for each in histories])
        types = self._types(request, known, usable)
        if self.needs_users:  # the model ignores the history, so padding can fill it
            histories = [each if len(each) else np.zeros(1, np.int64) for each in histories]
            times = [None] * len(histories)
            usable = np.flatnonzero(users)
        some = [histories[index] for index in usable]
        return usable, Queries(some, [times[index] for index in usable], users[usable], types)

    def _types(
        self, request: Request, known: list[np.ndarray], usable: np.ndarray
    ) -> list[np.ndarray] | None:
        """Return the types of the known events of usable histories; None if there are no types."""
        if not self.event_types:
            return None
        types = numbered_types(
            [request.types[index] for index in usable],
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
        return np.where(unknown, 0, numbers)

    def scores(self, request: Request, items: np.ndarray) -> np.ndarray:
        """Return the scores of some items after each history.

        Args:
            request: Histories as tokens.
            items: int64 [K], item numbers.

        Returns:
            float32 [n, K]; popularity for histories that the model cannot use, and NaN for
            unknown and untrained items.
        """
        usable, queries = self.queries(request, self.item_numbers(request))
        popularity = self.catalogue.popularity[items].astype(np.float32)
        table = np.tile(popularity, (len(request), 1))
        if len(usable):
            table[usable] = self.scorer.scores(queries, items)
        table[:, ~self.catalogue.trained[items]] = np.nan
        return table

    def lists(self, request: Request, options: ListOptions) -> list[Recommendation]:
        """Return one recommendation per history, in the same order.

        Args:
            request: Histories as tokens.
            options: What the lists may contain.
        """
        numbers = self.item_numbers(request)
        usable, queries = self.queries(request, numbers)
        if options.rules is not None:
            asked = Asked(self.scorer, self.catalogue.popularity, request, numbers, usable, queries)
            return self._ruled_lists(asked, options, options.rules)
        none = np.zeros(0, dtype=np.int64)
        seen = [np.unique(each) if options.exclude_seen else none for each in numbers]
        best = self.scorer.lists(
            queries, options.k, allowed=options.allowed, seen=[seen[index] for index in usable]
        )
        found: dict[int, Best] = dict(zip(usable.tolist(), best, strict=True))
        popular = None
        recommendations = []
        for index, tokens in enumerate(request.tokens):
            by_popularity = index not in found
            if by_popularity:
                popular = self._popular(options) if popular is None else popular
                first = popular[: options.k + len(seen[index])]
                items = first[~np.isin(first, seen[index])][: options.k]
                scores = self.catalogue.popularity[items].astype(np.float32)
            else:
                items, scores = found[index]
            recommendations.append(
                self._recommendation((items, scores), tokens, numbers[index], by_popularity)
            )
        return recommendations

    def _ruled_lists(
        self, asked: Asked, options: ListOptions, rules: PreparedRules
    ) -> list[Recommendation]:
        """Return a recommendation under rules for each history."""
        found = ruled_answers(
            asked, rules, options.k, allowed=options.allowed, exclude_seen=options.exclude_seen
        )
        is_usable, recommendations = set(asked.usable.tolist()), []
        for index, (each, tokens) in enumerate(zip(found, asked.request.tokens, strict=True)):
            own = self._recommendation(
                (each.items, each.scores), tokens, asked.numbers[index], index not in is_usable
            )
            filled_up = own.items[len(own.items) - each.filled :]
            recommendations.append(replace(own, filled_up=filled_up))
        return recommendations

    def _popular(self, options: ListOptions) -> np.ndarray:
        if options.all_trained:
            return self.catalogue.by_popularity
        return self.catalogue.sorted(np.flatnonzero(options.allowed))

    def _recommendation(
        self, best: Best, tokens: list[str], numbers: np.ndarray, by_popularity: bool
    ) -> Recommendation:
        items, scores = best
        catalogue = self.catalogue
        is_known, is_trained = catalogue.trained[numbers], catalogue.trained[items]
        known = [True] * len(tokens) if is_known.all() else is_known.tolist()
        return Recommendation(
            items=catalogue.items.tokens(items),
            scores=scores.tolist(),
            unknown=[token for token, ok in zip(tokens, known, strict=True) if not ok],
            by_popularity=by_popularity,
            untrained=[] if is_trained.all() else catalogue.items.tokens(items[~is_trained]),
        )


def check_k(k: object) -> None:
    """Raise an error if k is not a number of items.

    Args:
        k: The number.

    Raises:
        DataError: It is not a whole number of at least 1.
    """
    if not isinstance(k, int | np.integer) or isinstance(k, bool) or k < 1:
        raise DataError(f"k is {k!r}; it must be a whole number of at least 1")
