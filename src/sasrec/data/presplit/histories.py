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
from sasrec.data.presplit.events import PART_KINDS
from sasrec.data.sequences import Sequences
from sasrec.data.values.cleaning import numbering_for
from sasrec.data.values.columns import require_columns
from sasrec.data.values.numbering import Numbering
from sasrec.data.vocabulary import Vocabulary
from sasrec.errors import DataError
from sasrec.settings.data import DataSettings

SLICE_BYTES = 2**20
"""Bytes of histories that are split into items at once; this takes some ten times as much
memory."""
ROW_BYTES = 32
"""Bytes that a row takes in addition to its history."""


def corpus_from_histories(
    files: list[Path], path: Path, settings: DataSettings, source: str
) -> Corpus:
    """Read parts with one history a row.

    Args:
        files: The two or three parts.
        path: Path of NAME.inter, which need not exist.
        settings: Names of the parts and of the columns.
        source: Name or path to load the data from again.

    Returns:
        The histories, with the numbers of training, validation and test targets.

    Raises:
        DataError: A part is invalid, all parts are empty, or a setting cannot be applied to
            histories.
    """
    for key, value in (
        ("incomplete", "drop"),
        ("missing_values", settings.missing_values),
        ("type_column", settings.type_column),
    ):
        if value and getattr(settings, key) == value:
            raise DataError(
                f"{files[0]} has whole histories in its rows, to which {key} cannot be applied; "
                f"{'clean the file and ' if key != 'type_column' else ''}remove {key} from the "
                "settings"
            )
    items = numbering_for(settings)
    size = sum(file.stat().st_size for file in files)
    events = Rows(size, {"item": np.int32})
    # A row has at least 5 bytes: three values and two separators.
    lengths = Rows(size // 5 + 1, {"length": np.int64})
    lengths.append(pl.DataFrame({"length": [0]}))
    owners = [_histories(file, settings, items, events=events, lengths=lengths) for file in files]
    heights = [len(numbers) for numbers, _ in owners]
    if not sum(heights):
        raise DataError(
            f"{files[0]} and the other parts have no rows; they need one line per history"
        )
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
        users=Vocabulary.lazy(sum(heights), partial(_user_names, owners)),
        items=Vocabulary.of_distinct(items.entries),
        titles=read_titles(path.with_suffix(".item"), settings),
        source=source,
        target_counts=_row_counts(heights, owners[0][0]),
        remarks=remarks,
    )


def _row_counts(heights: list[int], owners: pl.Series) -> np.ndarray:
    """Return the kind of the target of each history, int8 [n, 3], with a single 1 in each row.

    Args:
        heights: Number of rows in each part. With two parts, the second is the test part, and the
            last row of each user with several rows in the first part is for validation.
        owners: The user of each row in the first part, Int32.
    """
    kinds = np.eye(3, dtype=np.int8)[list(PART_KINDS[len(heights)])]
    counts = np.repeat(kinds, heights, axis=0)
    if len(heights) == 2:
        is_last = (owners.is_last_distinct() & owners.is_duplicated()).to_numpy()
        counts[: heights[0]][is_last] = [0, 1, 0]
    return counts


def _histories(
    file: Path, settings: DataSettings, items: Numbering, *, events: Rows, lengths: Rows
) -> tuple[pl.Series, pl.Series]:
    """Append the histories of a part to those of earlier parts, each followed by its target.

    Args:
        file: A part with one history per row.
        settings: Names of the columns, and the separators.
        items: Numbering of the items of all parts; new items are added.
        events: Table with a column ``item``, the item number of each event; rows are added.
        lengths: Table with a column ``length``, the length of each history; rows are added.

    Returns:
        The user number of each history, Int32; and the tokens of these users, String.

    Raises:
        DataError: The part is invalid, lacks a column, or has an empty history.
    """
    lists = settings.item_column + settings.list_suffix
    columns = (settings.user_column, settings.item_column, lists)
    if lists in columns[:2]:
        raise DataError(
            f"column {lists!r} is used for both users and histories; set user_column to another one"
        )
    header = read_header(file, settings.separator)
    require_columns(list(header), columns, f"{file}, line 1", settings)
    users, owners = numbering_for(settings), []
    row = 1
    for piece in _slices(
        read_pieces(Layout(file, settings.separator, list(header), columns)), lists
    ):
        history = piece[lists].str.strip_chars().str.split(settings.sequence_separator)
        history = history.list.eval(pl.element().filter(pl.element() != ""))
        is_empty = history.list.len() == 0
        if is_empty.any():
            row += int(is_empty.arg_max() or 0)
            raise DataError(f"{file}, row {row}: {lists!r} contains no item; delete the row")
        row += piece.height
        whole = pl.select(pl.concat_list(history, piece[settings.item_column])).to_series()
        lengths.append(pl.DataFrame({"length": whole.list.len()}))
        events.append(pl.DataFrame({"item": items.add(whole.explode())}))
        owners.append(users.add(piece[settings.user_column]))
    return pl.concat(owners), users.entries


def _user_names(owners: list[tuple[pl.Series, pl.Series]]) -> pl.Series:
    """Return a distinct name for each history, String: each row counts as a user of its own.

    Args:
        owners: For each part, the user number of each row, and the tokens of these users.
    """
    names: list[pl.Series] = []
    rows = 0
    for numbers, tokens in owners:
        row_numbers = pl.int_range(rows + 1, rows + len(numbers) + 1)
        owner = tokens.gather(numbers - 1)
        names.append(pl.select(pl.format("{}, row {}", owner, row_numbers)).to_series())
        rows += len(numbers)
    return pl.concat(names)


def _slices(tables: Iterable[pl.DataFrame], lists: str) -> Iterator[pl.DataFrame]:
    """Yield tables in slices of at most ``SLICE_BYTES`` bytes; a single row may have more.

    Args:
        tables: Rows.
        lists: The column whose size is limited.

    Yields:
        Rows; for an empty table, an empty slice.
    """
    for table in tables:
        first = 0
        while first < max(1, table.height):
            piece = table[first : first + SLICE_BYTES // ROW_BYTES]  # more rows never fit
            ends = (piece[lists].str.len_bytes().cast(pl.Int64) + ROW_BYTES).cum_sum()
            piece = piece[: max(1, int(ends.to_numpy().searchsorted(SLICE_BYTES, side="right")))]
            yield piece
            first += max(1, piece.height)
