"""Histories to check an exported network with, drawn from the items of a model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from sasrec.recommender.histories import in_chunks
from sasrec.recommender.recommender import Recommender
from sasrec.recommender.serving import Queries
from sasrec.recommender.time_units import units_per_second

UNKNOWN = "no such item"
"""Token of an item in the sample histories that no model knows."""
START, MEAN_GAP = 1.6e9, 1e5
"""Time of the first event of a sample history, and mean time between events, in seconds; converted
to the unit of the training data."""
LIST = 10
"""Items in the lists of ``check.json``."""


def sample_histories(recommender: Recommender) -> list[dict[str, Any]]:
    """Return short, long and empty histories, some with unknown items, with and without times.

    Args:
        recommender: The model; the same histories are returned each time.

    Returns:
        The arguments of ``recommend`` for each history.
    """
    random = np.random.default_rng(0)
    longest = recommender.max_history
    lengths = [0, 1, 1, 2, 3, longest - 1, longest, longest + 1, 2 * longest]
    return [_sample(recommender, max(0, length), random) for length in lengths]


def _sample(recommender: Recommender, length: int, random: np.random.Generator) -> dict[str, Any]:
    numbers = random.choice(np.flatnonzero(recommender.answerer().trained), length)
    history = recommender.items.tokens(numbers)
    if length > 2:
        history[length // 2] = UNKNOWN
    sample: dict[str, Any] = {"history": history}
    if recommender.model.needs_times and length != 1:
        seconds = START + random.exponential(MEAN_GAP, length).cumsum().round()
        unit = units_per_second(recommender.answerer().time_unit)
        sample["times"] = (seconds * unit).round().tolist()
    if recommender.users is not None and len(recommender.users):
        sample["user"] = recommender.users.tokens(random.integers(1, len(recommender.users) + 1, 1))
        [sample["user"]] = sample["user"]
    if names := recommender.event_types:
        sample["types"] = [names[index] for index in random.integers(0, len(names), length)]
        sample["next_type"] = names[length % len(names)] if length % 2 else "any"
    return sample


def listed(recommender: Recommender, sample: dict[str, Any]) -> dict[str, Any]:
    """Return a sample with its list, for ``check.json``.

    Args:
        recommender: The model.
        sample: From ``sample_histories``.

    Returns:
        The sample with the recommended items, their scores, and whether they are by popularity.
    """
    [found] = recommender.recommend(
        [sample["history"]],
        LIST,
        times=[sample.get("times")],
        users=[sample.get("user")],
        types=[sample.get("types")],
        next_type=sample.get("next_type"),
    )
    return {
        **sample,
        "items": found.items,
        "scores": found.scores,
        "by_popularity": found.by_popularity,
    }


def queries_of(recommender: Recommender, samples: Sequence[dict[str, Any]]) -> Queries:
    """Return the samples that the network can use, as item numbers.

    Args:
        recommender: The model.
        samples: From ``sample_histories``.

    Returns:
        The histories; none for those that are answered by popularity.
    """
    [chunk] = in_chunks(
        [each["history"] for each in samples],
        [each.get("times") for each in samples],
        [each.get("user") for each in samples],
        types=[each.get("types") for each in samples],
    )
    answerer = recommender.answerer()
    return answerer.queries(chunk, answerer.item_numbers(chunk))[1]
