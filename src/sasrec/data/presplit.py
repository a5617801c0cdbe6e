"""Data that are split already: NAME.train.inter, NAME.valid.inter, NAME.test.inter.

A part holds single events, or rows with a ready history in a column such as ``item_id_list``. In
the first form a user's events run on from part to part; in the second each row is a history of its
own, and only its last item is a target.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl

from sasrec.data.atomic import Layout, read_header, read_numbered
from sasrec.data.interactions import Interactions, require_columns
from sasrec.data.numbering import Numbering, by_appearance, occurrences
from sasrec.data.readers import read_atomic, read_titles
from sasrec.data.sequences import Corpus, Sequences, build_corpus
from sasrec.data.vocabulary import Vocabulary
from sasrec.errors import DataError
from sasrec.settings import DataSettings

SLICE = 2**20
"""Bytes of ready histories whose items are spelled out at once, in some ten times as many."""
ROW = 32
"""Bytes for a row itself."""


def read_parts(path: Path, settings: DataSettings, source: str) -> Corpus:
    """Read the three parts of a data set; nothing is filtered, as in RecBole.

    Args:
        path: What NAME.inter would be; the parts stand beside it.
        settings: Names of the parts and of the columns.
        source: What the data can be found by again.

    Returns:
        The histories, with the number of targets of each kind.

    Raises:
        DataError: A part is missing or broken, or some parts hold ready histories and some do not.
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
    if all(ready):
        return _from_lists(files, path, settings, source)
    return _from_events(files, path, settings, source)


def _from_events(files: list[Path], path: Path, settings: DataSettings, source: str) -> Corpus:
    users, items = Numbering(), Numbering()
    frames = [_part(file, settings, users, items) for file in files]
    ends = np.cumsum([each.height for each in frames])[:-1]
    columns = []
    for name in ("user", "item", "time"):
        if all(name in each.columns for each in frames):
            columns.append(pl.concat([each[name] for each in frames]).rechunk())
            frames = [each.drop(name) for each in frames]  # so that a column is not there twice
    frame = pl.DataFrame(columns)
    titles = read_titles(path.with_suffix(".item"), settings)
    events = Interactions(frame, users.entries, items.entries, titles)
    corpus = build_corpus(events, path.stem, source, by_time=False)
    owners, _ = by_appearance(frame["user"].to_numpy(), users.entries)
    counts = np.stack(
        [occurrences(part, len(users.entries))[1:] for part in np.split(owners, ends)],
        axis=1,
    )
    first_part = (counts > 0).argmax(1)
    counts[np.arange(len(counts)), first_part] -= 1  # a first event is nobody's target
    return replace(corpus, target_counts=counts)


def _part(file: Path, settings: DataSettings, users: Numbering, items: Numbering) -> pl.DataFrame:
    """Return a part's events in the order of their times, with numbers that all parts share.

    Args:
        file: Of single events.
        settings: Names of the columns.
        users: Of all parts; is added to.
        items: The same.

    Returns:
        Columns ``user``, ``item`` and, if the part has times, ``time``.
    """
    part = read_atomic(file, settings)
    frame = part.frame.select("user", "item", *(["time"] if part.has_times else []))
    if part.has_times:
        frame = frame[np.argsort(frame["time"].to_numpy(), kind="stable").astype(np.int32)]
    return frame.with_columns(
        users.add(part.users).gather(frame["user"] - 1).alias("user"),
        items.add(part.items).gather(frame["item"] - 1).alias("item"),
    )


def _from_lists(files: list[Path], path: Path, settings: DataSettings, source: str) -> Corpus:
    lists = settings.item_column + settings.list_suffix
    tokens = (settings.user_column, settings.item_column)
    items = Numbering()
    numbers, lengths, names, rows = [], [], [], [0]
    for file in files:
        header = read_header(file, settings.separator)
        wanted = (*tokens, lists)
        if lists in tokens:
            raise DataError(
                f"{lists!r} is the column of users and of histories; set user_column to another"
            )
        require_columns(list(header), wanted, f"{file}, line 1")
        layout = Layout(file, settings.separator, list(header), wanted, tokens=tokens)
        table, entries = read_numbered(layout)
        row = 1
        for some in _slices(table, table[lists].str.len_bytes()):
            history = some[lists].str.strip_chars().str.split(settings.sequence_separator)
            history = history.list.eval(pl.element().filter(pl.element() != ""))
            is_empty = history.list.len() == 0
            if is_empty.any():
                row += int(is_empty.arg_max() or 0)
                raise DataError(f"{file}, row {row}: {lists!r} names no item; drop that line")
            row += some.height
            target = entries[tokens[1]].gather(some[tokens[1]] - 1)
            events = pl.select(pl.concat_list(history, target)).to_series()
            lengths.append(events.list.len().to_numpy())
            numbers.append(items.add(events.explode()).to_numpy())
        owner = entries[tokens[0]].gather(table[tokens[0]] - 1)
        places = pl.int_range(rows[-1] + 1, rows[-1] + table.height + 1)
        names.append(pl.select(pl.format("{}, row {}", owner, places)).to_series())
        rows.append(rows[-1] + table.height)
    if not rows[-1]:
        raise DataError(f"{files[0]} and the other parts hold no rows; they need a line a history")
    counts = np.zeros((rows[-1], 3), dtype=np.int32)
    for number in range(3):
        counts[rows[number] : rows[number + 1], number] = 1
    offsets = np.zeros(rows[-1] + 1, dtype=np.int64)
    offsets[1:] = np.concatenate(lengths)
    np.cumsum(offsets, out=offsets)
    return Corpus(
        name=path.stem,
        sequences=Sequences(np.concatenate(numbers), None, offsets),
        users=Vocabulary.of_distinct(pl.concat(names)),  # no two rows have one number
        items=Vocabulary.of_distinct(items.entries),
        titles=read_titles(path.with_suffix(".item"), settings),
        source=source,
        target_counts=counts,
    )


def _slices(table: pl.DataFrame, sizes: pl.Series) -> Iterator[pl.DataFrame]:
    """Yield a table in slices of ``SLICE`` bytes at most; a single row may have more.

    Args:
        table: At least one row.
        sizes: Bytes of each row.

    Yields:
        Rows, at least one.
    """
    ends = (sizes.cast(pl.Int64) + ROW).cum_sum().to_numpy()
    first = 0
    while first < table.height:
        before = int(ends[first - 1]) if first else 0
        end = max(first + 1, int(ends.searchsorted(before + SLICE, side="right")))
        yield table[first:end]
        first = end
