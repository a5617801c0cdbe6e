"""Arithmetic with values: whole numbers, decimals and floats, with the types of Polars.

Decimals are whole numbers with a scale: sums and products are exact, and a quotient has six digits
more than the dividend, rounded half to even.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from sasrec_serve.rules.values import KINDS, Values

NUMERIC = ("whole", "decimal", "number")
MOST_DIGITS = 38
"""Digits that a decimal may have."""
QUOTIENT_DIGITS = 6
"""Digits after the point that a quotient of decimals has more than the dividend."""
SMALL = 2**62
"""Whole numbers below this size are computed as int64, larger ones as Python numbers."""
OPERATORS: dict[str, Callable[..., np.ndarray]] = {
    "Add": np.add,
    "Sub": np.subtract,
    "Mul": np.multiply,
    "Div": np.true_divide,
    "Mod": np.fmod,
}
SIGNS = {"Add": "+", "Sub": "-", "Mul": "*", "Div": "/", "Mod": "%"}


class TypeMismatch(ValueError):  # noqa: N818 - turned into a SettingsError, which names the rule
    """The types of values do not fit an operator."""


def calculated(operator: str, one: Values, other: Values, *, guarded: bool) -> Values:
    """Return the result of an arithmetic operator.

    Args:
        operator: A key of ``OPERATORS``.
        one: The values on the left.
        other: Those on the right.
        guarded: Whether a quotient without a value, such as 0/0 or 1/0, is missing; otherwise it is
            NaN or infinite.

    Returns:
        The results; missing where one of the values is.

    Raises:
        TypeMismatch: The values are no numbers, or too large.
    """
    known = both_known(one, other)
    if "null" in (one.kind, other.kind):
        return replace(other if one.kind == "null" else one, known=known)
    one, other = _as_numbers(one, other, SIGNS[operator])
    kinds = {one.kind, other.kind}
    if "number" in kinds or (operator == "Div" and "decimal" not in kinds):
        with np.errstate(all="ignore"):
            data = OPERATORS[operator](floats(one), floats(other))
        if guarded and operator in ("Div", "Mod"):
            known = _and(known, np.isfinite(data))
        return Values("number", data, known)
    if "decimal" in kinds:
        if guarded and operator in ("Div", "Mod"):
            known = _and(known, other.data != 0)
        return _decimal(operator, one, other, known)
    return _whole(operator, one, other, known)


def negated(values: Values) -> Values:
    """Return values with the other sign.

    Args:
        values: The values.

    Raises:
        TypeMismatch: They are no numbers.
    """
    if values.kind not in (*NUMERIC, "null"):
        raise TypeMismatch(f"- needs numbers, not {KINDS[values.kind]}")
    return values if values.kind == "null" else replace(values, data=-values.data)


def floats(values: Values) -> np.ndarray:
    """Return numbers as float64.

    Args:
        values: Numbers or flags.
    """
    data = values.data.astype(np.float64)
    return data / 10.0**values.scale if values.scale else data


def scaled(values: Values, scale: int) -> np.ndarray:
    """Return whole numbers or decimals as whole numbers with a number of digits after the point.

    Args:
        values: The values.
        scale: Digits after the point, at least as many as they have.

    Returns:
        int64, or Python numbers if they could be too large.
    """
    factor = 10 ** (scale - values.scale)
    return as_large(values.data, factor) * factor if factor > 1 else values.data


def as_large(data: np.ndarray, factor: int = 1) -> np.ndarray:
    """Return whole numbers as Python numbers, if their products could be too large for int64.

    Args:
        data: Whole numbers.
        factor: Upper limit on what they are multiplied with.
    """
    if data.dtype == object or not len(data):
        return data
    largest = max(int(data.max()), -int(data.min()))
    return data if largest * factor < SMALL else data.astype(object)


def both_known(one: Values, other: Values) -> np.ndarray | None:
    """Return where neither of two values is missing; None if none is.

    Args:
        one: Values.
        other: Values.
    """
    return _and(one.known, other.known)


def _and(one: np.ndarray | None, other: np.ndarray | None) -> np.ndarray | None:
    if one is None or other is None:
        return other if one is None else one
    found: np.ndarray = one & other
    return found


def _as_numbers(one: Values, other: Values, sign: str) -> tuple[Values, Values]:
    """Return two numbers; true and false count as 1 and 0 beside whole numbers and floats.

    Raises:
        TypeMismatch: They are no numbers.
    """
    kinds = {one.kind, other.kind}
    if not kinds <= {*NUMERIC, "flag"} or kinds in ({"flag"}, {"flag", "decimal"}):
        raise TypeMismatch(f"{KINDS[one.kind]} {sign} {KINDS[other.kind]}")
    return _without_flags(one), _without_flags(other)


def _without_flags(values: Values) -> Values:
    if values.kind != "flag":
        return values
    return replace(values, kind="whole", data=values.data.astype(np.int64))


def _whole(operator: str, one: Values, other: Values, known: np.ndarray | None) -> Values:
    """Return the result for whole numbers; larger ones than int64 wrap around, as in Polars.

    Raises:
        TypeMismatch: The result of two literals is too large.
    """
    data, divisor = one.data, other.data
    if operator == "Mod":
        known = _and(known, divisor != 0)
        divisor = np.where(divisor == 0, 1, divisor)
    if len(data) == len(divisor) == 1 and operator != "Mod":
        exact = OPERATORS[operator](data.astype(object), divisor.astype(object))
        if not -(2**63) <= exact[0] < 2**63:
            raise TypeMismatch("the result of two numbers is too large")
    with np.errstate(all="ignore"):
        return Values("whole", OPERATORS[operator](data, divisor), known)


def _decimal(operator: str, one: Values, other: Values, known: np.ndarray | None) -> Values:
    """Return the result for decimals.

    Raises:
        TypeMismatch: It is too large, or a divisor is zero.
    """
    scale = max(one.scale, other.scale)
    if operator in ("Div", "Mod"):
        divisor = other.data
        if ((divisor == 0) & (True if known is None else known)).any():
            raise TypeMismatch("division by zero; write nullif(DIVISOR, 0)")
        other = replace(other, data=np.where(divisor == 0, 10**other.scale, divisor))
    if operator == "Mul":
        scale, factor = one.scale + other.scale, _largest(other.data)
        data = as_large(one.data, max(factor, 1)) * other.data
    elif operator == "Div":
        scale = one.scale + QUOTIENT_DIGITS
        shift = other.scale + QUOTIENT_DIGITS
        data = _divided(as_large(one.data, 10**shift) * 10**shift, other.data)
    else:
        left, right = as_large(scaled(one, scale), 2), as_large(scaled(other, scale), 2)
        data = _remainder(left, right) if operator == "Mod" else OPERATORS[operator](left, right)
    if scale > MOST_DIGITS or _largest(data) >= 10**MOST_DIGITS:
        raise TypeMismatch(f"a number has more than {MOST_DIGITS} digits")
    return Values("decimal", np.asarray(data), known, scale=scale)


def _largest(data: np.ndarray) -> int:
    return max(int(data.max()), -int(data.min())) if len(data) else 0


def _divided(dividend: np.ndarray, divisor: np.ndarray) -> np.ndarray:
    """Return quotients of whole numbers, rounded half to even."""
    dividend, divisor = np.broadcast_arrays(dividend, divisor)
    dividend = np.where(divisor < 0, -dividend, dividend)
    divisor = as_large(abs(divisor), 4)
    whole = dividend // divisor
    twice = 2 * (dividend - whole * divisor)
    up = (twice > divisor) | ((twice == divisor) & (whole % 2 == 1))
    return np.asarray(whole + up.astype(np.int64))


def _remainder(dividend: np.ndarray, divisor: np.ndarray) -> np.ndarray:
    """Return remainders with the sign of the dividend."""
    rest = abs(dividend) % abs(divisor)
    return np.asarray(np.where(dividend < 0, -rest, rest))
