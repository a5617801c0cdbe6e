"""Reads interaction files: chooses the reader by suffix, and reads RecBole's atomic files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path

from sasrec.data.filters import loaded_columns, needed_columns
from sasrec.data.formats.atomic import read_header, read_numbered
from sasrec.data.formats.changes import read_once
from sasrec.data.formats.layout import Layout
from sasrec.data.formats.plugin_readers import read_with_plugin
from sasrec.data.formats.user_item_files import read_listed, read_titles
from sasrec.data.interactions import Interactions, from_frame
from sasrec.data.values.cleaning import numbering_for
from sasrec.data.values.columns import time_column
from sasrec.data.values.numbering import Numbering
from sasrec.errors import DataError
from sasrec.settings.data import DataSettings
from sasrec.settings.plugins import suffix_of
from sasrec.settings.registry import READERS


def read_file(path: Path, columns: DataSettings) -> Interactions:
    """Read a file in the format of its suffix: .inter, .csv, .tsv, .parquet, or that of a plug-in.

    Args:
        path: The file.
        columns: Which columns hold what.

    Returns:
        Its events, in the order of the file.

    Raises:
        DataError: The file is missing, its suffix is unknown, or its content is invalid.
    """
    if not path.is_file():
        raise DataError(f"{path}: no such file, or not a regular file")
    name = suffix_of(path)
    if name not in READERS:
        known = ", ".join(f".{each}" for each in READERS)
        raise DataError(
            f"{path}: unknown file suffix {path.suffix!r}; use {known}, or load the plug-in that "
            "reads it with --plugin"
        )
    if name in READERS.built_in:
        events: Interactions = READERS[name](path, columns)
        return events
    return read_with_plugin(READERS[name], path, columns)


def read_atomic(
    path: Path, columns: DataSettings, numberings: Mapping[str, Numbering] | None = None
) -> Interactions:
    """Read an atomic file of RecBole, ``NAME.inter``, with ``NAME.item`` and ``NAME.user``.

    The first line gives names and types of the columns,
    ``user_id:token<TAB>item_id:token<TAB>...``. Without a time column, events are in the order of
    the file.

    Args:
        path: The .inter file.
        columns: Which columns hold what, and the separator.
        numberings: For the user and the item column, by name, a numbering that several files
            share; None for new ones.

    Returns:
        Its events, in the order of the file.

    Raises:
        DataError: The file is missing, empty, not UTF-8, lacks a column, has a header with missing
            or unknown types, or has a line with too few or too many values or a time that is not a
            number; the message gives the line.
    """
    layout = _layout_of(path, columns)
    if numberings is None:
        numberings = {name: numbering_for(columns) for name in layout.tokens}
    events = read_once(path, partial(_events, layout, numberings, columns))
    listed, rules = read_listed(path, columns)
    titles = read_titles(path.with_suffix(".item"), columns)
    return replace(
        events,
        titles=titles,
        listed=listed,
        already_filtered=tuple(rule.field for rule in rules),
        remarks=(*events.remarks, *(remark for rule in rules for remark in rule.remarks())),
    )


def _layout_of(path: Path, columns: DataSettings) -> Layout:
    """Return which columns of an atomic file to read, and how.

    Args:
        path: The .inter file.
        columns: Which columns hold what, and the separator.

    Raises:
        DataError: The header lacks a column, or gives the time column another type than float; or
            ``load_col`` or ``unload_col`` leaves out the user or item column.
    """
    header = read_header(path, columns.separator)
    loaded = loaded_columns(list(header), "inter", columns)
    required = [columns.user_column, columns.item_column]
    for name in required:
        if name in header and name not in loaded:
            raise DataError(
                f"{path}: load_col or unload_col excludes {name!r}, which is needed; include it"
            )
    time = time_column(loaded, columns, f"{path}, line 1")
    if time is not None:
        if header[time] != "float":
            raise DataError(
                f"{path}, line 1: {time!r} has type {header[time]!r}; write it as '{time}:float'"
            )
        required.append(time)
    values = tuple(name for name in needed_columns(columns) if name in loaded)
    numbers = [name for name in values if header[name] == "float"]
    return Layout(
        path,
        columns.separator,
        list(header),
        required=tuple(required),
        optional=values,
        numbers=(*numbers, *([] if time is None else [time])),
        tokens=tuple(required[:2]),
        allow_empty=columns.incomplete == "drop" or bool(columns.missing_values),
        missing=columns.missing_values,
    )


def _events(
    layout: Layout, numberings: Mapping[str, Numbering], columns: DataSettings, end: int
) -> Interactions:
    """Return the events of an atomic file.

    Args:
        layout: The file; its required columns are user, item and, if times are read, time.
        numberings: For each column of tokens, its numbering; new tokens are added.
        columns: The settings.
        end: Number of bytes of the file to read.

    Raises:
        DataError: As ``read_atomic``.
    """
    path, required = layout.path, layout.required
    frame, tokens = read_numbered(layout, numberings, end)
    if frame.height == 0:
        raise DataError(f"{path} has a header but no interactions; add one line per interaction")
    return from_frame(
        frame,
        user=required[0],
        item=required[1],
        time=required[2] if len(required) > 2 else None,
        values=layout.optional,
        tokens=tokens,
        where=str(path),
        settings=columns,
    )
