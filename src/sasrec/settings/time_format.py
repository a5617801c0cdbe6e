"""Setting of how dates are written, for columns that can be read in two ways or in none."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator

from sasrec.errors import did_you_mean
from sasrec.settings.fields import number_as_text
from sasrec.settings.item_columns import ItemSettings

DAY_FIRST, MONTH_FIRST, YEAR_FIRST = "day_first", "month_first", "year_first"
ORDERS = (DAY_FIRST, MONTH_FIRST, YEAR_FIRST)
"""Orders of day, month and year: which of the recognised forms is meant."""
DIRECTIVE = re.compile(r"%[-_0]?(\.?[369]?f|.)")
FRACTION = re.compile(r"(\.?)%f")
"""Fraction of a second in Python's notation."""
YEARS, DAYS, WHOLE = "Yy", "demj", "DFs"
CLOCKS = "HIklMSpPTRrz"
OTHERS = "bBhaAnt%"
HOURS = "HIkl"


def polars_form(form: str) -> str:
    """Return a form of dates as Polars expects it, which differs in fractions and padding.

    >>> polars_form("%-d/%-m/%Y %H:%M:%S.%f")
    '%d/%m/%Y %H:%M:%S%.f'

    Args:
        form: A strptime form, as Python takes it.
    """
    dotted = FRACTION.sub(lambda found: "%.f" if found[1] else "%f", form)
    return re.sub(r"%[-_0](?=\w)", "%", dotted)


def _check_form(form: str | None) -> str | None:
    """Return a form of dates if its parts name at least a year.

    Args:
        form: The form, or one of ``ORDERS``.

    Returns:
        The form, unchanged.

    Raises:
        ValueError: It has no or an unknown directive, or lacks one.
    """
    if form is None or form in ORDERS:
        return form
    if "%" not in form:
        raise ValueError(
            f"write a strptime form such as '%d/%m/%Y %H:%M', or one of {', '.join(ORDERS)}"
            f"{did_you_mean(form, ORDERS)}"
        )
    if form.endswith("%") and not form.endswith("%%"):
        raise ValueError("a letter is missing after the last %, as in '%d/%m/%Y'")
    parts = [found[1] for found in DIRECTIVE.finditer(form)]
    _check_parts(form, parts)
    return form


def _check_parts(form: str, parts: list[str]) -> None:
    """Raise an error if a directive of a form is unknown, or one is missing.

    Args:
        form: The form.
        parts: Its directives, without the percent signs.

    Raises:
        ValueError: It is so.
    """
    known = YEARS + DAYS + WHOLE + CLOCKS + OTHERS
    for part in parts:
        if part == "Z":
            raise ValueError(
                "names of time zones cannot be read (%Z); write the name itself if it is always "
                "UTC, as in '%Y-%m-%d %H:%M:%S UTC', or %z for offsets such as +0100"
            )
        if not part.endswith("f") and part not in known:
            raise ValueError(f"%{part} is unknown; use parts such as %Y, %m, %d, %H, %M and %S")
        if part == "f" and not FRACTION.search(form)[1]:  # type: ignore[index]
            raise ValueError("a fraction of a second follows a point: write .%f")
    if not _has(parts, YEARS + WHOLE):
        raise ValueError("it has no year; add %Y, or %y for two digits")
    if _has(parts, "Il") and not _has(parts, "pP"):
        raise ValueError("%I is an hour of twelve; add %p for AM and PM, or write %H")
    if _has(parts, HOURS) != _has(parts, "M"):
        raise ValueError("give hour and minute both, as in '%H:%M', or neither")


def _has(parts: Iterable[str], letters: str) -> bool:
    return any(part in letters for part in parts)


def _form_text(value: Any) -> Any:
    """Return ``day-first`` as ``day_first``; other values are unchanged."""
    value = number_as_text(value)
    if isinstance(value, str) and value.strip().lower().replace("-", "_") in ORDERS:
        return value.strip().lower().replace("-", "_")
    return value


class TimeSettings(ItemSettings):
    """How dates are written."""

    time_format: Annotated[str | None, BeforeValidator(_form_text), AfterValidator(_check_form)] = (
        None
    )
    """How dates in the time column are written: a strptime form such as '%d/%m/%Y %H:%M', or
    day_first, month_first or year_first for the usual forms with this order. None recognises the
    usual forms, and asks if two orders fit."""
