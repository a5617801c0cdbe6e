"""JSON lines: one object per line, of which only the needed values are read."""

from __future__ import annotations

import json
from codecs import BOM_UTF8
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path

import polars as pl

from sasrec.data.filters import needed_columns
from sasrec.data.formats.first_lines import NOT_UTF_8, first_lines
from sasrec.data.formats.limits import check_columns, check_lines, count_line_ends
from sasrec.data.formats.pieces import BLANKS, number_of_line, pieces
from sasrec.data.formats.tables import Table
from sasrec.data.values.numbering import Numbering
from sasrec.data.values.tokens import token_of
from sasrec.errors import DataError
from sasrec.settings.data import NO_TIMES, DataSettings
from sasrec.system.json_limits import json_within_limits

DOUBTFUL = r"^(true|false|-?\d*\.?\d+([eE][-+]?\d+)?|-0|[\[{].*)$"
"""Texts of tokens that may come from a value other than text or a whole number. Polars turns every
value into text; 9.0 and 1e300 become whole numbers. Most texts of digits are short, so they do not
need a second look: these are excepted by ``PLAIN``."""
PLAIN = r"^(\d{1,15}|-[1-9]\d{0,14})$"
LONGEST_SHOWN = 60


def open_json_lines(path: Path, columns: DataSettings, end: int) -> Table:
    """Return the table of a file of JSON objects, one per line.

    Args:
        path: The file.
        columns: Which columns hold what.
        end: Number of bytes of the file to read.

    Returns:
        The table; its columns are the keys in the first lines.

    Raises:
        DataError: The file is empty or its first lines are not JSON objects.
    """
    check_lines(path)
    names = _keys(path)
    check_columns(path, len(names))
    needed = [columns.time_column] if columns.time_column != NO_TIMES else []
    watched = [name for name in [*needed, *needed_columns(columns)] if name not in names]
    read = partial(_texts, path, end, watched)
    return Table(str(path), names, count_line_ends(path, end) + 1, read)


def _keys(path: Path) -> list[str]:
    """Return the keys of the objects in the first lines of a file, in order.

    Raises:
        DataError: A line is not a JSON object, or there is none.
    """
    keys: dict[str, None] = {}
    lines = [line for line in first_lines(path) if line.strip(BLANKS)]
    if not lines:
        raise DataError(f"{path} is empty; write one JSON object per line")
    if lines[0].lstrip().startswith("["):
        raise DataError(
            f"{path} is a JSON list; write one object per line (jq -c '.[]' does), or read the "
            "file with pandas or Polars and pass the data frame"
        )
    for index, line in enumerate(lines):
        keys |= dict.fromkeys(_object(line, path, index))
    return list(keys)


def _object(line: str | bytes, path: Path, index: int) -> dict[str, object]:
    """Return the object in a line.

    Args:
        line: The line.
        path: The file, for the error message.
        index: Number of lines before it that are not blank.

    Raises:
        DataError: The line is not a JSON object.
    """
    try:
        found = json_within_limits(line)
        if isinstance(found, dict):
            return found
        reason = "it is not an object"
    except UnicodeDecodeError as error:
        raise DataError(NOT_UTF_8.format(path, "cp1252")) from error
    except json.JSONDecodeError as error:
        reason = f"{error.msg} at character {error.colno}"
    except (ValueError, RecursionError) as error:
        reason = str(error)
    where = f"{path}, line {number_of_line(path, 0, index)}"
    raise DataError(f'{where}: not a JSON object ({reason}); write lines such as {{"user_id": 1}}')


def _texts(
    path: Path,
    end: int,
    watched: list[str],
    values: list[str],
    numberings: Mapping[str, Numbering],
) -> Iterator[pl.DataFrame]:
    """Yield some values of all objects, piece by piece.

    Args:
        path: The file.
        end: Number of bytes of the file to read.
        watched: Needed keys that the first lines do not have.
        values: Keys whose values are yielded as text.
        numberings: Keys of tokens, yielded as numbers; new tokens are added.

    Yields:
        One row per object.

    Raises:
        DataError: A line is not a JSON object, a token is neither text nor a whole number, or a
            watched key appears.
    """
    needed = [*numberings, *values]
    before = 0
    with path.open("rb") as file:
        for piece in pieces(file, quoted=False, end=end):
            text = piece if before else piece.removeprefix(BOM_UTF8)
            lines = [line for line in text.split(b"\n") if line.strip(BLANKS.encode())]
            frame = _read(lines, [*needed, *watched], path, before)
            for name in watched:
                if frame[name].null_count() < frame.height:
                    raise DataError(
                        f"{path}: the first lines have no {name!r}, but later ones do; add it to "
                        "all lines"
                    )
            tokens = {name: _tokens(frame[name], lines, path, before) for name in numberings}
            yield frame.select(needed).with_columns(
                each.add(tokens[name]) for name, each in numberings.items()
            )
            before += len(lines)


def _read(lines: list[bytes], names: list[str], path: Path, before: int) -> pl.DataFrame:
    """Return some values of objects, as text.

    Args:
        lines: The objects, one each.
        names: Keys.
        path: The file, for messages.
        before: Number of objects before these.

    Raises:
        DataError: A line is not a JSON object.
    """
    try:
        frame = pl.read_ndjson(b"\n".join(lines), schema=dict.fromkeys(names, pl.String))
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException):
        frame = None
    if frame is None or frame.height != len(lines):  # an invalid line, or a number of 40 digits
        objects = [_object(line, path, before + index) for index, line in enumerate(lines)]
        texts = {name: [_as_text(each.get(name)) for each in objects] for name in names}
        frame = pl.DataFrame(texts, schema=dict.fromkeys(names, pl.String))
    return frame.select(names).rechunk()


def _as_text(value: object) -> str | None:
    return value if value is None or isinstance(value, str) else json.dumps(value)


def _tokens(texts: pl.Series, lines: list[bytes], path: Path, before: int) -> pl.Series:
    """Return tokens; those that may not be text or whole numbers are read again from their line.

    Args:
        texts: The values of a key, as Polars converted them.
        lines: Their objects.
        path: The file, for messages.
        before: Number of objects before these.

    Raises:
        DataError: A value is neither text nor a whole number.
    """
    doubtful = texts.str.contains(DOUBTFUL) & ~texts.str.contains(PLAIN)
    indices = doubtful.fill_null(value=False).arg_true()
    if not len(indices):
        return texts
    tokens = []
    for index in indices.to_list():
        value = json_within_limits(lines[index])[texts.name]
        try:
            tokens.append(token_of(value))
        except ValueError as error:
            shown = json.dumps(value)[:LONGEST_SHOWN]
            where = f"{path}, line {number_of_line(path, 0, before + index)}"
            raise DataError(f"{where}: {texts.name!r} is {shown}; {error}") from error
    return texts.scatter(indices, tokens)
