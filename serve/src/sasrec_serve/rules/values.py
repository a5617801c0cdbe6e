"""Values of columns and expressions: NumPy arrays in which values may be missing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

Kind = Literal["text", "whole", "number", "flag", "date", "time", "texts", "decimal", "null"]
"""Types of values. Dates are days and times are microseconds, since 1970; decimals are numbers
such as 0.1, which literals are, and are computed without rounding."""
KINDS: dict[Kind, str] = {
    "text": "text",
    "whole": "whole numbers",
    "number": "numbers",
    "flag": "true or false",
    "date": "dates",
    "time": "times",
    "texts": "lists of texts",
    "decimal": "numbers",
    "null": "nothing but null",
}
"""Names of types in messages."""
DTYPES: dict[str, type[np.generic]] = {
    "whole": np.int64,
    "number": np.float64,
    "flag": np.bool_,
    "date": np.int64,
    "time": np.int64,
}
"""NumPy types of the values of columns that are not texts."""


@dataclass(frozen=True, slots=True, eq=False)
class Values:
    """Values of one type, some of which may be missing.

    Attributes:
        kind: Their type.
        data: The values, [n], or [1] if all n are equal; anything where a value is missing. For
            texts, int32 places in ``entries``, and for decimals whole numbers (int64 or Python's).
        known: bool [n] or [1], where a value is not missing; None if all are known.
        entries: Distinct texts in order, of texts and lists of texts.
        scale: For decimals, digits after the point.
        offsets: For lists of texts, int64 [n + 1]; list i is ``data[offsets[i]:offsets[i + 1]]``.
    """

    kind: Kind
    data: np.ndarray
    known: np.ndarray | None = None
    entries: Sequence[str] = ()
    scale: int = 0
    offsets: np.ndarray | None = None

    def __len__(self) -> int:
        """Return the number of values; 1 if all are equal."""
        return len(self.data) if self.offsets is None else len(self.offsets) - 1

    @property
    def mask(self) -> np.ndarray:
        """Where a value is not missing, bool [n] or [1]."""
        return np.ones(len(self), dtype=bool) if self.known is None else self.known

    def taken(self, rows: np.ndarray) -> Values:
        """Return the values of some rows.

        Args:
            rows: int64 [m]; -1 for a missing value.

        Returns:
            m values.
        """
        places = np.maximum(rows, 0)
        is_row = rows >= 0
        if not len(self):
            nothing = Values("null", np.zeros(len(rows), dtype=bool), np.zeros(len(rows), bool))
            return replace(missing_like(self, len(rows)), known=nothing.known)
        known = is_row & (True if self.known is None else self.known[places])
        if self.offsets is None:
            return replace(self, data=self.data[places], known=known)
        sizes = np.where(known, np.diff(self.offsets)[places], 0)
        offsets = np.concatenate([[0], np.cumsum(sizes)])
        starts = np.repeat(self.offsets[places] - offsets[:-1], sizes)
        data = self.data[np.arange(offsets[-1]) + starts]
        return replace(self, data=data, known=known, offsets=offsets)


def missing_like(values: Values, count: int) -> Values:
    """Return missing values of the same type.

    Args:
        values: Values of the type.
        count: How many.
    """
    nothing = np.zeros(count, dtype=bool)
    if values.offsets is not None:
        return replace(
            values, data=values.data[:0], known=nothing, offsets=np.zeros(count + 1, np.int64)
        )
    return replace(values, data=np.zeros(count, values.data.dtype), known=nothing)


def text_values(texts: Sequence[str | None]) -> Values:
    """Return texts as values.

    Args:
        texts: The texts; None where one is missing.
    """
    entries = sorted({text for text in texts if text is not None})
    place: dict[str | None, int] = {text: index for index, text in enumerate(entries)}
    place[None] = -1
    codes = np.fromiter((place[text] for text in texts), dtype=np.int32, count=len(texts))
    return _with_missing(Values("text", np.maximum(codes, 0), codes >= 0, entries))


def list_values(lists: Sequence[Sequence[str] | None]) -> Values:
    """Return lists of texts as values.

    Args:
        lists: The lists; None where one is missing.
    """
    flat = text_values([text for each in lists for text in each or ()])
    sizes = [len(each or ()) for each in lists]
    known = np.array([each is not None for each in lists], dtype=bool)
    offsets = np.concatenate([[0], np.cumsum(sizes, dtype=np.int64)]).astype(np.int64)
    return _with_missing(Values("texts", flat.data, known, entries=flat.entries, offsets=offsets))


def plain_values(kind: Kind, values: Sequence[object]) -> Values:
    """Return numbers, flags, dates or times as values.

    Args:
        kind: Their type.
        values: Python values of this type, dates as days and times as microseconds since 1970;
            None where one is missing.

    Returns:
        The values; a NaN is missing.
    """
    known = np.array([value is not None for value in values], dtype=bool)
    filled = [0 if value is None else value for value in values]
    data = np.array(filled, dtype=DTYPES[kind])
    if kind == "number":
        known &= ~np.isnan(data)
    return _with_missing(Values(kind, data, known))


def _with_missing(values: Values) -> Values:
    """Return values without the mask if none is missing."""
    known = values.known
    return replace(values, known=None) if known is not None and known.all() else values
