"""Comparison of new data with older ones: all checks, and the verdict."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from sasrec.data.description.describe import PAGES, checked_report
from sasrec.data.drift.amounts import amount_checks, in_days
from sasrec.data.drift.check import Check, Verdict, worst
from sasrec.data.drift.known import known_checks, known_events_check
from sasrec.data.drift.limits import Limit
from sasrec.data.drift.page import comparison_page
from sasrec.data.drift.pictures import comparison_figure
from sasrec.data.drift.profile import Profile
from sasrec.data.drift.times import gap_check, late_events_check
from sasrec.errors import printable
from sasrec.remarks import Remark
from sasrec.system.pictures import draw_or_warn, plain_texts, rendered, svg_element
from sasrec.system.writing import write_atomically

JSON = ".json"
WIDTH, VERDICT_WIDTH = 16, 12
"""Characters of the columns with the name of a check and with its verdict."""


@dataclass(frozen=True, slots=True)
class Known:
    """What is compared event by event.

    Attributes:
        events: Share of the new events that the old data have too, about; None if it is not known.
        late: New events that are not later than the last old one; None without dates.
    """

    events: float | None
    late: int | None


@dataclass(frozen=True, slots=True, repr=False)
class DataComparison:
    """How new data differ from older ones, or from what a model was trained on.

    Attributes:
        old: Profile of the older data.
        new: Profile of the newer data.
        checks: All checks.
        remarks: What else the user should know.
    """

    old: Profile
    new: Profile
    checks: tuple[Check, ...]
    remarks: tuple[Remark, ...] = ()

    @property
    def verdict(self) -> Verdict:
        """The worst verdict of all checks: ``ok``, ``warn`` or ``stop``."""
        return worst(self.checks)

    def __str__(self) -> str:
        """Return the sizes, a line for each check, and the verdict."""
        lines = [f"{name:<{WIDTH}} {text}" for name, text in self.sizes()]
        lines.append("")
        lines += [
            f"{each.name:<{WIDTH}} {each.verdict:<{VERDICT_WIDTH}} "
            + each.text.removeprefix("not checked: ")
            for each in self.checks
        ]
        notes = [f"note: {printable(remark.text)}" for remark in self.remarks]
        return "\n".join([*lines, *notes, f"\nverdict: {self.verdict}"])

    def __repr__(self) -> str:
        """Return one line: what was compared, and the verdict."""
        names = f"{self.new.name} with {self.old.name}"
        return printable(f"<DataComparison of {names}: {self.verdict}>")

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        """Show the checks in IPython and notebooks."""
        printer.text("DataComparison(...)" if cycle else str(self))

    def sizes(self) -> list[tuple[str, str]]:
        """Return ``old`` and ``new``, each with name, sizes and dates in words."""
        return [("old", _in_words(self.old)), ("new", _in_words(self.new))]

    def as_json(self) -> dict[str, Any]:
        """Return verdict, checks and sizes as a JSON object."""
        return {
            "verdict": self.verdict,
            "checks": [each.as_json() for each in self.checks],
            "old": _as_json(self.old),
            "new": _as_json(self.new),
            "remarks": [each.as_json() for each in self.remarks],
        }

    def save(self, path: str | Path) -> None:
        """Write a report.

        Args:
            path: A file that ends in .html (a page with pictures), .png (the pictures) or .json
                (the same as ``as_json``).

        Raises:
            SettingsError: The name ends in something else.
            DataError: The file cannot be written.
        """  # raised by checked_report
        target = checked_report(path, (JSON,))
        suffix = target.suffix.lower()
        if suffix == JSON:
            write_atomically(target, json.dumps(self.as_json(), indent=2) + "\n")
        elif suffix in PAGES:
            picture = draw_or_warn("the comparison", partial(_svg, self))
            remarks = [each.text for each in self.remarks]
            head = (f"{self.new.name} compared with {self.old.name}", self.verdict)
            page = comparison_page(head, self.sizes(), self.checks, remarks, picture=picture)
            write_atomically(target, page)
        else:
            with plain_texts():
                figure = comparison_figure(self.old, self.new)
                write_atomically(target, rendered(figure, "png", dpi=110))


def compared(
    old: Profile,
    new: Profile,
    known: Known,
    *,
    limits: Mapping[str, Limit],
    remarks: tuple[Remark, ...] = (),
) -> DataComparison:
    """Return all checks of new data against older ones.

    Args:
        old: Profile of the older data, or of those a model was trained on.
        new: Profile of the newer data.
        known: What is compared event by event.
        limits: From ``limits_from``.
        remarks: What else the user should know.
    """
    times = [
        late_events_check(known.late, old, new, limits),
        gap_check(old, new, limits),
    ]
    checks = [
        *known_checks(old, new, limits),
        known_events_check(known.events, old, new, limits),
        *times,
        *amount_checks(old, new, limits),
    ]
    return DataComparison(old, new, tuple(checks), remarks)


def _in_words(profile: Profile) -> str:
    numbers = (profile.events, "events"), (profile.users, "people"), (len(profile.items), "items")
    parts = [f"{number:,} {what}" for number, what in numbers if number is not None]
    text = f"{printable(profile.name)}: {', '.join(parts)}"
    if profile.first is None or profile.last is None:
        return text
    return f"{text}, from {in_days(profile.first)} to {in_days(profile.last)}"


def _as_json(profile: Profile) -> dict[str, Any]:
    return {
        "name": profile.name,
        "events": profile.events,
        "users": profile.users,
        "items": len(profile.items),
        "fingerprint": profile.fingerprint,
        "first_event": None if profile.first is None else in_days(profile.first),
        "last_event": None if profile.last is None else in_days(profile.last),
    }


def _svg(found: DataComparison) -> str:
    with plain_texts():
        return svg_element(comparison_figure(found.old, found.new))
