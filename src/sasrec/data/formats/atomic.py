"""Atomic files, RecBole's text format, whose first line gives names and types of the columns.

The first line is such as ``user_id:token<TAB>item_id:token<TAB>timestamp:float``; then follows one
line per row. Polars reads the file piece by piece. Only if something looks wrong are the lines
checked one by one, so that the error message can give the line number.
"""

from __future__ import annotations

from codecs import BOM_UTF8
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import polars as pl

from sasrec.data.formats.changes import file_status
from sasrec.data.formats.layout import Layout, check_each_line, raise_for_first_bad_line
from sasrec.data.formats.limits import check_columns, check_lines, count_line_ends
from sasrec.data.formats.pieces import pieces
from sasrec.data.formats.rows import Rows
from sasrec.data.values.cleaning import without_missing
from sasrec.data.values.numbering import Numbering
from sasrec.errors import DataError, did_you_mean

ONE_BYTE = b"\x1f"
"""Replaces a separator of several characters: ASCII's unit separator."""
TYPES = ("token", "token_seq", "float", "float_seq")


def read_header(path: Path, separator: str) -> dict[str, str]:
    """Return the columns of an atomic file and their types, in order.

    Args:
        path: The file.
        separator: Separator between the columns.

    Returns:
        Name to ``token``, ``token_seq``, ``float`` or ``float_seq``.

    Raises:
        DataError: The file cannot be read, is empty, its first line is not a header, or a line is
            too long for a table.
    """
    check_lines(path)
    fields = _first_line(path).split(separator)
    check_columns(path, len(fields))
    header: dict[str, str] = {}
    for field in fields:
        name, colon, kind = field.strip().partition(":")
        if not colon:
            raise DataError(
                f"{path}, line 1: column {field!r} has no type; write it as '{name}:token' or "
                f"'{name}:float', with {separator!r} between the columns"
            )
        if kind not in TYPES:
            raise DataError(
                f"{path}, line 1: column {name!r} has unknown type {kind!r}"
                f"{did_you_mean(kind, TYPES)} (types: {', '.join(TYPES)})"
            )
        if name in header:
            raise DataError(f"{path}, line 1: two columns are named {name!r}; rename one")
        header[name] = kind
    return header


def _first_line(path: Path) -> str:
    try:
        with path.open("rb") as file:
            first = file.readline().decode("utf-8-sig").rstrip("\r\n")
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise DataError(
            f"{path}, line 1: this is not UTF-8 text; save the file as UTF-8"
        ) from error
    if not first.strip():
        raise DataError(f"{path} is empty; its first line must name the columns")
    return first


def read_numbered(
    layout: Layout, numberings: Mapping[str, Numbering], end: int
) -> tuple[pl.DataFrame, dict[str, pl.Series]]:
    """Return the columns of the layout: tokens as numbers, other text as String, floats as Float64.

    Args:
        layout: The file and its columns.
        numberings: For each column of tokens, its numbering; new tokens are added.
        end: Number of bytes of the file to read.

    Returns:
        One row per line, without blank lines; in required columns, 0 for a missing token and NaN
        for a missing number. And for each column of ``tokens``, its tokens from number 1 on,
        String.

    Raises:
        DataError: As ``read_pieces``.
    """
    whole = [name for name in layout.numbers if name in layout.required]
    dtypes = dict.fromkeys(layout.tokens, np.int32) | dict.fromkeys(whole, np.float64)
    rows = Rows(count_line_ends(layout.path, end) + 1, dtypes)
    for frame in read_pieces(layout, end):
        numbers = [each.add(frame[name]).fill_null(0) for name, each in numberings.items()]
        rows.append(frame.with_columns(*numbers, pl.col(whole).fill_null(float("nan"))))
    tokens = {name: numbering.entries for name, numbering in numberings.items()}
    return rows.frame().select([*layout.required, *layout.optional]), tokens


def read_pieces(layout: Layout, end: int | None = None) -> Iterator[pl.DataFrame]:
    """Yield the columns of the layout piece by piece: text as String, numbers as Float64.

    Args:
        layout: The file and its columns.
        end: Number of bytes of the file to read; None for all.

    Yields:
        One row per line, without blank lines, in one chunk; at least one frame.

    Raises:
        DataError: A line has too few or too many values, is not UTF-8, lacks a required value, or
            has a value that should be a finite number and is not; the message gives the line.
    """
    columns = [*layout.required, *layout.optional]
    is_checked = False
    yield _no_rows(layout, columns)
    end = file_status(layout.path).st_size if end is None else end
    with layout.path.open("rb") as file:
        file.readline()
        for piece in pieces(file, quoted=False, end=end):
            frame, is_unsure = _read_strictly(piece, layout)
            if (is_unsure or frame is None) and not is_checked:
                check_each_line(layout, end)
                is_checked = True
            if frame is None:
                frame = _read_leniently(piece, layout)
            if frame is None or not _are_finite(frame, layout):
                raise_for_first_bad_line(layout, end)
            yield frame.select(columns).rechunk()  # otherwise columns differ in their chunks


def _no_rows(layout: Layout, columns: list[str]) -> pl.DataFrame:
    numbers = layout.numbers
    return pl.DataFrame(schema={n: pl.Float64 if n in numbers else pl.String for n in columns})


def _read_strictly(piece: bytes, layout: Layout) -> tuple[pl.DataFrame | None, bool]:
    """Return the rows of a piece, and whether the lines must still be checked one by one.

    Only blank lines may be dropped. An empty value is fine in a column that may have one; a line
    that lacks a value is not. Both are null in the table, so the lines themselves must be checked.

    Args:
        piece: Whole lines.
        layout: The columns.

    Returns:
        The rows, None if some line is invalid; and whether to check the lines.
    """
    frame = _read_piece(piece, layout, pl.Float64)
    if frame is None:
        return None, True
    filled, has_gaps = frame, False
    if _has_gaps(frame):
        filled = frame.filter(~pl.all_horizontal(pl.all().is_null()))
        has_gaps = _has_gaps(filled)
    if _counts_differ(piece, filled, layout) or _has_gaps(filled.select(_never_empty(layout))):
        return None, True
    is_short = filled.height < frame.height
    return filled, has_gaps or (is_short and filled.height != len(_nonblank_lines(piece)))


def _read_leniently(piece: bytes, layout: Layout) -> pl.DataFrame | None:
    """Return the rows of a piece in which lines and numbers may have spaces around them.

    Args:
        piece: Whole lines.
        layout: The columns.

    Returns:
        The rows, or None if some line is invalid.
    """
    frame = _read_piece(b"\n".join(_nonblank_lines(piece)), layout, pl.String)
    if frame is None or _has_gaps(frame.select(_never_empty(layout))):
        return None
    frame = frame.with_columns(without_missing(frame[n], layout.missing) for n in layout.numbers)
    texts = [pl.col(name).str.strip_chars() for name in layout.numbers]
    numbers = frame.with_columns(text.cast(pl.Float64, strict=False) for text in texts)
    is_text = [numbers[n].is_null() & frame[n].is_not_null() for n in layout.numbers]
    return None if any(each.any() for each in is_text) else numbers


def _read_piece(piece: bytes, layout: Layout, numbers: type[pl.DataType]) -> pl.DataFrame | None:
    """Return the columns of the layout and the last column, or None if Polars rejects a line.

    Args:
        piece: Whole lines.
        layout: The columns.
        numbers: Type to read numbers as. Text takes more memory, but allows spaces around them.
    """
    names, separator = layout.names, layout.separator
    if len(separator) > 1:  # Polars needs a separator of one byte
        if ONE_BYTE in piece:
            return None
        piece, separator = piece.replace(separator.encode(), ONE_BYTE), ONE_BYTE.decode()
    columns = {*layout.required, *layout.optional, names[-1]}
    if piece.startswith(BOM_UTF8):
        piece = BOM_UTF8 + piece  # Polars removes one, but here it belongs to a value
    try:
        return pl.read_csv(
            piece,
            separator=separator,
            has_header=False,
            schema={n: numbers if n in layout.numbers else pl.String for n in names},
            columns=[index for index, name in enumerate(names) if name in columns],
            quote_char=None,
        )
    except pl.exceptions.PolarsError:
        return None


def _nonblank_lines(piece: bytes) -> list[bytes]:
    return [line for line in piece.split(b"\n") if line.strip()]


def _has_gaps(frame: pl.DataFrame) -> bool:
    return bool(sum(frame.null_count().row(0)))


def _never_empty(layout: Layout) -> tuple[str, ...]:
    """Return the columns in which no value may be empty."""
    return () if layout.allow_empty else layout.required


def _are_finite(frame: pl.DataFrame, layout: Layout) -> bool:
    for name in layout.numbers:
        numbers = frame[name].drop_nulls()
        if layout.allow_empty and name in layout.required:  # NaN is a missing value there
            numbers = numbers.drop_nans()
        if not numbers.is_finite().all():
            return False
    return True


def _counts_differ(piece: bytes, frame: pl.DataFrame, layout: Layout) -> bool:
    """Return whether the lines have more or fewer values in all than the header says.

    Polars does not report this if it is in columns that are not read.

    Args:
        piece: The lines.
        frame: Rows read from them, without blank lines.
        layout: The header.
    """
    expected = (len(layout.names) - 1) * frame.height
    return piece.count(layout.separator.encode()) != expected
