"""The baseline of recent popularity, with a window that is given or chosen on validation."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from sasrec.data.splits import Cases
from sasrec.evaluation.validation import validation_score
from sasrec.experiment.prepared import Prepared
from sasrec.models.recent_popularity import RecentPopularity, fit_recent_popularity
from sasrec.models.recent_windows import windows_for
from sasrec.settings.metric_names import smaller_is_better

DEFAULT_PLACE = 2
"""Which of the windows is used if there is no validation to choose by."""
MOST_CASES = 2_000
"""Number of validation cases by which the window is chosen, at most."""


def recent_popularity(prepared: Prepared) -> tuple[str, RecentPopularity] | None:
    """Return the baseline of recent popularity.

    Args:
        prepared: The training events to count, and the validation cases to choose the window by.

    Returns:
        Its name, such as ``Popularity 7d``, and the model; None without times that differ.
    """
    windows = windows_for(prepared.split, prepared.run.evaluation)
    if not windows:
        return None
    names = list(windows)
    name = names[min(DEFAULT_PLACE, len(names) - 1)]
    if len(names) > 1 and len(prepared.split.validation):
        name = _best(prepared, windows)
    model = fit_recent_popularity(prepared.split, prepared.n_items, windows[name])
    return f"Popularity {name}", model.to(prepared.device)


def _best(prepared: Prepared, windows: dict[str, float]) -> str:
    """Return the window with the best validation metric; of equal ones, the longest."""
    protocol, cases = prepared.protocol, prepared.split.validation
    if len(cases) > MOST_CASES:
        which = np.random.default_rng(0).choice(len(cases), MOST_CASES, replace=False)
        which.sort()
        cases = Cases(cases.users[which], cases.stops[which])
    sampled = replace(protocol, split=replace(prepared.split, validation=cases))
    sign = -1 if smaller_is_better(protocol.settings.valid_metric) else 1
    scores = {}
    for name, window in windows.items():
        model = fit_recent_popularity(prepared.split, prepared.n_items, window)
        value = sign * validation_score(model.to(prepared.device), sampled)
        scores[name] = -math.inf if math.isnan(value) else value
    return max(reversed(scores), key=scores.__getitem__)
