"""Atomic .user and .item files: lists of users and items, titles, groups and notes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import polars as pl

from sasrec.data.filters import loaded_columns
from sasrec.data.formats.atomic import read_header, read_pieces
from sasrec.data.formats.copies import Copies, readable
from sasrec.data.formats.layout import Layout
from sasrec.data.titles import Titles, title_column
from sasrec.data.values.cleaning import clean_by_settings, numbering_for
from sasrec.data.values.numbering import Numbering
from sasrec.data.values.value_filter import ValueFilter
from sasrec.errors import DataError
from sasrec.settings.data import DataSettings


def read_listed(
    path: Path, columns: DataSettings
) -> tuple[dict[str, pl.Series], list[ValueFilter]]:
    """Return the users and items that the .user and .item files beside an .inter file list.

    As in RecBole, only files that ``load_col`` mentions are read, and filters on their columns
    apply to the lists.

    Args:
        path: The .inter file.
        columns: ``load_col``, filters, column names, separator.

    Returns:
        ``user`` and ``item`` to tokens, for each file that was read; and the filters applied.

    Raises:
        DataError: A file is invalid.
    """
    listed: dict[str, pl.Series] = {}
    filters: list[ValueFilter] = []
    for name, key in (("user", columns.user_column), ("item", columns.item_column)):
        file = path.with_suffix(f".{name}")
        if columns.load_columns is None or name not in columns.load_columns:
            continue
        with _readable(file, columns) as plain:
            if plain is not None:
                listed[name], rules = _listed(plain, name, key, columns)
                filters += rules
    return listed, filters


def _listed(
    file: Path, name: str, key: str, columns: DataSettings
) -> tuple[pl.Series, list[ValueFilter]]:
    """Return the tokens that a file lists, String, and the filters applied.

    Args:
        file: The .user or .item file.
        name: ``user`` or ``item``.
        key: Its column of tokens.
        columns: The settings.

    Raises:
        DataError: The file is invalid.
    """
    header = read_header(file, columns.separator)
    if key not in header:
        raise DataError(f"{file}, line 1: no column {key!r} (it has: {', '.join(header)})")
    values = tuple(
        field
        for field in loaded_columns(list(header), name, columns)
        if field in columns.value_intervals and field != key
    )
    numbers = tuple(field for field in values if header[field] == "float")
    layout = Layout(file, columns.separator, list(header), (key,), values, numbers)
    file_filters = [ValueFilter(field, columns.value_intervals[field]) for field in values]
    return _filtered_tokens(layout, key, file_filters, numbering_for(columns)), file_filters


@contextmanager
def _readable(path: Path, columns: DataSettings) -> Iterator[Path | None]:
    """Provide a file in UTF-8, perhaps as a temporary copy; None if there is no file.

    Args:
        path: The file.
        columns: Its encoding.

    Yields:
        The file or its copy, which exists only in the context.
    """
    if not path.is_file():
        yield None
        return
    with Copies() as copies, copies.named():
        yield readable(path, columns.encoding, copies)


def _filtered_tokens(
    layout: Layout, key: str, filters: Sequence[ValueFilter], numbering: Numbering
) -> pl.Series:
    """Return the distinct tokens of rows that pass the filters, in the order of the file; String.

    Args:
        layout: The file; its ``optional`` columns are those of the filters.
        key: The column of tokens.
        filters: The filters.
        numbering: An empty numbering, which cleans tokens.

    Raises:
        DataError: The file is invalid.
    """
    for frame in read_pieces(layout):
        for rule in filters:
            frame = frame.filter(rule.matches(frame[rule.field]))
        numbering.add(frame[key])
    return numbering.entries


def read_titles(path: Path, columns: DataSettings) -> Mapping[str, str]:
    """Return the titles of items from an atomic .item file.

    ``title_column`` chooses the column.

    Args:
        path: The .item file, which need not exist.
        columns: The item column and the separator.

    Returns:
        Item token to title; empty without such a file or column.

    Raises:
        DataError: The file exists, and its header or a line is invalid.
    """
    with _readable(path, columns) as file:
        return {} if file is None else _titles(file, columns)


def _titles(path: Path, columns: DataSettings) -> Mapping[str, str]:
    header = read_header(path, columns.separator)
    title = title_column(list(header), columns)
    if title is None or columns.item_column not in header:
        return {}
    layout = Layout(
        path, columns.separator, list(header), (), optional=(columns.item_column, title)
    )
    pieces = _cleaned_pieces(layout, columns.item_column, columns)
    return Titles(pl.concat(frame.drop_nulls() for frame in pieces))


def read_groups(path: Path, columns: DataSettings, items: pl.Series) -> dict[str, list[str]]:
    """Return the groups of some items, such as genres, from an atomic .item file.

    The groups are the words in the first column, other than the item column, whose name contains
    ``class``, ``genre`` or ``categor``.

    Args:
        path: The .item file, which need not exist.
        columns: The item column and the separators.
        items: Tokens of the items, String.

    Returns:
        Item token to groups; empty without such a file or column.

    Raises:
        DataError: The file exists, and its header or a line is invalid.
    """
    with _readable(path, columns) as file:
        return {} if file is None else _groups(file, columns, items)


def _groups(path: Path, columns: DataSettings, items: pl.Series) -> dict[str, list[str]]:
    header = read_header(path, columns.separator)
    words = ("class", "genre", "categor")
    others = (name for name in header if name != columns.item_column)
    column = next((name for name in others if any(word in name.lower() for word in words)), None)
    if column is None or columns.item_column not in header:
        return {}
    key = columns.item_column
    layout = Layout(path, columns.separator, list(header), (), optional=(key, column))
    rows = _rows_of(layout, key, items, columns).drop_nulls()
    lists = rows[column].str.split(columns.sequence_separator).to_list()
    return {
        item: [group for group in groups if group]
        for item, groups in zip(rows[key].to_list(), lists, strict=True)
    }


def _cleaned_pieces(layout: Layout, key: str, columns: DataSettings) -> Iterator[pl.DataFrame]:
    """Yield the rows of a file, with the tokens in one column cleaned.

    Args:
        layout: The file.
        key: The column.
        columns: How to clean tokens.

    Yields:
        Rows.
    """
    for frame in read_pieces(layout):
        yield frame.with_columns(clean_by_settings(frame[key], columns))


def _rows_of(layout: Layout, key: str, tokens: pl.Series, columns: DataSettings) -> pl.DataFrame:
    """Return the rows of a file that have one of some tokens in a column.

    Args:
        layout: The file.
        key: The column.
        tokens: The tokens, String.
        columns: How to clean the tokens of the file.
    """
    is_one = pl.col(key).is_in(tokens.implode())
    return pl.concat(frame.filter(is_one) for frame in _cleaned_pieces(layout, key, columns))


def read_user_features(path: Path, columns: DataSettings, users: Sequence[str]) -> dict[str, str]:
    """Return what an atomic .user file says about some users, as readable text.

    Args:
        path: The .user file, which need not exist.
        columns: The user column and the separator.
        users: Tokens of the users.

    Returns:
        User token to text such as ``age 49, gender M``; users that are not in the file are absent.

    Raises:
        DataError: The file exists, and its header or a line is invalid.
    """
    with _readable(path, columns) as file:
        return {} if file is None else _notes(file, columns, users)


def _notes(path: Path, columns: DataSettings, users: Sequence[str]) -> dict[str, str]:
    header = list(read_header(path, columns.separator))
    if columns.user_column not in header:
        return {}
    shown = [name for name in header if name != columns.user_column]
    layout = Layout(path, columns.separator, header, (columns.user_column,), optional=tuple(shown))
    tokens = pl.Series(users, dtype=pl.String)
    rows = _rows_of(layout, columns.user_column, tokens, columns)
    return {
        row[columns.user_column]: ", ".join(
            f"{name} {row[name]}" for name in shown if row[name] is not None
        )
        for row in rows.iter_rows(named=True)
    }
