"""Every part a user may name (models, losses, metrics, readers), and where each comes from.

Built-in parts stand below as ``name: "module:attribute"``; a part from outside is registered by a
program or a plug-in file, or offered by an installed package as an entry point. All are found in
the same tables. A module is imported, and an entry point loaded, when its name is used.
"""

from __future__ import annotations

from sasrec.settings.parts import Parts

MODELS = Parts(
    "model",
    {
        "SASRec": "sasrec.models.sasrec:SASRec",
        "GRU4Rec": "sasrec.models.gru4rec:GRU4Rec",
        "NextItNet": "sasrec.models.nextitnet:NextItNet",
        "Caser": "sasrec.models.caser:Caser",
        "BERT4Rec": "sasrec.models.bert4rec:BERT4Rec",
        "FPMC": "sasrec.models.fpmc:FPMC",
        "FMC": "sasrec.models.fpmc:FMC",
        "TransRec": "sasrec.models.transrec:TransRec",
        "BPR": "sasrec.models.fpmc:BPRMF",
    },
    group="sasrec.models",
    check="sasrec.models.registration:check_model",
)
BASELINES = Parts(
    "baseline",
    {
        "Popularity": "sasrec.models.popularity:fit_popularity",
        "Markov": "sasrec.models.markov:count_transitions",
    },
)
LOSSES = Parts(
    "loss",
    {
        "CE": "sasrec.losses.full:CE",
        "BPR": "sasrec.losses.sampled:BPR",
        "BCE": "sasrec.losses.sampled:BCE",
        "gBCE": "sasrec.losses.sampled:GBCE",
        "SSM": "sasrec.losses.sampled:SSM",
        "BPRmax": "sasrec.losses.sampled:BPR_MAX",
        "TOP1max": "sasrec.losses.sampled:TOP1_MAX",
    },
    group="sasrec.losses",
    check="sasrec.losses.registration:check_loss",
)
"""Each is an object as ``losses/contract.py`` describes it."""
METRICS = Parts(
    "metric",
    {
        "recall": "sasrec.evaluation.metrics:recall",
        "mrr": "sasrec.evaluation.metrics:mrr",
        "ndcg": "sasrec.evaluation.metrics:ndcg",
        "hit": "sasrec.evaluation.metrics:hit",
        "precision": "sasrec.evaluation.metrics:precision",
        "map": "sasrec.evaluation.metrics:average_precision",
        "gauc": "sasrec.evaluation.metrics:gauc",
        "itemcoverage": "sasrec.evaluation.metrics:item_coverage",
        "averagepopularity": "sasrec.evaluation.metrics:average_popularity",
        "giniindex": "sasrec.evaluation.metrics:gini_index",
        "shannonentropy": "sasrec.evaluation.metrics:shannon_entropy",
        "tailpercentage": "sasrec.evaluation.metrics:tail_percentage",
    },
    group="sasrec.metrics",
    check="sasrec.evaluation.registration:check_metric",
)
READERS = Parts(
    "reader",
    {
        "inter": "sasrec.data.formats.readers:read_atomic",
        "csv": "sasrec.data.formats.csv_files:read_csv",
        "tsv": "sasrec.data.formats.csv_files:read_csv",
        "parquet": "sasrec.data.formats.parquet:read_parquet",
    },
    group="sasrec.readers",
    check="sasrec.data.formats.from_outside:check_reader",
)


def model_called(name: str) -> str:
    """Return the model a user means; upper and lower case do not matter.

    Args:
        name: What the user typed.

    Returns:
        Its name as in ``MODELS``; what is unknown stays for ``MODELS`` to refuse.
    """
    return MODELS.called(name)
