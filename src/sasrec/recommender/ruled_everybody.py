"""Lists under rules for many histories of a data set: the same lists as ``recommend`` makes."""

from __future__ import annotations

import numpy as np
import polars as pl

from sasrec.recommender.answers import Answerer, ListOptions
from sasrec.recommender.flat_lists import FlatLists
from sasrec.recommender.flat_queries import FlatHistories
from sasrec.recommender.histories import Chunk
from sasrec.recommender.rules.answering import Answers, ruled_answers
from sasrec.recommender.rules.prepared import PreparedRules


class RuledRanker:
    """Makes lists under the same rules for any number of histories."""

    def __init__(
        self, answerer: Answerer, options: ListOptions, rules: PreparedRules, *, users: pl.Series
    ) -> None:
        """Take what is the same for all histories.

        Args:
            answerer: The model with its vocabularies.
            options: What the lists may contain.
            rules: Further rules.
            users: The user of each history of the data set, String.
        """
        self._answerer, self._options, self._rules, self._users = answerer, options, rules, users

    def lists(self, histories: FlatHistories) -> FlatLists:
        """Make the lists of some histories.

        Args:
            histories: Item numbers of the histories.

        Returns:
            One list for each, in the same order.
        """
        answerer, options = self._answerer, self._options
        numbers = _parts(histories.items, histories)
        chunk = self._chunk(histories)
        usable, queries = answerer.queries(chunk, numbers)
        asked = Answers(answerer.scorer, answerer.popularity, chunk, numbers, usable, queries)
        found = ruled_answers(
            asked,
            self._rules,
            options.k,
            excluded=options.excluded,
            exclude_seen=options.exclude_seen,
        )
        by_popularity = np.ones(len(histories), dtype=bool)
        by_popularity[usable] = False
        return FlatLists(
            first=histories.first,
            lengths=np.array([len(items) for items, _, _ in found], dtype=np.int64),
            items=np.concatenate([items for items, _, _ in found]).astype(np.int64),
            scores=np.concatenate([scores for _, scores, _ in found]).astype(np.float32),
            by_popularity=by_popularity,
        )

    def _chunk(self, histories: FlatHistories) -> Chunk:
        """Return histories as rules read them; their items are passed on as numbers only."""
        count = len(histories)
        names = np.array([None, *self._answerer.event_types], dtype=object)
        types = histories.types
        return Chunk(
            tokens=[[] for _ in range(count)],
            times=[None] * count
            if histories.times is None
            else list(_parts(histories.times, histories)),
            users=self._users.slice(histories.first, count).to_list(),
            types=[None] * count
            if types is None
            else [names[each].tolist() for each in _parts(types, histories)],
        )


def _parts(values: np.ndarray, histories: FlatHistories) -> list[np.ndarray]:
    """Return the values of the events of each history."""
    return np.split(values, histories.offsets[1:-1])
