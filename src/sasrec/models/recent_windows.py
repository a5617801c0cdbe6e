"""Windows of the baseline of recent popularity: the one that is set, or those to choose from."""

from __future__ import annotations

import numpy as np

from sasrec.data.date_splits import unit_seconds
from sasrec.data.splits import Split
from sasrec.errors import DataError
from sasrec.models.popularity import counted_events
from sasrec.settings.evaluation import EvaluationSettings
from sasrec.settings.time_point import time_point

DAY = 86_400
DAYS = (1, 3, 7, 14, 30, 90, 365)
"""Windows to choose from, in days, if times are Unix timestamps."""
SHARES = (300, 100, 30, 10, 3)
"""Otherwise, the windows are the time from the first to the last event divided by these."""


def windows_for(split: Split, settings: EvaluationSettings) -> dict[str, float]:
    """Return the windows to choose from, shortest first.

    Args:
        split: Its training events are counted.
        settings: Its ``recent_window``, which leaves one window if it is given.

    Returns:
        Name of each window to its length in the unit of the times; empty without times that differ.

    Raises:
        DataError: A period is given, and the times are not Unix timestamps.
    """
    times = split.sequences.times
    kept = counted_events(split)
    if times is None or not kept.any() or times[kept].min() == times[kept].max():
        return {}
    latest, span = float(times.max()), float(np.ptp(times[kept]))
    unit = unit_seconds(latest)
    if settings.recent_window is not None:
        return {settings.recent_window: _length(settings.recent_window, unit, latest)}
    if unit is None:
        return {f"{span / share:.3g}": span / share for share in SHARES}
    lengths = {f"{days}d": days * DAY / unit for days in DAYS}
    shorter = {name: length for name, length in lengths.items() if length < span}
    return shorter or {"1d": lengths["1d"]}


def _length(text: str, unit: float | None, latest: float) -> float:
    """Return the length of a window in the unit of the times.

    Raises:
        DataError: A period is given, and the times are not Unix timestamps.
    """
    point = time_point(text)
    if point.kind == "number":
        return point.value
    if unit is None:
        raise DataError(
            f"recent_window is {text!r}, but the times of the data, up to {latest:g}, are not Unix "
            "timestamps; give a number in the unit of the times"
        )
    return point.value / unit
