"""Choosing between values of several expressions: ``case when``, ``coalesce`` and ``nullif``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from sasrec_serve.rules.comparing import as_flags, compared, microseconds
from sasrec_serve.rules.numbers import MOST_DIGITS, NUMERIC, TypeMismatch, floats, scaled
from sasrec_serve.rules.values import KINDS, Kind, Values


def chosen(conditions: Sequence[Values], results: Sequence[Values]) -> Values:
    """Return the result of the first condition that is true.

    Args:
        conditions: Flags; a missing one counts as false.
        results: One result for each condition, and one for the case that none is true.

    Returns:
        The results in the type that all of them fit.

    Raises:
        TypeMismatch: A condition is not true or false, or the results have no common type.
    """
    size = max(map(len, [*conditions, *results]))
    which = np.full(size, len(conditions), dtype=np.int64)
    for index in range(len(conditions) - 1, -1, -1):
        flags = as_flags(conditions[index], "case when")
        which = np.where(flags.data & flags.mask, index, which)
    same = in_one_type(results)
    data, known = same[-1].data, same[-1].mask
    for index, each in enumerate(same[:-1]):
        is_here = which == index
        data = np.where(is_here, each.data, data)
        known = np.where(is_here, each.mask, known)
    if len(data) != size:
        data = np.broadcast_to(data, (size,))
    return replace(same[-1], data=data, known=np.broadcast_to(known, (size,)))


def first_known(values: Sequence[Values]) -> Values:
    """Return the first value of each row that is not missing.

    Args:
        values: Values, from one.

    Returns:
        The values in the type that all of them fit.

    Raises:
        TypeMismatch: They have no common type.
    """  # raised by chosen
    conditions = [Values("flag", each.mask) for each in values[:-1]]
    return chosen(conditions, values)


def without_equal(values: Values, other: Values) -> Values:
    """Return values, missing where they equal others.

    Args:
        values: The values.
        other: The others.

    Returns:
        The values.

    Raises:
        TypeMismatch: They cannot be compared.
    """  # raised by compared
    equal = compared("EQ", values, other)
    nothing = Values("null", np.zeros(1, dtype=bool), np.zeros(1, dtype=bool))
    return chosen([equal], [nothing, values])


def in_one_type(values: Sequence[Values]) -> list[Values]:
    """Return values in the type that all of them fit.

    Args:
        values: The values.

    Returns:
        The values in the same order; texts with the same entries, decimals with the same scale.

    Raises:
        TypeMismatch: There is no such type.
    """
    kinds = {each.kind for each in values} - {"null"}
    kind, scale = _common(kinds), max(each.scale for each in values)
    if scale > MOST_DIGITS:
        raise TypeMismatch(f"a number has more than {MOST_DIGITS} digits")
    entries: Sequence[str] = ()
    if kind == "text":
        entries = sorted({text for each in values for text in each.entries})
    return [_converted(each, kind, scale=scale, entries=entries) for each in values]


def _common(kinds: set[Kind]) -> Kind:
    """Return the type that values of some types fit.

    Raises:
        TypeMismatch: There is none.
    """
    if not kinds:
        return "null"
    if len(kinds) == 1 and "texts" not in kinds:
        return next(iter(kinds))
    if kinds == {"date", "time"}:
        return "time"
    if kinds <= {*NUMERIC, "flag"} and kinds != {"flag", "decimal"}:
        return next(kind for kind in ("number", "decimal", "whole") if kind in kinds)
    raise TypeMismatch(" beside ".join(sorted(KINDS[kind] for kind in kinds)))


def _converted(values: Values, kind: Kind, *, scale: int, entries: Sequence[str]) -> Values:
    """Return values in another type."""
    if values.kind == "null":
        nothing = np.zeros(len(values), dtype=bool)
        return Values(kind, nothing.astype(np.int32), nothing, entries=entries, scale=scale)
    if kind == "text":
        place = {text: index for index, text in enumerate(entries)}
        codes = np.array([place[text] for text in values.entries] or [0], dtype=np.int32)
        return replace(values, data=codes[values.data], entries=entries)
    if kind == "number":
        return Values(kind, floats(values), values.known)
    if kind == "decimal":
        return Values(kind, scaled(replace(values, kind=kind), scale), values.known, scale=scale)
    if kind == "whole":
        return Values(kind, values.data.astype(np.int64), values.known)
    if kind == "time":
        return Values(kind, microseconds(values), values.known)
    return values
