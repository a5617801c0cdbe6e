"""Every name a user may type for a part, and where the thing it means is defined.

A line is ``name: "module:attribute"``; the module is imported when the name is used.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

from sasrec.errors import SettingsError, did_you_mean
from sasrec.settings.recbole_models import instead_of

MODELS = {
    "SASRec": "sasrec.models.sasrec:SASRec",
    "GRU4Rec": "sasrec.models.gru4rec:GRU4Rec",
    "NextItNet": "sasrec.models.nextitnet:NextItNet",
    "Caser": "sasrec.models.caser:Caser",
    "BERT4Rec": "sasrec.models.bert4rec:BERT4Rec",
    "FPMC": "sasrec.models.fpmc:FPMC",
    "FMC": "sasrec.models.fpmc:FMC",
    "TransRec": "sasrec.models.transrec:TransRec",
    "BPR": "sasrec.models.fpmc:BPRMF",
}
WITHOUT_TABLE = frozenset({"TransRec"})
"""Models whose scores are no products with item vectors."""
BASELINES = {
    "Popularity": "sasrec.models.popularity:fit_popularity",
    "Markov": "sasrec.models.markov:count_transitions",
}
MODEL_SETTINGS = {
    "SASRec": "sasrec.models.sasrec:SASRecSettings",
    "GRU4Rec": "sasrec.models.gru4rec:GRU4RecSettings",
    "NextItNet": "sasrec.models.nextitnet:NextItNetSettings",
    "Caser": "sasrec.models.caser:CaserSettings",
    "BERT4Rec": "sasrec.models.bert4rec:BERT4RecSettings",
    "FPMC": "sasrec.models.fpmc:FactorSettings",
    "FMC": "sasrec.models.fpmc:FactorSettings",
    "TransRec": "sasrec.models.transrec:TransRecSettings",
    "BPR": "sasrec.models.fpmc:FactorSettings",
}
LOSSES = {
    "CE": "sasrec.losses.full:CE",
    "BPR": "sasrec.losses.sampled:BPR",
    "BCE": "sasrec.losses.sampled:BCE",
    "gBCE": "sasrec.losses.sampled:GBCE",
    "SSM": "sasrec.losses.sampled:SSM",
    "BPRmax": "sasrec.losses.sampled:BPR_MAX",
    "TOP1max": "sasrec.losses.sampled:TOP1_MAX",
}
"""Each is an object as ``losses/contract.py`` describes it."""


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
        hint = instead_of(name) if kind == "model" else ""
        hint = hint or did_you_mean(name, table)
        raise SettingsError(f"unknown {kind} {name!r}{hint} (known: {', '.join(table)})")
    module, _, attribute = table[name].partition(":")
    return getattr(import_module(module), attribute)


def model_called(name: str) -> str:
    """Return the model a user means; upper and lower case do not matter.

    Args:
        name: What the user typed.

    Returns:
        Its name as it stands in ``MODELS``; what is unknown stays for ``resolve`` to refuse.
    """
    known = {each.lower(): each for each in MODELS}
    return known.get(str(name).lower(), str(name))
