"""Check: one comparison of new data with old ones, and its verdict."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal, TypeAlias

from sasrec.data.drift.limits import Limit

Verdict: TypeAlias = Literal["not checked", "ok", "warn", "stop"]
ORDER: tuple[Verdict, ...] = ("not checked", "ok", "warn", "stop")
"""From the best to the worst."""


@dataclass(frozen=True, slots=True)
class Check:
    """One comparison of new data with old ones.

    Attributes:
        name: Its name, as in limits.
        verdict: ``ok``, ``warn`` or ``stop``; ``not checked`` if the data do not allow it.
        text: A sentence with the counts.
        value: The number that was compared with the limit; None if it was not checked.
        limit: The limit that was applied.
    """

    name: str
    verdict: Verdict
    text: str
    value: float | None
    limit: Limit

    def as_json(self) -> dict[str, Any]:
        """Return the attributes in types JSON has."""
        return {
            "name": self.name,
            "verdict": self.verdict,
            "text": self.text,
            "value": None if self.value is None else round(self.value, 6),
            **asdict(self.limit),
        }


def checked(name: str, value: float, text: str, limits: Mapping[str, Limit]) -> Check:
    """Return a check of a number against its limit.

    Args:
        name: Name of the check.
        value: The number.
        text: A sentence with the counts.
        limits: The limits of all checks.
    """
    limit = limits[name]
    verdict: Verdict = "ok"
    if limit.warn is not None and value >= limit.warn:
        verdict = "warn"
    if limit.stop is not None and value >= limit.stop:
        verdict = "stop"
    return Check(name, verdict, text, value, limit)


def not_checked(name: str, why: str, limits: Mapping[str, Limit]) -> Check:
    """Return a check that the data do not allow.

    Args:
        name: Name of the check.
        why: The reason, as part of a sentence.
        limits: The limits of all checks.
    """
    return Check(name, "not checked", f"not checked: {why}", None, limits[name])


def worst(checks: tuple[Check, ...]) -> Verdict:
    """Return the worst verdict; ``ok`` if nothing was checked.

    Args:
        checks: The checks.
    """
    return max(("ok", *(each.verdict for each in checks)), key=ORDER.index)
