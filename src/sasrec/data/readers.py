"""Readers: one function a file format, each from a path to ``Interactions``."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

import polars as pl

from sasrec.data.atomic import Layout, read_columns, read_header
from sasrec.data.filters import needed_columns, value_rule
from sasrec.data.interactions import Interactions, from_frame, require_columns, time_column
from sasrec.errors import DataError
from sasrec.settings import DataSettings


def read_file(path: Path, columns: DataSettings) -> Interactions:
    """Read a file in the format its name says: .inter, .csv, .tsv or .parquet.

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
    readers = {".inter": read_atomic, ".csv": read_csv, ".tsv": read_csv, ".parquet": read_parquet}
    reader = readers.get(path.suffix.lower())
    if reader is None:
        raise DataError(f"{path}: unknown kind of file {path.suffix!r}; use {', '.join(readers)}")
    return reader(path, columns)


def read_atomic(path: Path, columns: DataSettings) -> Interactions:
    """Read one of RecBole's atomic files, ``NAME.inter``, and ``NAME.item`` and ``NAME.user``.

    The first line names and types the columns, ``user_id:token<TAB>item_id:token<TAB>...``.
    A file without the time column is taken to be in order.

    Args:
        path: The .inter file.
        columns: Which columns hold what, and the separator.

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
    )
    frame = read_columns(layout)
    if frame.height == 0:
        raise DataError(f"{path} holds a header and no interactions; it needs a line for each")
    events = from_frame(
        frame, user=wanted[0], item=wanted[1], time=time, values=values, where=str(path)
    )
    listed, elsewhere = read_listed(path, columns)
    titles = read_titles(path.with_suffix(".item"), columns)
    return replace(events, titles=titles, listed=listed, elsewhere=elsewhere)


def loaded_columns(names: list[str], source: str, columns: DataSettings) -> list[str]:
    """Return the columns of a file that ``load_col`` and ``unload_col`` let through.

    Args:
        names: Columns of the file.
        source: ``inter``, ``user`` or ``item``.
        columns: The two settings.

    Returns:
        Some of the names, in their order.
    """
    load, unload = columns.load_columns, columns.unload_columns
    chosen = None if load is None else load.get(source, ())
    if chosen is not None and chosen != "*":
        return [name for name in names if name in chosen]
    return [name for name in names if name not in (unload or {}).get(source, ())]


def read_listed(path: Path, columns: DataSettings) -> tuple[dict[str, pl.Series], tuple[str, ...]]:
    """Return the users and items that the files beside an .inter file list.

    As in RecBole, only files that ``load_col`` asks for count, and filters on their columns
    shorten the lists.

    Args:
        path: The .inter file.
        columns: ``load_col``, filters, column names, separator.

    Returns:
        ``user`` and ``item`` to tokens, as far as they are listed; and the columns filtered by.

    Raises:
        DataError: A file is broken.
    """
    listed: dict[str, pl.Series] = {}
    filtered: list[str] = []
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
        frame = read_columns(Layout(file, columns.separator, list(header), (key,), values, numbers))
        for field in values:
            wanted = columns.value_intervals[field]
            frame = frame.filter(value_rule(frame, field, wanted, f"val_interval of {field!r}"))
        listed[name] = frame[key]
        filtered += values
    return listed, tuple(filtered)


def read_titles(path: Path, columns: DataSettings) -> dict[str, str]:
    """Return item token to title from an atomic .item file; empty without such a file or column.

    The title is the first column whose name contains ``title`` or ``name``.

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
    title = next((name for name in header if "title" in name or "name" in name), None)
    if title is None or columns.item_column not in header:
        return {}
    wanted = (columns.item_column, title)
    frame = read_columns(Layout(path, columns.separator, list(header), (), optional=wanted))
    named = frame.drop_nulls()
    return dict(zip(named[wanted[0]].to_list(), named[wanted[1]].to_list(), strict=True))


def read_csv(path: Path, columns: DataSettings) -> Interactions:
    """Read a comma (.csv) or tab (.tsv) separated file whose first line names the columns.

    Only the columns needed are read, and as text, so that nothing is guessed from the first rows.
    Times may be numbers or ISO dates. Without the time column the order of the file counts.

    Args:
        path: The file.
        columns: Which columns hold what.

    Returns:
        Its events, in the order of the file.

    Raises:
        DataError: The file is broken or lacks a column.
    """
    separator = _separator_of(path)
    names = loaded_columns(_csv_header(path, separator), "inter", columns)
    require_columns(names, (columns.user_column, columns.item_column), str(path))
    needed = [name for name in _needed(columns) if name in names]
    try:
        frame = pl.read_csv(
            path, separator=separator, columns=needed or None, infer_schema=False, glob=False
        )
    except pl.exceptions.PolarsError as error:
        raise DataError(f"{path} cannot be read as a table: {_first_line(error)}") from error
    frame = frame.filter(~pl.all_horizontal(pl.all().is_null()))  # blank lines
    for name in needed:
        odd = frame[name].str.contains(r"[\r\n]").fill_null(value=False)
        if odd.any():
            raise DataError(
                f"{path}, row {int(odd.arg_max() or 0) + 1}: {name!r} runs over several lines; "
                "a quotation mark is not closed"
            )
        if name not in (columns.user_column, columns.item_column):
            frame = frame.with_columns(_numbers_or_text(frame[name]))
    return _from_table(frame, names, path, columns)


def read_parquet(path: Path, columns: DataSettings) -> Interactions:
    """Read a Parquet file.

    Args:
        path: The file.
        columns: Which columns hold what.

    Returns:
        Its events, in the order of the file.

    Raises:
        DataError: The file is broken or lacks a column.
    """
    try:
        names = loaded_columns(list(pl.read_parquet_schema(path)), "inter", columns)
        require_columns(names, (columns.user_column, columns.item_column), str(path))
        needed = [name for name in _needed(columns) if name in names]
        frame = pl.read_parquet(path, columns=needed, glob=False)
    except pl.exceptions.PolarsError as error:
        raise DataError(f"{path} cannot be read as Parquet: {_first_line(error)}") from error
    return _from_table(frame, names, path, columns)


def _separator_of(path: Path) -> str:
    """Return a tab for .tsv; for .csv a comma, or what stands in the first line instead of it."""
    if path.suffix.lower() == ".tsv":
        return "\t"
    with path.open("rb") as file:
        first = file.readline()
    return next((mark for mark in (",", ";", "\t", "|") if mark.encode() in first), ",")


def _csv_header(path: Path, separator: str) -> list[str]:
    """Return the names in the first line; none of them may stand there twice.

    Args:
        path: The file.
        separator: Between the columns.

    Returns:
        The names.

    Raises:
        DataError: There is no such line.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            names = next(csv.reader(file, delimiter=separator), [])
    except UnicodeDecodeError as error:
        raise DataError(f"{path} is not UTF-8 text; save the file as UTF-8") from error
    except (OSError, csv.Error) as error:
        raise DataError(f"{path} cannot be read as a table: {error}") from error
    if not names:
        raise DataError(f"{path} is empty; its first line must name the columns")
    for name in names:
        if names.count(name) > 1:
            raise DataError(f"{path}, line 1: column {name!r} stands there twice; rename one")
    return names


def _needed(columns: DataSettings) -> list[str]:
    own = [columns.user_column, columns.item_column, columns.time_column]
    return own + needed_columns(columns)


def _numbers_or_text(texts: pl.Series) -> pl.Series:
    """Return a column of text as numbers or as moments, if all of it can be read so."""
    numbers = texts.str.strip_chars().cast(pl.Float64, strict=False)
    if numbers.null_count() == texts.null_count():
        return numbers
    moments = _moments(texts)
    return moments if moments.null_count() == texts.null_count() else texts


def _moments(texts: pl.Series) -> pl.Series:
    """Return ISO dates with or without time and zone as moments in UTC; null for other texts."""
    plain = texts.str.strip_chars().str.replace("T", " ", literal=True)
    zoned = plain.str.replace(r"Z$", "+0000").str.replace(r"([+-]\d\d):(\d\d)$", "${1}${2}")
    read = [
        zoned.str.to_datetime("%Y-%m-%d %H:%M:%S%.f%z", time_unit="us", strict=False, exact=True)
        .dt.convert_time_zone("UTC")
        .dt.replace_time_zone(None),
        *(
            plain.str.to_datetime(form, time_unit="us", strict=False, exact=True)
            for form in ("%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%d %H:%M")
        ),
        plain.str.to_date("%Y-%m-%d", strict=False, exact=True).cast(pl.Datetime("us")),
    ]
    return pl.select(pl.coalesce(read)).to_series().alias(texts.name)


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


def _from_table(
    frame: pl.DataFrame, names: list[str], path: Path, columns: DataSettings
) -> Interactions:
    time = time_column(names, columns, str(path))
    return from_frame(
        frame,
        user=columns.user_column,
        item=columns.item_column,
        time=time,
        values=needed_columns(columns),
        where=str(path),
    )
