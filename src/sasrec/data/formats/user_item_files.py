"""Atomic .user and .item files: lists of users and items, titles, groups and notes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import polars as pl

from sasrec.data.filters import loaded_columns
from sasrec.data.formats.atomic import read_header, read_pieces
from sasrec.data.formats.layout import Layout
from sasrec.data.titles import Titles
from sasrec.data.values.cleaning import as_settings_ask, numbering_for
from sasrec.data.values.comparable import ValueFilter
from sasrec.data.values.numbering import Numbering
from sasrec.errors import DataError
from sasrec.settings.data import DataSettings


def read_listed(
    path: Path, columns: DataSettings
) -> tuple[dict[str, pl.Series], list[ValueFilter]]:
    """Return the users and items that the files beside an .inter file list.

    As in RecBole, only files that ``load_col`` asks for count, and filters on their columns
    shorten the lists.

    Args:
        path: The .inter file.
        columns: ``load_col``, filters, column names, separator.

    Returns:
        ``user`` and ``item`` to tokens, as far as they are listed; and the filters applied.

    Raises:
        DataError: A file is broken.
    """
    listed: dict[str, pl.Series] = {}
    rules: list[ValueFilter] = []
    for name, key in (("user", columns.user_column), ("item", columns.item_column)):
        file = path.with_suffix(f".{name}")
        if columns.load_columns is None or name not in columns.load_columns or not file.is_file():
            continue
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
        own = [ValueFilter(field, columns.value_intervals[field]) for field in values]
        listed[name] = _kept_tokens(layout, key, own, numbering_for(columns))
        rules += own
    return listed, rules


def _kept_tokens(
    layout: Layout, key: str, rules: Sequence[ValueFilter], numbering: Numbering
) -> pl.Series:
    """Return the tokens that filters on further columns keep, each once, as they come; String.

    Args:
        layout: The file; its ``optional`` columns are those of the filters.
        key: The column of tokens.
        rules: The filters.
        numbering: Empty; how tokens are spelled.

    Raises:
        DataError: The file is broken.
    """
    for frame in read_pieces(layout):
        kept = frame
        for rule in rules:
            kept = kept.filter(rule.keeps(kept[rule.field]))
        numbering.add(kept[key])
    return numbering.entries


def read_titles(path: Path, columns: DataSettings) -> Mapping[str, str]:
    """Return item token to title from an atomic .item file; empty without such a file or column.

    The title is the first column, beside the item's own, whose name contains ``title`` or ``name``.

    Args:
        path: The .item file, which need not exist.
        columns: The item column and the separator.

    Returns:
        The titles.

    Raises:
        DataError: The file is there, and its header or a line is broken.
    """
    if not path.is_file():
        return {}
    header = read_header(path, columns.separator)
    others = (name for name in header if name != columns.item_column)
    title = next((name for name in others if "title" in name or "name" in name), None)
    if title is None or columns.item_column not in header:
        return {}
    wanted = (columns.item_column, title)
    layout = Layout(path, columns.separator, list(header), (), optional=wanted)
    return Titles(pl.concat(frame.drop_nulls() for frame in _spelled(layout, wanted[0], columns)))


def read_groups(path: Path, columns: DataSettings, items: pl.Series) -> dict[str, list[str]]:
    """Return item token to the groups it belongs to, from an atomic .item file.

    The groups are the words of the first column that may hold several tokens and whose name
    contains ``class``, ``genre`` or ``categor``.

    Args:
        path: The .item file, which need not exist.
        columns: The item column and the separators.
        items: Tokens of the items asked about, String.

    Returns:
        The groups; empty without such a file or column.

    Raises:
        DataError: The file is there, and its header or a line is broken.
    """
    if not path.is_file():
        return {}
    header = read_header(path, columns.separator)
    words = ("class", "genre", "categor")
    others = (name for name in header if name != columns.item_column)
    column = next((name for name in others if any(word in name.lower() for word in words)), None)
    if column is None or columns.item_column not in header:
        return {}
    wanted = (columns.item_column, column)
    layout = Layout(path, columns.separator, list(header), (), optional=wanted)
    named = _asked_rows(layout, columns.item_column, items, columns).drop_nulls()
    lists = named[column].str.split(columns.sequence_separator).to_list()
    return {
        item: [group for group in groups if group]
        for item, groups in zip(named[wanted[0]].to_list(), lists, strict=True)
    }


def _spelled(layout: Layout, key: str, columns: DataSettings) -> Iterator[pl.DataFrame]:
    """Yield the rows of a file, the tokens in one column spelled as the settings ask for.

    Args:
        layout: The file.
        key: The column.
        columns: The settings.

    Yields:
        Rows.
    """
    for frame in read_pieces(layout):
        yield frame.with_columns(as_settings_ask(frame[key], columns))


def _asked_rows(layout: Layout, key: str, tokens: pl.Series, columns: DataSettings) -> pl.DataFrame:
    """Return the rows of a file in which a column holds one of some tokens.

    Args:
        layout: The file.
        key: The column.
        tokens: The tokens, String.
        columns: How tokens are spelled.
    """
    asked = pl.col(key).is_in(tokens.implode())
    return pl.concat(frame.filter(asked) for frame in _spelled(layout, key, columns))


def read_notes(path: Path, columns: DataSettings, users: Sequence[str]) -> dict[str, str]:
    """Return what an atomic .user file says of some users, as text for people.

    Args:
        path: The .user file, which need not exist.
        columns: The user column and the separator.
        users: Tokens of the users asked about.

    Returns:
        User token to text such as ``age 49, gender M``; users the file does not list are absent.

    Raises:
        DataError: The file is there, and its header or a line is broken.
    """
    if not path.is_file():
        return {}
    header = list(read_header(path, columns.separator))
    if columns.user_column not in header:
        return {}
    shown = [name for name in header if name != columns.user_column]
    layout = Layout(path, columns.separator, header, (columns.user_column,), optional=tuple(shown))
    tokens = pl.Series(users, dtype=pl.String)
    asked = _asked_rows(layout, columns.user_column, tokens, columns)
    return {
        row[columns.user_column]: ", ".join(
            f"{name} {row[name]}" for name in shown if row[name] is not None
        )
        for row in asked.iter_rows(named=True)
    }
