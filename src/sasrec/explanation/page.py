"""The explanation as one HTML file with embedded pictures; it works offline."""

from __future__ import annotations

import base64
import html
from collections.abc import Mapping, Sequence

import numpy as np

from sasrec.errors import counted, printable
from sasrec.explanation.explain import AverageAttention
from sasrec.explanation.pictures import BETWEEN_GROUPS, BY_DISTANCE, BY_POSITION, ExplainedHistory

STYLE = """
body { font: 16px/1.5 sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
img { max-width: 100%; } table { border-collapse: collapse; }
td, th { padding: .2rem .6rem; text-align: right; border-bottom: 1px solid #ddd; }
td:first-child, th:first-child { text-align: left; } .note { color: #555; }
"""


def explanation_page(
    model: str,
    averages: AverageAttention | None,
    histories: Sequence[ExplainedHistory],
    pictures: Mapping[str, bytes],
) -> str:
    """Return the page.

    Args:
        model: Name of the model for the title.
        averages: Averages over a data set, or None.
        histories: Single histories.
        pictures: Pictures of both from ``pictures_of``; empty if they could not be drawn.

    Returns:
        The HTML text.
    """
    parts = [
        "<!doctype html><html lang='en'><head><meta charset='utf-8'>",
        f"<title>Attention of {html.escape(model)}</title><style>{STYLE}</style></head><body>",
        f"<h1>Attention of {html.escape(model)}</h1>",
        "<p>Attention shows which events the model reads, not which ones matter. The effect of "
        "each event on a recommendation is measured by leaving the event out.</p>",
    ]
    if averages is not None:
        parts += _averages_part(averages, pictures)
    for number, history in enumerate(histories, start=1):
        parts += _history_part(history, pictures.get(f"history-{number}"))
    return "\n".join([*parts, "</body></html>\n"])


def _averages_part(averages: AverageAttention, pictures: Mapping[str, bytes]) -> list[str]:
    histories = counted(averages.histories, "history", "histories")
    parts = [
        "<h2>Average attention</h2>",
        f"<p class='note'>Over {histories}: mean of all heads; the newest "
        f"{averages.by_position.shape[1]} events of each.</p>",
        _image(pictures.get(BY_DISTANCE), "Attention of the newest event to earlier events"),
    ]
    if BY_POSITION in pictures:
        text = "Average attention by position, for each layer"
        parts.append(_image(pictures[BY_POSITION], text))
    if BETWEEN_GROUPS in pictures:
        parts += [
            "<h2>Attention between groups of items</h2>",
            "<p class='note'>Attention of events of one group (rows) to earlier events of another "
            "(columns), divided by that of uniform attention.</p>",
            _image(pictures[BETWEEN_GROUPS], "Average attention between groups of items"),
        ]
    return parts


def _history_part(history: ExplainedHistory, picture: bytes | None) -> list[str]:
    parts = [
        f"<h2>{html.escape(printable(history.name))}</h2>",
        _image(picture, f"Attention in {history.name}"),
    ]
    if history.skipped:
        tokens = html.escape(printable(", ".join(history.skipped)))
        parts.append(f"<p class='note'>Skipped items unknown to the model: {tokens}.</p>")
    if not len(history.recommended):
        return parts
    if not np.isfinite(history.effects).any():
        note = "The history has only one event, so its effect cannot be measured."
        return [*parts, f"<p class='note'>{note}</p>"]
    head = "".join(f"<th>{html.escape(printable(title))}</th>" for title in history.recommended)
    rows = [
        f"<tr><td>{html.escape(printable(title))}</td>"
        + "".join(f"<td style='background:{_tint(value)}'>{value:+.3f}</td>" for value in row)
        + "</tr>"
        for title, row in zip(history.titles, history.effects, strict=True)
    ]
    scores = "".join(f"<td>{score:.3f}</td>" for score in history.scores)
    return [
        *parts,
        "<h3>Effect of each event on the scores of the recommendations</h3>",
        "<p class='note'>Score with the whole history minus score without the event, oldest event "
        "first.</p>",
        f"<table><tr><th>event</th>{head}</tr>",
        f"<tr><td>score with all events</td>{scores}</tr>",
        *rows,
        "</table>",
    ]


def _tint(value: float) -> str:
    if not np.isfinite(value):
        return "none"
    strength = min(abs(value), 1.0) * 0.6
    return f"rgba({'30,120,60' if value > 0 else '190,60,40'},{strength:.2f})"


def _image(picture: bytes | None, text: str) -> str:
    if picture is None:
        return "<p class='note'>The picture could not be drawn.</p>"
    encoded = base64.b64encode(picture).decode()
    return f"<img alt='{html.escape(text, quote=True)}' src='data:image/png;base64,{encoded}'>"
