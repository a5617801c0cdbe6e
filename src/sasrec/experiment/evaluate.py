"""evaluate: measure a saved model and the baselines on any data."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack

from sasrec.data.corpus import Corpus, renumbered
from sasrec.data.movielens import Progress
from sasrec.data.source_names import text_of
from sasrec.data.sources import load_corpus
from sasrec.errors import DataError, SettingsError, counted
from sasrec.evaluation.report import Report
from sasrec.evaluation.verdict import worse_than_counts
from sasrec.experiment.measuring import baseline_reports, measured
from sasrec.experiment.overlap_check import check_overlap
from sasrec.experiment.prepared import Prepared, prepare
from sasrec.recommender.loading import load
from sasrec.recommender.recommender import Recommender
from sasrec.remarks import Remark, log_remarks
from sasrec.settings.files import Layer
from sasrec.settings.keywords import Keywords, merged
from sasrec.settings.origin import Origin
from sasrec.settings.plugins import KEY, require_parts
from sasrec.settings.resolve import RunSettings, resolve_layers

if TYPE_CHECKING:
    from sasrec.data.sources import Source

logger = logging.getLogger(__name__)
SAVED = Origin("model", "the model's settings.json")
"""Origin of the settings that a saved model was trained with."""
GIVEN = Origin("python", "the settings given")
OTHER_KEYS = ("device", "gpu_id", "deterministic", "decimals")
"""Settings that evaluation uses, besides those of the groups data and evaluation."""


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Metrics of a saved model and of the baselines.

    Attributes:
        report: Report of the model.
        baselines: Reports of the baselines, on the same cases.
        remarks: Possible problems with the data, and their overlap with the training data.
        overlap: Shares of the evaluated events that the model was trained on; None if the data
            and split are those of its training, or if the overlap is zero or unknown.
        decimals: Decimal places for printing metrics.
    """

    report: Report
    baselines: list[Report]
    remarks: list[Remark] = field(default_factory=list)
    overlap: dict[str, Any] | None = None
    decimals: int = 4

    @property
    def reports(self) -> list[Report]:
        """The model's report, then the baselines'."""
        return [self.report, *self.baselines]

    def as_json(self) -> dict[str, Any]:
        """Return the model's report, the baselines' and the remarks, in types JSON has."""
        return {
            **self.report.as_json(),
            "baselines": [each.as_json() for each in self.baselines],
            "remarks": [remark.as_json() for remark in self.remarks],
            "overlap": self.overlap,
        }


def evaluate(
    model: Recommender | str | Path,
    data: Source | None = None,
    settings: Mapping[str, Any] | None = None,
    **keywords: Unpack[Keywords],
) -> Evaluation:
    """Measure a saved model on the validation and test events of a data set.

    >>> evaluate("saved/films", topk=(5, 10)).report.test["ndcg@10"]  # doctest: +SKIP
    0.0719

    Args:
        model: A recommender, or the folder of one.
        data: A name, a path or a data frame; None uses the data the model was trained on.
        settings: Settings of data and evaluation, and ``device``, ``gpu_id``, ``deterministic``
            and ``decimals``; the default is the value the model was trained with.
        **keywords: Settings by name; they override ``settings``.

    Returns:
        Reports of the model and of the baselines, and remarks.

    Raises:
        SasrecError: Settings, data or the model cannot be used.
    """  # raised by the parts
    recommender = model if isinstance(model, Recommender) else load(model)
    layer = Layer(GIVEN, merged(settings, keywords))
    return evaluate_with(recommender, data, [layer])


def evaluate_with(
    recommender: Recommender,
    data: Source | None,
    layers: Sequence[Layer],
    *,
    fetching: Progress = lambda done, total: None,
) -> Evaluation:
    """Measure a saved model with settings from several places.

    Args:
        recommender: The model; it is on its own device again afterwards.
        data: A name, a path or a data frame; None uses the data the model was trained on.
        layers: Settings of data, evaluation and device; a later layer overrides an earlier one.
        fetching: Called with the progress of a download.

    Returns:
        Reports and remarks.
    """
    saved = recommender.settings
    if not any("metrics" in layer.values for layer in layers):
        require_parts(saved.get(KEY, []), ["metric"], "the model")
    before: dict[str, Any] = {**saved["data"], **saved["evaluation"]}
    run = resolve_layers([Layer(SAVED, before), *layers], saved["model_name"])
    _check_protocol(run, recommender.max_history)
    source = trained_on(recommender) if data is None else data
    original = load_corpus(source, run.data, fetching)
    corpus, unknown = _with_model_numbers(original, recommender, source)
    prepared = prepare(corpus, run)
    overlap_remarks, shares = check_overlap(recommender, run, _name_of(source), original, prepared)
    return _evaluated(
        prepared, recommender, [*original.remarks, *unknown, *overlap_remarks], shares
    )


def _evaluated(
    prepared: Prepared,
    recommender: Recommender,
    remarks: list[Remark],
    shares: dict[str, Any] | None,
) -> Evaluation:
    """Return reports of the model, with item counts of its training, and of the baselines."""
    own = replace(prepared, counts=recommender.counts)
    weight = next(recommender.model.parameters(), None)
    device = None if weight is None else weight.device
    network = recommender.model.to(prepared.device)
    try:
        report = measured(own, recommender.settings["model_name"], network)
    finally:
        if device is not None:
            network.to(device)
    baselines = baseline_reports(prepared)
    worse = worse_than_counts([report, *baselines], prepared.run.evaluation.valid_metric)
    log_remarks(worse, prepared.corpus.name)
    return Evaluation(
        report, baselines, [*remarks, *worse], shares, prepared.run.evaluation.decimals
    )


def trained_on(recommender: Recommender) -> str:
    """Return the name or path of the data a model was trained on.

    Args:
        recommender: A loaded model.

    Returns:
        A value for ``--data``.

    Raises:
        DataError: It was trained on a data frame, which is not saved.
    """
    source = recommender.settings.get("source")
    if not source:
        raise DataError("the model was trained on a data frame; give its data with --data or data=")
    return str(source)


def _name_of(source: Source) -> str:
    return text_of(source) or "the data frame"


def _with_model_numbers(
    original: Corpus, recommender: Recommender, source: Source
) -> tuple[Corpus, list[Remark]]:
    """Return data with the item and user numbers of a model, and a remark on unknown items.

    Raises:
        DataError: The model knows none of the items.
    """
    corpus = renumbered(original, recommender.items, recommender.users)
    lost = original.sequences.n_events - corpus.sequences.n_events
    if not corpus.sequences.n_events:
        raise DataError(
            f"the model knows none of the items in {_name_of(source)}; give data with items it "
            "was trained on"
        )
    if not lost:
        return corpus, []
    text = f"left out: {counted(lost, 'event')} of items the model does not know"
    return corpus, [Remark("unknown_items", lost, text)]


def _check_protocol(run: RunSettings, max_history: int) -> None:
    """Refuse settings that only affect training.

    Raises:
        SettingsError: There is one.
    """
    accepted = {**dict(run.data), **dict(run.evaluation), **dict.fromkeys(OTHER_KEYS)}
    for key, origin in run.origins.items():
        if key not in accepted and origin.is_given:
            what = f"--{key}" if origin.kind == "command line" else f"{key} in {origin}"
            raise SettingsError(
                f"{what} only changes training; a saved model accepts settings of data "
                "and evaluation"
            )
    if run.data.max_history != max_history:
        raise SettingsError(
            f"this model has max_history={max_history}, which cannot be changed; train another "
            f"model with max_history={run.data.max_history}"
        )
    if run.without_effect:
        logger.warning("settings without effect: %s", ", ".join(run.without_effect))
