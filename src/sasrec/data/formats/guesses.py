"""Guesses: whether the first line of a text file is a header, and what its columns may be.

A guess only chooses the text of an error message, or refuses a file; no value is read by one.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from sasrec.settings.text_tables import ITEM, SKIPPED, TIME, USER

Rows = Sequence[Sequence[str]]
NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
DATE = re.compile(
    r"\d{4}([-/.])\d\d?\1\d\d?([T ,].*)?|\d{8}T.*|\d\d?([/.-])\d\d?\3\d{2,4}([T ,].*)?"
)
HIGHEST_RATING = 10
EPOCHS = ((3e8, 1e10), (1e12, 1e13))
"""Numbers that are more likely times, in seconds or milliseconds, than ratings or counts."""
RATING = "rating"
NAMES = re.compile(
    r"^(user|item|product|movie|customer|session|visitor|time|date|rating|event|when|sku|asin)"
    r"|\b_?id$|[_. -]id$",
    re.IGNORECASE,
)
"""Words that are often the name of a column, or a part of it."""
MANY_ROWS = 20


def is_data(rows: Rows) -> bool:
    """Return whether the first row is an event rather than a header.

    It is if one of its values is a number or a date, or is found again in the same column.

    Args:
        rows: The first rows of a file, as texts.
    """
    first, *others = rows
    if any(_is_number_or_date(value.strip()) for value in first):
        return True
    return any(
        value and any(index < len(row) and row[index] == value for row in others)
        for index, value in enumerate(first)
    )


def is_header(rows: Rows) -> bool:
    """Return whether the first row must be a header.

    It has no number or date, and there is a column in which all others have one. As an id may be a
    word by chance, there must be many other rows, or a word that is often the name of a column.

    Args:
        rows: The first rows of a file, as texts.
    """
    first, *others = rows
    if not others or is_data(rows):
        return False
    if len(others) < MANY_ROWS and not any(NAMES.search(value) for value in first):
        return False
    return any(_all_numbers_or_dates(column) for column in _columns(others))


def proposal(rows: Rows) -> list[str]:
    """Return words for ``columns`` that may be right, one for each column.

    Args:
        rows: The first rows of a file without a header, as texts.

    Returns:
        ``user``, ``item``, and, if there are such columns, ``time`` and ``rating``; ``_`` for the
        others.
    """
    columns = _columns(rows)
    words = [SKIPPED] * len(columns)
    time = _time_of(columns)
    if time is not None:
        words[time] = TIME
    free = [index for index in range(len(columns)) if index != time]
    for index, word in zip(free, (USER, ITEM), strict=False):
        words[index] = word
    for index in free[2:3]:
        words[index] = RATING if _are_ratings(columns[index]) else SKIPPED
    return words


def _columns(rows: Rows) -> list[list[str]]:
    """Return the values of each column that all rows have, without spaces around them."""
    count = min(map(len, rows))
    return [[row[index].strip() for row in rows] for index in range(count)]


def _time_of(columns: Sequence[Sequence[str]]) -> int | None:
    """Return which column may hold times: dates, large numbers, or the last of several numbers."""
    indices = range(len(columns))
    for fits in (_all_dates, _all_epochs):
        if found := [index for index in indices if fits(columns[index])]:
            return found[-1]
    last = len(columns) - 1
    if last < 2 or not _all_numbers_or_dates(columns[last]):
        return None
    return None if last == 2 and _are_ratings(columns[last]) else last


def _is_number_or_date(value: str) -> bool:
    return bool(NUMBER.fullmatch(value) or DATE.fullmatch(value))


def _all_numbers_or_dates(values: Sequence[str]) -> bool:
    filled = [value for value in values if value.strip()]
    return bool(filled) and all(_is_number_or_date(value.strip()) for value in filled)


def _all_dates(values: Sequence[str]) -> bool:
    return all(DATE.fullmatch(value) for value in values)


def _all_epochs(values: Sequence[str]) -> bool:
    """Return whether all values may be seconds or milliseconds since 1970, and not ids."""
    if not all(NUMBER.fullmatch(value) for value in values):
        return False
    numbers = [float(value) for value in values]
    return any(all(low <= each < high for each in numbers) for low, high in EPOCHS)


def _are_ratings(values: Sequence[str]) -> bool:
    numbers = [float(value) for value in values if NUMBER.fullmatch(value)]
    return len(numbers) == len(values) and all(0 <= each <= HIGHEST_RATING for each in numbers)
