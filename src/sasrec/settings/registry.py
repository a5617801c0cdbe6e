"""Tables of all parts that users choose by name: models, baselines, losses, metrics, readers.

Built-in parts are listed below as ``name: "module:attribute"``. Other parts are registered by a
program or a plug-in file, or provided by an installed package as an entry point; they are in the
same tables. A module is imported, or an entry point loaded, only when its name is used.
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
"""Each is an object that satisfies the contract in ``losses/contract.py``."""
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
    check="sasrec.data.formats.plugin_readers:check_reader",
)


def canonical_model(name: str) -> str:
    """Return the name of a model with the case it has in ``MODELS``.

    Args:
        name: The name as the user wrote it; upper and lower case are ignored.

    Returns:
        The name as in ``MODELS``; an unknown name is returned unchanged, and ``MODELS`` rejects it
        later.
    """
    return MODELS.canonical_name(name)
