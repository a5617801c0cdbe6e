"""Reads logs of events in CSV files and their kin, piece by piece."""

from __future__ import annotations

import csv
import gzip
import io
import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path

from sasrec_serve.errors import DataError
from sasrec_serve.stores.contract import Event
from sasrec_serve.stores.log_columns import LogColumns

SUFFIXES = (".csv", ".tsv", ".inter")
SEPARATORS = ",;\t|"


def read_texts(
    path: Path, columns: LogColumns, piece: int
) -> Iterator[tuple[int, list[Event | None]]]:
    """Read a text file with a header and one event per line.

    Args:
        path: A ``.csv`` file, separated by what the header contains most of comma, semicolon, tab
            and ``|``; or a ``.tsv`` or ``.inter`` file, separated by tabs.
        columns: Names of its columns.
        piece: Rows read at once.

    Yields:
        The number of the first row of a piece, from 1; and an event for each row, or None where
        user or item are missing.

    Raises:
        DataError: The file cannot be read, or has an invalid line.
    """  # raised by _rows
    with _translating(path), _opened(path) as file:
        lines = _Lines(file, path)
        events = _Events(columns.found_in(lines.header, str(path)), lines)
        row = 1
        while rows := list(islice(lines.rows(), piece)):
            yield row, [events.event(number, fields) for number, fields in rows]
            row += len(rows)


class _Unquoted(csv.excel_tab):
    """Separated by tabs, and quotation marks are part of the text."""

    quoting = csv.QUOTE_NONE


class _Lines:
    """The header and the rows of a file."""

    def __init__(self, file: io.TextIOBase, path: Path) -> None:
        first = file.readline()
        self.path = path
        if not first.strip():
            raise DataError(f"{path}, line 1: there is no header; write user_id,item_id,timestamp")
        is_csv = path.name.lower().removesuffix(".gz").endswith(".csv")
        separator = max(SEPARATORS, key=first.count) if is_csv else "\t"
        dialect = csv.excel if is_csv else _Unquoted
        fields = next(csv.reader([first], dialect, delimiter=separator))
        self.header = [name.partition(":")[0] if ":" in name else name for name in fields]
        self._reader = csv.reader(file, dialect, delimiter=separator)

    def rows(self) -> Iterator[tuple[int, Sequence[str]]]:
        # Line number and fields of each row that is not empty.
        width = len(self.header)
        for fields in self._reader:
            line = self._reader.line_num + 1
            if not fields:
                continue
            if len(fields) != width:
                raise DataError(
                    f"{self.path}, line {line:,}: {len(fields)} columns where the header names "
                    f"{width} ({', '.join(self.header)}); correct the line"
                )
            yield line, fields


class _Events:
    """Turns rows into events."""

    def __init__(self, columns: LogColumns, lines: _Lines) -> None:
        self._path = lines.path
        at = {name: place for place, name in enumerate(lines.header)}
        self._user, self._item = at[columns.user], at[columns.item]
        self._time = None if columns.time is None else at[columns.time]
        self._type = None if columns.type is None else at[columns.type]
        self._id = None if columns.id is None else at[columns.id]
        self._reads_dates: bool | None = None

    def event(self, line: int, fields: Sequence[str]) -> Event | None:
        """Return the event of a row; None without user or item."""
        user, item = fields[self._user], fields[self._item]
        if not user or not item:
            return None
        return Event(
            user,
            item,
            None if self._time is None else self._moment(fields[self._time], line),
            None if self._type is None else fields[self._type] or None,
            None if self._id is None else fields[self._id] or None,
        )

    def _moment(self, text: str, line: int) -> float | None:
        # All times of a file are numbers, or all are dates.
        if not text.strip():
            return None
        if self._reads_dates is None:
            self._reads_dates = _number(text) is None
        time = _date(text) if self._reads_dates else _number(text)
        if time is None:
            raise DataError(
                f"{self._path}, line {line:,}: the time is {text!r}; times must be all numbers, or "
                "all dates such as 2024-05-31 18:30:00"
            )
        return time


def date_or_number(text: str) -> float | None:
    """Return a time in seconds since 1970 if it is a date, otherwise as the number it is.

    Args:
        text: Such as ``2024-05-31 18:30``, in UTC without a time zone, or ``1717180200``.

    Returns:
        The time; None if it is neither.
    """
    number = _number(text)
    return _date(text) if number is None else number


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _date(text: str) -> float | None:
    """Return a date in seconds since 1970; without a time zone it is in UTC, as in training."""
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError:
        return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


@contextmanager
def _opened(path: Path) -> Iterator[io.TextIOBase]:
    if path.name.lower().endswith(".gz"):
        with gzip.open(path, "rt", encoding="utf-8-sig", newline="") as packed:
            yield packed
    else:
        with open(path, encoding="utf-8-sig", newline="") as plain:
            yield plain


@contextmanager
def _translating(path: Path) -> Iterator[None]:
    try:
        yield
    except UnicodeDecodeError as error:
        raise DataError(f"{path} is not in UTF-8 ({error.reason}); convert it") from error
    except (OSError, EOFError) as error:  # gzip raises both for damaged files
        reason = getattr(error, "strerror", None) or error
        raise DataError(f"{path} cannot be read: {reason}; check the path") from error
    except csv.Error as error:
        raise DataError(f"{path} is no readable CSV file: {error}; correct it") from error
