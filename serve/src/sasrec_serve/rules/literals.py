"""Literals: texts, numbers, true and false, null, dates and times."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np

from sasrec_serve.rules.nodes import text_of
from sasrec_serve.rules.numbers import MOST_DIGITS, TypeMismatch
from sasrec_serve.rules.parsing import Refused
from sasrec_serve.rules.recognised import FIRST_DAY, START
from sasrec_serve.rules.values import Values, text_values

if TYPE_CHECKING:
    from sqlglot import exp

UNIT = {"DATE": "date", "TIMESTAMP": "time", "DATETIME": "time", "TIMESTAMPNTZ": "time"}
DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
TIME = re.compile(r"(\d{4}-\d{2}-\d{2})(?:[ T](\d{2}:\d{2}(?::\d{2}(?:\.\d{1,6})?)?))?")
NUMBER = re.compile(r"(\d*)(?:\.(\d*))?([eE][-+]?\d+)?")


def null(_: Any = None) -> Values:
    """Return a missing value of no type."""
    return Values("null", np.zeros(1, dtype=bool), np.zeros(1, dtype=bool))


def flag(node: exp.Expression) -> Values:
    """Return true or false.

    Args:
        node: The literal.
    """
    return Values("flag", np.array([bool(node.this)]))


def literal(node: exp.Expression) -> Values:
    """Return a text or a number.

    Args:
        node: The literal.

    Returns:
        One value.

    Raises:
        TypeMismatch: A number has too many digits.
    """
    text = str(node.this)
    if node.args.get("is_string"):
        return text_values([text])
    found = NUMBER.fullmatch(text)
    if found is None or not (found[1] or found[2]):
        raise TypeMismatch(f"{text[:40]!r} is no number")
    if found[3]:
        return Values("number", np.array([float(text)]))
    digits, after = found[1] + (found[2] or ""), len(found[2] or "")
    if len(digits) > MOST_DIGITS:
        raise TypeMismatch(f"a number has more than {MOST_DIGITS} digits")
    number = int(digits)
    data = np.array([number], dtype=np.int64 if number < 2**63 else object)
    is_whole = found[2] is None and number < 2**63
    return Values("whole", data) if is_whole else Values("decimal", data, scale=after)


def moment(node: exp.Expression) -> Values:
    """Return a date or time, such as ``date '2026-11-29'``.

    Args:
        node: The conversion of a text to a date or time.

    Returns:
        One value.

    Raises:
        Refused: Something else is converted.
        TypeMismatch: The text is no date or time.
    """
    text = text_of(node.this)
    target = node.args["to"]
    kind = UNIT.get(getattr(target.this, "name", ""))
    if text is None or kind is None:
        raise Refused("cast")
    try:
        if kind == "date" and DATE.fullmatch(text):
            return Values("date", np.array([date.fromisoformat(text).toordinal() - FIRST_DAY]))
        if kind == "time" and (found := TIME.fullmatch(text)):
            moment = datetime.fromisoformat(f"{found[1]}T{found[2] or '00:00'}")
            micros = (moment.replace(tzinfo=UTC) - START) // timedelta(microseconds=1)
            return Values("time", np.array([micros], dtype=np.int64))
    except ValueError:
        pass
    form = "2026-11-29" if kind == "date" else "2026-11-29 12:00:00"
    raise TypeMismatch(f"{text[:40]!r} is no {kind}; write such as '{form}'")
