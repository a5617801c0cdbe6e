"""Parts with one event a row: a user's history continues from one part to the next."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl

from sasrec.data.checks.doubtful_times import time_remarks
from sasrec.data.checks.overlaps import out_of_order, overlaps_of_events
from sasrec.data.checks.remarks import Remark
from sasrec.data.checks.repetition import repetition, repetition_remarks
from sasrec.data.corpus import Corpus
from sasrec.data.formats.readers import read_atomic
from sasrec.data.formats.user_item_files import read_titles
from sasrec.data.sequences import line_up
from sasrec.data.values.cleaning import numbering_for
from sasrec.data.values.numbering import Numbering, by_appearance, occurrences, taken
from sasrec.data.vocabulary import Vocabulary
from sasrec.settings.data import DataSettings

OWN = ("user", "item", "time")
"""Columns of an event."""
PLACES = {2: (0, 2), 3: (0, 1, 2)}
"""Number of parts to the kind of target each has: training, validation or test."""
UNFILTERED = " (of a data set in one file; parts are not filtered)"


def corpus_from_events(
    files: list[Path], path: Path, settings: DataSettings, source: str
) -> Corpus:
    """Read parts with one event a row.

    Args:
        files: The two or three parts.
        path: What NAME.inter would be.
        settings: Names of the parts and of the columns.
        source: Name or path that finds the data again.

    Returns:
        The histories, with the number of targets of each kind.
    """
    columns, heights, (users, items), remarks = _joined(files, settings)
    if "time" in columns:
        remarks += [
            each
            for each in time_remarks(columns["time"], settings.time_column, str(path))
            if each.kind == "mixed_time_units" and not any(each.kind == own.kind for own in remarks)
        ]
    columns["user"], users = by_appearance(columns["user"], users)
    sizes = _part_sizes(columns["user"], heights, len(users))
    columns["item"], items = by_appearance(columns["item"], items)
    sequences = line_up(columns)
    remarks += overlaps_of_events(sequences, sizes, settings.split_files or ())
    remarks += out_of_order(sequences, sizes, settings.split_files or ())
    found = repetition_remarks(repetition(sequences), sequences, items, by_item=False)
    remarks += [
        replace(each, text=each.text + UNFILTERED * ("duplicates=" in each.text)) for each in found
    ]
    return Corpus(
        name=path.stem,
        sequences=sequences,
        users=Vocabulary.of_distinct(users),
        items=Vocabulary.of_distinct(items),
        titles=read_titles(path.with_suffix(".item"), settings),
        source=source,
        target_counts=_target_counts(sizes, len(files)),
        remarks=tuple(remarks),
    )


def _joined(
    files: list[Path], settings: DataSettings
) -> tuple[dict[str, np.ndarray], list[int], list[pl.Series], list[Remark]]:
    """Return the events of all parts, one part after the other.

    Args:
        files: The parts.
        settings: Names of the columns.

    Returns:
        As ``_part`` does, of all parts; how many events each part has; the tokens of users and of
        items, String; and what is doubtful in a part.
    """
    numberings = {
        name: numbering_for(settings) for name in (settings.user_column, settings.item_column)
    }
    remarks: list[Remark] = []
    parts = [_part(file, settings, numberings, remarks) for file in files]
    heights = [len(each["user"]) for each in parts]
    columns = {
        name: np.concatenate([each.pop(name) for each in parts])
        for name in OWN
        if all(name in each for each in parts)
    }
    return columns, heights, [numbering.entries for numbering in numberings.values()], remarks


def _part(
    file: Path,
    settings: DataSettings,
    numberings: Mapping[str, Numbering],
    remarks: list[Remark],
) -> dict[str, np.ndarray]:
    """Return a part's events in the order of their times, with numbers that all parts share.

    Args:
        file: Of single events.
        settings: Names of the columns.
        numberings: Of users and of items in all parts, by name of column; are added to.
        remarks: What is doubtful in any part, with the name of the file; is added to.

    Returns:
        ``user`` and ``item``, int32 [n], and, if the part has times, ``time``, float64 [n].
    """
    events = read_atomic(file, settings, numberings)
    remarks += [replace(each, text=f"{file.name}: {each.text}") for each in events.remarks]
    frame = events.frame
    del events
    columns = {each.name: each.to_numpy() for each in frame if each.name in OWN}
    del frame  # so that the columns can go one by one
    if "time" in columns and (columns["time"][1:] < columns["time"][:-1]).any():
        order = np.argsort(columns["time"], kind="stable").astype(np.int32)
        for name in columns:
            columns[name] = taken(columns[name], order)
    return columns


def _part_sizes(owners: np.ndarray, heights: list[int], n_users: int) -> np.ndarray:
    """Return how many events each user has in each part, int8 or int32 [n_users, 3].

    Args:
        owners: int32 [N], the user of each event, one part after the other.
        heights: Events of each of the parts; of two, the second is the test.
        n_users: Users, each of whom has an event.
    """
    most = int(occurrences(owners, n_users).max())
    sizes = np.zeros((n_users, 3), dtype=np.int8 if most < 2**7 else np.int32)
    for place, part in zip(
        PLACES[len(heights)], np.split(owners, np.cumsum(heights)[:-1]), strict=True
    ):
        sizes[:, place] = occurrences(part, n_users)[1:]
    return sizes


def _target_counts(sizes: np.ndarray, parts: int) -> np.ndarray:
    """Return how many targets of each kind each user has; a first event is nobody's target.

    Args:
        sizes: Integers [n_users, 3], events of each user in each part.
        parts: How many there are. Of two, the last of a user's training targets is for
            validation, if there is another.

    Returns:
        Integers [n_users, 3].
    """
    counts = sizes.copy()
    counts[np.arange(len(counts)), (sizes > 0).argmax(axis=1)] -= 1
    if parts == 2:
        given = counts[:, 0] > 1
        counts[:, 0] -= given
        counts[:, 1] += given
    return counts
