"""The comparison as one HTML file with embedded pictures; it works offline."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sasrec.data.description.page import STYLE, escaped, html_table
from sasrec.data.drift.check import Check

COLOURS = {"ok": "#2e7d4f", "warn": "#b26a00", "stop": "#b3261e", "not checked": "#6b7280"}
"""Colour of each verdict; its word is shown too."""


def comparison_page(
    head: tuple[str, str],
    sizes: Sequence[tuple[str, str]],
    checks: Iterable[Check],
    remarks: Sequence[str],
    *,
    picture: str | None,
) -> str:
    """Return the page.

    Args:
        head: What is compared, and the verdict.
        sizes: ``old`` and ``new`` with their sizes in words.
        checks: The checks.
        remarks: What else the user should know.
        picture: An SVG element; None if it could not be drawn.

    Returns:
        The HTML text.
    """
    title, verdict = head
    rows = ["<tr><th>check</th><th>verdict</th><th>limits</th><th>what was found</th></tr>"]
    for each in checks:
        text = escaped(each.text)
        rows.append(
            f"<tr><td>{escaped(each.name)}</td>{_coloured(each.verdict)}"
            f"<td>{_limits(each)}</td><td>{text}</td></tr>"
        )
    parts = [
        "<!doctype html><html lang='en'><head><meta charset='utf-8'>",
        f"<title>{escaped(title)}</title><style>{STYLE}",
        "table.checks td, table.checks th { text-align: left; }</style></head><body>",
        f"<h1>{escaped(title)}</h1>",
        f"<p>Verdict: <b style='color: {COLOURS[verdict]}'>{escaped(verdict)}</b></p>",
        picture or "",
        *html_table((), sizes),
        "<h2>Checks</h2><table class='checks'>",
        *rows,
        "</table>",
    ]
    if remarks:
        parts += ["<h2>Remarks</h2><ul>", *(f"<li>{escaped(each)}</li>" for each in remarks)]
        parts.append("</ul>")
    return "\n".join([*parts, "</body></html>\n"])


def _coloured(verdict: str) -> str:
    return f"<td style='color: {COLOURS[verdict]}'>{escaped(verdict)}</td>"


def _limits(check: Check) -> str:
    """Return the limits of a check in words."""
    pairs = (("warn", check.limit.warn), ("stop", check.limit.stop))
    return ", ".join(f"{word} {number:g}" for word, number in pairs if number is not None) or "none"
