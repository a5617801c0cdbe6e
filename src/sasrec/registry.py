"""Every name a user may type for a part, and where the thing it means is defined.

A line is ``name: "module:attribute"``; the module is imported when the name is used.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

from sasrec.errors import SettingsError, did_you_mean

MODELS = {
    "SASRec": "sasrec.models.sasrec:SASRec",
}
BASELINES = {
    "Popularity": "sasrec.models.popularity:fit_popularity",
    "Markov": "sasrec.models.markov:count_transitions",
}
MODEL_SETTINGS = {
    "SASRec": "sasrec.models.sasrec:SASRecSettings",
}
LOSSES = {
    "CE": "sasrec.losses.full:softmax_cross_entropy",
    "BPR": "sasrec.losses.sampled:bpr",
    "BCE": "sasrec.losses.sampled:bce",
    "gBCE": "sasrec.losses.sampled:gbce",
    "SSM": "sasrec.losses.sampled:sampled_softmax",
}


def resolve(kind: str, table: dict[str, str], name: str) -> Any:
    """Return the thing a name stands for.

    Args:
        kind: What the table holds, for the error text.
        table: One of the tables above.
        name: What the user typed.

    Returns:
        The class or function.

    Raises:
        SettingsError: The name is not in the table.
    """
    if name not in table:
        raise SettingsError(
            f"unknown {kind} {name!r}{did_you_mean(name, table)} (known: {', '.join(table)})"
        )
    module, _, attribute = table[name].partition(":")
    return getattr(import_module(module), attribute)
