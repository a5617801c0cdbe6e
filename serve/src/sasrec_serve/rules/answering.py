"""Lists under rules for the histories of a request: what each leaves out, and its scores."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from sasrec_serve.errors import SettingsError
from sasrec_serve.queries import Queries
from sasrec_serve.requests import Request
from sasrec_serve.rules.prepared import PreparedRules
from sasrec_serve.rules.ranking import Limits, ListRequest, RuledList, ruled_list
from sasrec_serve.rules.rows import Best, ModelScores, PopularityScores
from sasrec_serve.rules.seen import SeenRule, of_types, still_blocked
from sasrec_serve.scoring.scorer import Scorer, check_finite


@dataclass(frozen=True, slots=True, eq=False)
class Asked:
    """Histories to make lists for.

    Attributes:
        scorer: Computes scores from item numbers.
        popularity: int64 [V], event counts that define the most popular items.
        request: The histories as tokens.
        numbers: int64 arrays, their item numbers; 0 for unknown items.
        usable: int64 [n], indices of the histories that the model can use.
        queries: Those histories as the model reads them.
    """

    scorer: Scorer
    popularity: np.ndarray
    request: Request
    numbers: list[np.ndarray]
    usable: np.ndarray
    queries: Queries


def ruled_answers(
    asked: Asked, rules: PreparedRules, k: int, *, allowed: np.ndarray, exclude_seen: bool
) -> list[RuledList]:
    """Return the list of each history.

    Args:
        asked: The histories.
        rules: The rules.
        k: Number of items in a list, from 1.
        allowed: bool [V], items that a list may contain; never padding.
        exclude_seen: Whether lists leave out items of the history, if the rules do not say.

    Returns:
        One list for each history, in the same order.

    Raises:
        SettingsError: Diversity is asked of a model without item vectors.
    """
    vectors = asked.scorer.vectors
    if rules.rules.diversity and vectors is None:
        raise SettingsError(
            "diversity compares item vectors, and this model has none; remove diversity"
        )
    limits = [
        _limits(asked, rules, index, exclude_seen=exclude_seen)
        for index in range(len(asked.numbers))
    ]
    wanted = ListRequest(k, allowed, rules, None if vectors is None else vectors.values)
    found: dict[int, RuledList] = {}
    for indices, outputs in asked.scorer.outputs(asked.queries):
        check_finite(outputs)
        best = _best_together(asked, outputs, [limits[i] for i in asked.usable[indices]], wanted)
        for place, output, known in zip(indices, outputs, best, strict=True):
            index = int(asked.usable[place])
            own = ruled_list(ModelScores(asked.scorer, output, known), limits[index], wanted)
            if own.is_uncertain and len(indices) > 1:  # then it must not depend on the others
                [alone] = asked.scorer.network.run(
                    asked.queries.of([place]), asked.scorer.asked_type
                )
                own = ruled_list(ModelScores(asked.scorer, alone), limits[index], wanted)
            found[index] = own
    popular: PopularityScores | None = None
    for index, own_limits in enumerate(limits):
        if index not in found:
            popular = PopularityScores(asked.popularity) if popular is None else popular
            found[index] = ruled_list(popular, own_limits, wanted)
    return [found[index] for index in range(len(limits))]


def _best_together(
    asked: Asked, outputs: np.ndarray, limits: Sequence[Limits], wanted: ListRequest
) -> Sequence[Best | None]:
    """Return the best items of several histories, found in one scan, where no boost changes them.

    Args:
        asked: The histories.
        outputs: float32 [b, d or V], the network's outputs for some of them.
        limits: What their lists leave out.
        wanted: The rules.

    Returns:
        Items and scores for each; None for all under boosts, or limits to candidates of users.
    """
    rules = wanted.rules
    if rules.boosts is not None or rules.candidates_by_user is not None or len(outputs) == 1:
        return [None] * len(outputs)
    if not wanted.allowed.any():
        return [None] * len(outputs)
    count = min(wanted.examined, len(wanted.allowed))
    seen = [each.blocked for each in limits]
    return asked.scorer.best(outputs, count, allowed=wanted.allowed, seen=seen)


def _limits(asked: Asked, rules: PreparedRules, index: int, *, exclude_seen: bool) -> Limits:
    """Return what the list of a history leaves out."""
    written = rules.rules
    seen = written.seen_as or SeenRule(math.inf if exclude_seen else 0.0)
    now = time.time() if written.now is None else float(written.now)
    items, times = asked.numbers[index], asked.request.times[index]
    if written.seen_types and seen.after_seconds:
        counts = of_types(asked.request.types[index], len(items), written.seen_types)
        items, times = items[counts], None if times is None else times[counts]
    blocked = still_blocked(items, times, seen, now=now)
    if rules.rebuy is not None:
        blocked = blocked[~rules.rebuy[blocked]]
    user, only = asked.request.users[index], None
    if rules.excluded_by_user is not None:
        more = rules.excluded_by_user.of(user, "exclude_by_user")
        blocked = np.union1d(blocked, more)
    if rules.candidates_by_user is not None:
        only = rules.candidates_by_user.of(user, "candidates_by_user")
    return Limits(blocked, only)
