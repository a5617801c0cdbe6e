"""Computing a batch of requests with one model, and writing the answers as JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from itertools import islice
from typing import Any

from sasrec_serve.errors import DataError, SettingsError
from sasrec_serve.histories import History
from sasrec_serve.lists import Recommendation
from sasrec_serve.server.asks import Ask, ExplainAsk, ListAsk, ListOptions, SimilarAsk
from sasrec_serve.server.explaining import explained
from sasrec_serve.server.metrics import Metrics
from sasrec_serve.server.refusals import Refused
from sasrec_serve.server.request_rules import rules_of
from sasrec_serve.server.served import Served

_ENCODER = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def written(value: dict[str, Any]) -> bytes:
    """Return a value as JSON in UTF-8.

    Args:
        value: The value; no NaN in it.

    Returns:
        The bytes.
    """
    return _ENCODER.encode(value).encode()


def answers(served: Served, asks: Sequence[Ask], metrics: Metrics) -> list[bytes | Exception]:
    """Answer a batch with one model.

    Args:
        served: The model.
        asks: What is asked for.
        metrics: Counts lists and unknown items.

    Returns:
        For each ask the body of the answer, or why there is none.
    """
    found: list[bytes | Exception] = [b""] * len(asks)
    groups: dict[object, list[int]] = {}
    for index, ask in enumerate(asks):
        key = _shared(served, ask)
        groups.setdefault(index if key is None else key, []).append(index)
    metrics.batch(sum(ask.n_histories for ask in asks))
    for indices in groups.values():
        group = _group_answers(served, [asks[index] for index in indices], metrics)
        for index, answer in zip(indices, group, strict=True):
            found[index] = answer
    return found


def _shared(served: Served, ask: Ask) -> object:
    """Return what is equal for asks that can be computed together; None for an ask of its own."""
    if not isinstance(ask, ListAsk) or ask.options.shared_key is None:
        return None
    has_rules = bool(ask.options.sets) or served.rules.rules_for() is not None
    # Under rules, a shorter list need not begin a longer one.
    return (*ask.options.shared_key, ask.options.k if has_rules else None)


def _group_answers(
    served: Served, asks: Sequence[Ask], metrics: Metrics
) -> Sequence[bytes | Exception]:
    """Return the answers of asks that are computed together; a mistake only refuses its own ask."""
    try:
        return _computed(served, asks, metrics)
    except (DataError, SettingsError) as error:
        if len(asks) == 1:
            return [_conflict(error)]
    except Refused as error:
        if len(asks) == 1:
            return [error]
    except Exception as error:
        if len(asks) == 1:
            return [error]
    return [answer for ask in asks for answer in _group_answers(served, [ask], metrics)]


def _conflict(error: Exception) -> Refused:
    """Return a request that is well-formed and does not fit the model as a refusal."""
    return Refused(409, str(error))


def _computed(served: Served, asks: Sequence[Ask], metrics: Metrics) -> list[bytes | Exception]:
    [*lists] = [ask for ask in asks if isinstance(ask, ListAsk)]
    if lists:
        return list(_lists(served, lists, metrics))
    [ask] = asks
    if isinstance(ask, ExplainAsk):
        return [written(explained(served, ask))]
    return [written(_similar(served, ask))] if isinstance(ask, SimilarAsk) else []


def _lists(served: Served, asks: Sequence[ListAsk], metrics: Metrics) -> list[bytes]:
    """Return the answers of requests whose options differ in k only."""
    k = max(ask.options.k for ask in asks)
    histories = [history for ask in asks for history in ask.histories]
    lists = iter(
        _recommended(served, histories, replace(asks[0].options, k=k)) if histories else []
    )
    found = []
    for ask in asks:
        own = list(islice(lists, len(ask.histories)))
        metrics.lists(ask.histories, own)
        found.append(written(_list_answer(served, ask, own)))
    return found


def _recommended(
    served: Served, histories: Sequence[History], options: ListOptions
) -> Sequence[Recommendation]:
    """Return lists; without rules, excluded items are asked for too, and left out afterwards."""
    rules = rules_of(options, served.rules, served.recommender.items)
    if rules is not None:
        options = replace(options, exclude=())
    times = [history.times for history in histories]
    types = [history.types for history in histories]
    found = served.recommender.recommend(
        [history.items for history in histories],
        options.k + len(set(options.exclude)),
        exclude_seen=options.exclude_seen,
        candidates=options.candidates,
        times=None if not any(each is not None for each in times) else times,
        users=[history.user for history in histories],
        types=None if not any(each is not None for each in types) else types,
        next_type=options.next_type,
        rules=rules,
    )
    if not options.exclude:
        return found
    items = served.recommender.items  # cleans tokens as those of the training data were
    numbers = {items.number(item) for item in options.exclude} - {0}
    excluded = set(items.tokens(sorted(numbers)))
    return [_without(each, excluded, options.k) for each in found]


def _without(found: Recommendation, excluded: set[str], k: int) -> Recommendation:
    kept = [index for index, item in enumerate(found.items) if item not in excluded][:k]
    items = [found.items[index] for index in kept]
    return replace(
        found,
        items=items,
        scores=[found.scores[index] for index in kept],
        untrained=[item for item in found.untrained if item in items],
    )


def _list_answer(served: Served, ask: ListAsk, lists: Sequence[Recommendation]) -> dict[str, Any]:
    remarks = ask.remarks or [()] * len(lists)
    return {
        "lists": [
            _list(served, history, found, ask.options.k) | ({"remarks": own} if own else {})
            for history, found, own in zip(ask.histories, lists, remarks, strict=True)
        ],
        "model": served.digest,
    } | _rule_remarks(served, ask)


def _rule_remarks(served: Served, ask: ListAsk) -> dict[str, Any]:
    """Return what the client should know about its own rules, with the counts of items."""
    if ask.options.own_rules is None or not ask.histories:
        return {}
    rules = served.rules.rules_for(ask.options.sets, ask.options.own_rules)
    remarks = () if rules is None else rules.remarks
    told = [remark.text for remark in remarks if remark.kind != "items_left"]
    return {"remarks": told} if told else {}


def _list(served: Served, history: History, found: Recommendation, k: int) -> dict[str, Any]:
    pairs = zip(found.items[:k], found.scores[:k], strict=True)
    return {
        "user": history.user,
        "items": [served.entry(item, score) for item, score in pairs],
        "unknown": found.unknown,
        "by_popularity": found.by_popularity,
        "untrained": found.untrained,
        "filled_up": found.filled_up,
    }


def _similar(served: Served, ask: SimilarAsk) -> dict[str, Any]:
    for item in ask.items:
        if item not in served.recommender.items:
            raise Refused(404, f"the model does not know the item {item[:60]!a}", "body.items")
    found = served.recommender.similar(ask.items, ask.k) if ask.items else []
    return {
        "lists": [
            {
                "item": each.item,
                "items": [
                    served.entry(item, score)
                    for item, score in zip(each.items, each.scores, strict=True)
                ],
            }
            for each in found
        ],
        "model": served.digest,
    }
