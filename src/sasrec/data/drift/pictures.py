"""Pictures of a comparison: events over time, shares of items, lengths of histories."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import numpy as np

from sasrec.data.drift.days import DAY, Days
from sasrec.data.drift.profile import MEASURED, Lengths, Profile
from sasrec.system.pictures import new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

OLD, NEW, QUIET = "#3b6ea5", "#c4572e", "#6b7280"
LABELS = ("fewest", *(f"{each}%" for each in MEASURED[1:-1]), "most")
"""Names of the percentiles."""
MOST_POINTS = 2_000
"""Items drawn in the picture of shares; the most popular ones."""


def comparison_figure(old: Profile, new: Profile) -> Figure:
    """Return the pictures; call it within ``plain_texts``.

    Args:
        old: Profile of the older data.
        new: Profile of the newer data.
    """
    figure = new_figure(12.5, 3.6)
    over_time, shares, lengths = figure.subplots(1, 3)
    _draw_days(over_time, old, new)
    _draw_shares(shares, old, new)
    _draw_lengths(lengths, old, new)
    for axes in (over_time, shares, lengths):
        axes.spines[["top", "right"]].set_visible(False)
        axes.title.set_fontsize(11)
        axes.tick_params(labelsize=9)
    return figure


def _nothing(axes: Any, text: str) -> None:
    axes.set_axis_off()
    axes.text(0.5, 0.5, text, ha="center", color=QUIET)


def _draw_days(axes: Any, old: Profile, new: Profile) -> None:
    """Draw the events of each day."""
    axes.set_title("Events per day", loc="left")
    pairs = [(old.days, OLD, "old"), (new.days, NEW, "new")]
    drawn = [(days, colour, label) for days, colour, label in pairs if days is not None]
    if not drawn:
        _nothing(axes, "no dates in the data")
        return
    from matplotlib.dates import AutoDateLocator, ConciseDateFormatter

    for days, colour, label in drawn:
        axes.stairs(days.events, _edges(days), fill=True, color=colour, alpha=0.8, label=label)
    axes.xaxis_date(UTC)
    locator = AutoDateLocator(minticks=3, maxticks=7)
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(ConciseDateFormatter(locator))
    axes.legend(frameon=False, fontsize=9)


def _edges(days: Days) -> np.ndarray:
    from matplotlib.dates import date2num

    first = float(date2num(datetime.fromtimestamp(days.first * DAY, UTC)))
    return first + np.arange(len(days.events) + 1)


def _draw_shares(axes: Any, old: Profile, new: Profile) -> None:
    """Draw the share of each known item in both data sets."""
    axes.set_title("Share of each known item", loc="left")
    numbers = old.items.numbers(new.items.entries)
    after = np.bincount(numbers, weights=new.counts[1:], minlength=len(old.items) + 1)[1:]
    before = old.counts[1:]
    both = np.flatnonzero((before > 0) & (after > 0))
    if not len(both):
        _nothing(axes, "no item is in both")
        return
    both = both[np.argsort(-before[both], kind="stable")[:MOST_POINTS]]
    x, y = 100 * before[both] / before.sum(), 100 * after[both] / after.sum()
    ends = [float(min(x.min(), y.min())), float(max(x.max(), y.max()))]
    axes.plot(ends, ends, color=QUIET, linewidth=0.8)
    axes.scatter(x, y, s=6, color=OLD, alpha=0.5, linewidths=0)
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set(xlabel="% of the old events", ylabel="% of the new events")
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(_short)
        axis.set_minor_formatter(_no_label)


def _short(value: float, position: int | None = None) -> str:
    return f"{value:g}"


def _no_label(value: float, position: int | None = None) -> str:
    return ""


def _draw_lengths(axes: Any, old: Profile, new: Profile) -> None:
    """Draw percentiles of the number of events of a person."""
    axes.set_title("Events of a person", loc="left")
    has_days = old.by_day is not None and new.by_day is not None
    pairs = [(old, OLD, "old"), (new, NEW, "new")]
    for number, (profile, colour, label) in enumerate(pairs):
        lengths: Lengths | None = profile.by_day if has_days else profile.lengths
        if lengths is None:
            continue
        places = np.arange(len(MEASURED)) + 0.4 * number
        axes.bar(places, lengths.percentiles, width=0.38, color=colour, label=label)
    axes.set_xticks(np.arange(len(MEASURED)) + 0.2, LABELS)
    axes.set_yscale("log")
    axes.yaxis.set_major_formatter(_short)
    axes.yaxis.set_minor_formatter(_no_label)
    axes.set(ylabel="events on a day" if has_days else "events")
    axes.legend(frameon=False, fontsize=9)
