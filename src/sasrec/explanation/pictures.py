"""The pictures of an explanation: where a model looks, on average and in single histories."""

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
"""Characters of a title in a picture."""
SHOWN = 40
"""Newest events in the picture of a history."""
BY_DISTANCE, BY_POSITION, BETWEEN_GROUPS = "by-distance", "by-position", "between-groups"
"""Names of the pictures of averages."""


@dataclass(frozen=True, slots=True)
class Person:
    """One history, and what the model makes of it.

    Attributes:
        name: What to call it.
        titles: Of the L events looked at, oldest first.
        maps: float [layers, heads, L, L].
        recommended: Titles of the items recommended, best first.
        scores: Their scores.
        effects: float [L, items], what each event adds to the score of each recommended item.
        skipped: Events the model does not know.
    """

    name: str
    titles: Sequence[str]
    maps: np.ndarray
    recommended: Sequence[str]
    scores: Sequence[float]
    effects: np.ndarray
    skipped: Sequence[str] = ()


def pictures_of(averages: AverageAttention | None, people: Sequence[Person]) -> dict[str, bytes]:
    """Draw everything there is to see.

    Args:
        averages: Over a data set, or None.
        people: Single histories.

    Returns:
        Name, such as ``by-distance`` or ``history-1``, to a PNG.
    """
    with plain_texts():
        return {name: rendered(each, "png", dpi=110) for name, each in _figures(averages, people)}


def _figures(
    averages: AverageAttention | None, people: Sequence[Person]
) -> Iterator[tuple[str, Figure]]:
    if averages is not None:
        yield BY_DISTANCE, _by_distance(averages)
        if np.isfinite(averages.by_position).all():
            yield BY_POSITION, _by_position(averages)
        if averages.groups:
            yield BETWEEN_GROUPS, _between_groups(averages)
    for number, person in enumerate(people, start=1):
        yield f"history-{number}", _one_history(person)


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
    size = max(4.0, 0.22 * layers.shape[1])
    # Below one another, so that a page shows titles in a size that can be read.
    figure, axes = _figure(
        len(layers), width=size + 3.5, height=(size + 2) * len(layers), down=True
    )
    extra = person.maps.shape[2] - len(person.titles)  # the mask of BERT4Rec
    titles = [*(_short(title) for title in person.titles), *["(next)"] * extra][-SHOWN:]
    for number, (place, layer) in enumerate(zip(axes, layers, strict=True), start=1):
        # By the square root, as the long rows of late events have small shares.
        image = place.imshow(layer, cmap="viridis", norm=PowerNorm(0.5, vmin=0))
        place.set_title(f"layer {number}")
        place.set_xticks(range(len(titles)), titles, rotation=90, fontsize=9)
        place.set_yticks(range(len(titles)), titles, fontsize=9)
        figure.colorbar(image, ax=place, shrink=0.8)
    return figure


def _figure(
    count: int, *, width: float, height: float, down: bool = False
) -> tuple[Figure, list[Any]]:
    figure = new_figure(width, height)
    rows, columns = (count, 1) if down else (1, count)
    return figure, list(figure.subplots(rows, columns, squeeze=False).flat)


def _short(title: str) -> str:
    plain = printable(title)
    return plain if len(plain) <= LONGEST_TITLE else plain[: LONGEST_TITLE - 1] + "…"
