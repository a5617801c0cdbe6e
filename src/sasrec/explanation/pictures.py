"""Pictures of an explanation: average attention, and attention in single histories."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from sasrec.errors import printable
from sasrec.explanation.explain import AverageAttention
from sasrec.system.pictures import new_figure, plain_texts, rendered

if TYPE_CHECKING:
    from matplotlib.figure import Figure

LONGEST_TITLE = 28
"""Maximum number of characters of a title in a picture."""
MAX_SHOWN_EVENTS = 40
"""Maximum number of events in the picture of a history; the newest ones are shown."""
BY_DISTANCE, BY_POSITION, BETWEEN_GROUPS = "by-distance", "by-position", "between-groups"
"""Names of the pictures of averages."""


@dataclass(frozen=True, slots=True)
class ExplainedHistory:
    """A history with its attention maps and recommendations.

    Attributes:
        name: Heading, such as ``user 42``.
        titles: Titles of the L events that the model reads, oldest first.
        maps: float [layers, heads, L, L], attention; for BERT4Rec [layers, heads, L + 1, L + 1],
            with the mask after the events.
        recommended: Titles of the recommended items, best first.
        scores: Scores of the recommended items.
        effects: float [L, items], effect of each event on the score of each recommended item.
        skipped: Tokens of the history that the model does not know.
    """

    name: str
    titles: Sequence[str]
    maps: np.ndarray
    recommended: Sequence[str]
    scores: Sequence[float]
    effects: np.ndarray
    skipped: Sequence[str] = ()


def pictures_of(
    averages: AverageAttention | None, histories: Sequence[ExplainedHistory]
) -> dict[str, bytes]:
    """Draw all pictures of an explanation.

    Args:
        averages: Averages over a data set, or None.
        histories: Single histories.

    Returns:
        Name, such as ``by-distance`` or ``history-1``, to the bytes of a PNG file.
    """
    with plain_texts():
        return {
            name: rendered(each, "png", dpi=110) for name, each in _figures(averages, histories)
        }


def _figures(
    averages: AverageAttention | None, histories: Sequence[ExplainedHistory]
) -> Iterator[tuple[str, Figure]]:
    if averages is not None:
        yield BY_DISTANCE, _by_distance(averages)
        if np.isfinite(averages.by_position).all():
            yield BY_POSITION, _by_position(averages)
        if averages.groups:
            yield BETWEEN_GROUPS, _between_groups(averages)
    for number, history in enumerate(histories, start=1):
        yield f"history-{number}", _one_history(history)


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
    for number, (plot, layer) in enumerate(zip(axes, layers, strict=True), start=1):
        future = np.triu(np.ones_like(layer, dtype=bool), 1)  # no attention to it: left white
        image = plot.imshow(np.where(future, np.nan, layer), cmap="viridis", extent=ends)
        plot.set(title=f"layer {number}", xlabel="attention to event (0 is the newest)")
        plot.set_ylabel("attention of event" if number == 1 else "")
        for axis in (plot.xaxis, plot.yaxis):
            axis.set_major_locator(MaxNLocator(integer=True))
        figure.colorbar(image, ax=plot, shrink=0.8)
    return figure


def _between_groups(averages: AverageAttention) -> Figure:
    size = max(5.0, 0.45 * len(averages.groups))
    figure, (plot,) = _figure(1, width=size + 1, height=size)
    values = np.log2(averages.between_groups)
    most = float(np.nanmax(np.abs(values[np.isfinite(values)]), initial=0.1))
    image = plot.imshow(values, cmap="RdBu_r", vmin=-most, vmax=most)
    names = [_short(name) for name in averages.groups]
    plot.set_xticks(range(len(names)), names, rotation=90)
    plot.set_yticks(range(len(names)), names)
    bar = figure.colorbar(image, ax=plot, shrink=0.8)
    ticks = np.linspace(-most, most, 5).tolist()
    bar.set_ticks(ticks, labels=[f"{2**tick:.2f}" for tick in ticks])
    return figure


def _one_history(history: ExplainedHistory) -> Figure:
    from matplotlib.colors import PowerNorm

    layers = history.maps.mean(1)[:, -MAX_SHOWN_EVENTS:, -MAX_SHOWN_EVENTS:]
    size = max(4.0, 0.22 * layers.shape[1])
    # One below the other, so that titles are large enough to read on a page.
    figure, axes = _figure(
        len(layers), width=size + 3.5, height=(size + 2) * len(layers), stacked=True
    )
    n_masks = history.maps.shape[2] - len(history.titles)  # 1 for BERT4Rec, otherwise 0
    titles = [*(_short(title) for title in history.titles), *["(next)"] * n_masks][
        -MAX_SHOWN_EVENTS:
    ]
    for number, (plot, layer) in enumerate(zip(axes, layers, strict=True), start=1):
        # A square-root colour scale, because attention of late events is spread over many events.
        image = plot.imshow(layer, cmap="viridis", norm=PowerNorm(0.5, vmin=0))
        plot.set_title(f"layer {number}")
        plot.set_xticks(range(len(titles)), titles, rotation=90, fontsize=9)
        plot.set_yticks(range(len(titles)), titles, fontsize=9)
        figure.colorbar(image, ax=plot, shrink=0.8)
    return figure


def _figure(
    count: int, *, width: float, height: float, stacked: bool = False
) -> tuple[Figure, list[Any]]:
    figure = new_figure(width, height)
    rows, columns = (count, 1) if stacked else (1, count)
    return figure, list(figure.subplots(rows, columns, squeeze=False).flat)


def _short(title: str) -> str:
    plain = printable(title)
    return plain if len(plain) <= LONGEST_TITLE else plain[: LONGEST_TITLE - 1] + "…"
