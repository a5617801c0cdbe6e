"""Reads interaction files: chooses the reader by suffix, and reads RecBole's atomic files."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from sasrec.data.filters import loaded_columns, needed_columns
from sasrec.data.formats.atomic import read_header, read_numbered
from sasrec.data.formats.changes import check_unchanged, file_status, read_once
from sasrec.data.formats.copies import Copies, readable
from sasrec.data.formats.csv_files import open_csv
from sasrec.data.formats.joined import read_tables, unused_columns
from sasrec.data.formats.json_lines import open_json_lines
from sasrec.data.formats.layout import Layout
from sasrec.data.formats.parquet import open_parquet
from sasrec.data.formats.part_files import PartFile
from sasrec.data.formats.partition_columns import with_constants
from sasrec.data.formats.plugin_readers import read_with_plugin
from sasrec.data.formats.tables import Table
from sasrec.data.formats.user_item_files import read_listed, read_titles
from sasrec.data.interactions import Interactions, from_frame
from sasrec.data.values.cleaning import numbering_for
from sasrec.data.values.columns import time_column
from sasrec.data.values.numbering import Numbering
from sasrec.errors import DataError
from sasrec.remarks import Remark
from sasrec.settings.data import DataSettings
from sasrec.settings.plugins import suffix_of
from sasrec.settings.registry import READERS

TABLES: dict[str, Callable[[Path, DataSettings, int], Table]] = {
    **dict.fromkeys(("csv", "tsv", "txt", "dat", "data"), open_csv),
    **dict.fromkeys(("jsonl", "ndjson", "json"), open_json_lines),
    "parquet": open_parquet,
}
"""Suffix to the function that opens a table; several such files can be read as one."""


def read_file(path: Path, columns: DataSettings) -> Interactions:
    """Read a file in the format of its suffix, which may be followed by .gz or .zst.

    Args:
        path: The file.
        columns: Which columns hold what.

    Returns:
        Its events, in the order of the file.

    Raises:
        DataError: The file is missing, its suffix is unknown, or its content is invalid.
    """
    with Copies() as copies:
        return read_files([PartFile(path)], columns, str(path), copies)


def read_files(
    parts: Sequence[PartFile], columns: DataSettings, where: str, copies: Copies
) -> Interactions:
    """Read one or more files as one table.

    Args:
        parts: The files, in order.
        columns: Which columns hold what.
        where: Name of the whole source, for error messages.
        copies: Where temporary copies are kept.

    Returns:
        The events, in the order of the files.

    Raises:
        DataError: A file is missing or invalid, its suffix is unknown, or it cannot be joined with
            the others.
    """
    for part in parts:
        if not part.path.is_file():
            raise DataError(f"{part.path}: no such file, or not a regular file")
        check_suffix(part.path, str(part.path))
    with copies.named():
        if len(parts) == 1 and not parts[0].constants:
            return _read_one(parts[0].path, columns, where, copies)
        return _read_several(parts, columns, where, copies)


def check_suffix(path: Path, where: str) -> None:
    """Raise an error if there is no reader for a file.

    Args:
        path: The file, which need not exist.
        where: What messages call it.

    Raises:
        DataError: There is none.
    """
    suffix = suffix_of(path)
    if suffix not in READERS and suffix not in TABLES:
        known = ", ".join(f".{each}" for each in dict.fromkeys((*READERS, *TABLES)))
        raise DataError(
            f"{where}: unknown file suffix {path.suffix!r}; use {known}, or load the plug-in that "
            "reads it with --plugin"
        )


def has_types(path: Path) -> bool:
    """Return whether the columns of a file have types, so that text is never meant as a number.

    Args:
        path: The file.
    """
    suffix = suffix_of(path)
    is_built_in = suffix in READERS.built_in or suffix not in READERS
    return suffix == "parquet" or not is_built_in


def _read_one(path: Path, columns: DataSettings, where: str, copies: Copies) -> Interactions:
    suffix = suffix_of(path)
    if suffix in READERS and suffix not in READERS.built_in:
        return read_with_plugin(READERS[suffix], path, columns)
    plain = readable(path, columns.encoding, copies)
    if suffix == "inter":
        events = read_atomic(plain, columns, beside=path)
        if columns.columns is not None:
            events = replace(events, remarks=(*events.remarks, unused_columns(columns, 1)))
        return events
    if suffix == "parquet":
        return read_tables([open_parquet(plain, columns)], columns, where)

    def read(end: int) -> Interactions:
        return read_tables([TABLES[suffix](plain, columns, end)], columns, where)

    return read_once(plain, read)


def _read_several(
    parts: Sequence[PartFile], columns: DataSettings, where: str, copies: Copies
) -> Interactions:
    """Read several files as one table.

    Args:
        parts: The files.
        columns: Which columns hold what.
        where: Name of the whole source.
        copies: Where temporary copies are kept.

    Returns:
        The events, in the order of the files.

    Raises:
        DataError: They cannot be joined, or a file changed while it was read.
    """
    openers = [TABLES.get(suffix_of(part.path)) for part in parts]
    for part, opener in zip(parts, openers, strict=True):
        if opener is None or opener is not openers[0]:
            first = parts[0].path if part is not parts[0] else parts[1].path
            raise DataError(
                f"{where}: {first} and {part.path} have different formats, or one of which files "
                "cannot be joined; name the files to read with a pattern such as 'folder/*.csv'"
            )
    filled = [part for part in parts if file_status(part.path).st_size] or parts[:1]
    tables = []
    for part in filled:
        path = readable(part.path, columns.encoding, copies)
        before = file_status(path)
        table = TABLES[suffix_of(part.path)](path, columns, before.st_size)
        original = copies.originals.get(path, str(path))
        table = replace(table, where=original, finish=partial(check_unchanged, path, before))
        tables.append(with_constants(table, part.constants))
    empty = len(parts) - len(filled)
    verbs = ("is", "was") if empty == 1 else ("are", "were")
    text = f"{empty:,} of {len(parts):,} files {verbs[0]} empty and {verbs[1]} left out"
    remarks = (Remark("empty_files", empty, text),) if empty else ()
    return read_tables(tables, columns, where, remarks)


def read_atomic(
    path: Path,
    columns: DataSettings,
    numberings: Mapping[str, Numbering] | None = None,
    *,
    beside: Path | None = None,
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
        beside: The file beside which the other two are; None for ``path``.

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
    stem = (beside or path).parent / path.name
    listed, rules = read_listed(stem, columns)
    titles = read_titles(stem.with_suffix(".item"), columns)
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
        DataError: The header lacks a column, or says that the time column holds lists; or
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
        if header[time] not in ("float", "token"):
            raise DataError(
                f"{path}, line 1: {time!r} has type {header[time]!r}; write it as '{time}:float', "
                f"or as '{time}:token' if times are dates"
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
        numbers=(*numbers, *([time] if time is not None and header[time] == "float" else [])),
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
    events = from_frame(
        frame,
        user=required[0],
        item=required[1],
        time=required[2] if len(required) > 2 else None,
        values=layout.optional,
        tokens=tokens,
        where=str(path),
        settings=columns,
    )
    return replace(events, columns=tuple(layout.names))
