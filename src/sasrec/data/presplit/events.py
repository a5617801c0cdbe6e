"""Parts with one event a row: a user's history continues from one part to the next."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl

from sasrec.data.checks.doubtful_times import time_remarks
from sasrec.data.checks.overlaps import out_of_order, overlaps_of_events
from sasrec.data.checks.repetition import repetition, repetition_remarks
from sasrec.data.corpus import Corpus
from sasrec.data.formats.readers import read_atomic
from sasrec.data.formats.user_item_files import read_titles
from sasrec.data.sequences import build_sequences
from sasrec.data.values.cleaning import numbering_for
from sasrec.data.values.numbering import Numbering, by_appearance, occurrences, take_in_blocks
from sasrec.data.vocabulary import Vocabulary
from sasrec.errors import DataError
from sasrec.remarks import Remark
from sasrec.settings.data import DataSettings

OWN = ("user", "item", "time")
"""Columns of an event."""
PART_KINDS = {2: (0, 2), 3: (0, 1, 2)}
"""Number of parts to the kind of each: 0 for training, 1 for validation, 2 for test."""
UNFILTERED = " (in a data set of one file; parts are not filtered)"


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
    sequences = build_sequences(columns)
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
        The columns, as in ``_part``; the number of events in each part; the tokens of users and of
        items, String; and remarks.
    """
    numberings = {
        name: numbering_for(settings) for name in (settings.user_column, settings.item_column)
    }
    remarks: list[Remark] = []
    parts = [_part(file, settings, numberings, remarks) for file in files]
    _check_same_order(remarks, files[0].parent)
    heights = [len(each["user"]) for each in parts]
    columns = {
        name: np.concatenate([each.pop(name) for each in parts])
        for name in OWN
        if all(name in each for each in parts)
    }
    return columns, heights, [numbering.entries for numbering in numberings.values()], remarks


def _check_same_order(remarks: Sequence[Remark], folder: Path) -> None:
    """Raise an error if dates of one part have the day first, and those of another the month.

    Args:
        remarks: The remarks on all parts.
        folder: Their folder, for the message.

    Raises:
        DataError: It is so.
    """
    found = [each for each in remarks if each.kind in ("dates_day_first", "dates_month_first")]
    other = next((each for each in found if each.kind != found[0].kind), None)
    if other is not None:
        raise DataError(
            f"{folder}: the dates of the parts have different orders ({found[0].text}, but "
            f"{other.text}); write them in one form"
        )


def _part(
    file: Path,
    settings: DataSettings,
    numberings: Mapping[str, Numbering],
    remarks: list[Remark],
) -> dict[str, np.ndarray]:
    """Return the events of a part, sorted by time, with token numbers that all parts share.

    Args:
        file: A part with one event per row.
        settings: Names of the columns.
        numberings: For the user and the item column, by name, its numbering; new tokens are added.
        remarks: List to which remarks on this part are added, with the name of the file.

    Returns:
        ``user`` and ``item``, int32 [n], and, if the part has times, ``time``, float64 [n].
    """
    events = read_atomic(file, settings, numberings)
    remarks += [replace(each, text=f"{file.name}: {each.text}") for each in events.remarks]
    frame = events.frame
    del events
    columns = {each.name: each.to_numpy() for each in frame if each.name in OWN}
    del frame  # lets the columns be freed one by one
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
    counts = sizes.copy()
    counts[np.arange(len(counts)), (sizes > 0).argmax(axis=1)] -= 1
    if parts == 2:
        moves = counts[:, 0] > 1
        counts[:, 0] -= moves
        counts[:, 1] += moves
    return counts
