"""Why an item is recommended: how its score changes without each event of the history."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from sasrec_serve.histories import History
from sasrec_serve.server.asks import ExplainAsk
from sasrec_serve.server.refusals import Refused
from sasrec_serve.server.served import Served


def explained(served: Served, ask: ExplainAsk) -> dict[str, Any]:
    """Return the score of each item, and what each event adds to it.

    An event adds the score after the history minus the score after the history without this event.
    All these histories are computed in one batch.

    Args:
        served: The model.
        ask: The history and the items.

    Returns:
        The answer. ``adds`` is null where a history without the event is answered by popularity,
        because event counts are not comparable with scores.

    Raises:
        Refused: With status 404: the model does not know an item.
    """
    for item in ask.items:
        if item not in served.recommender.items:
            raise Refused(404, f"the model does not know the item {item[:60]!a}", "body.items")
    scores, by_popularity = _scores(served, ask)
    adds = np.where(by_popularity[1:, None], np.nan, scores[:1] - scores[1:])
    if by_popularity[0]:
        adds[:] = np.nan
    first = len(ask.history.items) - len(adds)
    events = ask.history.items[first:]
    return {
        "explanations": [
            {
                **served.entry(item, float(scores[0, column])),
                "events": _events(served, events, adds[:, column]),
            }
            for column, item in enumerate(ask.items)
        ],
        "by_popularity": bool(by_popularity[0]),
        "earlier_events": first,
        "remarks": list(ask.remarks),
        "model": served.digest,
    }


def _events(served: Served, events: Sequence[str], adds: np.ndarray) -> list[dict[str, Any]]:
    titles = served.recommender.titles
    return [
        {"item": event, "title": titles.get(event), "adds": amount if amount == amount else None}
        for event, amount in zip(events, adds.tolist(), strict=True)
    ]


def _scores(served: Served, ask: ExplainAsk) -> tuple[np.ndarray, np.ndarray]:
    """Return float32 [1 + events, items] and bool [1 + events]: the whole history comes first."""
    length = len(ask.history.items)
    left_out = range(max(0, length - ask.most), length)
    histories = [ask.history, *(_without(ask.history, index) for index in left_out)]
    times, types = ask.history.times, ask.history.types
    arguments: dict[str, Any] = {
        "times": None if times is None else [each.times for each in histories],
        "users": [each.user for each in histories],
        "types": None if types is None else [each.types for each in histories],
        "next_type": ask.next_type,
    }
    tokens = [each.items for each in histories]
    scores = served.recommender.score(tokens, ask.items, **arguments)
    lists = served.recommender.recommend(tokens, 1, **arguments)
    return scores, np.array([each.by_popularity for each in lists])


def _without(history: History, index: int) -> History:
    return History(
        _cut(history.items, index),
        None if history.times is None else _cut(history.times, index),
        None if history.types is None else _cut(history.types, index),
        history.user,
    )


def _cut(values: Sequence[Any], index: int) -> list[Any]:
    return [*values[:index], *values[index + 1 :]]
