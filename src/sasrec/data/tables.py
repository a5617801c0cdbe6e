"""Tables: CSV, TSV and Parquet files, of which only the columns needed are read."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import polars as pl

from sasrec.data.filters import loaded_columns, needed_columns
from sasrec.data.interactions import Interactions, from_frame, require_columns, time_column
from sasrec.data.limits import check_columns, check_lines, check_rows, count_line_ends
from sasrec.data.moments import numbers_or_moments
from sasrec.data.numbering import Numbering
from sasrec.data.pieces import pieces
from sasrec.data.rows import Rows
from sasrec.errors import DataError
from sasrec.settings import DataSettings


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
    tokens = (columns.user_column, columns.item_column)
    frame, entries = _read_columns(path, separator, needed, tokens)
    return _from_table(frame, names, path, columns, entries)


def _read_columns(
    path: Path, separator: str, needed: list[str], tokens: tuple[str, ...]
) -> tuple[pl.DataFrame, dict[str, pl.Series]]:
    """Return some columns of a table: tokens as numbers, others as numbers, moments or text.

    Args:
        path: The file.
        separator: Between the columns.
        needed: The columns.
        tokens: Those of tokens.

    Returns:
        A row a line; and of each column of tokens, the text of number 1 and so on, String.

    Raises:
        DataError: As ``_texts`` does.
    """
    numberings = {name: Numbering() for name in tokens}
    values = [name for name in needed if name not in tokens]

    rows = Rows(count_line_ends(path), dict.fromkeys(tokens, np.int32))
    frames = []
    for frame in _texts(path, separator, needed, numberings):
        rows.append(frame.select(tokens).fill_null(0))
        frames.append(frame.select(numbers_or_moments(frame[name]) for name in values))
    entries = {name: numbering.entries for name, numbering in numberings.items()}
    if not frames:
        return pl.DataFrame(schema=needed), entries
    kinds = {name: _kinds(name, frames) for name in values}
    mixed = [name for name, found in kinds.items() if len(found) > 1]
    casts = [pl.col(name).cast(*found) for name, found in kinds.items() if len(found) == 1]
    frame = pl.concat(each.drop(mixed).with_columns(casts) for each in frames)
    frames.clear()
    if mixed:
        # What is a number or a date in some pieces of the file alone is text.
        texts = pl.concat(each.select(mixed) for each in _texts(path, separator, needed, {}))
        frame = pl.concat([frame, texts], how="horizontal")
    return pl.concat([rows.frame(), frame], how="horizontal"), entries


def _kinds(name: str, frames: list[pl.DataFrame]) -> set[pl.DataType]:
    """Return the types a column has in the pieces in which it has values."""
    return {each[name].dtype for each in frames if each[name].null_count() < each.height}


def _texts(
    path: Path, separator: str, needed: list[str], tokens: Mapping[str, Numbering]
) -> Iterator[pl.DataFrame]:
    """Yield some columns of a table piece by piece, without its blank lines.

    Args:
        path: The file.
        separator: Between the columns.
        needed: The columns.
        tokens: Those that become numbers of tokens; the others are text.

    Yields:
        A row a line.

    Raises:
        DataError: A line has too many values, or a quotation mark is not closed.
    """
    rows = 0
    with path.open("rb") as file:
        header = file.readline()
        while header.count(b'"') % 2 and (line := file.readline()):
            header += line
        for piece in pieces(file, str(path), quoted=True):
            try:
                frame = pl.read_csv(
                    header + piece, separator=separator, columns=needed, infer_schema=False
                )
            except pl.exceptions.PolarsError as error:
                after = f" after row {rows:,}" if rows else ""
                raise DataError(
                    f"{path} cannot be read as a table{after}: {_first_line(error)}"
                ) from error
            # Without blank lines; in one chunk, or columns would differ in theirs, and be copied.
            frame = frame.filter(~pl.all_horizontal(pl.all().is_null())).rechunk()
            for name in needed:
                odd = frame[name].str.contains(r"[\r\n]").fill_null(value=False)
                if odd.any():
                    raise DataError(
                        f"{path}, row {rows + int(odd.arg_max() or 0) + 1}: {name!r} runs over "
                        "several lines; a quotation mark is not closed"
                    )
            rows += frame.height
            yield frame.with_columns(each.add(frame[name]) for name, each in tokens.items())


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
        check_rows(path, pl.scan_parquet(path, glob=False).select(pl.len()).collect().item())
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
    check_lines(path)
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            names = next(csv.reader(file, delimiter=separator), [])
    except UnicodeDecodeError as error:
        raise DataError(f"{path} is not UTF-8 text; save the file as UTF-8") from error
    except (OSError, csv.Error) as error:
        raise DataError(f"{path} cannot be read as a table: {error}") from error
    if not names:
        raise DataError(f"{path} is empty; its first line must name the columns")
    check_columns(path, len(names))
    for name in names:
        if names.count(name) > 1:
            raise DataError(f"{path}, line 1: column {name!r} stands there twice; rename one")
    return names


def _needed(columns: DataSettings) -> list[str]:
    own = [columns.user_column, columns.item_column, columns.time_column]
    return own + needed_columns(columns)


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


def _from_table(
    frame: pl.DataFrame,
    names: list[str],
    path: Path,
    columns: DataSettings,
    tokens: Mapping[str, pl.Series] | None = None,
) -> Interactions:
    time = time_column(names, columns, str(path))
    return from_frame(
        frame,
        user=columns.user_column,
        item=columns.item_column,
        time=time,
        values=needed_columns(columns),
        tokens=tokens,
        where=str(path),
    )
