"""Readers: one function a file format, each from a path to ``Interactions``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path

from sasrec.data.filters import loaded_columns, needed_columns
from sasrec.data.formats.atomic import read_header, read_numbered
from sasrec.data.formats.changes import read_once
from sasrec.data.formats.from_outside import read_from_outside
from sasrec.data.formats.layout import Layout
from sasrec.data.formats.user_item_files import read_listed, read_titles
from sasrec.data.interactions import Interactions, from_frame, require_columns
from sasrec.data.values.cleaning import numbering_for
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
        elsewhere=tuple(rule.field for rule in rules),
        remarks=(*events.remarks, *(remark for rule in rules for remark in rule.remarks())),
    )


def _layout_of(path: Path, columns: DataSettings) -> Layout:
    """Return which columns of an atomic file are read, and how.

    Args:
        path: The .inter file.
        columns: Which columns hold what, and the separator.

    Raises:
        DataError: The header lacks a column, or gives the time column another type than float; or
            ``load_col`` or ``unload_col`` leaves out the user or item column.
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
    return Layout(
        path,
        columns.separator,
        list(header),
        required=tuple(wanted),
        optional=values,
        numbers=(*numbers, *([] if time is None else [time])),
        tokens=tuple(wanted[:2]),
        may_lack=columns.incomplete == "drop" or bool(columns.missing_values),
        missing=columns.missing_values,
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
    path, wanted = layout.path, layout.required
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
