"""Lists under rules for a chunk of histories: what each leaves out, and its scores."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass

import numpy as np
import torch

from sasrec.errors import SettingsError
from sasrec.recommender.histories import Chunk
from sasrec.recommender.rules.prepared import PreparedRules
from sasrec.recommender.rules.ranking import ListRequest, ruled_lists
from sasrec.recommender.rules.rows import ModelRows, PopularityRows, RowLimits, ScoredRows
from sasrec.recommender.rules.seen import SeenRule, of_types, still_blocked
from sasrec.recommender.serving import Queries, Scorer

List = tuple[np.ndarray, np.ndarray, int]
"""Item numbers, scores, and the number of last items that fill up the list."""


@dataclass(frozen=True, slots=True)
class Answers:
    """Histories to make lists for.

    Attributes:
        scorer: Computes scores from item numbers.
        popularity: int64 [V], event counts that define the most popular items.
        chunk: The histories as tokens.
        numbers: int64 arrays, their item numbers; 0 for unknown items.
        usable: int64 [n], indices of the histories that the model can use.
        queries: Those histories as the model reads them.
    """

    scorer: Scorer
    popularity: np.ndarray
    chunk: Chunk
    numbers: list[np.ndarray]
    usable: np.ndarray
    queries: Queries


def ruled_answers(
    asked: Answers, rules: PreparedRules, k: int, *, excluded: np.ndarray, exclude_seen: bool
) -> list[List]:
    """Return the list of each history.

    Args:
        asked: The histories.
        rules: The rules.
        k: Number of items in a list, from 1.
        excluded: bool [V], items that no list contains; always includes padding.
        exclude_seen: Whether lists leave out items of the history, if the rules do not say.

    Returns:
        One list for each history, in the same order.

    Raises:
        SettingsError: Diversity is asked of a model without item vectors.
    """
    table = asked.scorer.table
    if rules.rules.diversity and table is None:
        raise SettingsError(
            "diversity compares item vectors, and this model has none; remove diversity"
        )
    limits = row_limits(asked, rules, exclude_seen=exclude_seen)
    vectors = None if table is None else table.vectors
    without = torch.from_numpy(excluded).to(asked.scorer.device)
    request = ListRequest.of(k, without, rules, vectors=vectors, n_lists=len(asked.numbers))
    found: list[List] = [(np.zeros(0, np.int64), np.zeros(0, np.float32), 0)] * len(asked.numbers)

    def take(indices: np.ndarray, rows: ScoredRows) -> None:
        lists = ruled_lists(rows, limits.of(indices), request)
        for place, index in enumerate(indices):
            found[index] = lists.row(place)

    size = asked.scorer.rows_at_a_time
    for all_rows, all_states in asked.scorer.iter_states(asked.queries):
        for begin in range(0, len(all_rows), size):
            some = all_rows[begin : begin + size]
            rows = ModelRows(asked.scorer, asked.queries, some, all_states[begin : begin + size])
            take(asked.usable[some], rows)
    others = np.setdiff1d(np.arange(len(asked.numbers)), asked.usable)
    for begin in range(0, len(others), size):
        some = others[begin : begin + size]
        take(some, PopularityRows(asked.popularity, len(some), asked.scorer.device))
    return found


def row_limits(asked: Answers, rules: PreparedRules, *, exclude_seen: bool) -> RowLimits:
    """Return what the list of each history leaves out.

    Args:
        asked: The histories.
        rules: The rules.
        exclude_seen: Whether lists leave out items of the history, if the rules do not say.

    Returns:
        The limits.
    """
    seen = rules.rules.seen_as or SeenRule(math.inf if exclude_seen else 0.0)
    now = time.time() if rules.rules.now is None else float(rules.rules.now)
    blocked = []
    for index, (items, times) in enumerate(zip(asked.numbers, asked.chunk.times, strict=True)):
        if rules.rules.seen_types and seen.after_seconds:
            counts = of_types(asked.chunk.types[index], len(items), rules.rules.seen_types)
            items, times = items[counts], None if times is None else times[counts]
        found = still_blocked(items, times, seen, now=now)
        blocked.append(found if rules.rebuy is None else found[~rules.rebuy[found]])
    users = asked.chunk.users
    if rules.excluded_by_user is not None:
        more = rules.excluded_by_user.of(users, "exclude_by_user")
        blocked = [np.union1d(one, other) for one, other in zip(blocked, more, strict=True)]
    only = None
    if rules.candidates_by_user is not None:
        only = rules.candidates_by_user.of(users, "candidates_by_user")
    return RowLimits(blocked, only)
