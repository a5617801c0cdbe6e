"""Types of columns: recognised from Python values, and from texts in files without types."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import numpy as np

from sasrec_serve.rules.values import Values, list_values, plain_values, text_values

NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?")
"""A text that means a number; ``007`` is not one, because it may be a code."""
WHOLE = re.compile(r"-?[0-9]+")
DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}:[0-9]{2}")
SPACES = (
    "\t\n\v\f\r \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
    "\u2028\u2029\u202f\u205f\u3000"
)
"""Unicode's white space, as Polars removes it."""
START = datetime(1970, 1, 1, tzinfo=UTC)
FIRST_DAY = date(1970, 1, 1).toordinal()
LARGEST = 2**63


def from_texts(texts: Sequence[str | None]) -> Values:
    """Return texts as numbers, flags, dates or times if all of them mean these.

    Args:
        texts: The texts; one that is empty or None is missing.

    Returns:
        The values; texts without spaces around them if they have no other type in common.
    """
    stripped = [None if text is None else text.strip(SPACES) or None for text in texts]
    known = list(dict.fromkeys(text for text in stripped if text is not None))
    for pattern, read in READERS:
        if known and all(pattern.fullmatch(text) for text in known):
            found = read(known)
            if found is not None:
                value_of: dict[str | None, object] = dict(zip(known, found[1], strict=True))
                return plain_values(found[0], [value_of.get(text) for text in stripped])
            break
    return text_values(stripped)


def _numbers(texts: list[str]) -> tuple[Any, list[object]] | None:
    """Return texts as whole numbers or numbers; None if they are too large for these."""
    if all(map(WHOLE.fullmatch, texts)):
        if max(map(len, texts)) > 20:  # larger ones are codes, which a float merges
            return None
        whole: list[object] = [int(text) for text in texts]
        return ("whole", whole) if all(-LARGEST <= int(t) < LARGEST for t in texts) else None
    numbers = [float(text) for text in texts]
    return ("number", [*numbers]) if all(map(math.isfinite, numbers)) else None


def _flags(texts: list[str]) -> tuple[Any, list[object]]:
    return "flag", [text.lower() == "true" for text in texts]


def _dates(texts: list[str]) -> tuple[Any, list[object]] | None:
    try:
        return "date", [*np.array(texts, dtype="datetime64[D]").astype(np.int64).tolist()]
    except ValueError:
        return None


def _times(texts: list[str]) -> tuple[Any, list[object]] | None:
    try:
        return "time", [*np.array(texts, dtype="datetime64[us]").astype(np.int64).tolist()]
    except ValueError:
        return None


READERS: tuple[tuple[re.Pattern[str], Callable[[list[str]], Any]], ...] = (
    (NUMBER, _numbers),
    (re.compile("true|false", re.IGNORECASE | re.ASCII), _flags),
    (DATE, _dates),
    (TIME, _times),
)


def from_python(values: Sequence[Any]) -> Values | None:
    """Return Python values as a column; None if rules cannot use their types.

    Args:
        values: Numbers, texts, flags, dates, times, or lists of texts; None or NaN where one is
            missing.
    """
    kept = [None if isinstance(each, float) and each != each else each for each in values]
    types = {_type(each) for each in kept if each is not None}
    if not types and any(each is not None for each in values):
        return plain_values("number", kept)  # all are NaN
    if not types or types == {str}:
        return text_values(kept)
    if types == {int}:
        if all(-LARGEST <= each < LARGEST for each in kept if each is not None):
            return plain_values("whole", kept)
        return text_values([None if each is None else str(each) for each in kept])
    if types <= {int, float, Decimal}:
        return plain_values("number", [None if each is None else float(each) for each in kept])
    if types == {int, str}:
        return text_values([None if each is None else str(each) for each in kept])
    if types == {bool}:
        return plain_values("flag", kept)
    if types == {date}:
        days = [None if each is None else each.toordinal() - FIRST_DAY for each in kept]
        return plain_values("date", days)
    if types <= {datetime, date}:
        return plain_values("time", [None if e is None else _microseconds(e) for e in kept])
    return _lists(kept) if types == {list} else None


def _type(value: object) -> type | None:
    """Return which of the types that rules know a value has; None for another."""
    if isinstance(value, bool | np.bool_):
        return bool
    if isinstance(value, np.ndarray | tuple):
        return list
    known = (str, int, float, Decimal, datetime, date, list)
    return next((each for each in known if isinstance(value, each)), None)


def _microseconds(value: date) -> int:
    """Return a date or time in microseconds since 1970; without a zone, it is UTC."""
    if not isinstance(value, datetime):
        return (value.toordinal() - FIRST_DAY) * 86_400_000_000
    zoned = value if value.tzinfo else value.replace(tzinfo=UTC)
    return (zoned - START) // timedelta(microseconds=1)


def _lists(values: Sequence[Any]) -> Values | None:
    """Return lists of texts or whole numbers; None if they hold anything else."""
    parts = {_type(part) for each in values if each is not None for part in each}
    if not parts <= {str, int}:
        return None
    return list_values([None if each is None else [str(part) for part in each] for each in values])
