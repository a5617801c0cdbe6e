"""Checks whether a model was trained on the data that it is evaluated on."""

from __future__ import annotations

from typing import Any

from sasrec.data.corpus import Corpus
from sasrec.evaluation.overlap import overlap, sketch_from_json
from sasrec.experiment.prepared import Prepared
from sasrec.experiment.run import HASHES
from sasrec.recommender.recommender import Recommender
from sasrec.remarks import Remark
from sasrec.settings.evaluation import split_settings
from sasrec.settings.resolve import RunSettings

OTHER_SPLIT = (
    "the model was trained with another split of these data, so it may have been trained on test "
    "targets; evaluate with the split it was trained with"
)


def check_overlap(
    recommender: Recommender,
    run: RunSettings,
    source: str,
    corpus: Corpus,
    prepared: Prepared,
) -> tuple[list[Remark], dict[str, Any] | None]:
    """Return remarks on events that a model was both trained on and is evaluated on.

    There are none for the data and split of its training, because these keep training and test
    events apart. All other data are compared event by event, whatever their name.

    Args:
        recommender: The model, with hashes of its training events.
        run: Settings of the evaluation.
        source: Name or path of the evaluated data.
        corpus: The evaluated data.
        prepared: The same data with the model's item numbers, and their split.

    Returns:
        Remarks, and the shares of overlap; None if they are zero or unknown.
    """
    saved = recommender.settings
    reports = recommender.metrics.get("reports") or [{}]
    fingerprint = reports[0].get("dataset", {}).get("fingerprint")
    is_same = fingerprint == corpus.sequences.fingerprint()
    evaluation = run.as_json()["evaluation"]
    has_other_split = split_settings(evaluation) != split_settings(saved["evaluation"])
    is_its_own = bool(corpus.source) and corpus.source == saved.get("source")
    if is_same and is_its_own and not has_other_split:
        return [], None
    remarks = []
    if has_other_split and (is_same or is_its_own):
        remarks.append(Remark("other_split", corpus.sequences.n_events, OTHER_SPLIT))
    sketch = sketch_from_json(recommender.metrics.get(HASHES))
    if sketch is None:
        if is_same and not is_its_own:
            text = f"{source} contains exactly the events of the data the model was trained on"
            remarks.append(Remark("overlap", corpus.sequences.n_events, text))
        return remarks, None
    found = overlap(sketch, corpus, prepared.corpus, prepared.split)
    if found is None:
        return remarks, None
    count = round(found.events * corpus.sequences.n_events)
    remarks.append(Remark("overlap", count, found.text(source)))
    return remarks, found.as_json()
