"""Times given as text: numbers, or dates in the forms that data files can have."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta, timezone
from itertools import combinations

from sasrec_serve.tokens import SPACES

Read = Callable[[str], float | None]
"""Reads a text as seconds since 1970, or as a number; None if it does not have the form."""

NUMBERS, YEAR_FIRST, DAY_FIRST, MONTH_FIRST = "numbers", "year_first", "day_first", "month_first"
SHORT_YEAR_FIRST, MONTH_NAMES = "short_year_first", "month_names"
MONTHS = (
    *("january", "february", "march", "april", "may", "june", "july", "august", "september"),
    *("october", "november", "december"),
)
REST = r"([^0-9].*)?\Z"
"""A clock, or nothing."""
OLD, NEW = r"(69|[7-9][0-9])", r"([0-5][0-9]|6[0-8])"
"""Two digits of years from 1969 on, and of those from 2000 on, as in POSIX."""
A_B_YEAR = r"^([0-9]{1,2})[./ -]([0-9]{1,2})(?:[./-]|,? )"
A_B_SHORT = r"^([0-9]{1,2})[./-]([0-9]{1,2})[./-]"
SHORT_A_B = r"[./-]([0-9]{1,2})[./-]([0-9]{1,2})" + REST
NAME = r"([A-Za-z]{3,9})\.?"
WEEKDAY = r"^(?:(?i:mon|tue|wed|thu|fri|sat|sun)[a-z]*\.?,? +)?"
NAMED_ZONE = r"(?i:UTC|GMT|Z)"

Rules = Sequence[tuple[str, str]]
REWRITTEN: dict[str, Rules] = {
    DAY_FIRST: (
        (A_B_YEAR + r"([0-9]{4})" + REST, r"\3-\2-\1\4"),
        (A_B_SHORT + OLD + REST, r"19\3-\2-\1\4"),
        (A_B_SHORT + NEW + REST, r"20\3-\2-\1\4"),
    ),
    MONTH_FIRST: (
        (A_B_YEAR + r"([0-9]{4})" + REST, r"\3-\1-\2\4"),
        (A_B_SHORT + OLD + REST, r"19\3-\1-\2\4"),
        (A_B_SHORT + NEW + REST, r"20\3-\1-\2\4"),
    ),
    SHORT_YEAR_FIRST: (
        ("^" + OLD + SHORT_A_B, r"19\1-\2-\3\4"),
        ("^" + NEW + SHORT_A_B, r"20\1-\2-\3\4"),
    ),
    MONTH_NAMES: (
        (  # Nov 15 11:29:22 -0800 2011
            WEEKDAY
            + NAME
            + r" +([0-9]{1,2}) ([0-9]{1,2}:[0-9]{2}:[0-9]{2})"
            + r"( (?:[+-][0-9]{4}|[A-Z]{1,3}))? ([0-9]{4})\Z",
            r"\5-\1-\2 \3\4",
        ),
        (  # Nov 15, 2011
            WEEKDAY + NAME + r" +([0-9]{1,2})(?:st|nd|rd|th)?,? +([0-9]{4})" + REST,
            r"\3-\1-\2\4",
        ),
        (  # 15-Nov-2011
            WEEKDAY + r"([0-9]{1,2})(?:st|nd|rd|th)?[ .-]+" + NAME + r"[ ,-]+([0-9]{4})" + REST,
            r"\3-\2-\1\4",
        ),
        (r"^([0-9]{4})[ -]" + NAME + r"[ -]([0-9]{1,2})" + REST, r"\1-\2-\3\4"),
    ),
}
"""Form to patterns and replacements that write its dates with the year first."""
COMPACT = r"^([0-9]{4})([0-9]{2})([0-9]{2})[T ]([0-9]{2}):?([0-9]{2})"
CANONICAL: Rules = (
    (COMPACT + r":?([0-9]{2})" + REST, r"\1-\2-\3 \4:\5:\6\7"),
    (COMPACT + REST, r"\1-\2-\3 \4:\5:00\6"),
    (r"^([0-9]{4})[-/.]([0-9]{1,2})[-/.]([0-9]{1,2})", r"\1-\2-\3"),
    (r"^([0-9]{4}-[0-9]{1,2}-[0-9]{1,2})[T, ]+", r"\1 "),
    (r"^([^ ]+ [0-9]{1,2}:[0-9]{2})([^:0-9]|\Z)", r"\1:00\2"),
    (r"^([^ ]+ [0-9:]+),([0-9]+)", r"\1.\2"),
    (r"^([^ ]+ [0-9:.]+) ?([AaPp])\.?[Mm]\.?", r"\1 \2m"),
    (r" ?\([^)]*\)\Z", ""),
    (r"([+-][0-9]{4}) " + NAMED_ZONE + r"\Z", r"\1"),
    (r"^([^ ]+ .*) ?" + NAMED_ZONE + r"\Z", r"\1+0000"),
    (r"^([^ ]+ .*[0-9]|[^ ]+ .* [AaPp]m) ?(?:GMT|UTC)?([+-][0-9]{2}):?([0-9]{2})\Z", r"\1\2\3"),
    (r"^([^ ]+ .*[0-9]|[^ ]+ .* [AaPp]m) ?([+-][0-9]{2})\Z", r"\1\g<2>00"),
    (r" +([+-][0-9]{4})\Z", r"\1"),
)
"""Patterns and replacements that write a date with the year first as ``WHOLE``."""
BEGINS_WITH_YEAR = re.compile(r"^([0-9]{4}[-/.]|[0-9]{8}[T ])")
ISO: Rules = (
    (r" ?(?:Z|UTC)\Z", "+0000"),
    ("T", " "),
    (r"([+-][0-9]{2}):([0-9]{2})\Z", r"\1\2"),
)
"""Patterns and replacements that are enough for most dates, tried first."""
WHOLE = re.compile(
    r"([0-9]{4})-([0-9]{1,2}+)-([0-9]{1,2}+)"
    r"(?:\s*([0-9]{1,2}+):([0-9]{1,2}+)(?::([0-9]{1,2}+)(\.[0-9]+)?(?:\s*([AaPp][Mm]))?"
    r"(?:([+-])([0-9]{2})([0-9]{2}))?)?)?(?:\+0000)?"
)
NAMES = re.compile("|".join([*MONTHS, "sept", *(month[:3] for month in MONTHS)]), re.I | re.A)
START = datetime(1970, 1, 1, tzinfo=UTC)


def seconds_of_texts(texts: Sequence[str]) -> list[float]:
    """Return times given as text: all numbers, or all dates of one form.

    Args:
        texts: The texts; one without characters is a missing time.

    Returns:
        Numbers unchanged, and dates as seconds since 1970; NaN where a text is empty.

    Raises:
        TypeError: The texts are neither all numbers nor all dates, or the order of day and month is
            not certain.
    """
    filled = [text for text in texts if text.strip(SPACES)]
    read = {form: [function(text) for text in filled] for form, function in FORMS.items()}
    fitting = [form for form, values in read.items() if None not in values]
    if not fitting:
        raise TypeError(
            f"{_first_misfit(texts)!r} is not; write all as numbers, or all as dates such as "
            "2024-05-31 or 2024-05-31 18:30:00"
        )
    if any(read[one] != read[other] for one, other in combinations(fitting, 2)):
        raise TypeError(
            f"{filled[0]!r} can be read with the day or the month first; write 2024-05-31"
        )
    values = iter(read[fitting[0]])
    found = [next(values) if text.strip(SPACES) else None for text in texts]
    return [float("nan") if value is None else value for value in found]


def _first_misfit(texts: Sequence[str]) -> str:
    """Return the first text that has no form, or else not the form of most texts."""
    fits = {form: [read(text) is not None for text in texts] for form, read in FORMS.items()}
    without = [text for text, *own in zip(texts, *fits.values(), strict=True) if not any(own)]
    most = max(fits, key=lambda form: sum(fits[form]))
    others = [text for text, fit in zip(texts, fits[most], strict=True) if not fit]
    return (without or others)[0]


def _number(text: str) -> float | None:
    try:
        return None if "_" in text else float(text)
    except ValueError:
        return None


def _date(text: str) -> float | None:
    """Return a date that begins with a year of four digits."""
    stripped = text.strip()
    if not BEGINS_WITH_YEAR.match(stripped):
        return None
    found = _whole(_rewritten(stripped, ISO))
    return _whole(_rewritten(stripped, CANONICAL)) if found is None else found


def _date_of(form: str) -> Read:
    def read(text: str) -> float | None:
        stripped = text.strip()
        changed = _rewritten(stripped, REWRITTEN[form])
        if form == MONTH_NAMES:
            changed = NAMES.sub(_month_number, changed)
        return None if changed == stripped else _date(changed)

    return read


def _rewritten(text: str, rules: Rules) -> str:
    for pattern, replacement in rules:
        text = re.sub(pattern, replacement, text, count=1)
    return text


def _month_number(name: re.Match[str]) -> str:
    return str([month[:3] for month in MONTHS].index(name[0][:3].lower()) + 1)


def _whole(text: str) -> float | None:
    """Return the seconds of a date in the form ``2024-05-31 18:30:00.5+0200``, or with am or pm."""
    parts = WHOLE.fullmatch(text)
    if parts is None:
        return None
    year, month, day, hour, minute, second = (int(part or 0) for part in parts.group(*range(1, 7)))
    fraction, half, sign, hours, minutes = parts.group(*range(7, 12))
    if half:
        if not 1 <= hour <= 12:
            return None
        hour = hour % 12 + 12 * (half[0] in "Pp")
    try:
        offset = timedelta(hours=int(hours or 0), minutes=int(minutes or 0))
        zone = timezone(-offset if sign == "-" else offset)
        moment = datetime(year, month, day, hour, minute, min(second, 59), tzinfo=zone)
    except ValueError:
        return None
    if second > 60:
        return None
    micros = int((fraction or ".")[1:7].ljust(6, "0")) + 10**6 * (second == 60)  # a leap second
    # The same product as in data sets, so that not even the last digit differs.
    return ((moment - START) // timedelta(microseconds=1) + micros) * 1e-6


FORMS: dict[str, Read] = {
    YEAR_FIRST: _date,
    DAY_FIRST: _date_of(DAY_FIRST),
    MONTH_FIRST: _date_of(MONTH_FIRST),
    SHORT_YEAR_FIRST: _date_of(SHORT_YEAR_FIRST),
    MONTH_NAMES: _date_of(MONTH_NAMES),
    NUMBERS: _number,
}
"""Name of each form to the function that reads it; no number is a date."""
