"""A picture of a data set: events over time, lengths of histories, popularity of items."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import numpy as np

from sasrec.data.corpus import Corpus
from sasrec.data.date_splits import unit_seconds
from sasrec.data.description.facts import item_counts
from sasrec.system.pictures import new_figure, plain_logarithmic

if TYPE_CHECKING:
    from matplotlib.figure import Figure

COLOUR, ACCENT, QUIET = "#3b6ea5", "#c4572e", "#6b7280"
MOST_BARS, BARS_PER_DECADE = 60, 5
BAR_UNITS = (3600, 6 * 3600, 86_400, 7 * 86_400, 30.4375 * 86_400, 365.25 * 86_400)
BAR_NAMES = ("hour", "6 hours", "day", "week", "month", "year")
"""Widths of a bar in seconds, and their names."""


def data_figure(corpus: Corpus) -> Figure:
    """Return the picture; call it within ``plain_texts``.

    Args:
        corpus: The data set.
    """
    figure = new_figure(12.5, 3.6)
    over_time, lengths, popularity = figure.subplots(1, 3)
    _draw_times(over_time, corpus.sequences.times)
    _draw_lengths(lengths, corpus.sequences.lengths())
    _draw_popularity(popularity, item_counts(corpus))
    for axes in (over_time, lengths, popularity):
        axes.spines[["top", "right"]].set_visible(False)
        axes.title.set_fontsize(11)
        axes.tick_params(labelsize=9)
    return figure


def _draw_times(axes: Any, times: np.ndarray | None) -> None:
    """Draw the number of events in each period."""
    axes.set_title("Events over time", loc="left")
    if times is None:
        axes.set_axis_off()
        axes.text(0.5, 0.5, "no times in the data", ha="center", color=QUIET)
        return
    unit = unit_seconds(float(times.max()))
    if unit is None:
        counts, edges = np.histogram(times, bins=MOST_BARS)
        axes.stairs(counts, edges, fill=True, color=COLOUR)
        axes.set(xlabel="time, in the unit of the data", ylabel="events")
    else:
        _draw_dates(axes, times * unit)
    axes.yaxis.set_major_formatter(_thousands)


def _draw_dates(axes: Any, seconds: np.ndarray) -> None:
    from matplotlib.dates import AutoDateLocator, ConciseDateFormatter

    first, last = float(seconds.min()), float(seconds.max())
    index = next(
        (i for i, width in enumerate(BAR_UNITS) if (last - first) / width <= MOST_BARS),
        len(BAR_UNITS) - 1,
    )
    width = BAR_UNITS[index]
    count = max(1, int(np.ceil((last - first + 1) / width)))
    counts, edges = np.histogram(seconds, bins=first + width * np.arange(count + 1))
    days = np.array([_day(edge) for edge in edges])
    axes.stairs(counts, days, fill=True, color=COLOUR)
    axes.xaxis_date(UTC)
    locator = AutoDateLocator(minticks=3, maxticks=7)
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(ConciseDateFormatter(locator))
    axes.set_ylabel(f"events per {BAR_NAMES[index]}")


def _day(seconds: float) -> float:
    from matplotlib.dates import date2num

    return float(date2num(datetime.fromtimestamp(seconds, UTC)))


def _draw_lengths(axes: Any, lengths: np.ndarray) -> None:
    """Draw how many users have how many events, on a logarithmic scale of events."""
    most = int(lengths.max())
    steps = np.arange(np.ceil(BARS_PER_DECADE * np.log10(most + 1)) + 1) / BARS_PER_DECADE
    edges = np.unique(np.round(10**steps)) - 0.5
    counts, _ = np.histogram(lengths, bins=edges)
    axes.stairs(counts, edges, fill=True, color=COLOUR)
    axes.vlines(edges[1:-1], 0, np.minimum(counts[1:], counts[:-1]), color="white", linewidth=0.8)
    median = float(np.median(lengths))
    axes.axvline(median, color=ACCENT, linewidth=1.2)
    axes.annotate(
        f"median {median:,.0f}",
        (median, 1.0),
        xycoords=("data", "axes fraction"),
        xytext=(4, -4),
        textcoords="offset points",
        va="top",
        color=ACCENT,
        fontsize=9,
    )
    axes.set_xscale("log")
    axes.set(xlabel="events of a user", ylabel="users")
    axes.set_title("Lengths of histories", loc="left")
    _plain_powers(axes.xaxis)
    axes.yaxis.set_major_formatter(_thousands)


def _draw_popularity(axes: Any, counts: np.ndarray) -> None:
    """Draw the number of events of each item, most popular first."""
    sorted_counts = np.sort(counts[counts > 0])[::-1]
    ranks = np.arange(1, len(sorted_counts) + 1)
    top = max(1, len(sorted_counts) // 10)
    part = sorted_counts[:top].sum() / sorted_counts.sum()
    axes.plot(ranks, sorted_counts, color=COLOUR, linewidth=1.8)
    axes.fill_between(ranks[:top], sorted_counts[:top], 1, color=ACCENT, alpha=0.25, linewidth=0)
    axes.annotate(
        f"top 10% of the items:\n{part:.0%} of the events",
        (0.05, 0.08),
        xycoords="axes fraction",
        color=ACCENT,
        fontsize=9,
    )
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set(xlabel="rank of the item", ylabel="events of the item")
    axes.set_title("Popularity of items", loc="left")
    for axis in (axes.xaxis, axes.yaxis):
        _plain_powers(axis)


def _plain_powers(axis: Any) -> None:
    """Label powers of ten as plain numbers with thousands separators, and nothing between them."""
    from matplotlib.ticker import NullFormatter

    plain_logarithmic(axis)
    axis.set_major_formatter(_thousands)
    axis.set_minor_formatter(NullFormatter())


def _thousands(value: float, _: int | None = None) -> str:
    return f"{value:,.0f}" if value >= 1 or value == 0 else ""
