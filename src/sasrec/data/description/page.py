"""The description as one HTML file with an embedded picture; it works offline."""

from __future__ import annotations

import html
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sasrec.data.description.cleanings import Cleaning
from sasrec.data.description.values import ColumnValues
from sasrec.errors import printable

STYLE = """
body { font: 16px/1.5 sans-serif; max-width: 70rem; margin: 2rem auto; padding: 0 1rem; }
svg { max-width: 100%; height: auto; } table { border-collapse: collapse; }
td, th { padding: .2rem .8rem .2rem 0; text-align: right; border-bottom: 1px solid #ddd; }
td:first-child, th:first-child, tr > :nth-child(2) { text-align: left; } .note { color: #555; }
"""


def description_page(
    facts: Mapping[str, Any],
    cleanings: Sequence[Cleaning],
    columns: Sequence[ColumnValues],
    *,
    picture: str | None,
) -> str:
    """Return the page.

    Args:
        facts: Sizes and statistics, by name.
        cleanings: What each cleaning would remove.
        columns: What the other columns hold.
        picture: An SVG element; None if it could not be drawn.

    Returns:
        The HTML text.
    """
    name = escaped(facts["name"])
    remarks = [each["text"] for each in facts["remarks"]]
    rows = [(label, text) for label, text in shown_facts(facts)]
    table = [(each.what, each.setting, *each.in_words()) for each in cleanings]
    parts = [
        "<!doctype html><html lang='en'><head><meta charset='utf-8'>",
        f"<title>{name}</title><style>{STYLE}</style></head><body><h1>{name}</h1>",
        picture or "",
        "<h2>Sizes</h2>",
        *html_table((), rows),
        "<h2>What cleaning would remove</h2>",
        "<p class='note'>Each line alone, from the events as they are after the settings given "
        "so far.</p>",
        *html_table(("what", "setting", "events", "users", "items"), table),
    ]
    if columns:
        parts += ["<h2>Other columns</h2>", *html_table((), [(e.name, e.text) for e in columns])]
    if remarks:
        parts += ["<h2>Remarks</h2><ul>"]
        parts += [f"<li>{escaped(text)}</li>" for text in remarks]
        parts += ["</ul>"]
    return "\n".join([*parts, "</body></html>\n"])


def shown_facts(facts: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return sizes and statistics as pairs of a label and a text, without remarks.

    Args:
        facts: Name to number or text.
    """
    return [
        (name.replace("_", " "), _shown(value))
        for name, value in facts.items()
        if name not in ("remarks", "cleanings")
    ]


def _shown(value: object) -> str:
    """Return a fact as text; a dash if it is not known, as nothing about times without times."""
    if value is None:
        return "-"
    return f"{value:,}" if isinstance(value, int | float) else str(value)


def html_table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """Return the lines of a table.

    Args:
        head: Its headings; empty for none.
        rows: Its cells, as plain text.
    """
    lines = ["<table>"]
    if head:
        lines.append("<tr>" + "".join(f"<th>{escaped(each)}</th>" for each in head) + "</tr>")
    for row in rows:
        lines.append("<tr>" + "".join(f"<td>{escaped(each)}</td>" for each in row) + "</tr>")
    return [*lines, "</table>"]


def escaped(text: object) -> str:
    """Return a text as HTML.

    Args:
        text: The text, or what is shown as text.
    """
    return html.escape(printable(str(text)))
