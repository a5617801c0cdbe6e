"""Parts with one event a row: a user's history continues from one part to the next."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import polars as pl

from sasrec.data.checks.overlaps import out_of_order, overlaps_of_events
from sasrec.data.checks.repetition import repetition, repetition_remarks
from sasrec.data.corpus import Corpus, by_item_and_type
from sasrec.data.event_types import with_event_types
from sasrec.data.formats.readers import read_atomic
from sasrec.data.formats.user_item_files import read_titles
from sasrec.data.interactions import Interactions
from sasrec.data.presplit.part_times import check_same_order, check_units
from sasrec.data.sequences import build_sequences
from sasrec.data.values.cleaning import numbering_for
from sasrec.data.values.numbering import by_appearance, occurrences, take_in_blocks
from sasrec.data.vocabulary import Vocabulary
from sasrec.remarks import Remark
from sasrec.settings.data import DataSettings

OWN = ("user", "item", "time", "type")
"""Columns of an event."""
PART_KINDS = {2: (0, 2), 3: (0, 1, 2)}
"""Number of parts to the kind of each: 0 for training, 1 for validation, 2 for test."""
UNFILTERED = " (in a data set of one file; parts are not filtered)"


@dataclass(frozen=True, slots=True)
class JoinedParts:
    """The events of two or three parts, one part after the other.

    Attributes:
        columns: ``user`` and ``item``, int32 [N], and, if all parts have them, ``time``,
            float64 [N], and ``type``, uint8 [N]; each part is sorted by time.
        heights: Number of events in each part.
        users: User tokens, String; index n - 1 has number n.
        items: Item tokens, likewise.
        names: Names of the parts.
        event_types: Names of the types of events, number 1 first.
        remarks: Remarks on the parts.
        without_test: Whether the second of two parts is for validation.
    """

    columns: dict[str, np.ndarray]
    heights: list[int]
    users: pl.Series
    items: pl.Series
    names: Sequence[str]
    event_types: tuple[str, ...] = ()
    remarks: tuple[Remark, ...] = ()
    without_test: bool = False


def corpus_from_events(
    files: list[Path], path: Path, settings: DataSettings, source: str
) -> Corpus:
    """Read parts with one event a row.

    Args:
        files: The two or three parts.
        path: Path of NAME.inter, which need not exist.
        settings: Names of the parts and of the columns.
        source: Name or path to load the data from again.

    Returns:
        The histories, with the numbers of training, validation and test targets.
    """
    corpus = corpus_of_parts(_joined(files, settings), path.stem)
    titles = read_titles(path.with_suffix(".item"), settings)
    return replace(corpus, titles=titles, source=source)


def corpus_of_parts(joined: JoinedParts, name: str) -> Corpus:
    """Return the data set of parts with one event a row.

    Args:
        joined: The events of the parts; its columns are removed, so that memory can be freed.
        name: Name of the data set.

    Returns:
        The histories, with the numbers of training, validation and test targets.
    """
    columns, names = joined.columns, joined.names
    columns["user"], users = by_appearance(columns["user"], joined.users)
    sizes = _part_sizes(columns["user"], joined.heights, len(users))
    columns["item"], items = by_appearance(columns["item"], joined.items)
    sequences = build_sequences(columns)
    remarks = [*joined.remarks, *overlaps_of_events(sequences, sizes, names)]
    remarks += out_of_order(sequences, sizes, names)
    repeated = repetition(by_item_and_type(sequences))
    remarks += [
        replace(each, text=each.text + UNFILTERED * ("duplicates=" in each.text))
        for each in repetition_remarks(repeated, sequences, items, by_item=False)
    ]
    return Corpus(
        name=name,
        sequences=sequences,
        users=Vocabulary.of_distinct(users),
        items=Vocabulary.of_distinct(items),
        titles={},
        target_counts=_without_test(sizes)
        if joined.without_test
        else _target_counts(sizes, len(joined.heights)),
        remarks=tuple(remarks),
        event_types=joined.event_types,
    )


def _joined(files: list[Path], settings: DataSettings) -> JoinedParts:
    """Return the events of all parts.

    Args:
        files: The parts.
        settings: Names of the columns.
    """
    numberings = {
        name: numbering_for(settings) for name in (settings.user_column, settings.item_column)
    }
    remarks: list[Remark] = []
    parts: list[dict[str, np.ndarray]] = []
    types: list[tuple[str, ...]] = []
    for file in files:
        events = with_event_types(read_atomic(file, settings, numberings), settings, str(file))
        remarks += [replace(each, text=f"{file.name}: {each.text}") for each in events.remarks]
        types.append(events.event_types)
        parts.append(part_columns(events))
    check_same_order(remarks, str(files[0].parent))
    users, items = (numbering.entries for numbering in numberings.values())
    names = settings.split_files or ()
    return joined_parts(parts, (users, items), names, types=types, remarks=remarks)


def joined_parts(
    parts: list[dict[str, np.ndarray]],
    entries: tuple[pl.Series, pl.Series],
    names: Sequence[str],
    *,
    types: Sequence[tuple[str, ...]],
    remarks: Sequence[Remark],
) -> JoinedParts:
    """Return the events of parts as one.

    Args:
        parts: The columns of each part, with token numbers that all parts share; they are removed,
            so that memory can be freed.
        entries: Tokens of users and of items.
        names: Names of the parts.
        types: Names of the types of events in each part.
        remarks: Remarks on the parts.

    Returns:
        The events, with type numbers that all parts share.

    Raises:
        DataError: The times of the parts are in different units.
    """  # raised by check_units
    check_units([part.get("time") for part in parts], names)
    known = sorted({name for each in types for name in each})
    for part, own in zip(parts, types, strict=True):
        if "type" in part:
            numbers = np.array([0, *(known.index(name) + 1 for name in own)], dtype=np.uint8)
            part["type"] = numbers[part["type"]]
    heights = [len(each["user"]) for each in parts]
    columns = {
        name: np.concatenate([each.pop(name) for each in parts])
        for name in OWN
        if all(name in each for each in parts)
    }
    return JoinedParts(columns, heights, *entries, names, tuple(known), tuple(remarks))


def part_columns(events: Interactions) -> dict[str, np.ndarray]:
    """Return the events of a part, sorted by time.

    Args:
        events: The part.

    Returns:
        ``user`` and ``item``, int32 [n], and, if the part has them, ``time``, float64 [n], and
        ``type``, uint8 [n].
    """
    columns = {each.name: each.to_numpy() for each in events.frame if each.name in OWN}
    del events  # lets the columns be freed one by one if the caller has no reference
    if "time" in columns and (columns["time"][1:] < columns["time"][:-1]).any():
        order = np.argsort(columns["time"], kind="stable").astype(np.int32)
        for name in columns:
            columns[name] = take_in_blocks(columns[name], order)
    return columns


def _part_sizes(owners: np.ndarray, heights: list[int], n_users: int) -> np.ndarray:
    """Return how many events each user has in each part, int8 or int32 [n_users, 3].

    Args:
        owners: int32 [N], the user of each event, one part after the other.
        heights: Number of events in each part; with two parts, the second is the test part.
        n_users: Number of users, each of whom has an event.
    """
    most = int(occurrences(owners, n_users).max())
    sizes = np.zeros((n_users, 3), dtype=np.int8 if most < 2**7 else np.int32)
    for kind, part in zip(
        PART_KINDS[len(heights)], np.split(owners, np.cumsum(heights)[:-1]), strict=True
    ):
        sizes[:, kind] = occurrences(part, n_users)[1:]
    return sizes


def _target_counts(sizes: np.ndarray, parts: int) -> np.ndarray:
    """Return how many training, validation and test targets each user has.

    A user's first event is not a target.

    Args:
        sizes: Integers [n_users, 3], events of each user in each part.
        parts: Number of parts. With two, a user's last training target becomes a validation
            target, if the user has another one.

    Returns:
        Integers [n_users, 3].
    """
    counts = _without_first(sizes)
    if parts == 2:
        moves = counts[:, 0] > 1
        counts[:, 0] -= moves
        counts[:, 1] += moves
    return counts


def _without_first(sizes: np.ndarray) -> np.ndarray:
    """Return how many targets each user has in each part: all events but the first."""
    counts = sizes.copy()
    counts[np.arange(len(counts)), (sizes > 0).argmax(axis=1)] -= 1
    return counts


def _without_test(sizes: np.ndarray) -> np.ndarray:
    """Return the numbers of targets if the second of two parts is for validation."""
    return _without_first(sizes)[:, [0, 2, 1]]
