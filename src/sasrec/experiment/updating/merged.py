"""New events and earlier ones as one data set, in the numbers of a model and of its new items."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import polars as pl

from sasrec.data.content.sources import longer
from sasrec.data.corpus import Corpus, type_numbers
from sasrec.data.sequences import Sequences
from sasrec.data.vocabulary import Vocabulary
from sasrec.errors import counted
from sasrec.recommender.recommender import Recommender
from sasrec.remarks import Remark

KEY = ["user", "item", "time", "nth"]
"""Columns by which the same event is found in two data sets; events that are equal are counted."""


@dataclass(frozen=True, slots=True)
class Merged:
    """New events and the earlier events of the same people, sorted by user and time.

    Attributes:
        corpus: All events; items of the model keep their numbers, new items follow.
        is_new: bool [N], events that are new to the model; the others are only context.
        n_known_items: Number of items that the model knew before.
        unknown: Number of new events of items that the model did not know.
        latest: Time of the latest event that the model knows; None if it is not known.
        remarks: What was found out while merging.
    """

    corpus: Corpus
    is_new: np.ndarray
    n_known_items: int
    unknown: int
    latest: float | None
    remarks: tuple[Remark, ...]

    @property
    def new_items(self) -> pl.Series:
        """Tokens of the items that the model did not know, String."""
        return self.corpus.items.entries.slice(self.n_known_items)


def merged(
    recommender: Recommender, new: Corpus, history: Corpus | None, *, latest: float | None
) -> Merged:
    """Return new events and the events before them as one data set.

    Args:
        recommender: The model.
        new: The new events, in their own numbers; they may contain earlier events too.
        history: Earlier events, in their own numbers; None if there are none.
        latest: Time of the latest event that the model knows; None if it is not known.

    Returns:
        All events; those that are in both data sets once.
    """
    items = _items(recommender, new)
    users = _users(recommender, new, history)
    frame = _frame(new, items, users, recommender.event_types)
    remarks: list[Remark] = []
    before = None
    if history is not None:
        before = _frame(history, items, users, recommender.event_types)
        before, frame, found = _without_common(before, frame)
        remarks += found
    if latest is None and before is not None and before.height:
        latest = _latest(before)
    is_new, late = _is_new(frame, latest, has_history=history is not None)
    remarks += late
    whole = frame.with_columns(new=is_new)
    if before is not None:
        whole = pl.concat([before.with_columns(new=False), whole], how="diagonal")
    sequences, flags = _sequences(whole, len(users))
    corpus = replace(
        new,
        sequences=sequences,
        items=items,
        users=users,
        event_types=recommender.event_types,
        target_counts=None,
        users_without_events=None,
        content=None,
    )
    n_known = len(recommender.items)
    unknown = int((flags & (sequences.items > n_known)).sum())
    return Merged(corpus, flags, n_known, unknown, latest, tuple(remarks))


def _items(recommender: Recommender, new: Corpus) -> Vocabulary:
    """Return the items of the model, followed by those that only the new events have."""
    present = np.unique(new.sequences.items)
    tokens = new.items.entries.gather(present - 1)
    unknown = tokens.filter(recommender.items.numbers(tokens.to_list()) == 0)
    cleanings = recommender.settings["data"].get("clean_tokens") or ()
    return longer(recommender.items, unknown).cleaning(cleanings)


def _users(recommender: Recommender, new: Corpus, history: Corpus | None) -> Vocabulary:
    """Return the people that the model knows, and then those of both data sets."""
    parts = [] if recommender.users is None else [recommender.users.entries.alias("user")]
    parts += [] if history is None else [history.users.entries.alias("user")]
    parts.append(new.users.entries.alias("user"))
    cleanings = recommender.settings["data"].get("clean_tokens") or ()
    whole = Vocabulary.of_distinct(pl.concat(parts).unique(maintain_order=True))
    return whole.cleaning(cleanings)


def _frame(
    corpus: Corpus, items: Vocabulary, users: Vocabulary, types: tuple[str, ...]
) -> pl.DataFrame:
    """Return the events of a data set that have an item of the vocabulary, in common numbers."""
    sequences = corpus.sequences
    item_numbers = np.concatenate(([0], items.numbers(corpus.items.entries.to_list())))
    user_numbers = users.numbers(corpus.users.entries.to_list())
    columns = {
        "user": np.repeat(user_numbers.astype(np.int64), sequences.lengths()),
        "item": item_numbers[sequences.items].astype(np.int32),
    }
    if sequences.times is not None:
        columns["time"] = sequences.times
    numbers = type_numbers(corpus, types) if types else None
    if numbers is not None:
        columns["type"] = numbers
    return pl.DataFrame(columns).filter(pl.col("item") > 0)


def _without_common(
    before: pl.DataFrame, new: pl.DataFrame
) -> tuple[pl.DataFrame, pl.DataFrame, list[Remark]]:
    """Return both sets of events, without the new ones that are in the history too."""
    if "time" not in before.columns or "time" not in new.columns:
        text = (
            "the events have no times, so events that are both in the history and in the new data "
            "cannot be found; they count twice"
        )
        return before, new, [Remark("overlap_unknown", new.height, text)]
    nth = pl.int_range(pl.len()).over("user", "item", "time").alias("nth")
    known = before.with_columns(nth).select(KEY).with_columns(common=pl.lit(value=True))
    found = new.with_columns(nth).join(known, on=KEY, how="left", maintain_order="left")
    common = found["common"].fill_null(value=False)
    if not (count := int(common.sum())):
        return before, new, []
    text = (
        f"{counted(count, 'event is', 'events are')} both in the history and in the new data; "
        f"{'it counts' if count == 1 else 'they count'} once, as history"
    )
    return before, new.filter(~common), [Remark("overlap", count, text)]


def _latest(frame: pl.DataFrame) -> float | None:
    return None if "time" not in frame.columns else float(frame["time"].to_numpy().max())


def _is_new(
    frame: pl.DataFrame, latest: float | None, *, has_history: bool
) -> tuple[np.ndarray, list[Remark]]:
    """Return which events are new to the model, bool [n], and a remark on the others.

    An event as late as the latest known one is new if it is not in the history.
    """
    if latest is None or "time" not in frame.columns:
        return np.ones(frame.height, dtype=bool), []
    times = frame["time"].to_numpy()
    is_new: np.ndarray = times >= latest if has_history else times > latest
    count = int((~is_new).sum())
    if not count:
        return is_new, []
    text = (
        f"{counted(count, 'event')} of the new data {'is' if count == 1 else 'are'} not later than "
        f"the latest event that the model was made from; {'it is' if count == 1 else 'they are'} "
        "used as context and not learned"
    )
    return is_new, [Remark("earlier_events", count, text)]


def _sequences(frame: pl.DataFrame, n_users: int) -> tuple[Sequences, np.ndarray]:
    """Return histories sorted by user and time, and which of their events are new, bool [N]."""
    users = frame["user"].to_numpy()
    has_times = "time" in frame.columns
    keys = (frame["time"].to_numpy(), users) if has_times else (users,)
    order = np.lexsort(keys)  # stable: events at the same time keep their order
    lengths = np.bincount(users, minlength=n_users + 1)[1:]
    sequences = Sequences(
        items=frame["item"].to_numpy()[order].astype(np.int32),
        times=frame["time"].to_numpy()[order] if has_times else None,
        offsets=np.concatenate(([0], np.cumsum(lengths, dtype=np.int64))),
        types=frame["type"].to_numpy()[order] if "type" in frame.columns else None,
    )
    return sequences, frame["new"].to_numpy()[order]
