"""Events whose tastes drift: items appear and fade, people come and change their interests."""

import numpy as np
import polars as pl

TOPICS = 15
ACTIVE = 0.25
"""Share of the people who have an event in a round."""
ROUNDS_PER_DAY = 4


def drifting_events(
    *, users: int = 1500, items: int = 700, days: int = 60, seed: int = 0
) -> pl.DataFrame:
    """Generate events with new items, new people, fading popularity and changing successors.

    A third of the items and half of the people appear later than on the first day. The popularity
    of an item falls by half in 20 days. With probability 0.45, the next item is the successor of
    the last one; each day, one in fifty items gets another successor.

    Args:
        users: Number of people.
        items: Number of items.
        days: Number of days.
        seed: Random seed.

    Returns:
        Columns user_id, item_id, timestamp (seconds since 1970).
    """
    generator = np.random.default_rng(seed)
    topic_of = generator.integers(TOPICS, size=items)
    born = np.where(generator.random(items) < 0.67, 0, generator.integers(1, days, size=items))
    strength = generator.pareto(1.2, size=items) + 0.2
    arrives = np.where(generator.random(users) < 0.5, 0, generator.integers(1, days, size=users))
    leaves = arrives + generator.exponential(40, size=users)
    topic = generator.integers(TOPICS, size=users)
    successor = generator.integers(items, size=items)
    last = np.full(users, -1)
    found = []
    for moment in range(days * ROUNDS_PER_DAY):
        day = moment / ROUNDS_PER_DAY
        if moment % ROUNDS_PER_DAY == 0:
            alive = born <= day
            weights = alive * strength * 0.5 ** ((day - born) / 20)
            changed = generator.random(items) < 0.02
            successor[changed] = generator.choice(np.flatnonzero(alive), size=changed.sum())
        here = (arrives <= day) & (day <= leaves) & (generator.random(users) < ACTIVE)
        who = np.flatnonzero(here)
        moves = generator.random(len(who)) < 0.05
        topic[who[moves]] = generator.integers(TOPICS, size=moves.sum())
        drawn = _drawn(weights, topic_of, topic[who], generator)
        follows = (last[who] >= 0) & (generator.random(len(who)) < 0.45)
        follows[follows] &= alive[successor[last[who[follows]]]]
        item = np.where(follows, successor[np.maximum(last[who], 0)], drawn)
        last[who] = item
        seconds = 1_700_000_000 + day * 86_400 + generator.random(len(who)) * 21_600
        found.append(pl.DataFrame({"user_id": who, "item_id": item, "timestamp": seconds}))
    events = pl.concat(found).sort("timestamp")
    return events.with_columns(pl.col("user_id").cast(pl.String), pl.col("item_id").cast(pl.String))


def _drawn(
    weights: np.ndarray, topic_of: np.ndarray, topics: np.ndarray, generator: np.random.Generator
) -> np.ndarray:
    """Return an item of each topic, drawn by weight."""
    result = np.zeros(len(topics), dtype=np.int64)
    for topic in np.unique(topics):
        own = np.flatnonzero((topic_of == topic) & (weights > 0))
        shares = weights[own] / weights[own].sum()
        which = topics == topic
        result[which] = generator.choice(own, size=which.sum(), p=shares)
    return result
