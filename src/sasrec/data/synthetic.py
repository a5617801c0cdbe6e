"""Generated data with a known structure, against which models can be tested."""

from __future__ import annotations

import inspect
from collections.abc import Iterator

import numpy as np
import polars as pl

from sasrec.data.interactions import Interactions, from_frame
from sasrec.errors import DataError, did_you_mean

MAX_EVENTS = 300_000_000
"""Upper limit on generated events and items; an event takes about 40 bytes of memory."""


def hidden_markov(
    *,
    users: int = 2000,
    items: int = 500,
    length: int = 30,
    topics: int = 20,
    predictability: float = 0.5,
    seed: int = 0,
) -> Interactions:
    """Generate histories from hidden topics, with popular items and fixed successors of items.

    At each step, a user moves to a random topic with probability 0.1. The next item is, with
    probability ``predictability``, the successor of the current item in the user's topic (each item
    has one, which is fixed); otherwise it is drawn from the topic with probability proportional to
    1 / popularity rank. So the best possible Hit@1 is a little above ``0.9 * predictability``. A
    ranking by popularity is far below that, and only a model that uses the order of events can come
    close.

    Args:
        users: Number of users, from 1.
        items: Size of the catalogue; at least ``topics``.
        length: Mean number of events per user; the numbers are uniform between half and one and a
            half times this, and at least 4.
        topics: Number of hidden topics.
        predictability: Probability that the next item is the successor, 0 to 1.
        seed: Random seed.

    Returns:
        Events sorted by user and time; items are named ``i1``, ``i2`` and so on, users ``u1``,
        ``u2`` and so on.
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
    """Yield, step by step, the users who have an event and its item; both are numbered from 0.

    Item ``rank * topics + topic`` is the one with popularity rank ``rank`` in its topic.

    Args:
        generator: Random generator.
        sizes: Number of items of each topic, [topics].
        lengths: Number of events of each user, [users].
        predictability: Probability that the next item is the successor.
    """
    topics, users = len(sizes), len(lengths)
    per_topic = int(sizes.max())
    popularity = np.cumsum(1.0 / np.arange(1, per_topic + 1))
    order = generator.random((topics, per_topic))
    order[np.arange(per_topic) >= sizes[:, None]] = np.inf  # ranks that do not exist come last
    successor = np.argsort(order, axis=1)

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
        is_successor = draws[2] < predictability
        followed = successor[topic[active], inside]
        rank[active] = np.where(is_successor, followed, drawn(topic[active], draws[1]))
        yield active, rank[active] * topics + topic[active]


def checkerboard(users: int = 60, items: int = 20, length: int = 12) -> Interactions:
    """Generate histories whose next item is certain: even users have even items, odd users odd.

    Each user goes through these items in ascending order and starts again after the last; users
    start at different items. A model that learns anything ranks the right item first for all users.

    Args:
        users: Number of users.
        items: Size of the catalogue, an even number.
        length: Number of events per user.

    Returns:
        Events sorted by user and time.
    """
    user = np.repeat(np.arange(users), length)
    step = np.tile(np.arange(length), users)
    item = 2 * ((user // 2 + step) % (items // 2)) + user % 2
    frame = pl.DataFrame({"user": user, "item": item, "time": step.astype(np.float64)})
    return from_frame(frame, time="time")


def generate(text: str) -> Interactions:
    """Generate data from a name such as ``synthetic:users=5000,items=800``.

    Args:
        text: ``synthetic``, optionally followed by ``:`` and comma-separated ``key=value`` pairs;
            the keys are the arguments of ``hidden_markov``.

    Returns:
        The events.

    Raises:
        DataError: A key is unknown, or a value is not a number or out of range.
    """
    known = {
        name: rule.default for name, rule in inspect.signature(hidden_markov).parameters.items()
    }
    values: dict[str, int | float] = {}
    for pair in filter(None, text.partition(":")[2].split(",")):
        key, _, value = (part.strip() for part in pair.partition("="))
        if key not in known:
            raise DataError(
                f"{text!r}: unknown key {key!r}{did_you_mean(key, known)} "
                f"(keys: {', '.join(known)})"
            )
        try:
            values[key] = type(known[key])(value)
        except ValueError:
            raise DataError(f"{text!r}: {key} is {value!r}; it must be a number") from None
        lowest, highest = (0, 1) if key == "predictability" else (int(key != "seed"), 2**31)
        if not lowest <= values[key] <= highest:
            raise DataError(
                f"{text!r}: {key} is {value}; it must be between {lowest} and {highest}"
            )
    events = float(values.get("users", known["users"])) * values.get("length", known["length"])
    if events > MAX_EVENTS or values.get("items", 0) > MAX_EVENTS:
        raise DataError(
            f"{text!r}: at most {MAX_EVENTS:,} events and {MAX_EVENTS:,} items can be generated"
        )
    return hidden_markov(**values)  # type: ignore[arg-type]  # each has its default's type
