"""Data that are split already: NAME.train.inter, NAME.valid.inter, NAME.test.inter, or two of them.

A part holds single events, or rows with a ready history in a column such as ``item_id_list``. In
the first form a user's events run on from part to part; in the second each row is a history of its
own, and only its last item is a target.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import polars as pl

from sasrec.data.checks.doubtful_times import time_remarks
from sasrec.data.checks.doubtful_tokens import joined_tokens, token_remarks
from sasrec.data.checks.overlaps import out_of_order, overlaps_of_events, overlaps_of_histories
from sasrec.data.checks.remarks import Remark
from sasrec.data.checks.repetition import repetition, repetition_remarks
from sasrec.data.corpus import Corpus
from sasrec.data.formats.atomic import read_header, read_pieces
from sasrec.data.formats.layout import Layout
from sasrec.data.formats.readers import read_atomic, read_titles
from sasrec.data.formats.rows import Rows
from sasrec.data.interactions import require_columns
from sasrec.data.sequences import Sequences, line_up
from sasrec.data.values.cleaning import numbering_for
from sasrec.data.values.numbering import Numbering, by_appearance, occurrences, taken
from sasrec.data.vocabulary import Vocabulary
from sasrec.errors import DataError
from sasrec.settings.data import DataSettings

SLICE = 2**20
"""Bytes of ready histories whose items are spelled out at once, in some ten times as many."""
ROW = 32
"""Bytes for a row itself."""
OWN = ("user", "item", "time")
"""Columns of an event."""
PLACES = {2: (0, 2), 3: (0, 1, 2)}
"""Number of parts to the kind of target each has: training, validation or test."""
FILTERS = ("duplicates", "value_intervals", "user_interactions", "item_interactions")
"""Settings that have no effect on parts."""
UNFILTERED = " (of a data set in one file; parts are not filtered)"


def read_parts(path: Path, settings: DataSettings, source: str) -> Corpus:
    """Read the two or three parts of a data set; nothing is filtered, as in RecBole.

    Args:
        path: What NAME.inter would be; the parts stand beside it.
        settings: Names of the parts and of the columns.
        source: What the data can be found by again.

    Returns:
        The histories, with the number of targets of each kind.

    Raises:
        DataError: A part is missing, broken or the same file as another, or some parts hold ready
            histories and some do not.
    """
    files = [path.with_suffix(f".{part}.inter") for part in settings.split_files or ()]
    for file in files:
        if not file.is_file():
            raise DataError(f"{file}: no such file; benchmark_filename names it")
    lists = settings.item_column + settings.list_suffix
    ready = [lists in read_header(file, settings.separator) for file in files]
    if any(ready) and not all(ready):
        raise DataError(
            f"{files[ready.index(False)]} has no column {lists!r}, which the other parts have"
        )
    _refuse_one_file(files)
    read = _from_lists if all(ready) else _from_events
    corpus = read(files, path, settings, source)
    return replace(corpus, remarks=(*corpus.remarks, *_unheard(settings)))


def _refuse_one_file(files: list[Path]) -> None:
    """Refuse parts that are one file under two names; of copies the shared events are counted.

    Args:
        files: The parts.

    Raises:
        DataError: Two are.
    """
    for one, other in itertools.combinations(files, 2):
        if one.samefile(other):
            raise DataError(
                f"{one} and {other} are the same file, so its events would be in their own "
                "history; of two parts, split_files=['train','test'], validation is taken from "
                "the training part"
            )


def _unheard(settings: DataSettings) -> list[Remark]:
    """Return a remark on filters that are asked for, since parts are taken as they are."""
    asked = [name for name in FILTERS if getattr(settings, name)]
    text = f"data that are split already are not filtered, so {', '.join(asked)} has no effect"
    return [Remark("not_filtered", len(asked), text)] if asked else []


def _from_events(files: list[Path], path: Path, settings: DataSettings, source: str) -> Corpus:
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


def _from_lists(files: list[Path], path: Path, settings: DataSettings, source: str) -> Corpus:
    for key, value in (("incomplete", "drop"), ("missing_values", settings.missing_values)):
        if value and getattr(settings, key) == value:
            raise DataError(
                f"{files[0]} holds ready histories, of which {key} can leave nothing out; clean "
                f"the file, and take {key} away"
            )
    items = numbering_for(settings)
    size = sum(file.stat().st_size for file in files)
    events = Rows(size, {"item": np.int32})
    lengths = Rows(size // 5 + 1, {"length": np.int64})  # three values and two marks between them
    lengths.append(pl.DataFrame({"length": [0]}))
    owners = [_histories(file, settings, items, events=events, lengths=lengths) for file in files]
    heights = [len(numbers) for numbers, _ in owners]
    if not sum(heights):
        raise DataError(f"{files[0]} and the other parts hold no rows; they need a line a history")
    offsets = lengths.take("length")
    np.cumsum(offsets, out=offsets)
    sequences = Sequences(events.take("item"), None, offsets)
    lists = settings.item_column + settings.list_suffix
    remarks = joined_tokens(items.entries, lists, settings.sequence_separator)
    remarks += token_remarks(items.entries, sequences.items, settings.item_column, what="events")
    remarks += overlaps_of_histories(sequences, owners, settings.split_files or ())
    return Corpus(
        name=path.stem,
        sequences=sequences,
        users=Vocabulary.when_asked(sum(heights), partial(_names, owners)),
        items=Vocabulary.of_distinct(items.entries),
        titles=read_titles(path.with_suffix(".item"), settings),
        source=source,
        target_counts=_row_counts(heights, owners[0][0]),
        remarks=remarks,
    )


def _row_counts(heights: list[int], owners: pl.Series) -> np.ndarray:
    """Return the kind of target each ready history has, int8 [n, 3], one 1 in each row.

    Args:
        heights: Rows of each part; of two, the second is the test, and the last row of each user
            who has several in the first is for validation.
        owners: The user of each row of the first part, Int32.
    """
    kinds = np.eye(3, dtype=np.int8)[list(PLACES[len(heights)])]
    counts = np.repeat(kinds, heights, axis=0)
    if len(heights) == 2:
        is_last = (owners.is_last_distinct() & owners.is_duplicated()).to_numpy()
        counts[: heights[0]][is_last] = [0, 1, 0]
    return counts


def _histories(
    file: Path, settings: DataSettings, items: Numbering, *, events: Rows, lengths: Rows
) -> tuple[pl.Series, pl.Series]:
    """Put the histories of a part after those of earlier parts, each with its target at its end.

    Args:
        file: Of ready histories.
        settings: Names of the columns, and the separators.
        items: Of all parts; is added to.
        events: Column ``item``, the number of each event's item; is added to.
        lengths: Column ``length``, how many events each history has; is added to.

    Returns:
        The number of each history's user, Int32; and the token of each of these numbers, String.

    Raises:
        DataError: The part is broken, lacks a column, or has a history without an item.
    """
    lists = settings.item_column + settings.list_suffix
    wanted = (settings.user_column, settings.item_column, lists)
    if lists in wanted[:2]:
        raise DataError(
            f"{lists!r} is the column of users and of histories; set user_column to another"
        )
    header = read_header(file, settings.separator)
    require_columns(list(header), wanted, f"{file}, line 1")
    users, owners = numbering_for(settings), []
    row = 1
    for some in _slices(read_pieces(Layout(file, settings.separator, list(header), wanted)), lists):
        history = some[lists].str.strip_chars().str.split(settings.sequence_separator)
        history = history.list.eval(pl.element().filter(pl.element() != ""))
        is_empty = history.list.len() == 0
        if is_empty.any():
            row += int(is_empty.arg_max() or 0)
            raise DataError(f"{file}, row {row}: {lists!r} names no item; drop that line")
        row += some.height
        whole = pl.select(pl.concat_list(history, some[wanted[1]])).to_series()
        lengths.append(pl.DataFrame({"length": whole.list.len()}))
        events.append(pl.DataFrame({"item": items.add(whole.explode())}))
        owners.append(users.add(some[wanted[0]]))
    return pl.concat(owners), users.entries


def _names(owners: list[tuple[pl.Series, pl.Series]]) -> pl.Series:
    """Return a name for the user of each history, String; no two rows are of one user.

    Args:
        owners: Of each part, the number of each row's user, and those users' tokens.
    """
    names: list[pl.Series] = []
    rows = 0
    for numbers, tokens in owners:
        places = pl.int_range(rows + 1, rows + len(numbers) + 1)
        owner = tokens.gather(numbers - 1)
        names.append(pl.select(pl.format("{}, row {}", owner, places)).to_series())
        rows += len(numbers)
    return pl.concat(names)


def _slices(tables: Iterable[pl.DataFrame], lists: str) -> Iterator[pl.DataFrame]:
    """Yield tables in slices of ``SLICE`` bytes at most; a single row may have more.

    Args:
        tables: Rows.
        lists: The column whose bytes count.

    Yields:
        Rows; of a table without any, an empty one.
    """
    for table in tables:
        first = 0
        while first < max(1, table.height):
            some = table[first : first + SLICE // ROW]  # more rows never fit
            ends = (some[lists].str.len_bytes().cast(pl.Int64) + ROW).cum_sum()
            some = some[: max(1, int(ends.to_numpy().searchsorted(SLICE, side="right")))]
            yield some
            first += max(1, some.height)
