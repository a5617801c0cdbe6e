"""Corpus: a data set ready for models, with numbered users and items and sorted histories."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

import numpy as np
import polars as pl

from sasrec.data.checks.repetition import repetition, repetition_remarks
from sasrec.data.interactions import Interactions
from sasrec.data.item_columns import ItemColumns
from sasrec.data.sequences import Sequences, build_sequences
from sasrec.data.titles import Titles
from sasrec.data.values.numbering import by_appearance
from sasrec.data.vocabulary import Vocabulary
from sasrec.remarks import Remark

if TYPE_CHECKING:
    from sasrec.data.content.source import ContentSource


@dataclass(frozen=True, slots=True)
class Corpus:
    """A data set ready for models: histories, and the tokens of their numbers.

    Attributes:
        name: Name of the data set.
        sequences: All histories.
        users: Token of each user number; the history of user u is row u - 1 of the offsets.
        items: Token of each item number.
        titles: Item token to its title; may be empty.
        source: Name or absolute path to load the data from again; empty for a data frame.
        target_counts: int8 or int32 [U, 3], how many of each user's last events are training,
            validation and test targets, if the source is split already; else None.
        remarks: Remarks on doubtful data.
        users_without_events: Users in the .user file that have no event, String; RecBole counts
            them. None if there are none.
        item_columns: Facts about items, such as their category; None if there are none.
        content: What a model may learn about items besides their events; None if the settings name
            nothing.
        columns: Names of all columns of the source; empty if they are unknown.
        event_types: Names of the types of events, number 1 first; empty if types are not used.
    """

    name: str
    sequences: Sequences
    users: Vocabulary
    items: Vocabulary
    titles: Mapping[str, str]
    source: str = ""
    target_counts: np.ndarray | None = None
    remarks: tuple[Remark, ...] = ()
    users_without_events: pl.Series | None = None
    item_columns: ItemColumns | None = None
    content: ContentSource | None = None
    columns: tuple[str, ...] = ()
    event_types: tuple[str, ...] = ()

    def item_titles(self) -> dict[str, str]:
        """Return the titles of the items in this data set; the source may have more."""
        if isinstance(self.titles, Titles):
            return self.titles.of(self.items.entries)
        return {item: title for item, title in self.titles.items() if item in self.items}


def build_corpus(
    interactions: Interactions,
    name: str,
    source: str = "",
    *,
    times: Literal["no", "float32", "scaled"] = "no",
) -> Corpus:
    """Number users and items and sort each user's events by time.

    Events at the same time keep the order of the source.

    Args:
        interactions: Checked events.
        name: Name of the data set.
        source: Name or path to load the data from again.
        times: How to round times before comparing them, as RecBole does: to float32, or after
            scaling to 0..1.

    Returns:
        The histories with their vocabularies.
    """
    columns = {column.name: column.to_numpy() for column in interactions.frame}
    columns["user"], users = by_appearance(columns["user"], interactions.users)
    columns["item"], items = by_appearance(columns["item"], interactions.items)
    if len(without_events := interactions.items_without_events):
        # As in RecBole, items that are only in a loaded .item file belong to the catalogue.
        items = pl.concat([items, without_events])
    titles, event_types, item_columns, remarks, source_columns, users_without_events = (
        interactions.titles,
        interactions.event_types,
        interactions.item_columns,
        interactions.remarks,
        interactions.columns,
        interactions.users_without_events,
    )
    del interactions  # lets columns be freed one by one if the caller has no reference
    compared = columns.get("time")
    if compared is not None and times != "no":
        compared = _rounded(compared, times)
    by_item = _is_grouped(columns["item"])
    sequences = build_sequences(columns, compared)
    repeated = repetition(by_item_and_type(sequences))
    remarks += repetition_remarks(repeated, sequences, items, by_item=by_item)
    vocabularies = Vocabulary.of_distinct(users), Vocabulary.of_distinct(items)
    return Corpus(
        name,
        sequences,
        *vocabularies,
        titles,
        source,
        remarks=remarks,
        users_without_events=users_without_events if len(users_without_events) else None,
        item_columns=item_columns,
        columns=source_columns,
        event_types=event_types,
    )


def by_item_and_type(sequences: Sequences) -> Sequences:
    """Return histories in which an item with another type of event is another item.

    Args:
        sequences: All histories.
    """
    if sequences.types is None:
        return sequences
    pairs = sequences.items.astype(np.int64) * 256 + sequences.types
    _, numbers = np.unique(pairs, return_inverse=True)
    return replace(sequences, items=(numbers + 1).astype(np.int32))


def _is_grouped(items: np.ndarray) -> bool:
    """Return whether the events of each item are adjacent, as in a file sorted by item.

    Args:
        items: int32 [N], numbers in the order of first appearance.
    """
    return bool(2 * items[-1] <= len(items) and (items[1:] >= items[:-1]).all())


def _rounded(times: np.ndarray, how: Literal["float32", "scaled"]) -> np.ndarray:
    """Return times as RecBole compares them, float32 [N].

    Args:
        times: float64 [N].
        how: ``float32`` rounds only, as RecBole converts all float columns to float32 tensors;
            ``scaled`` first scales the times to 0..1 (``Dataset._normalize``).
    """
    if how == "scaled":
        low, high = times.min(), times.max()
        times = (times - low) / (high - low if high > low else 1.0)
    return times.astype(np.float32)


def renumbered(
    corpus: Corpus,
    items: Vocabulary,
    users: Vocabulary | None = None,
    event_types: tuple[str, ...] = (),
) -> Corpus:
    """Return a data set with the numbers of another vocabulary, such as that of a trained model.

    Events of items that the vocabulary does not contain are dropped; types that the model does not
    know become the unknown type.

    Args:
        corpus: The data set.
        items: The item vocabulary to use.
        users: The users that the model knows; None if it does not use user numbers.
        event_types: The types that the model knows; without any, the types of the data are kept.

    Returns:
        The same users, with all or some of their events.
    """
    number_of = np.concatenate(([0], items.numbers(corpus.items.entries))).astype(np.int32)
    numbers = number_of[corpus.sequences.items]
    known = numbers > 0
    before = np.concatenate(([0], np.cumsum(known, dtype=np.int64)))
    times, rounded = corpus.sequences.times, corpus.sequences.rounded
    types = type_numbers(corpus, event_types)
    sequences = Sequences(
        items=numbers[known],
        times=None if times is None else times[known],
        rounded=None if rounded is None else rounded[known],
        offsets=before[corpus.sequences.offsets],
        model_users=None if users is None else users.numbers(corpus.users.entries).astype(np.int64),
        types=None if types is None else types[known],
    )
    known_types = event_types or corpus.event_types
    return replace(corpus, sequences=sequences, items=items, event_types=known_types)


def type_numbers(corpus: Corpus, event_types: tuple[str, ...]) -> np.ndarray | None:
    """Return the type of each event by the numbers of a model.

    Args:
        corpus: The data set.
        event_types: The types that the model knows; without any, the numbers are kept.

    Returns:
        uint8 [N], 0 for types that the model does not know; None if the data have no types.
    """
    types = corpus.sequences.types
    if types is None or not event_types:
        return types
    own = {name: number for number, name in enumerate(event_types, start=1)}
    numbers = np.array([0, *(own.get(name, 0) for name in corpus.event_types)], dtype=np.uint8)
    found: np.ndarray = numbers[types]
    return found


def type_names(corpus: Corpus, begin: int, end: int) -> list[str | None] | None:
    """Return the types of some events, None where a type is unknown; None without types.

    Args:
        corpus: The data set.
        begin: Index of the first event.
        end: Index after the last one.
    """
    types = corpus.sequences.types
    if types is None:
        return None
    names = (None, *corpus.event_types)
    return [names[number] for number in types[begin:end]]
