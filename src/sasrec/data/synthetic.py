"""Generated data of any size whose structure is known, so that a model can be judged by it."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import polars as pl

from sasrec.data.interactions import Interactions, from_frame


def hidden_markov(
    *,
    users: int = 2000,
    items: int = 500,
    length: int = 30,
    topics: int = 20,
    predictability: float = 0.5,
    seed: int = 0,
) -> Interactions:
    """Return histories that walk between hidden topics, with popular items and habitual followers.

    A user is in a topic and moves to a random one with probability 0.1 at each step. The next
    event is, with probability ``predictability``, the follower of the current item in that topic
    (each item has one, fixed); otherwise it is drawn from the topic with popularity
    proportional to 1 / rank. So the best possible Hit@1 is a little above ``0.9 *
    predictability``, a popularity ranking stays far below, and only a model of order comes near.

    Args:
        users: Number of users, from 1.
        items: Size of the catalogue; at least ``topics``.
        length: Mean events a user; single lengths vary evenly from half to one and a half of it,
            and are at least 4.
        topics: Number of hidden topics.
        predictability: Probability that a user does the habitual thing, 0 to 1.
        seed: Seed of the random numbers.

    Returns:
        Events ordered by user and time; items are named ``i1`` on, users ``u1`` on.
    """
    generator = np.random.default_rng(seed)
    topics = min(topics, items)
    sizes = (items - np.arange(topics) + topics - 1) // topics  # items of each topic
    lengths = np.maximum(generator.integers(length // 2, length + length // 2 + 1, size=users), 4)
    owners: list[np.ndarray] = []
    steps: list[np.ndarray] = []
    for active, drawn in _steps(generator, sizes, lengths, predictability):
        owners.append(active)
        steps.append(drawn)
    times = np.repeat(np.arange(len(steps)), [len(step) for step in steps])
    frame = pl.DataFrame(
        {
            "user": np.concatenate(owners),
            "item": np.concatenate(steps),
            "time": times.astype(np.float64),
        }
    ).sort("user", "time")
    spelled = frame.with_columns(
        user=pl.lit("u") + (pl.col("user") + 1).cast(pl.String),
        item=pl.lit("i") + (pl.col("item") + 1).cast(pl.String),
    )
    return from_frame(spelled, time="time")


def _steps(
    generator: np.random.Generator, sizes: np.ndarray, lengths: np.ndarray, predictability: float
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield the users whose history reaches each step, from 0, and the item of each; all from 0.

    Item ``rank * topics + topic`` is the one with that popularity rank in its topic.

    Args:
        generator: Random generator.
        sizes: Number of items of each topic, [topics].
        lengths: Number of events of each user, [users].
        predictability: Probability of the item that follows the last one in the topic.
    """
    topics, users = len(sizes), len(lengths)
    per_topic = int(sizes.max())
    popularity = np.cumsum(1.0 / np.arange(1, per_topic + 1))
    order = generator.random((topics, per_topic))
    order[np.arange(per_topic) >= sizes[:, None]] = np.inf  # ranks that do not exist come last
    follower = np.argsort(order, axis=1)

    def drawn(topic: np.ndarray, chance: np.ndarray) -> np.ndarray:
        ranks: np.ndarray = np.searchsorted(popularity, chance * popularity[sizes[topic] - 1])
        return ranks

    topic = generator.integers(topics, size=users)
    rank = drawn(topic, generator.random(users))
    active = np.arange(users)
    for step in range(int(lengths.max())):
        active = active[lengths[active] > step]
        draws = generator.random((3, len(active)))
        moved = draws[0] < 0.1
        topic[active[moved]] = generator.integers(topics, size=int(moved.sum()))
        inside = np.minimum(rank[active], sizes[topic[active]] - 1)
        habitual = draws[2] < predictability
        followed = follower[topic[active], inside]
        rank[active] = np.where(habitual, followed, drawn(topic[active], draws[1]))
        yield active, rank[active] * topics + topic[active]


def checkerboard(users: int = 60, items: int = 20, length: int = 12) -> Interactions:
    """Return histories whose next item is certain: even users meet even items, odd users odd ones.

    Each user walks round the items of their own colour in ascending order, from a place of their
    own. A model that learns anything ranks the right item first for every user.

    Args:
        users: Number of users.
        items: Even size of the catalogue.
        length: Events a user.

    Returns:
        Events ordered by user and time.
    """
    user = np.repeat(np.arange(users), length)
    step = np.tile(np.arange(length), users)
    item = 2 * ((user // 2 + step) % (items // 2)) + user % 2
    frame = pl.DataFrame({"user": user, "item": item, "time": step.astype(np.float64)})
    return from_frame(frame, time="time")
