"""Value filters: which rows hold a number of an interval, or one of the values that are listed.

What a filter means depends on what somebody wrote and on the type of the column, never on single
values of the data: a text is compared as it is spelled, a number by its value.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator

import polars as pl

from sasrec.data.checks.remarks import Remark
from sasrec.data.values.intervals import Interval, parse_intervals
from sasrec.data.values.tokens import FIRST_INEXACT, INEXACT
from sasrec.errors import SettingsError
from sasrec.settings.data import FilterValue

Wanted = str | tuple[FilterValue, ...]

BLOCK = 2**16
"""Texts compared at once; each takes some 100 bytes meanwhile."""
POINT_ZEROS = r"\.0*$"
LED_BY_ZERO = r"^\s*[-+]?0[0-9]"
"""Texts such as 007, which is another item than 7."""
TRUTHS: dict[object, bool] = {"true": True, "false": False, 1: True, 0: False}
"""What stands for true and false in a list; Python takes True for the key 1."""


class ValueFilter:
    """The filter of one column, which may come in pieces; counts what a user should know of."""

    def __init__(self, field: str, wanted: Wanted) -> None:
        """Make a filter that has seen no rows.

        Args:
            field: The column, as the user calls it.
            wanted: A text with intervals, or a single value; or a tuple of values.
        """
        self.field = field
        self.wanted = wanted
        self.key = f"val_interval of {field!r}"
        self._taken_as: str | None = None
        self._left_out = 0
        self._odd: str | None = None
        self._seen: str | None = None
        self._unmet = set() if isinstance(wanted, str) else set(wanted)

    def matches(self, values: pl.Series) -> pl.Series:
        """Return whether each value is wanted; a missing one is not.

        Args:
            values: The column, or a piece of it.

        Returns:
            Boolean [n], no nulls.

        Raises:
            SettingsError: What is wanted does not go with the type of the column.
        """
        if values.dtype.is_numeric():
            kept = self._of_numbers(values)
        elif values.dtype == pl.Boolean:
            kept = self._of_booleans(values)
        else:
            kept = pl.concat(self._of_texts(block.cast(pl.String)) for block in _blocks(values))
        return kept.fill_null(value=False)

    def matches_tokens(self, tokens: pl.Series) -> pl.Series:
        """Return whether each user or item is wanted; tokens are text, so 8 does not match "8.0".

        Args:
            tokens: String [n].

        Returns:
            Boolean [n], no nulls.
        """
        kept = pl.concat(self._met(block, self._of_spellings(block)) for block in _blocks(tokens))
        return kept.fill_null(value=False)

    @property
    def hint(self) -> str:
        """What to add to an error text if no row is left."""
        if self._left_out:
            return f"; {self._left_out:,} values are no numbers, such as {self._odd!r}"
        if self._seen is None:
            return ""
        text = f"; texts are compared as they are spelled, and one in the column is {self._seen!r}"
        if isinstance(self.wanted, str) and self.wanted.strip()[:1] in ("[", "("):
            return (
                f"; {self.wanted!r} is no interval of two numbers, so it is taken as a text{text}"
            )
        return text

    def remarks(self) -> tuple[Remark, ...]:
        """Return what a user should know of, after all rows were seen."""
        return tuple(each for each in (self._which(), self._odd_texts(), self._unmatched()) if each)

    def _of_numbers(self, values: pl.Series) -> pl.Series:
        if isinstance(self.wanted, str):
            return _within(parse_intervals(self.wanted, self.key), values)
        ends = self._ends()
        if ends is not None and values.dtype.is_float():
            self._taken_as = "interval"
            self._unmet = set()
            return _within((Interval(*ends, True, True),), values)
        self._taken_as = None if ends is None else "values"
        return self._met(values, values.is_in(self._numbers(values.dtype).implode()))

    def _of_booleans(self, values: pl.Series) -> pl.Series:
        wanted = (self.wanted,) if isinstance(self.wanted, str) else self.wanted
        spelled = [each.lower() if isinstance(each, str) else each for each in wanted]
        if not all(each in TRUTHS for each in spelled):
            raise SettingsError(f"{self.key}: the column holds True and False, not {wanted[0]!r}")
        self._unmet = set()
        return values.is_in([TRUTHS[each] for each in spelled])

    def _of_texts(self, texts: pl.Series) -> pl.Series:
        kept = self._of_spellings(texts)
        if not isinstance(self.wanted, str):
            kept |= _alike(texts, [each for each in self.wanted if _is_number(each)])
        return self._met(texts, kept)

    def _of_spellings(self, texts: pl.Series) -> pl.Series:
        self._seen = self._seen or next(iter(texts.drop_nulls()[:1]), None)
        if isinstance(self.wanted, str):
            intervals = self._intervals()
            if intervals is None:
                return texts == self.wanted
            return self._within_of_texts(intervals, texts)
        self._taken_as = None if self._ends() is None else "values"
        named = {spelled for each in self.wanted for spelled in _spellings(each)}
        kept = texts.is_in(pl.Series(sorted(named), dtype=pl.String).implode())
        truths = [str(each).lower() for each in self.wanted if isinstance(each, bool)]
        if truths:
            kept |= texts.str.to_lowercase().is_in(truths)
        return kept

    def _intervals(self) -> tuple[Interval, ...] | None:
        """Return the intervals that the text spells, None if it is another text."""
        try:
            return parse_intervals(str(self.wanted), self.key)
        except SettingsError:
            return None

    def _within_of_texts(self, intervals: tuple[Interval, ...], texts: pl.Series) -> pl.Series:
        numbers = _as_numbers(texts)
        odd = texts.filter(numbers.is_null() & texts.is_not_null() & (texts != ""))
        if len(odd):
            self._odd = odd[0] if self._odd is None else self._odd
            self._left_out += len(odd)
        kept = _within(intervals, numbers)
        if not any(isinstance(end, int) for each in intervals for end in (each.low, each.high)):
            return kept
        whole = texts.str.strip_chars().cast(pl.Int128, strict=False)
        return pl.select(pl.coalesce(_within(intervals, whole), kept)).to_series()

    def _ends(self) -> tuple[float, float] | None:
        """Return the two numbers that might as well be the ends of an interval, if it is two."""
        if isinstance(self.wanted, str) or not all(map(_is_number, self.wanted)):
            return None
        numbers = [_float(each) for each in self.wanted]
        return (numbers[0], numbers[1]) if len(numbers) == 2 and numbers[0] < numbers[1] else None

    def _numbers(self, kind: pl.DataType) -> pl.Series:
        """Return listed values as a column's type has them; those it cannot have are left out.

        Args:
            kind: The type of the column.

        Raises:
            SettingsError: One is no number, or too large a one for the column to tell from others.
        """
        numbers = [self._number(each) for each in self.wanted]
        if not kind.is_integer():
            floats = pl.Series(map(_float, numbers), dtype=pl.Float64)
            if kind.is_float() and (floats.abs() >= FIRST_INEXACT[type(kind)]).any():
                raise SettingsError(
                    f"{self.key}: the column holds floats, and {INEXACT}; list no such value, or "
                    "make texts of the column"
                )
            return floats.cast(kind, strict=False)
        whole = [int(each) for each in numbers if each == each // 1]
        return pl.Series(whole, dtype=kind, strict=False).drop_nulls()

    def _number(self, value: FilterValue) -> int | float:
        try:
            return int(value) if isinstance(value, str | int) else float(value)
        except ValueError:
            pass
        try:
            return float(value)
        except ValueError as error:
            raise SettingsError(
                f"{self.key}: the column holds numbers, and the list does not: {value!r}"
            ) from error

    def _met(self, values: pl.Series, kept: pl.Series) -> pl.Series:
        """Return which rows are kept, and take note of the listed values that they hold."""
        if self._unmet:
            met = values.filter(kept.fill_null(value=False)).unique().to_list()
            known = {*met, *map(_number_or_text, met)}
            self._unmet = {
                each
                for each in self._unmet
                if not known & {each, _number_or_text(each), *_spellings(each)}
            }
        return kept

    def _which(self) -> Remark | None:
        if self._taken_as is None or isinstance(self.wanted, str):
            return None
        low, high = self.wanted
        interval, values = f"the numbers from {low} to {high}", f"the two values {low} and {high}"
        one, other = (interval, values) if self._taken_as == "interval" else (values, interval)
        write = f"['{low}', '{high}']" if self._taken_as == "interval" else f"'[{low},{high}]'"
        return Remark(
            "filter_taken_as",
            1,
            f"value_intervals of {self.field!r}, [{low}, {high}], is taken as {one}; for {other} "
            f"write {write}",
        )

    def _odd_texts(self) -> Remark | None:
        if not self._left_out:
            return None
        return Remark(
            "filter_no_numbers",
            self._left_out,
            f"value_intervals of {self.field!r} is an interval of numbers; {self._left_out:,} "
            f"values that are no numbers, such as {self._odd!r}, are left out",
        )

    def _unmatched(self) -> Remark | None:
        if not self._unmet or isinstance(self.wanted, str):
            return None
        unmet = [each for each in self.wanted if each in self._unmet]
        return Remark(
            "filter_unmatched",
            len(unmet),
            f"value_intervals of {self.field!r} lists {len(unmet):,} of {len(self.wanted):,} "
            f"values that stand in no row, such as {unmet[0]!r}",
        )


def _blocks(values: pl.Series) -> Iterator[pl.Series]:
    """Yield a column in blocks of ``BLOCK`` values; of an empty column, one empty block."""
    for start in range(0, max(len(values), 1), BLOCK):
        yield values[start : start + BLOCK]


def _within(intervals: Iterable[Interval], numbers: pl.Series) -> pl.Series:
    held = pl.any_horizontal(interval.holds(pl.lit(numbers)) for interval in intervals)
    return pl.select(held).to_series()


def _as_numbers(texts: pl.Series) -> pl.Series:
    return texts.str.strip_chars().cast(pl.Float64, strict=False)


def _alike(texts: pl.Series, numbers: list[FilterValue]) -> pl.Series:
    """Return which texts spell one of some numbers, but not with zeros before it; Boolean [n]."""
    floats = [each for each in map(_float, numbers) if abs(each) < FIRST_INEXACT[pl.Float64]]
    kept = _as_numbers(texts).is_in(floats)
    large = [each for each in numbers if FIRST_INEXACT[pl.Float64] <= abs(_float(each)) < math.inf]
    if large:  # by their digits, since a float stands for several of them
        digits = pl.Series([str(int(each)) for each in large]).implode()
        kept |= texts.str.strip_chars().str.replace(POINT_ZEROS, "").is_in(digits)
    return kept & ~texts.str.contains(LED_BY_ZERO)


def _float(number: FilterValue) -> float:
    try:
        return float(number)
    except OverflowError:  # a whole number of more than 308 digits
        return math.inf


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _spellings(value: FilterValue) -> tuple[str, ...]:
    """Return the texts that name a listed value; of 8.0 as written and as an item is called."""
    if isinstance(value, float) and value.is_integer():
        return str(value), str(int(value))
    return (str(value),)


def _number_or_text(value: object) -> object:
    """Return the number that a text spells, so that 8 and "8.0" are found to be alike."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int):
        return value
    try:
        number = float(value)  # type: ignore[arg-type]  # dates and the like are told by their text
        return number if abs(number) < FIRST_INEXACT[pl.Float64] else str(value).lower()
    except (TypeError, ValueError, OverflowError):
        return str(value).lower()
