"""Limits: from which value on a check warns, and from which it stops a training."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from sasrec.errors import SettingsError, did_you_mean

if TYPE_CHECKING:
    from typing import TypeAlias

    LimitSource: TypeAlias = Mapping[str, float | Sequence[float | None] | None]


@dataclass(frozen=True, slots=True)
class Limit:
    """From which value on a check warns, and stops.

    Attributes:
        warn: From this value on, the verdict is ``warn``; None never warns.
        stop: From this value on, the verdict is ``stop``; None never stops.
    """

    warn: float | None
    stop: float | None


LIMITS: Mapping[str, Limit] = MappingProxyType(
    {
        "events_per_day": Limit(2, 5),
        "people_per_day": Limit(2, 5),
        "items_per_day": Limit(2, 5),
        "unknown_items": Limit(0.3, 0.8),
        "unknown_people": Limit(0.99, None),
        "popularity": Limit(0.25, 1),
        "known_events": Limit(0.05, None),
        "late_events": Limit(0.05, 1),
        "gap": Limit(2, 7),
        "busiest_day": Limit(5, 20),
        "duplicates": Limit(0.1, 0.3),
        "repeats": Limit(0.1, 0.3),
        "lengths": Limit(3, 10),
        "event_types": Limit(0.1, 0.4),
    }
)
"""Limits of each check, unless others are given. docs/nightly.md says what each value means."""


def limits_from(given: LimitSource | None) -> dict[str, Limit]:
    """Return all limits, with the given ones in place of the defaults.

    Args:
        given: Name of a check to ``(warn, stop)``, to one number (warn only), or to None to never
            warn nor stop; None gives nothing.

    Returns:
        A limit for each check.

    Raises:
        SettingsError: A name is unknown, or a limit is no number of at least 0.
    """
    if not isinstance(given, Mapping | None):
        raise SettingsError(f"limits must be a dict of checks to (warn, stop), not {given!r}")
    found = dict(LIMITS)
    for name, value in (given or {}).items():
        if name not in LIMITS:
            hint = did_you_mean(str(name), LIMITS)
            raise SettingsError(f"unknown check {name!r}{hint} (known: {', '.join(LIMITS)})")
        found[name] = _limit(name, value)
    return found


def _limit(name: str, value: Any) -> Limit:
    """Return a limit from what a user gave.

    Raises:
        SettingsError: It is no number of at least 0, or ``stop`` is below ``warn``.
    """
    pair = value if isinstance(value, Sequence) and not isinstance(value, str) else (value, None)
    if len(pair) != 2 or not all(map(_is_limit, pair)):
        raise SettingsError(
            f"limit of {name!r} is {value!r}; write two numbers of at least 0, such as (0.3, 0.8): "
            "from the first on it warns, from the second on it stops; None does neither"
        )
    warn, stop = (None if each is None else float(each) for each in pair)
    if warn is not None and stop is not None and stop < warn:
        raise SettingsError(
            f"limit of {name!r} is {value!r}: it would stop at {stop:g}, before it warns at "
            f"{warn:g}; give the smaller number first"
        )
    return Limit(warn, stop)


def _is_limit(value: object) -> bool:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return math.isfinite(value) and value >= 0
    return value is None
