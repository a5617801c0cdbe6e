"""Familiar: whether a model has met, in training, what it is evaluated on."""

from __future__ import annotations

from typing import Any

from sasrec.data.checks.remarks import Remark
from sasrec.data.corpus import Corpus
from sasrec.evaluation.overlap import overlap, sketch_from_json
from sasrec.experiment.prepared import Prepared
from sasrec.experiment.run import HASHES
from sasrec.recommender.recommender import Recommender
from sasrec.settings.evaluation import SPLIT_KEYS
from sasrec.settings.resolve import RunSettings

OTHER_SPLIT = (
    "the model was trained with another split of these data, so that it may have learned what it "
    "is now tested on"
)


def familiar(
    recommender: Recommender,
    run: RunSettings,
    source: str,
    corpus: Corpus,
    prepared: Prepared,
) -> tuple[list[Remark], dict[str, Any] | None]:
    """Return what a user must know of data that a model is evaluated on.

    Of the data and split it was trained with there is nothing to say: that is what evaluation is
    for. Everything else is compared event by event, whatever it is called.

    Args:
        recommender: The model, with what it remembers of its training events.
        run: How it is evaluated.
        source: Name or path of the data.
        corpus: The data.
        prepared: The same in the model's own numbers, split.

    Returns:
        Remarks, and the shares that are known; None if there are none.
    """
    saved = recommender.settings
    reports = recommender.metrics.get("reports") or [{}]
    fingerprint = reports[0].get("dataset", {}).get("fingerprint")
    is_same = fingerprint == corpus.sequences.fingerprint()
    asked = run.as_json()["evaluation"]
    has_other_split = any(asked[key] != saved["evaluation"].get(key) for key in SPLIT_KEYS)
    is_its_own = bool(corpus.source) and corpus.source == saved.get("source")
    if is_same and is_its_own and not has_other_split:
        return [], None
    remarks = []
    if has_other_split and (is_same or is_its_own):
        remarks.append(Remark("other_split", corpus.sequences.n_events, OTHER_SPLIT))
    sketch = sketch_from_json(recommender.metrics.get(HASHES))
    if sketch is None:
        if is_same and not is_its_own:
            text = f"{source} holds the very events that the model was trained on"
            remarks.append(Remark("overlap", corpus.sequences.n_events, text))
        return remarks, None
    found = overlap(sketch, corpus, prepared.corpus, prepared.split)
    if found is None:
        return remarks, None
    count = round(found.events * corpus.sequences.n_events)
    remarks.append(Remark("overlap", count, found.text(source)))
    return remarks, found.as_json()
