"""The explanation as one HTML file that needs no network: pictures inside, texts around them."""

from __future__ import annotations

import base64
import html
import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from sasrec.errors import printable
from sasrec.explanation import AverageAttention

if TYPE_CHECKING:
    from matplotlib.figure import Figure

STYLE = """
body { font: 16px/1.5 sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
img { max-width: 100%; } table { border-collapse: collapse; }
td, th { padding: .2rem .6rem; text-align: right; border-bottom: 1px solid #ddd; }
td:first-child, th:first-child { text-align: left; } .note { color: #555; }
"""
LONGEST_TITLE = 28
"""Characters of a title in a picture."""
SHOWN = 40
"""Newest events in the picture of a history."""


@dataclass(frozen=True, slots=True)
class Person:
    """One history, and what the model makes of it.

    Attributes:
        name: What to call it.
        titles: Of the L events looked at, oldest first.
        maps: float [layers, heads, L, L].
        recommended: Titles of the items recommended, best first.
        effects: float [L, items], what each event adds to the score of each recommended item.
        skipped: Events the model does not know.
    """

    name: str
    titles: Sequence[str]
    maps: np.ndarray
    recommended: Sequence[str]
    effects: np.ndarray
    skipped: Sequence[str] = ()


def explanation_page(
    model: str, averages: AverageAttention | None, people: Sequence[Person]
) -> str:
    """Return the whole page.

    Args:
        model: What to call the model.
        averages: Over a data set, or None.
        people: Single histories.

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
        parts += _averages(averages)
    for person in people:
        parts += _person(person)
    return "\n".join([*parts, "</body></html>\n"])


def _averages(averages: AverageAttention) -> list[str]:
    parts = [
        "<h2>On average</h2>",
        f"<p class='note'>Over {averages.histories:,} histories; mean of all heads; the newest "
        f"{averages.by_position.shape[1]} events of each.</p>",
        _image(_by_distance(averages), "How much the newest event looks at earlier ones"),
    ]
    if np.isfinite(averages.by_position).all():
        parts.append(_image(_by_position(averages), "Average attention by position, each layer"))
    if averages.groups:
        parts += [
            "<h2>Between groups of items</h2>",
            "<p class='note'>How much events of a group (rows) look at earlier events of another "
            "(columns), as a multiple of looking at all evenly.</p>",
            _image(_between_groups(averages), "Average attention between groups of items"),
        ]
    return parts


def _person(person: Person) -> list[str]:
    parts = [
        f"<h2>{html.escape(person.name)}</h2>",
        _image(_one_history(person), f"Attention of {person.name}"),
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
    return [
        *parts,
        "<h3>What each event adds to the score of a recommendation</h3>",
        "<p class='note'>Score with the whole history minus score without the event, oldest event "
        "first.</p>",
        f"<table><tr><th>event</th>{head}</tr>",
        *rows,
        "</table>",
    ]


def _tint(value: float) -> str:
    if not np.isfinite(value):
        return "none"
    strength = min(abs(value), 1.0) * 0.6
    return f"rgba({'30,120,60' if value > 0 else '190,60,40'},{strength:.2f})"


def _by_distance(averages: AverageAttention) -> Figure:
    figure, axes = _figure(1, width=7, height=3.5)
    for number, layer in enumerate(averages.by_distance, start=1):
        axes[0].plot(np.arange(len(layer)), layer, ".-", label=f"layer {number}")
    axes[0].set(xlabel="events back from the newest", ylabel="attention", ylim=(0, None))
    axes[0].legend(frameon=False)
    return figure


def _by_position(averages: AverageAttention) -> Figure:
    from matplotlib.ticker import MaxNLocator

    layers = averages.by_position
    figure, axes = _figure(len(layers), width=4.2 * len(layers), height=4)
    size = layers.shape[1]
    ends = (-size + 0.5, 0.5, 0.5, -size + 0.5)
    for number, (place, layer) in enumerate(zip(axes, layers, strict=True), start=1):
        future = np.triu(np.ones_like(layer, dtype=bool), 1)  # never looked at: left white
        image = place.imshow(np.where(future, np.nan, layer), cmap="viridis", extent=ends)
        place.set(title=f"layer {number}", xlabel="event that is looked at (0 is the newest)")
        place.set_ylabel("event that looks" if number == 1 else "")
        for axis in (place.xaxis, place.yaxis):
            axis.set_major_locator(MaxNLocator(integer=True))
        figure.colorbar(image, ax=place, shrink=0.8)
    return figure


def _between_groups(averages: AverageAttention) -> Figure:
    size = max(5.0, 0.45 * len(averages.groups))
    figure, (place,) = _figure(1, width=size + 1, height=size)
    values = np.log2(averages.between_groups)
    most = float(np.nanmax(np.abs(values[np.isfinite(values)]), initial=0.1))
    image = place.imshow(values, cmap="RdBu_r", vmin=-most, vmax=most)
    names = [_short(name) for name in averages.groups]
    place.set_xticks(range(len(names)), names, rotation=90)
    place.set_yticks(range(len(names)), names)
    bar = figure.colorbar(image, ax=place, shrink=0.8)
    ticks = np.linspace(-most, most, 5).tolist()
    bar.set_ticks(ticks, labels=[f"{2**tick:.2f}" for tick in ticks])
    return figure


def _one_history(person: Person) -> Figure:
    from matplotlib.colors import PowerNorm

    layers = person.maps.mean(1)[:, -SHOWN:, -SHOWN:]
    size = max(4.0, 0.28 * layers.shape[1])
    figure, axes = _figure(len(layers), width=size * len(layers) + 2, height=size + 1)
    extra = person.maps.shape[2] - len(person.titles)  # the mask of BERT4Rec
    titles = [*(_short(title) for title in person.titles), *["(next)"] * extra][-SHOWN:]
    for number, (place, layer) in enumerate(zip(axes, layers, strict=True), start=1):
        # By the square root, as the long rows of late events have small shares.
        image = place.imshow(layer, cmap="viridis", norm=PowerNorm(0.5, vmin=0))
        place.set_title(f"layer {number}")
        place.set_xticks(range(len(titles)), titles, rotation=90, fontsize=7)
        place.set_yticks(range(len(titles)), titles if number == 1 else [], fontsize=7)
        figure.colorbar(image, ax=place, shrink=0.8)
    return figure


def _figure(columns: int, *, width: float, height: float) -> tuple[Figure, list[Any]]:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure, list(figure.subplots(1, columns, squeeze=False)[0])


def _short(title: str) -> str:
    # A dollar would begin a formula; other letters than those of a font show as boxes.
    plain = printable(title).replace("$", r"\$")
    return plain if len(plain) <= LONGEST_TITLE else plain[: LONGEST_TITLE - 1] + "…"


def _image(figure: Figure, text: str) -> str:
    data = io.BytesIO()
    figure.savefig(data, format="png", dpi=110)
    coded = base64.b64encode(data.getvalue()).decode()
    return f"<img alt='{html.escape(text, quote=True)}' src='data:image/png;base64,{coded}'>"
