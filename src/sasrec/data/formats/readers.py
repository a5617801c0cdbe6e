"""Readers: one function a file format, each from a path to ``Interactions``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import polars as pl

from sasrec.data.filters import loaded_columns, needed_columns
from sasrec.data.formats.atomic import read_header, read_numbered, read_pieces
from sasrec.data.formats.changes import read_once
from sasrec.data.formats.from_outside import read_from_outside
from sasrec.data.formats.layout import Layout
from sasrec.data.interactions import Interactions, from_frame, require_columns
from sasrec.data.titles import Titles
from sasrec.data.values.cleaning import as_settings_ask, numbering_for
from sasrec.data.values.comparable import ValueFilter
from sasrec.data.values.numbering import Numbering
from sasrec.data.values.times import time_column
from sasrec.errors import DataError
from sasrec.settings.data import DataSettings
from sasrec.settings.registry import READERS


def read_file(path: Path, columns: DataSettings) -> Interactions:
    """Read a file in the format its name says: .inter, .csv, .tsv, .parquet, or that of a plug-in.

    Args:
        path: The file.
        columns: Which columns hold what.

    Returns:
        Its events, in the order of the file.

    Raises:
        DataError: The file is missing, of another kind, or broken.
    """
    if not path.is_file():
        raise DataError(f"{path}: no such file, or not an ordinary one")
    name = path.suffix.lower().removeprefix(".")
    if name not in READERS:
        known = ", ".join(f".{each}" for each in READERS)
        raise DataError(
            f"{path}: unknown kind of file {path.suffix!r}; use {known}, or give the plug-in that "
            "reads it with --plugin"
        )
    if name in READERS.built_in:
        events: Interactions = READERS[name](path, columns)
        return events
    return read_from_outside(READERS[name], path, columns)


def read_atomic(
    path: Path, columns: DataSettings, numberings: Mapping[str, Numbering] | None = None
) -> Interactions:
    """Read one of RecBole's atomic files, ``NAME.inter``, and ``NAME.item`` and ``NAME.user``.

    The first line names and types the columns, ``user_id:token<TAB>item_id:token<TAB>...``.
    A file without the time column is taken to be in order.

    Args:
        path: The .inter file.
        columns: Which columns hold what, and the separator.
        numberings: Of users and of items, by name of column, which several files share and add
            to; None for new ones.

    Returns:
        Its events, in the order of the file.

    Raises:
        DataError: The file is missing, empty, not UTF-8, has a header without types or with an
            unknown type, lacks a column, or has a line with too few or too many values or a time
            that is no number; the text names the line.
    """
    header = read_header(path, columns.separator)
    loaded = loaded_columns(list(header), "inter", columns)
    wanted = [columns.user_column, columns.item_column]
    for name in wanted:
        if name in header and name not in loaded:
            raise DataError(f"{path}: load_col or unload_col leaves out {name!r}; keep it")
    require_columns(loaded, wanted, f"{path}, line 1")
    time = time_column(loaded, columns, f"{path}, line 1")
    if time is not None:
        if header[time] != "float":
            raise DataError(
                f"{path}, line 1: {time!r} has type {header[time]!r}; write it as '{time}:float'"
            )
        wanted.append(time)
    values = tuple(name for name in needed_columns(columns) if name in loaded)
    numbers = [name for name in values if header[name] == "float"]
    layout = Layout(
        path,
        columns.separator,
        list(header),
        wanted=tuple(wanted),
        optional=values,
        numbers=(*numbers, *([] if time is None else [time])),
        tokens=tuple(wanted[:2]),
        may_lack=columns.incomplete == "drop" or bool(columns.missing_values),
        missing=columns.missing_values,
    )
    if numberings is None:
        numberings = {name: numbering_for(columns) for name in wanted[:2]}
    events = read_once(path, partial(_events, layout, numberings, columns))
    listed, rules = read_listed(path, columns)
    titles = read_titles(path.with_suffix(".item"), columns)
    return replace(
        events,
        titles=titles,
        listed=listed,
        elsewhere=tuple(rule.field for rule in rules),
        remarks=(*events.remarks, *(remark for rule in rules for remark in rule.remarks())),
    )


def _events(
    layout: Layout, numberings: Mapping[str, Numbering], columns: DataSettings, end: int
) -> Interactions:
    """Return the events of an atomic file.

    Args:
        layout: The file; wanted are user, item and, if times are read, time.
        numberings: Of the columns of tokens, to be added to.
        columns: The settings.
        end: Bytes of the file that count.

    Raises:
        DataError: As ``read_atomic`` does.
    """
    path, wanted = layout.path, layout.wanted
    frame, tokens = read_numbered(layout, numberings, end)
    if frame.height == 0:
        raise DataError(f"{path} holds a header and no interactions; it needs a line for each")
    return from_frame(
        frame,
        user=wanted[0],
        item=wanted[1],
        time=wanted[2] if len(wanted) > 2 else None,
        values=layout.optional,
        tokens=tokens,
        where=str(path),
        settings=columns,
    )


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
