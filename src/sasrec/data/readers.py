"""Readers: one function a file format, each from a path to ``Interactions``."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NoReturn

import polars as pl

from sasrec.data.interactions import Interactions, from_frame
from sasrec.errors import DataError, did_you_mean
from sasrec.settings import DataSettings

ATOMIC_TYPES = ("token", "token_seq", "float", "float_seq")


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
        raise DataError(f"{path}: no such file")
    readers = {".inter": read_atomic, ".csv": read_csv, ".tsv": read_csv, ".parquet": read_parquet}
    reader = readers.get(path.suffix.lower())
    if reader is None:
        raise DataError(f"{path}: unknown kind of file {path.suffix!r}; use {', '.join(readers)}")
    return reader(path, columns)


def read_atomic(path: Path, columns: DataSettings) -> Interactions:
    """Read one of RecBole's atomic files, ``NAME.inter``, and the titles in ``NAME.item``.

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
    header = _atomic_header(path, columns.separator)
    wanted = [columns.user_column, columns.item_column]
    for name in wanted:
        if name not in header:
            raise DataError(
                f"{path}, line 1: no column {name!r}{did_you_mean(name, header)} "
                f"(it has: {', '.join(header)})"
            )
    time = columns.time_column if columns.time_column in header else None
    if time is not None:
        if header[time] != "float":
            raise DataError(
                f"{path}, line 1: {time!r} has type {header[time]!r}; write it as '{time}:float'"
            )
        wanted.append(time)
    layout = _Layout(path, columns.separator, list(header), tuple(wanted), time)
    frame = _atomic_frame(layout)
    if frame.height == 0:
        raise DataError(f"{path} holds a header and no interactions; it needs a line for each")
    events = from_frame(
        frame, user=columns.user_column, item=columns.item_column, time=time, where=str(path)
    )
    return Interactions(events.frame, read_titles(path.with_suffix(".item"), columns))


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
    header = _atomic_header(path, columns.separator)
    title = next((name for name in header if "title" in name or "name" in name), None)
    if title is None or columns.item_column not in header:
        return {}
    wanted = (columns.item_column, title)
    layout = _Layout(path, columns.separator, list(header), wanted, None)
    frame = _parse(layout, path)
    if frame is None:
        _refuse(replace(layout, wanted=()))  # a title may be empty
    named = frame.drop_nulls()
    return dict(zip(named[wanted[0]].to_list(), named[wanted[1]].to_list(), strict=True))


def read_csv(path: Path, columns: DataSettings) -> Interactions:
    """Read a comma (.csv) or tab (.tsv) separated file whose first line names the columns.

    Times may be numbers or ISO dates. Without the time column the order of the file counts.

    Args:
        path: The file.
        columns: Which columns hold what.

    Returns:
        Its events, in the order of the file.

    Raises:
        DataError: The file is broken or lacks a column.
    """
    tokens = {columns.user_column: pl.String, columns.item_column: pl.String}
    try:
        names = pl.read_csv(path, separator=_comma(path), n_rows=0).columns
        frame = pl.read_csv(
            path,
            separator=_comma(path),
            schema_overrides={name: kind for name, kind in tokens.items() if name in names},
            try_parse_dates=True,
        )
    except pl.exceptions.PolarsError as error:
        raise DataError(f"{path} cannot be read: {_first_line(error)}") from error
    return _from_table(frame, path, columns)


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
        frame = pl.read_parquet(path)
    except pl.exceptions.PolarsError as error:
        raise DataError(f"{path} cannot be read: {_first_line(error)}") from error
    return _from_table(frame, path, columns)


def _comma(path: Path) -> str:
    return "\t" if path.suffix.lower() == ".tsv" else ","


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


def _from_table(frame: pl.DataFrame, path: Path, columns: DataSettings) -> Interactions:
    time = columns.time_column if columns.time_column in frame.columns else None
    return from_frame(
        frame, user=columns.user_column, item=columns.item_column, time=time, where=str(path)
    )


@dataclass(frozen=True, slots=True)
class _Layout:
    """An atomic file and how to read it: all its columns, the ones wanted, the one with times."""

    path: Path
    separator: str
    names: list[str]
    wanted: tuple[str, ...]
    time: str | None


def _atomic_header(path: Path, separator: str) -> dict[str, str]:
    try:
        with path.open("rb") as file:
            first = file.readline().decode("utf-8-sig").rstrip("\r\n")
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise DataError(f"{path}, line 1: not UTF-8 text; save the file as UTF-8") from error
    if not first.strip():
        raise DataError(f"{path} is empty; its first line must name the columns")
    header: dict[str, str] = {}
    for field in first.split(separator):
        name, colon, kind = field.strip().partition(":")
        if not colon:
            raise DataError(
                f"{path}, line 1: column {field!r} has no type; write it as '{name}:token' or "
                f"'{name}:float', with {separator!r} between the columns"
            )
        if kind not in ATOMIC_TYPES:
            raise DataError(
                f"{path}, line 1: column {name!r} has unknown type {kind!r}"
                f"{did_you_mean(kind, ATOMIC_TYPES)} (types: {', '.join(ATOMIC_TYPES)})"
            )
        if name in header:
            raise DataError(f"{path}, line 1: column {name!r} stands there twice; rename one")
        header[name] = kind
    return header


def _parse(layout: _Layout, source: Path | bytes) -> pl.DataFrame | None:
    """Return the wanted columns and the last one as text, or None if some line does not fit."""
    kept = [name for name in layout.names if name in layout.wanted or name == layout.names[-1]]
    try:
        return pl.read_csv(
            source,
            separator=layout.separator,
            has_header=False,
            skip_lines=1,
            schema=dict.fromkeys(layout.names, pl.String),
            columns=[layout.names.index(name) for name in kept],
            quote_char=None,
        )
    except pl.exceptions.NoDataError:
        return pl.DataFrame(schema=dict.fromkeys(kept, pl.String))
    except pl.exceptions.PolarsError:
        return None


def _atomic_frame(layout: _Layout) -> pl.DataFrame:
    """Return the wanted columns, read fast; if anything looks odd, by walking the lines."""
    frame = _parse(layout, layout.path)
    if frame is not None and sum(frame.null_count().row(0)):
        frame = frame.filter(~pl.all_horizontal(pl.all().is_null()))  # blank lines
    # An empty value in an unused last column is fine; a missing one is not, and only the
    # text itself tells the two apart.
    if frame is None or sum(frame.null_count().row(0)):
        frame = _walked_frame(layout)
    if layout.time is not None:
        times = frame[layout.time].str.strip_chars().cast(pl.Float64, strict=False)
        if times.is_null().any() or not times.is_finite().all():
            _refuse(layout)
        frame = frame.with_columns(times.alias(layout.time))
    return frame.select(layout.wanted)


def _walked_frame(layout: _Layout) -> pl.DataFrame:
    """Return what is left without blank lines, unless a line is bad: then refuse the file."""
    if _find_bad_line(layout) is not None:
        _refuse(layout)
    with layout.path.open("rb") as file:
        text = file.readline() + b"".join(line for line in file if line.strip())
    frame = _parse(layout, text)
    if frame is None:
        _refuse(layout)
    return frame


def _refuse(layout: _Layout) -> NoReturn:
    bad = _find_bad_line(layout)
    if bad is None:
        raise DataError(f"{layout.path} cannot be read as {len(layout.names)} columns of text")
    number, problem = bad
    raise DataError(f"{layout.path}, line {number}: {problem}")


def _find_bad_line(layout: _Layout) -> tuple[int, str] | None:
    """Return the number of the first line that does not fit, and why; slow, so rarely done."""
    with layout.path.open("rb") as file:
        for number, raw in enumerate(file, start=1):
            if number == 1 or not raw.strip():
                continue
            problem = _line_problem(layout, raw)
            if problem is not None:
                return number, problem
    return None


def _line_problem(layout: _Layout, raw: bytes) -> str | None:
    try:
        values = raw.decode("utf-8").rstrip("\r\n").split(layout.separator)
    except UnicodeDecodeError:
        return "not UTF-8 text; save the file as UTF-8"
    names = layout.names
    if len(values) != len(names):
        columns = "column" if len(values) == 1 else "columns"
        return f"{len(values)} {columns} where the header names {len(names)} ({', '.join(names)})"
    for name in layout.wanted:
        value = values[names.index(name)]
        if not value:
            return f"{name!r} is empty; fill it or drop the line"
        if name == layout.time and not _is_number(value):
            return f"{name!r} is {value!r}; a time is a number"
    return None


def _is_number(text: str) -> bool:
    if not text.isascii() or "_" in text:  # Python reads 1_000 and digits of any script
        return False
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False
