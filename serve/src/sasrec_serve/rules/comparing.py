"""Comparisons and the logic of three values: true, false and unknown."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import replace
from typing import TypeVar

import numpy as np

from sasrec_serve.rules.numbers import NUMERIC, TypeMismatch, both_known, floats, scaled
from sasrec_serve.rules.values import KINDS, Values

Item = TypeVar("Item")
SIGNS = {"EQ": "=", "NEQ": "!=", "LT": "<", "LTE": "<=", "GT": ">", "GTE": ">="}
MICROSECONDS = 86_400_000_000
"""Microseconds of a day."""


def compared(operator: str, one: Values, other: Values) -> Values:
    """Return the truth of a comparison.

    Args:
        operator: A key of ``SIGNS``.
        one: The values on the left.
        other: Those on the right.

    Returns:
        Flags; missing where one of the values is.

    Raises:
        TypeMismatch: Values of these types cannot be compared.
    """
    known = both_known(one, other)
    if "null" in (one.kind, other.kind):
        size = max(len(one), len(other))
        return Values("flag", np.zeros(size, dtype=bool), np.zeros(size, dtype=bool))
    left, right = _comparable(one, other, SIGNS[operator])
    return Values("flag", _truth(operator, left, right), known)


def one_of(values: Values, choices: Sequence[Values]) -> Values:
    """Return whether values equal one of some choices.

    Args:
        values: The values.
        choices: The choices, from 1.

    Returns:
        Flags; missing if no choice is equal, and a value or a choice is missing.

    Raises:
        TypeMismatch: Values of these types cannot be compared.
    """
    found: Values | None = None
    for choice in choices:
        if {values.kind, choice.kind} in ({"flag", "whole"}, {"flag", "number"}):
            raise TypeMismatch(f"{KINDS[values.kind]} in a list of {KINDS[choice.kind]}")
        equal = compared("EQ", values, choice)
        found = equal if found is None else either(found, equal)
    if found is None:
        raise TypeMismatch("the list is empty")
    return found


def both(one: Values, other: Values) -> Values:
    """Return one and other.

    Args:
        one: Flags.
        other: Flags.

    Returns:
        Flags; missing where neither value is false and one is missing.

    Raises:
        TypeMismatch: The values are not true or false.
    """
    one, other = as_flags(one, "and"), as_flags(other, "and")
    data = one.data & other.data
    if one.known is None and other.known is None:
        return Values("flag", data)
    known = (one.mask & other.mask) | (one.mask & ~one.data) | (other.mask & ~other.data)
    return Values("flag", data, known)


def either(one: Values, other: Values) -> Values:
    """Return one or other.

    Args:
        one: Flags.
        other: Flags.

    Returns:
        Flags; missing where neither value is true and one is missing.

    Raises:
        TypeMismatch: The values are not true or false.
    """
    one, other = as_flags(one, "or"), as_flags(other, "or")
    data = (one.data & one.mask) | (other.data & other.mask)
    if one.known is None and other.known is None:
        return Values("flag", data)
    return Values("flag", data, (one.mask & other.mask) | data)


def opposite(values: Values) -> Values:
    """Return not values.

    Args:
        values: Flags.

    Raises:
        TypeMismatch: They are not true or false.
    """
    flags = as_flags(values, "not")
    return replace(flags, data=~flags.data)


def as_flags(values: Values, word: str) -> Values:
    """Return values that are true or false.

    Args:
        values: The values.
        word: What needs them, for the message.

    Returns:
        The values as flags.

    Raises:
        TypeMismatch: They are of another type.
    """
    if values.kind == "null":
        return Values("flag", np.zeros(len(values), dtype=bool), np.zeros(len(values), dtype=bool))
    if values.kind != "flag":
        raise TypeMismatch(f"{word} needs true or false, not {KINDS[values.kind]}")
    return values


def _comparable(one: Values, other: Values, sign: str) -> tuple[np.ndarray, np.ndarray]:
    """Return arrays whose order is that of the values.

    Raises:
        TypeMismatch: Values of these types have no common order.
    """
    kinds = {one.kind, other.kind}
    if kinds == {"text"}:
        return aligned_codes(one, other)
    if kinds <= {"date", "time"}:
        return microseconds(one), microseconds(other)
    if kinds == {"flag"} or kinds == {"whole"}:
        return one.data, other.data
    if kinds == {"flag", "whole"}:
        return one.data.astype(np.int64), other.data.astype(np.int64)
    if "number" in kinds and kinds <= {*NUMERIC, "flag"}:
        return floats(one), floats(other)
    if kinds <= set(NUMERIC):
        scale = max(one.scale, other.scale)
        return scaled(one, scale), scaled(other, scale)
    raise TypeMismatch(f"{KINDS[one.kind]} {sign} {KINDS[other.kind]}")


def microseconds(values: Values) -> np.ndarray:
    """Return dates or times as microseconds since 1970, int64.

    Args:
        values: Dates or times.
    """
    return values.data * MICROSECONDS if values.kind == "date" else values.data


def aligned_codes(one: Values, other: Values) -> tuple[np.ndarray, np.ndarray]:
    """Return whole numbers whose order is that of texts.

    Args:
        one: Texts.
        other: Texts.
    """
    if len(other.entries) <= 1 and len(one.entries) > 1:
        return 2 * one.data, _between(one.entries, other)
    if len(one.entries) <= 1:
        return _between(other.entries, one), 2 * other.data
    entries = sorted({*one.entries, *other.entries})
    place = {text: index for index, text in enumerate(entries)}
    left, right = (
        np.array([place[text] for text in each.entries], dtype=np.int64)[each.data]
        for each in (one, other)
    )
    return left, right


def _between(entries: Sequence[str], single: Values) -> np.ndarray:
    """Return twice the place of a text, or the odd number before the next larger text."""
    if not single.entries:
        return np.zeros(len(single), dtype=np.int64)
    text = single.entries[0]
    place = bisect_left(entries, text)
    is_entry = place < len(entries) and entries[place] == text
    return np.full(len(single), 2 * place if is_entry else 2 * place - 1, dtype=np.int64)


def _truth(operator: str, left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Return the truth of a comparison; NaN is the largest number and equals itself."""
    if operator == "NEQ":
        return ~_truth("EQ", left, right)
    if operator == "GT":
        return _truth("LT", right, left)
    if operator in ("LTE", "GTE"):
        return ~_truth("GT" if operator == "LTE" else "LT", left, right)
    found = np.asarray(left == right if operator == "EQ" else left < right).astype(bool)
    if left.dtype.kind == "f" and (np.isnan(left).any() or np.isnan(right).any()):
        nan_left, nan_right = np.isnan(left), np.isnan(right)
        found |= nan_right & (nan_left if operator == "EQ" else ~nan_left)
    return found
