"""Parts with one history a row; only its last item is a target."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path

import numpy as np
import polars as pl

from sasrec.data.checks.doubtful_tokens import joined_tokens, token_remarks
from sasrec.data.checks.overlaps import overlaps_of_histories
from sasrec.data.corpus import Corpus
from sasrec.data.formats.atomic import read_header, read_pieces
from sasrec.data.formats.layout import Layout
from sasrec.data.formats.rows import Rows
from sasrec.data.formats.user_item_files import read_titles
from sasrec.data.interactions import require_columns
from sasrec.data.presplit.events import PLACES
from sasrec.data.sequences import Sequences
from sasrec.data.values.cleaning import numbering_for
from sasrec.data.values.numbering import Numbering
from sasrec.data.vocabulary import Vocabulary
from sasrec.errors import DataError
from sasrec.settings.data import DataSettings

SLICE = 2**20
"""Bytes of ready histories whose items are spelled out at once, in some ten times as many."""
ROW = 32
"""Bytes for a row itself."""


def corpus_from_histories(
    files: list[Path], path: Path, settings: DataSettings, source: str
) -> Corpus:
    """Read parts with one history a row.

    Args:
        files: The two or three parts.
        path: What NAME.inter would be.
        settings: Names of the parts and of the columns.
        source: Name or path that finds the data again.

    Returns:
        The histories, with the number of targets of each kind.

    Raises:
        DataError: A part is broken, all are empty, or a setting is one that cannot be applied to
            whole histories.
    """
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
