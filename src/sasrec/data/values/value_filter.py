"""Value filters: which rows have a number in an interval, or one of the listed values.

The meaning of a filter depends on how it is written and on the type of the column, never on single
values of the data: text is compared as text, numbers by their value.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import polars as pl

from sasrec.data.values.equality import (
    as_float,
    as_numbers,
    equal_numbers,
    is_number,
    number_or_text,
    spellings,
)
from sasrec.data.values.intervals import Interval, parse_intervals
from sasrec.data.values.tokens import FIRST_INEXACT, INEXACT
from sasrec.errors import SettingsError
from sasrec.remarks import Remark
from sasrec.settings.data import FilterValue

Condition = str | tuple[FilterValue, ...]

BLOCK = 2**16
"""Texts compared at once; each takes some 100 bytes during the comparison."""
BOOLEANS: dict[object, bool] = {"true": True, "false": False, 1: True, 0: False}
"""Values in a list that mean true or false; the keys 1 and 0 also match True and False."""


class ValueFilter:
    """The filter of one column, which may come in pieces; it collects remarks on the way."""

    def __init__(self, field: str, condition: Condition) -> None:
        """Create a filter.

        Args:
            field: Name of the column in the source.
            condition: A text with intervals or a single value; or a tuple of values.
        """
        self.field = field
        self.condition = condition
        self.key = f"value_intervals of {field!r}"
        self._read_as: str | None = None  # how two numbers were read: "interval" or "values"
        self._not_numbers = 0
        self._not_number: str | None = None  # an example
        self._text: str | None = None  # the first text in the column
        self._unmatched = set() if isinstance(condition, str) else set(condition)

    def matches(self, values: pl.Series) -> pl.Series:
        """Return whether each value matches the filter; a missing value does not.

        Args:
            values: The column, or a piece of it.

        Returns:
            Boolean [n], no nulls.

        Raises:
            SettingsError: The filter does not fit the type of the column.
        """
        if values.dtype.is_numeric():
            found = self._match_numbers(values)
        elif values.dtype == pl.Boolean:
            found = self._match_booleans(values)
        else:
            found = pl.concat(self._match_texts(block.cast(pl.String)) for block in _blocks(values))
        return found.fill_null(value=False)

    def matches_tokens(self, tokens: pl.Series) -> pl.Series:
        """Return whether each user or item matches; tokens are text, so 8 does not match "8.0".

        Args:
            tokens: String [n].

        Returns:
            Boolean [n], no nulls.
        """
        found = pl.concat(
            self._record_matches(block, self._match_exact_texts(block)) for block in _blocks(tokens)
        )
        return found.fill_null(value=False)

    @property
    def hint(self) -> str:
        """What to append to the error message if no row is left."""
        if self._not_numbers:
            verb = "value is not a number" if self._not_numbers == 1 else "values are not numbers"
            return f"; {self._not_numbers:,} {verb}, such as {self._not_number!r}"
        if self._text is None:
            return ""
        text = f"; the column is compared as text, and one of its values is {self._text!r}"
        if isinstance(self.condition, str) and self.condition.strip()[:1] in ("[", "("):
            return (
                f"; {self.condition!r} is not an interval of two numbers, so it is read as text"
                + text
            )
        return text

    def remarks(self) -> tuple[Remark, ...]:
        """Return remarks on how the filter was applied; call it after the last piece."""
        found = (self._read_as_remark(), self._not_numbers_remark(), self._unmatched_remark())
        return tuple(remark for remark in found if remark)

    def _match_numbers(self, values: pl.Series) -> pl.Series:
        if isinstance(self.condition, str):
            return _within(parse_intervals(self.condition, self.key), values)
        ends = self._ends()
        if ends is not None and values.dtype.is_float():
            self._read_as = "interval"
            self._unmatched = set()
            return _within((Interval(*ends, True, True),), values)
        self._read_as = None if ends is None else "values"
        return self._record_matches(values, values.is_in(self._numbers(values.dtype).implode()))

    def _match_booleans(self, values: pl.Series) -> pl.Series:
        condition = (self.condition,) if isinstance(self.condition, str) else self.condition
        lower = [each.lower() if isinstance(each, str) else each for each in condition]
        if not all(each in BOOLEANS for each in lower):
            raise SettingsError(
                f"{self.key}: the column has the values True and False; write true or false "
                f"instead of {condition[0]!r}"
            )
        self._unmatched = set()
        return values.is_in([BOOLEANS[each] for each in lower])

    def _match_texts(self, texts: pl.Series) -> pl.Series:
        found = self._match_exact_texts(texts)
        if not isinstance(self.condition, str):
            found |= equal_numbers(texts, [each for each in self.condition if is_number(each)])
        return self._record_matches(texts, found)

    def _match_exact_texts(self, texts: pl.Series) -> pl.Series:
        self._text = self._text or next(iter(texts.drop_nulls()[:1]), None)
        if isinstance(self.condition, str):
            intervals = self._intervals()
            if intervals is None:
                return texts == self.condition
            return self._texts_within(intervals, texts)
        self._read_as = None if self._ends() is None else "values"
        allowed = {text for each in self.condition for text in spellings(each)}
        found = texts.is_in(pl.Series(sorted(allowed), dtype=pl.String).implode())
        booleans = [str(each).lower() for each in self.condition if isinstance(each, bool)]
        if booleans:
            found |= texts.str.to_lowercase().is_in(booleans)
        return found

    def _intervals(self) -> tuple[Interval, ...] | None:
        """Return the intervals that the text specifies, or None if it is not a list of them."""
        try:
            return parse_intervals(str(self.condition), self.key)
        except SettingsError:
            return None

    def _texts_within(self, intervals: tuple[Interval, ...], texts: pl.Series) -> pl.Series:
        numbers = as_numbers(texts)
        others = texts.filter(numbers.is_null() & texts.is_not_null() & (texts != ""))
        if len(others):
            self._not_number = others[0] if self._not_number is None else self._not_number
            self._not_numbers += len(others)
        found = _within(intervals, numbers)
        if not any(isinstance(end, int) for each in intervals for end in (each.low, each.high)):
            return found
        whole = texts.str.strip_chars().cast(pl.Int128, strict=False)
        return pl.select(pl.coalesce(_within(intervals, whole), found)).to_series()

    def _ends(self) -> tuple[float, float] | None:
        """Return the two listed numbers if the list could also mean an interval, else None."""
        if isinstance(self.condition, str) or not all(map(is_number, self.condition)):
            return None
        numbers = [as_float(each) for each in self.condition]
        return (numbers[0], numbers[1]) if len(numbers) == 2 and numbers[0] < numbers[1] else None

    def _numbers(self, dtype: pl.DataType) -> pl.Series:
        """Return the listed values in the type of a column, without those it cannot represent.

        Args:
            dtype: The type of the column.

        Raises:
            SettingsError: A value is not a number, or too large to be exact in this type.
        """
        numbers = [self._number(each) for each in self.condition]
        if not dtype.is_integer():
            floats = pl.Series(map(as_float, numbers), dtype=pl.Float64)
            if dtype.is_float() and (floats.abs() >= FIRST_INEXACT[type(dtype)]).any():
                raise SettingsError(
                    f"{self.key}: the column has floats, and {INEXACT}; remove such values from "
                    "the list, or convert the column to text"
                )
            return floats.cast(dtype, strict=False)
        whole = [int(each) for each in numbers if each == each // 1]
        return pl.Series(whole, dtype=dtype, strict=False).drop_nulls()

    def _number(self, value: FilterValue) -> int | float:
        try:
            return int(value) if isinstance(value, str | int) else float(value)
        except ValueError:
            pass
        try:
            return float(value)
        except ValueError as error:
            raise SettingsError(
                f"{self.key}: the column has numbers, but the list contains {value!r}; list only "
                "numbers"
            ) from error

    def _record_matches(self, values: pl.Series, found: pl.Series) -> pl.Series:
        """Return ``found``, after recording which of the listed values the matching rows have."""
        if self._unmatched:
            matched = values.filter(found.fill_null(value=False)).unique().to_list()
            known = {*matched, *map(number_or_text, matched)}
            self._unmatched = {
                each
                for each in self._unmatched
                if not known & {each, number_or_text(each), *spellings(each)}
            }
        return found

    def _read_as_remark(self) -> Remark | None:
        if self._read_as is None or isinstance(self.condition, str):
            return None
        low, high = self.condition
        interval, values = f"the numbers from {low} to {high}", f"the two values {low} and {high}"
        one, other = (interval, values) if self._read_as == "interval" else (values, interval)
        write = f"['{low}', '{high}']" if self._read_as == "interval" else f"'[{low},{high}]'"
        return Remark(
            "filter_taken_as",
            1,
            f"value_intervals of {self.field!r}, [{low}, {high}], is read as {one}; for {other} "
            f"write {write}",
        )

    def _not_numbers_remark(self) -> Remark | None:
        if not self._not_numbers:
            return None
        values = "value that is" if self._not_numbers == 1 else "values that are"
        verb = "is" if self._not_numbers == 1 else "are"
        return Remark(
            "filter_no_numbers",
            self._not_numbers,
            f"value_intervals of {self.field!r} is an interval of numbers; {self._not_numbers:,} "
            f"{values} not numeric, such as {self._not_number!r}, {verb} dropped",
        )

    def _unmatched_remark(self) -> Remark | None:
        if not self._unmatched or isinstance(self.condition, str):
            return None
        unmatched = [each for each in self.condition if each in self._unmatched]
        return Remark(
            "filter_unmatched",
            len(unmatched),
            f"value_intervals of {self.field!r}: {len(unmatched):,} of {len(self.condition):,} "
            f"listed values occur in no row, such as {unmatched[0]!r}",
        )


def _blocks(values: pl.Series) -> Iterator[pl.Series]:
    """Yield a column in blocks of ``BLOCK`` values; of an empty column, one empty block."""
    for start in range(0, max(len(values), 1), BLOCK):
        yield values[start : start + BLOCK]


def _within(intervals: Iterable[Interval], numbers: pl.Series) -> pl.Series:
    is_within = pl.any_horizontal(interval.contains(pl.lit(numbers)) for interval in intervals)
    return pl.select(is_within).to_series()
