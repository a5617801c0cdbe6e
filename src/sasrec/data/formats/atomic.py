"""Atomic files, RecBole's format: text whose first line names and types the columns.

``user_id:token<TAB>item_id:token<TAB>timestamp:float``, then a line a row. Polars reads
them piece by piece; only when something looks odd are the lines walked, to name the one that is
wrong.
"""

from __future__ import annotations

from codecs import BOM_UTF8
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import polars as pl

from sasrec.data.formats.changes import seen
from sasrec.data.formats.layout import Layout, check_each_line, refuse
from sasrec.data.formats.limits import check_columns, check_lines, count_line_ends
from sasrec.data.formats.pieces import pieces
from sasrec.data.formats.rows import Rows
from sasrec.data.values.cleaning import without_missing
from sasrec.data.values.numbering import Numbering
from sasrec.errors import DataError, did_you_mean

ONE_BYTE = b"\x1f"
"""Stands for a separator of several characters; the sign that ASCII has for it."""
TYPES = ("token", "token_seq", "float", "float_seq")


def read_header(path: Path, separator: str) -> dict[str, str]:
    """Return the columns of an atomic file and their types, in order.

    Args:
        path: The file.
        separator: One character between the columns.

    Returns:
        Name to ``token``, ``token_seq``, ``float`` or ``float_seq``.

    Raises:
        DataError: The file cannot be read, is empty, its first line is no header, or a line is
            longer than any table's.
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
            raise DataError(f"{path}, line 1: column {name!r} stands there twice; rename one")
        header[name] = kind
    return header


def _first_line(path: Path) -> str:
    try:
        with path.open("rb") as file:
            first = file.readline().decode("utf-8-sig").rstrip("\r\n")
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise DataError(f"{path}, line 1: not UTF-8 text; save the file as UTF-8") from error
    if not first.strip():
        raise DataError(f"{path} is empty; its first line must name the columns")
    return first


def read_numbered(
    layout: Layout, numberings: Mapping[str, Numbering], end: int
) -> tuple[pl.DataFrame, dict[str, pl.Series]]:
    """Return the columns asked for: text as String or numbers of tokens, numbers as Float64.

    Args:
        layout: The file and its columns.
        numberings: Of the columns of tokens, to be added to.
        end: Bytes of the file that count.

    Returns:
        A row a line, blank lines left out, 0 for no token and NaN for no number among those that
        are wanted; and of each column of ``tokens``, the text of number 1 and so on, String.

    Raises:
        DataError: As ``read_pieces`` does.
    """
    whole = [name for name in layout.numbers if name in layout.wanted]
    kinds = dict.fromkeys(layout.tokens, np.int32) | dict.fromkeys(whole, np.float64)
    rows = Rows(count_line_ends(layout.path, end) + 1, kinds)
    for frame in read_pieces(layout, end):
        numbers = [each.add(frame[name]).fill_null(0) for name, each in numberings.items()]
        rows.append(frame.with_columns(*numbers, pl.col(whole).fill_null(float("nan"))))
    tokens = {name: numbering.entries for name, numbering in numberings.items()}
    return rows.frame().select([*layout.wanted, *layout.optional]), tokens


def read_pieces(layout: Layout, end: int | None = None) -> Iterator[pl.DataFrame]:
    """Yield the columns asked for, some lines at a time: text as String, numbers as Float64.

    Args:
        layout: The file and its columns.
        end: Its size when it was first looked at; None for its size now.

    Yields:
        A row a line, blank lines left out, in one chunk; at least one frame.

    Raises:
        DataError: A line has too few or too many values, is not UTF-8, or holds an empty value or
            one that is no finite number; the text names the line.
    """
    asked = [*layout.wanted, *layout.optional]
    is_walked = False
    yield _no_rows(layout, asked)
    end = seen(layout.path).st_size if end is None else end
    with layout.path.open("rb") as file:
        file.readline()
        for piece in pieces(file, quoted=False, end=end):
            frame, is_odd = _read_strictly(piece, layout)
            if (is_odd or frame is None) and not is_walked:
                check_each_line(layout, end)
                is_walked = True
            if frame is None:
                frame = _read_leniently(piece, layout)
            if frame is None or not _are_finite(frame, layout):
                refuse(layout, end)
            yield frame.select(asked).rechunk()  # or columns would differ in their chunks


def _no_rows(layout: Layout, asked: list[str]) -> pl.DataFrame:
    return pl.DataFrame(schema={n: pl.Float64 if n in layout.numbers else pl.String for n in asked})


def _read_strictly(piece: bytes, layout: Layout) -> tuple[pl.DataFrame | None, bool]:
    """Return the rows of a piece, and whether only the text itself tells if each line fits.

    What is left out must be blank lines. An empty value in a column that may have one is fine; a
    missing one is not, and a table does not tell the two apart.

    Args:
        piece: Whole lines.
        layout: The columns.

    Returns:
        None for the rows if some line does not fit.
    """
    frame = _read_piece(piece, layout, pl.Float64)
    if frame is None:
        return None, True
    filled, has_gaps = frame, False
    if _has_gaps(frame):
        filled = frame.filter(~pl.all_horizontal(pl.all().is_null()))
        has_gaps = _has_gaps(filled)
    if _values_differ(piece, filled, layout) or _has_gaps(filled.select(_filled(layout))):
        return None, True
    is_short = filled.height < frame.height
    return filled, has_gaps or (is_short and filled.height != len(_written_lines(piece)))


def _read_leniently(piece: bytes, layout: Layout) -> pl.DataFrame | None:
    """Return the rows of a piece in which lines and numbers may have spaces about them.

    Args:
        piece: Whole lines.
        layout: The columns.

    Returns:
        The rows, or None if some line does not fit.
    """
    frame = _read_piece(b"\n".join(_written_lines(piece)), layout, pl.String)
    if frame is None or _has_gaps(frame.select(_filled(layout))):
        return None
    frame = frame.with_columns(without_missing(frame[n], layout.missing) for n in layout.numbers)
    texts = [pl.col(name).str.strip_chars() for name in layout.numbers]
    numbers = frame.with_columns(text.cast(pl.Float64, strict=False) for text in texts)
    is_text = [numbers[n].is_null() & frame[n].is_not_null() for n in layout.numbers]
    return None if any(each.any() for each in is_text) else numbers


def _read_piece(piece: bytes, layout: Layout, numbers: type[pl.DataType]) -> pl.DataFrame | None:
    """Return the columns asked for and the last one, or None if some line does not fit.

    Args:
        piece: Whole lines.
        layout: The columns.
        numbers: What to read numbers as. As text they take more memory, but may have spaces about
            them.
    """
    names, separator = layout.names, layout.separator
    if len(separator) > 1:  # Polars takes one byte
        if ONE_BYTE in piece:
            return None
        piece, separator = piece.replace(separator.encode(), ONE_BYTE), ONE_BYTE.decode()
    asked = {*layout.wanted, *layout.optional, names[-1]}
    if piece.startswith(BOM_UTF8):
        piece = BOM_UTF8 + piece  # Polars takes one away, and only a file begins with one
    try:
        return pl.read_csv(
            piece,
            separator=separator,
            has_header=False,
            schema={n: numbers if n in layout.numbers else pl.String for n in names},
            columns=[place for place, name in enumerate(names) if name in asked],
            quote_char=None,
        )
    except pl.exceptions.PolarsError:
        return None


def _written_lines(piece: bytes) -> list[bytes]:
    return [line for line in piece.split(b"\n") if line.strip()]


def _has_gaps(frame: pl.DataFrame) -> bool:
    return bool(sum(frame.null_count().row(0)))


def _filled(layout: Layout) -> tuple[str, ...]:
    """Return the columns in which no value may be empty."""
    return () if layout.may_lack else layout.wanted


def _are_finite(frame: pl.DataFrame, layout: Layout) -> bool:
    for name in layout.numbers:
        numbers = frame[name].drop_nulls()
        if layout.may_lack and name in layout.wanted:  # where NaN means that there is none
            numbers = numbers.drop_nans()
        if not numbers.is_finite().all():
            return False
    return True


def _values_differ(piece: bytes, frame: pl.DataFrame, layout: Layout) -> bool:
    """Return whether some line has more or fewer values than the header.

    Of columns that were not asked for, Polars does not tell; lines with too few end in a null.

    Args:
        piece: The lines.
        frame: What was read of them, without blank lines.
        layout: The header.
    """
    expected = (len(layout.names) - 1) * frame.height
    return piece.count(layout.separator.encode()) != expected
