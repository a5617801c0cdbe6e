"""Atomic files, RecBole's format: text whose first line names and types the columns.

``user_id:token<TAB>item_id:token<TAB>timestamp:float``, then a line a row. Polars reads
them piece by piece; only when something looks odd are the lines walked, to name the one that is
wrong.
"""

from __future__ import annotations

from codecs import BOM_UTF8
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from sasrec.data.layout import Layout, check_each_line, refuse
from sasrec.data.limits import check_columns, check_lines, count_line_ends
from sasrec.data.numbering import Numbering
from sasrec.data.pieces import pieces
from sasrec.data.rows import Rows
from sasrec.errors import DataError, did_you_mean

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


def read_columns(layout: Layout) -> pl.DataFrame:
    """Return the columns asked for: text as String, numbers as Float64.

    Args:
        layout: The file and its columns, none of them ``tokens``.

    Returns:
        A row a line, blank lines left out.

    Raises:
        DataError: As ``read_numbered`` does.
    """
    frame, _ = read_numbered(layout)
    return frame


def read_numbered(
    layout: Layout, numberings: Mapping[str, Numbering] | None = None
) -> tuple[pl.DataFrame, dict[str, pl.Series]]:
    """Return the columns asked for: text as String or numbers of tokens, numbers as Float64.

    Args:
        layout: The file and its columns.
        numberings: Of the columns of tokens, to be added to; None for new ones.

    Returns:
        A row a line, blank lines left out; and of each column of ``tokens``, the text of number 1
        and so on, String.

    Raises:
        DataError: A line has too few or too many values, is not UTF-8, or holds an empty value or
            one that is no finite number; the text names the line.
    """
    if numberings is None:
        numberings = {name: Numbering() for name in layout.tokens}
    parsed = _parse(layout, pl.Float64, numberings)
    if parsed is None:
        check_each_line(layout)
        # What was numbered so far has its numbers already.
        parsed = _parse(layout, pl.String, numberings, tidied=True)
        if parsed is None:
            refuse(layout)
    # What was left out must be blank lines. An empty value in a column that may have one is
    # fine; a missing one is not, and only the text itself tells the two apart.
    elif parsed.has_gaps or (
        parsed.blank and parsed.frame.height != _written_lines(layout.path) - 1
    ):
        check_each_line(layout)
    frame = parsed.frame
    for name in layout.numbers:
        numbers = frame[name]
        if numbers.dtype == pl.String:
            numbers = numbers.str.strip_chars().cast(pl.Float64, strict=False)
        is_bad = ~numbers.is_finite() | (numbers.is_null() & frame[name].is_not_null())
        if is_bad.fill_null(name in layout.wanted).any():
            refuse(layout)
        frame = frame.with_columns(numbers.alias(name))
    tokens = {name: numbering.entries for name, numbering in numberings.items()}
    return frame.select([*layout.wanted, *layout.optional]), tokens


def _written_lines(path: Path) -> int:
    with path.open("rb") as file:
        return sum(1 for line in file if line.strip())


def _has_gaps(frame: pl.DataFrame) -> bool:
    return bool(sum(frame.null_count().row(0)))


@dataclass(frozen=True, slots=True)
class _Parsed:
    """What was read of a file.

    Attributes:
        frame: The columns asked for: numbers, numbers of tokens, text; an empty value is null.
        blank: How many lines were left out, in which every value was empty.
        has_gaps: Whether a value is empty, of those asked for and of the last column.
    """

    frame: pl.DataFrame
    blank: int
    has_gaps: bool


def _parse(
    layout: Layout,
    numbers: type[pl.DataType],
    numberings: Mapping[str, Numbering],
    *,
    tidied: bool = False,
) -> _Parsed | None:
    """Return what is asked for, or None if some line does not fit.

    Args:
        layout: The file and its columns.
        numbers: What to read numbers as. As text they take more memory, but may have spaces about
            them.
        numberings: Of the columns of tokens; they are added to.
        tidied: Leave out lines of nothing but spaces first.
    """
    asked = [*layout.wanted, *layout.optional]
    whole = [name for name in layout.numbers if name in layout.wanted and numbers == pl.Float64]
    kinds = dict.fromkeys(layout.tokens, np.int32) | dict.fromkeys(whole, np.float64)
    rows = Rows(count_line_ends(layout.path), kinds)
    rows.append(_no_rows(layout, numbers))
    blank, has_gaps = 0, False
    with layout.path.open("rb") as file:
        file.readline()
        for piece in pieces(file, str(layout.path), quoted=False):
            if tidied:
                piece = b"\n".join(line for line in piece.split(b"\n") if line.strip())
            frame = _read_piece(piece, layout, numbers)
            if frame is None:
                return None
            filled = frame
            if _has_gaps(frame):
                filled = frame.filter(~pl.all_horizontal(pl.all().is_null()))
                has_gaps |= _has_gaps(filled)
            if not tidied and _values_differ(piece, filled, layout):
                return None
            if has_gaps and _has_gaps(filled.select(layout.wanted)):
                return None
            blank += frame.height - filled.height
            frame = filled.select(asked).rechunk()  # or columns would differ in their chunks
            rows.append(
                frame.with_columns(each.add(frame[name]) for name, each in numberings.items())
            )
    return _Parsed(rows.frame(), blank, has_gaps)


def _no_rows(layout: Layout, numbers: type[pl.DataType]) -> pl.DataFrame:
    kinds = dict.fromkeys(layout.numbers, numbers) | dict.fromkeys(layout.tokens, pl.Int32)
    return pl.DataFrame(
        schema={n: kinds.get(n, pl.String) for n in (*layout.wanted, *layout.optional)}
    )


def _read_piece(piece: bytes, layout: Layout, numbers: type[pl.DataType]) -> pl.DataFrame | None:
    """Return the columns asked for and the last one, or None if some line does not fit.

    Args:
        piece: Whole lines.
        layout: The columns.
        numbers: What to read numbers as.
    """
    names = layout.names
    asked = {*layout.wanted, *layout.optional, names[-1]}
    if piece.startswith(BOM_UTF8):
        piece = BOM_UTF8 + piece  # Polars takes one away, and only a file begins with one
    try:
        return pl.read_csv(
            piece,
            separator=layout.separator,
            has_header=False,
            schema={n: numbers if n in layout.numbers else pl.String for n in names},
            columns=[place for place, name in enumerate(names) if name in asked],
            quote_char=None,
        )
    except pl.exceptions.PolarsError:
        return None


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
