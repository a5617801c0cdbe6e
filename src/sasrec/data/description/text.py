"""The description as text: for a terminal, and for ``print`` in Python."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sasrec.data.description.cleanings import Cleaning
from sasrec.data.description.page import shown_facts
from sasrec.data.description.values import ColumnValues
from sasrec.errors import printable

WIDTH = 22
"""Characters of the first column of sizes and of other columns."""


def description_as_text(
    facts: Mapping[str, Any],
    cleanings: Sequence[Cleaning],
    columns: Sequence[ColumnValues],
    *,
    written: Callable[[str], str] = str,
) -> str:
    """Return sizes, possible cleanings and other columns as tables, without remarks.

    Args:
        facts: Sizes and statistics, by name.
        cleanings: What each cleaning would remove.
        columns: What the other columns hold.
        written: Returns how the user writes a setting such as ``max_user_events=9``.
    """
    lines = [f"{name:<{WIDTH}} {printable(text)}" for name, text in shown_facts(facts)]
    head = ("cleaning would remove", "with the setting", "events", "users", "items")
    rows = [(each.what, written(each.setting), *each.in_words()) for each in cleanings]
    widths = [max(len(row[place]) for row in [head, *rows]) for place in range(len(head))]
    lines.append("")
    for row in [head, *rows]:
        left = (f"{cell:<{width}}" for cell, width in zip(row[:2], widths[:2], strict=True))
        right = (f"{cell:>{width}}" for cell, width in zip(row[2:], widths[2:], strict=True))
        lines.append("  ".join([*left, *right]))
    if columns:
        lines += ["", f"other columns, for {written('where')}"]
    lines += [f"{printable(each.name):<{WIDTH}} {printable(each.text)}" for each in columns]
    return "\n".join(lines)
