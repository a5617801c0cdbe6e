"""The explanation as one HTML file that needs no network: pictures inside, texts around them."""

from __future__ import annotations

import base64
import html
from collections.abc import Mapping, Sequence

import numpy as np

from sasrec.errors import printable
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
    people: Sequence[ExplainedHistory],
    pictures: Mapping[str, bytes],
) -> str:
    """Return the whole page.

    Args:
        model: What to call the model.
        averages: Over a data set, or None.
        people: Single histories.
        pictures: Of both, from ``pictures_of``; none if they could not be drawn.

    Returns:
        HTML.
    """
    parts = [
        "<!doctype html><html lang='en'><head><meta charset='utf-8'>",
        f"<title>What {html.escape(model)} looks at</title><style>{STYLE}</style></head><body>",
        f"<h1>What {html.escape(model)} looks at</h1>",
        "<p>Attention says where a model looks, not what decides. What each event does to a "
        "recommendation is measured by leaving it out.</p>",
    ]
    if averages is not None:
        parts += _averages(averages, pictures)
    for number, person in enumerate(people, start=1):
        parts += _person(person, pictures.get(f"history-{number}"))
    return "\n".join([*parts, "</body></html>\n"])


def _averages(averages: AverageAttention, pictures: Mapping[str, bytes]) -> list[str]:
    parts = [
        "<h2>On average</h2>",
        f"<p class='note'>Over {averages.histories:,} histories; mean of all heads; the newest "
        f"{averages.by_position.shape[1]} events of each.</p>",
        _image(pictures.get(BY_DISTANCE), "How much the newest event looks at earlier ones"),
    ]
    if BY_POSITION in pictures:
        text = "Average attention by position, each layer"
        parts.append(_image(pictures[BY_POSITION], text))
    if BETWEEN_GROUPS in pictures:
        parts += [
            "<h2>Between groups of items</h2>",
            "<p class='note'>How much events of a group (rows) look at earlier events of another "
            "(columns), as a multiple of looking at all evenly.</p>",
            _image(pictures[BETWEEN_GROUPS], "Average attention between groups of items"),
        ]
    return parts


def _person(person: ExplainedHistory, picture: bytes | None) -> list[str]:
    parts = [
        f"<h2>{html.escape(printable(person.name))}</h2>",
        _image(picture, f"Attention of {person.name}"),
    ]
    if person.skipped:
        names = html.escape(printable(", ".join(person.skipped)))
        parts.append(f"<p class='note'>Skipped, unknown to the model: {names}.</p>")
    if not len(person.recommended):
        return parts
    if not np.isfinite(person.effects).any():
        note = "Of one event there is nothing left without it, so no effect can be measured."
        return [*parts, f"<p class='note'>{note}</p>"]
    head = "".join(f"<th>{html.escape(printable(title))}</th>" for title in person.recommended)
    rows = [
        f"<tr><td>{html.escape(printable(title))}</td>"
        + "".join(f"<td style='background:{_tint(value)}'>{value:+.3f}</td>" for value in row)
        + "</tr>"
        for title, row in zip(person.titles, person.effects, strict=True)
    ]
    scores = "".join(f"<td>{score:.3f}</td>" for score in person.scores)
    return [
        *parts,
        "<h3>What each event adds to the score of a recommendation</h3>",
        "<p class='note'>Score with the whole history minus score without the event, oldest event "
        "first.</p>",
        f"<table><tr><th>event</th>{head}</tr>",
        f"<tr><td>score with all of them</td>{scores}</tr>",
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
    coded = base64.b64encode(picture).decode()
    return f"<img alt='{html.escape(text, quote=True)}' src='data:image/png;base64,{coded}'>"
